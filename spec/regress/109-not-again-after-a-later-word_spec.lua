-- `resume` sent a straight-line change again, because its reply had been lost or it had failed,
-- although the run had changed the account since; `resume --failed` made a second account when
-- a later call of the same run had made the first.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

local function run_job(script, ...)
  return place:run({ "job.lua", "--apply", "--retries=0", "--timeout=1s", ... },
    { script = script })
end

local function lose(method, times)
  emulator:faults { method = method, action = "close", times = times }
end

it("a disable that the script took back", function()
  local id = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1]
  lose("PATCH", 2)
  local run = run_job(([[
    local id = %q
    pcall(accounts.disable, id)
    accounts.update(id, { alias = "kept" })
  ]]):format(id), "--settle-wait=0")
  assert.equal(8, run.code, run.err)
  emulator:tell("clock/advance", { seconds = 3600 })
  run = place:run { "resume", "last" }
  assert.equal(0, run.code, run.err)
  job.lacks(table.concat(job.changes(emulator), ";"), "disable")
  local shown = place:run({ "show", "last" }).out
  job.has(shown, "the run has changed the account since")
end)

it("a disable that was refused, with --failed", function()
  local id = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1]
  emulator:faults { job.refusal { method = "PATCH" } }
  local run = run_job(([[
    local id = %q
    pcall(accounts.disable, id)
    accounts.get(id):enable()
  ]]):format(id))
  assert.equal(3, run.code, run.err)
  run = place:run { "resume", "last", "--failed" }
  assert.equal(0, run.code, run.err)
  assert.same({}, job.changes(emulator))
end)

-- How many accounts were made.
local function made()
  local count = 0
  for _, change in ipairs(job.changes(emulator)) do
    count = count + (change:find "^link" and 1 or change:find "^create" and 1 or 0)
  end
  return count
end

for _, call in ipairs {
  'accounts.link("newuser", "ac_GmailManaged")',
  'accounts.initiate("newuser", "ac_GithubCustom", { allow_multiple = true })',
} do
  it("a create that a later call has made: " .. call, function()
    lose("POST", 1)
    place:script(([[
      accounts.list()
      for _ = 1, 3 do
        if pcall(function() %s end) then break end
      end
      print "ready"
      while not io.open("go") do composio.sleep(0.02) end
      accounts.list()
    ]]):format(call), "job.lua")
    local process = place:start { "job.lua", "--apply", "--retries=0", "--timeout=1s",
      "--settle-wait=0", "--allow", "io" }
    process:wait_for "ready"
    emulator:tell("clock/advance", { seconds = 3600 })
    place:write("go", "")
    local ended = process:wait(20)
    assert.equal(0, ended.code, ended.err)
    assert.equal(1, made(), table.concat(job.changes(emulator), ";") .. ended.out .. ended.err)
    job.lacks(ended.err, "failed")
    job.lacks(ended.err, "next:")
    place:run { "resume", "last", "--failed" }
    assert.equal(1, made(), table.concat(job.changes(emulator), ";") .. ended.out .. ended.err)
  end)
end
