-- When the service went away while a plan was made, the look-up of each item failed by itself:
-- what had been planned until then was carried out, and the rest was told as failed.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "200" }, function(...)
  emulator, place = ...
end)

local SCRIPT = [[
  composio.bulk(accounts.each { statuses = { "ACTIVE" } }, function(account)
    accounts.get(account.id)
    account:disable()
  end)
]]

local function run_with(fault, ...)
  fault.method, fault.path = "GET", "*/connected_accounts/ca_*"
  emulator:faults { fault }
  return place:run({ "job.lua", "--apply", "--retries=1", "--concurrency=2", "--max-changes=500",
    "--max-percent=100", "--summary=summary.json", ... }, { script = SCRIPT })
end

for name, fault in pairs {
  ["cuts connections"] = { action = "close" },
  ["is a gateway's 502"] = { action = "reply", status = 502, body = "<html>bad" },
  ["is a proxy's page"] = { action = "html" },
} do
  it("a service that " .. name .. " while planning stops the run and writes nothing", function()
    fault.nth, fault.times = 20, 1000000
    local run = run_with(fault)
    assert.equal(7, run.code, run.err)
    job.has(run.err, "stopped while planning")
    assert.same({}, job.changes(emulator))
  end)
end

it("some look-ups that fail do not", function()
  local run = run_with { action = "reply", status = 502, every = 3, body = "<html>bad" }
  assert.is_true(run.code == 0 or run.code == 3, run.err)
  assert.is_true(#job.changes(emulator) > 0)
end)
