-- A delete whose reply was lost was sent again by resume, a proxy answered 404 with a
-- page of its own, and the change was called done: the account was still there.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "20" }, function(...)
  emulator, place = ...
end)

it("the 404 of a proxy does not prove that a repeated delete is done", function()
  local id = job.ids(emulator, { statuses = { "EXPIRED" } }, 1)[1]
  local unseen = { method = "GET", path = "*/" .. id, action = "close" }
  emulator:faults { unseen, { method = "DELETE", action = "close" } }
  local run = place:run({ "job.lua", "--apply", "--confirm=1", "--retries=0",
    "--summary=summary.json" }, {
    script = ([[composio.job { may = "irreversible" }
      composio.bulk({ %q }, function(account) account:delete() end)]]):format(id),
  })
  assert.equal(8, run.code, run.err)
  emulator:faults { unseen, { method = "DELETE", action = "reply", status = 404,
    body = "<html>no such page</html>", content_type = "text/html" } }
  local resumed = place:run { "resume", run.summary.run, "--retries=0", "--summary=summary.json" }
  assert.equal(7, resumed.code, resumed.err) -- no delete has worked: the route may be missing
  assert.same({ delete = { unknown = 1 } }, resumed.summary.operations)
end)
