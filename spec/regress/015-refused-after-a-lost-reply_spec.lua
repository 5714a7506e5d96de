-- A change whose reply was lost was sent again and refused, and was told as failed,
-- though the lost request had been carried out. Its fallback was sent, too.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

local lost = { method = "POST", action = "apply_then_close" }

it("a refusal after a lost reply does not prove that nothing happened", function()
  local id = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1]
  local unseen = { method = "GET", path = "*/" .. id, action = "close" }
  local script = ([[composio.job { may = "irreversible" }
    composio.bulk({ %q }, function(account) account:revoke { otherwise = "disable" } end)
  ]]):format(id)
  local words = { "job.lua", "--apply", "--confirm=1", "--retries=0", "--summary=summary.json" }
  for _, status in ipairs { 401, 403, 404, 409, 429 } do
    emulator:reset()
    local refused = { method = "POST", action = "reply", status = status,
      body = '{"error":{"message":"no"}}' }
    emulator:faults { unseen, lost }
    local run = place:run(words, { script = script })
    assert.equal(8, run.code, run.err)
    emulator:faults { unseen, refused }
    local resumed = place:run { "resume", run.summary.run, "--retries=0",
      "--summary=summary.json" }
    assert.same({ unknown = 1 }, resumed.summary.operations.revoke, status .. resumed.err)
    assert.same({ "revoke " .. id }, job.changes(emulator))
  end
end)

it("nor does one of a later attempt of the same call", function()
  local id = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1]
  local text = "composio.bulk({ %q }, function(a) a:disable { otherwise = 'revoke' } end)"
  emulator:reset()
  emulator:faults {
    { method = "GET", path = "*/" .. id, action = "close" },
    { method = "PATCH", action = "apply_then_reply", status = 502, times = 1 },
    { method = "PATCH", action = "reply", status = 403, body = '{"error":{"message":"no"}}' },
  }
  local run = place:run({ "job.lua", "--apply", "--confirm=1", "--summary=summary.json" },
    { script = 'composio.job { may = "irreversible" }\n' .. text:format(id) })
  assert.equal(8, run.code, run.err)
  assert.same({ "disable " .. id }, job.changes(emulator))
end)
