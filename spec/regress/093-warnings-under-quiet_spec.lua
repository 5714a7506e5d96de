-- Under --quiet two warnings were lost: that another run's rows were set aside, and that a like
-- run was interrupted. They stand in the log. And a run that a guard refused renamed
-- rows of another run.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "400" }, function(...)
  emulator, place = ...
end)

local SCRIPT = [[
  local report = composio.report("ids.csv", { "id" })
  composio.bulk({ after = function(account)
    report:add { id = account.id }
  end }, %s, function(account) account:disable() end)
]]

-- Kills the run when it has a row; returns its id.
local function kill()
  emulator:faults { { method = "PATCH", action = "delay", delay_ms = 400 } }
  local script = SCRIPT:format(job.quoted(job.ids(emulator, { statuses = { "ACTIVE" } }, 40)))
  local words = host.unlimited { "job.lua", "--apply", "--concurrency", "2" }
  local process = place:start(words, { script = script })
  host.wait_until(function()
    return (place:read "ids.csv.partial" or ""):find "0,ca_"
  end, "the first row")
  process:signal "KILL"
  process:wait()
  emulator:faults()
  return place:read("ids.csv.partial"):match "^[^,]+"
end

describe("a run after an interrupted one", function()
  it("warns under --quiet in the log", function()
    local run = kill()
    local again = place:run(host.unlimited { "job.lua", "--apply", "--quiet", "--log", "log" })
    assert.equal(0, again.code, again.err)
    assert.equal("", again.err)
    local log = place:read "log"
    job.has(log, "rows of run " .. run .. " were left")
    job.has(log, "run " .. run .. " of this script and parameters was interrupted")
  end)

  it("leaves the other's rows where they are when it is refused", function()
    local run = kill()
    local text = place:read "ids.csv.partial"
    local refused = place:run { "job.lua", "--apply", "--max-changes", "1" }
    assert.equal(4, refused.code, refused.err)
    job.lacks(refused.err, "were left")
    assert.equal(text, place:read "ids.csv.partial")
    assert.is_nil(place:read("ids.csv." .. run .. ".partial"))
  end)
end)
