-- A delete lost its reply and was sent again at once; a proxy answered 404 with a page of
-- its own, or with JSON, and the delete was called done: the account was still there.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "20" }, function(...)
  emulator, place = ...
end)

local foreign = { "", "<html>no such page</html>", "{}", '{"error":"not found"}',
                  '{"error":{"message":"no such item","code":606e}}' }

it("the 404 of a proxy does not prove that a repeated delete is done", function()
  for _, body in ipairs(foreign) do
    emulator:reset()
    local id = job.ids(emulator, { statuses = { "EXPIRED" } }, 1)[1]
    emulator:faults {
      { method = "GET", path = "*/" .. id, action = "close" },
      { method = "DELETE", action = "close", times = 1 },
      { method = "DELETE", action = "reply", status = 404, body = body },
    }
    local run = place:run({ "job.lua", "--apply", "--confirm=1", "--summary=summary.json" }, {
      script = ([[composio.job { may = "irreversible" }
        composio.bulk({ %q }, function(account) account:delete() end)]]):format(id),
    })
    assert.same({ delete = { unknown = 1 } }, run.summary.operations, body .. run.err)
    assert.same({}, job.changes(emulator))
  end
end)

it("the service's own does", function()
  emulator:reset()
  local id = job.ids(emulator, { statuses = { "EXPIRED" } }, 1)[1]
  emulator:faults { { method = "DELETE", action = "apply_then_close", times = 1 } }
  local run = place:run({ "job.lua", "--apply", "--confirm=1", "--summary=summary.json" }, {
    script = ([[composio.job { may = "irreversible" }
      composio.bulk({ %q }, function(account) account:delete() end)]]):format(id),
  })
  assert.same({ delete = { done = 1 } }, run.summary.operations, run.err)
end)
