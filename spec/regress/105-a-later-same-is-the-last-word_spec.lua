-- A straight-line change whose reply was lost was sent again at the end of the run although
-- the script had wanted something else later, and had found that it was so already: a disable
-- came after the script's enable.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

local function run_lost(script, id)
  emulator:faults { method = "PATCH", action = "close", times = 2 }
  local run = place:run({ "job.lua", "--apply", "--retries=0", "--timeout=2s",
    "--settle-wait=0" }, { script = script:format(id) })
  assert.equal(8, run.code, run.err)
  assert.same({}, job.changes(emulator))
end

it("a later enable that is so already", function()
  run_lost([[
    local id = %q
    print(pcall(accounts.disable, id))
    accounts.get(id):enable()
  ]], job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1])
end)

it("a later bulk that finds it so already", function()
  run_lost([[
    local id = %q
    print(pcall(accounts.disable, id))
    composio.bulk({ id }, function(account) account:enable() end)
  ]], job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1])
end)
