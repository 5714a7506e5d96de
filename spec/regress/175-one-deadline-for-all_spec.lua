-- Under --resume-first, and for each of several profiles, --deadline began anew: the command
-- took a multiple of it.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

-- Runs it with a deadline of two seconds, and checks that it has taken no more than that.
local function run_of(...)
  local began = tonumber(host.shell "date +%s.%N")
  local run = place:run(host.unlimited { "job.lua", "--apply", "--deadline", "2s", ... })
  local took = tonumber(host.shell "date +%s.%N") - began
  assert.is_true(took < 3.3, took)
  assert.equal(7, run.code, run.err)
  job.has(run.err, "the time of --deadline is over")
  return run
end

describe("--deadline", function()
  it("counts from the start of the command that resumes another run first", function()
    place:script [[
      composio.bulk({ "ca_github_u123A", "ca_slack_u123_B" }, function(account)
        composio.sleep(1.5)
        account:disable()
      end)
      composio.sleep(1.5)
    ]]
    local process = place:start(host.unlimited { "job.lua", "--apply", "--rate", "1/s" })
    host.wait_until(function()
      return job.writes(emulator) == 1
    end)
    process:signal "KILL"
    process:wait()
    local run = run_of "--resume-first"
    job.has(run.err, "it is finished first")
  end)

  it("counts for all profiles of a command", function()
    if place:run({ "profiles" }).code ~= 0 then
      return -- built without libinih
    end
    place:write("key.secret", emulator.api_key .. "\n", "600")
    local lines = ("]\nbase-url = %s\napi-key-file = %s/key.secret\n"):format(emulator.url,
      place.path)
    host.shell("mkdir -p " .. place.path .. "/.config/composio-lua")
    place:write(".config/composio-lua/config", "[a" .. lines .. "[b" .. lines, "600")
    place:script [[
      composio.bulk({ "ca_github_u123A", "ca_slack_u123_B" }, function(account)
        composio.sleep(5)
        account:disable()
      end)
    ]]
    run_of("--profile", "a,b")
    assert.equal(0, job.writes(emulator))
  end)
end)
