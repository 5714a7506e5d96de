-- What remained unknown was told again at each pass of settling, and a create whose reply was
-- lost stood in the summary as unknown, without a name, after it had been settled.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

local function run(script, ...)
  return place:run({ "job.lua", "--apply", "--retries=0", "--timeout=2s", ... },
    { script = script })
end

it("an unknown change is told once, however often it is looked up", function()
  local id = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1]
  emulator:faults { method = "PATCH", action = "close", times = 1000 }
  local ended = run(("pcall(accounts.disable, %q)"):format(id), "--settle-wait=2s")
  assert.equal(8, ended.code, ended.err)
  local _, told = ended.err:gsub("the account is ACTIVE", "")
  assert.equal(1, told, ended.err)
end)

it("a create is named by its call", function()
  emulator:faults { method = "POST", action = "close", times = 1 }
  local ended = run('pcall(accounts.link, "new", "ac_GmailManaged")', "--settle-wait=0")
  assert.equal(8, ended.code, ended.err)
  job.has(ended.err, "  unknown  link  call 1: ")
end)
