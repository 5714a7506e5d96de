-- Options that belong to the run rather than to one command line: resume uses them
-- without being given them again.
local host = require "spec.support.host"
local scene = require "spec.support.scene"

local emulator, place

scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

-- Two bulks; the run dies while it reads for the second, after the first.
local SCRIPT = [[
  composio.job { summary = "two", may = "reversible" }
  composio.bulk("first", { "ca_github_u123A" }, function(account) account:disable() end)
  composio.bulk("second", accounts.each { statuses = { "ACTIVE" }, toolkit_slugs = { "slack" } },
    function(account) account:disable() end)
]]

local function killed(...)
  emulator:faults {
    { method = "GET", path = "*toolkit_slugs=slack*", action = "delay", delay_ms = 60000 },
  }
  local process = place:start(
    host.unlimited { "job.lua", "--apply", "--retries", "0", ... },
    { script = SCRIPT }
  )
  host.wait_until(function()
    local last = emulator:lines()
    return (last[#last] or ""):find("toolkit_slugs=slack", 1, true)
  end, "the listing of the second bulk")
  process:signal "KILL"
  process:wait()
  emulator:faults()
  emulator:forget()
end

local function resume(...)
  return place:run { "resume", "last", "--summary", "summary.json", ... }
end

describe("a resumed run keeps", function()
  it("--protect, whose file lies where the run was started", function()
    place:write("keep.txt", "toolkit:slack\n")
    killed("--protect", "keep.txt")
    local run = resume()
    assert.equal(0, run.code, run.err)
    assert.equal(1, #emulator:changes())
    assert.is_true(run.summary.outcomes.skipped > 0)
    assert.matches("protected by .*keep.txt:1", run.err)
  end)

  it("--limit-items", function()
    killed("--limit-items", "1")
    local run = resume()
    assert.equal(0, run.code, run.err)
    assert.equal(2, #emulator:changes())
  end)

  it("its limits, and takes other ones when they are given", function()
    killed() -- without limits
    local run = resume("--max-changes", "2")
    assert.equal(7, run.code, run.err) -- the killed part had changed an account
    assert.matches("%-%-max%-changes 2", run.err)
    assert.equal(1, #emulator:changes())
    run = resume()
    assert.equal(0, run.code, run.err)
    assert.is_true(#emulator:changes() > 3)
  end)
end)
