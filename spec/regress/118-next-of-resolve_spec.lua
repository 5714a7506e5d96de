-- The next command that `resolve` printed lacked the options that the run was given and that
-- do not come back with it; `show` named them.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

local JOB = [[composio.bulk(%s, function(account) account:disable() end)]]

-- Starts a job over these accounts and kills it within its first change; returns the run.
local function kill_a_run(ids)
  emulator:faults { { method = "PATCH", action = "delay", delay_ms = 20000 } }
  local words = host.unlimited { "job.lua", "--apply", "--base-url", emulator.url }
  local process = place:start(words, { script = JOB:format(job.quoted(ids)) })
  local run
  host.wait_until(function()
    local shown = place:run({ "runs", "--json" }).out
    run = shown:match '"run":"([^"]+)"'
    return run and place:run({ "show", run }).out:find "intended"
  end, "a change")
  process:signal "KILL"
  process:wait()
  emulator:faults()
  return run
end

describe("an open run", function()
  it("has the same next command in show and after resolve", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 3)
    local run = kill_a_run(ids)
    local shown = place:run({ "show", run }).out:match "\nnext: ([^\n]+)"
    job.has(shown, "--base-url")
    local resolved = place:run { "resolve", run, ids[1], "done", "--reason", "seen" }
    assert.equal(0, resolved.code, resolved.err)
    assert.equal(shown, resolved.out:match "next: ([^\n]+)")
  end)
end)
