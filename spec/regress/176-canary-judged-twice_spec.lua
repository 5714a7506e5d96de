-- A resume judged the canary of a bulk again that had passed before: it stopped for items
-- that were none of the canary's.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

local function script(count, verdict)
  local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 8)
  place:script(([[
    composio.bulk({ canary = { count = %d, check = function()
      print "checked"
      return %s
    end } }, %s, function(account) account:disable() end)
  ]]):format(count, verdict, job.quoted(ids)))
end

local WORDS = host.unlimited { "job.lua", "--apply", "--concurrency=1", "--timeout=1s" }

local function checks(run)
  return select(2, run.out:gsub("checked", ""))
end

-- Kills a run when it has sent so many changes.
local function kill(writes)
  emulator:faults { { method = "PATCH", action = "delay", delay_ms = 100 } }
  local process = place:start(WORDS)
  host.wait_until(function()
    return job.writes(emulator) >= writes
  end)
  process:signal "KILL"
  process:wait()
end

describe("the canary of a bulk that is resumed", function()
  it("is not judged again once it has passed", function()
    script(1, "true")
    kill(4)
    emulator:faults { job.refusal { method = "PATCH", times = 1 } }
    local run = place:run { "resume", "last", "--timeout=1s" }
    assert.equal(3, run.code, run.err)
    assert.equal(0, checks(run))
    job.lacks(run.err, "of the first")
  end)

  it("that did not pass is judged in each session", function()
    script(2, "false")
    assert.equal(7, place:run(WORDS).code)
    for session = 2, 3 do
      local run = place:run { "resume", "last", "--timeout=1s" }
      assert.equal(7, run.code, run.err)
      assert.equal(2 * session, job.writes(emulator))
      job.has(run.err, "failed or missed the check; the rest is not tried")
    end
  end)
end)
