-- Each bulk, and the end of the run, settled for --settle-wait of its own: a run with ten bulks
-- could wait ten times as long as it had been told. A straight-line change that a bulk settled
-- was left as not tried, exit 7.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

local function run_with(script, ...)
  return place:run({ "job.lua", "--apply", "--retries=0", "--timeout=1s",
    "--summary=summary.json", ... }, { script = script })
end

it("three bulks share it", function()
  local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 3)
  emulator:faults { { method = "PATCH", action = "close" } }
  local run = run_with(([[
    for n, id in ipairs %s do
      composio.bulk("bulk " .. n, { id }, function(account) account:disable() end)
    end
  ]]):format(job.quoted(ids)), "--settle-wait=2s")
  assert.equal(8, run.code, run.err)
  assert.equal(3, run.summary.outcomes.unknown)
  assert.is_true(run.summary.seconds < 4, run.summary.seconds .. run.err)
end)

it("a bulk settles its own changes only", function()
  local id = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1]
  emulator:faults { { method = "POST", action = "close", times = 1 } }
  local run = run_with(([[
    pcall(accounts.link, "new", "ac_GmailManaged")
    composio.bulk({ %q }, function(account) account:disable() end)
  ]]):format(id), "--settle-wait=0")
  assert.equal(8, run.code, run.err)
  assert.equal(1, run.summary.operations.link.unknown)
end)
