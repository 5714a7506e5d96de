-- A straight-line change whose reply was lost, and that the run followed by another of the same
-- account, was never looked for again at the end, and skipped by `resume` at once, while its
-- request could still arrive and undo the later one. It has its quiet time now: then it is done
-- if the account shows it, and skipped if not.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

local SCRIPT = [[
  local id = %q
  pcall(accounts.disable, id)
  accounts.update(id, { alias = "kept" })
  print "ready"
  while not io.open("go") do composio.sleep(0.02) end
  accounts.get(id)
]]

-- Runs the script, whose disable is lost; the service's clock passes an hour before its end.
local function run_with(fault, ...)
  local id = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1]
  fault.method, fault.path, fault.times = "PATCH", "*/status", 2 -- libcurl repeats it
  emulator:faults { fault }
  local process = place:start(
    { "job.lua", "--apply", "--retries=0", "--timeout=1s", "--allow=io", ... },
    { script = SCRIPT:format(id) }
  )
  process:wait_for "ready"
  emulator:tell("clock/advance", { seconds = 3600 })
  place:write("go", "")
  return process:wait(20), id
end

-- The service ends logins that nobody completed, an hour after its clock was set forward.
local function changes()
  local list = {}
  for _, change in ipairs(job.changes(emulator)) do
    list[#list + 1] = not change:find "^expire" and change or nil
  end
  return list
end

local function resume(...)
  return place:run { "resume", "last", ... }
end

it("the end of the run skips what did not happen", function()
  local run, id = run_with { action = "close" }
  assert.equal(0, run.code, run.err)
  assert.same({ "alias " .. id }, changes())
  job.has(place:run({ "show", "last" }).out, "the run has changed the account since")
end)

it("resume leaves it unknown until the quiet time is over", function()
  local id = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1]
  emulator:faults { { method = "PATCH", path = "*/status", action = "close", times = 2 } }
  place:write("go", "")
  local run = place:run({ "job.lua", "--apply", "--retries=0", "--timeout=1s", "--allow=io",
    "--settle-wait=0" }, { script = SCRIPT:format(id) })
  assert.equal(8, run.code, run.err)
  run = resume "--settle-wait=0"
  assert.equal(8, run.code, run.err)
  emulator:tell("clock/advance", { seconds = 3600 })
  run = resume()
  assert.equal(0, run.code, run.err)
  assert.same({ "alias " .. id }, changes())
  job.has(place:run({ "show", "last" }).out, "the run has changed the account since")
end)

it("a request that arrived late is done", function()
  local run, id = run_with { action = "apply_then_close" }
  assert.equal(0, run.code, run.err)
  assert.equal("INACTIVE", emulator:ask("accounts/" .. id).status)
  job.lacks(place:run({ "show", "last" }).out, "skipped")
end)
