-- After a run was interrupted and its like refused by a guard, `resume last` meant the refused
-- one, and said that it had stopped while planning.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

describe("last", function()
  it("passes over a refused run, which says that it was refused", function()
    local ids = job.quoted(job.ids(emulator, { statuses = { "ACTIVE" } }, 6))
    local words = host.unlimited { "job.lua", "--apply", "--concurrency", "1" }
    emulator:faults { { method = "PATCH", action = "delay", delay_ms = 300 } }
    local process = place:start(words, { script = ("composio.bulk(%s, function(account) "
      .. "account:disable() end)"):format(ids) })
    host.wait_until(function()
      return job.writes(emulator) >= 2
    end, "two changes")
    process:signal "KILL"
    process:wait()
    emulator:faults()
    local refused = place:run { "job.lua", "--apply", "--max-changes", "1" }
    assert.equal(4, refused.code, refused.err)
    local run = refused.err:match "\nrun: (%S+)"
    local resumed = place:run { "resume", run }
    assert.equal(2, resumed.code, resumed.err)
    job.has(resumed.err, "run " .. run .. " was refused by a guard")
    job.has(place:run({ "show", run }).out, "a guard refused the run")
    local last = place:run { "resume", "last" }
    assert.equal(0, last.code, last.err)
    job.lacks(last.err, run)
  end)
end)
