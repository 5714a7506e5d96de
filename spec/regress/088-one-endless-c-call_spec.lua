-- One call of string.find with an unlucky pattern went on for ever: --cpu had no hold on it.
-- The second signal has, and the ledger stays whole.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

local ENDLESS = [[
  accounts.disable "%s"
  print "ready"
  string.find(("a"):rep(100000), (require "unlucky"))
]]

local function write_pattern(pattern)
  place:write("unlucky.lua", ("return %q"):format(pattern))
end

local script

before_each(function()
  script = ENDLESS:format(job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1])
  write_pattern((".-"):rep(20) .. "b")
end)

local function assert_whole()
  assert.same({ { "ok" } }, place:ledger "PRAGMA integrity_check")
  assert.equal(1, job.writes(emulator))
  assert.same({ { "1" } }, place:ledger "SELECT count(*) FROM change")
end

it("--cpu ends it", function()
  local run = place:run({ "job.lua", "--apply", "--cpu=200ms" }, { script = script })
  assert.equal(1, run.code, run.err)
  job.has(run.err, "within one call of a C function")
  assert_whole()
  local shown = place:run { "show", "last" }
  assert.equal(0, shown.code, shown.err)
end)

for name, code in pairs { INT = 130, TERM = 143 } do
  it("the second SIG" .. name .. " ends it, and the run can be resumed", function()
    local process = place:start({ "job.lua", "--apply" }, { script = script })
    process:wait_for "ready"
    process:signal(name)
    host.shell "sleep 0.3"
    process:signal(name)
    local run = process:wait(5)
    assert.equal("exit", run.kind)
    assert.equal(code, run.code)
    assert_whole()
    write_pattern "b"
    local resumed = place:run { "resume", "last" }
    assert.equal(0, resumed.code, resumed.err)
    assert.equal(1, job.writes(emulator))
  end)
end

it("after the first signal, --cpu ends it with the signal's exit status", function()
  local process = place:start({ "job.lua", "--apply", "--cpu=1s" }, { script = script })
  process:wait_for "ready"
  process:signal "TERM"
  assert.equal(143, process:wait(15).code)
  assert_whole()
end)
