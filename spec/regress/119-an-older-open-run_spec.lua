-- After one good run, doctor said that no run was interrupted and `resume last` that there was
-- nothing to resume, though an older run had changes that nobody knew more of.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

it("an older open run is named by doctor and by resume last", function()
  emulator:faults { method = "POST", action = "close", times = 1 }
  local open = place:run({ "job.lua", "--apply", "--retries=0", "--timeout=1s", "--settle-wait=0" },
    { script = [[pcall(accounts.link, "newuser", "ac_GmailManaged")]] })
  assert.equal(8, open.code, open.err)
  local id = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1]
  local disable = ("accounts.disable(%q)"):format(id)
  local good = place:run({ "job.lua", "--apply" }, { script = disable })
  assert.equal(0, good.code, good.err)
  local name = open.err:match 'run: (%S+)'
  local said = place:run({ "doctor" }).out
  job.has(said, "1 to be resumed, the newest with: composio-lua resume " .. name)
  local resumed = place:run { "resume", "last" }
  assert.equal(0, resumed.code, resumed.err)
  local finished = good.err:match "run: (%S+)"
  job.has(resumed.err, finished .. " is finished (exit 0): there is nothing to resume")
  job.has(resumed.err, ("run %s is not: composio-lua resume %s"):format(name, name))
end)
