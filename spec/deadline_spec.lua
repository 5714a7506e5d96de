-- --deadline DUR: what it cuts, which exit code that gives, and that resume finishes.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local has = job.has
local emulator, place

scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

-- Runs a script with a deadline; it must end soon after that.
local function run_of(script, deadline, ...)
  local words = host.unlimited { "job.lua", "--deadline", deadline, "--summary", "summary.json",
    ... }
  local run = place:run(words, { script = script })
  assert(not run.summary or run.summary.seconds < 6, run.err)
  return run
end

local DISABLE = [[
composio.bulk("idle", accounts.each { statuses = { "ACTIVE" } }, function(account)
  account:disable { reason = "idle" }
end)
]]

describe("--deadline", function()
  it("changes nothing when there is time enough", function()
    local run = run_of(DISABLE, "50s", "--apply")
    assert.equal(0, run.code, run.err)
  end)

  it("ends a script that waits, computes or lists", function()
    for _, script in ipairs {
      "composio.sleep(30)", "while true do end", "pcall(function() while true do end end)",
      "while true do for _ in accounts.each {} do end end",
    } do
      local run = run_of(script, "500ms")
      assert.equal(7, run.code, script .. "\n" .. run.err)
      has(run.err, "the time of --deadline is over")
    end
  end)

  it("leaves what was not sent to resume", function()
    local run = run_of(DISABLE, "1500ms", "--apply", "--rate", "10/s")
    assert.equal(7, run.code, run.err)
    local done = run.summary.outcomes.done
    assert(done > 0 and run.summary.open > 0, run.err)
    has(run.err, "next: composio-lua resume " .. run.summary.run)
    assert.equal(done, job.writes(emulator))
    local rest = place:run { "resume", "last", "--summary", "summary.json" }
    assert.equal(0, rest.code, rest.err)
    assert.equal(done + run.summary.open, job.writes(emulator))
  end)

  it("ends a straight-line script between its calls", function()
    local run = run_of([[
accounts.disable "ca_github_u123A"
composio.sleep(30)
accounts.enable "ca_github_u123A"
]], "1s", "--apply")
    assert.equal(7, run.code, run.err)
    assert.equal(1, run.summary.outcomes.done)
  end)

  it("cuts settling: 8 when every change was sent", function()
    emulator:faults { { method = "POST", path = "*/refresh", action = "close" } }
    local run = run_of([[
composio.bulk({ "ca_gmail_u123_C" }, function(account) account:refresh() end)
]], "2s", "--apply", "--retries", "0")
    assert.equal(8, run.code, run.err)
    assert.equal(1, run.summary.outcomes.unknown)
  end)

  it("leaves people who are waited for pending: 9", function()
    local script = [[
composio.bulk({ after = function(_, results)
  results.link:wait_for_connection { timeout = 600 }
end, key = function(row) return row.user end }, { { user = "one" }, { user = "two" } },
function(row) accounts.link(row.user, "ac_GithubManage") end)
]]
    local run = run_of(script, "2s", "--apply")
    assert.equal(9, run.code, run.err)
    assert.equal(2, run.summary.outcomes.pending)
    assert.equal(2, job.sent(emulator, "/link"))
    local rest = place:run { "resume", "last", "--deadline", "1s", "--summary", "summary.json" }
    assert.equal(9, rest.code, rest.err)
    assert.equal(2, rest.summary.outcomes.pending)
    assert.equal(2, job.sent(emulator, "/link"))
  end)

  it("does not wait for a service that asks for more time", function()
    emulator:faults { {
      method = "PATCH", action = "reply", status = 429, times = 0, body = "{}",
      headers = { ["Retry-After"] = "30" },
    } }
    local run = run_of(DISABLE, "20s", "--apply")
    assert.equal(7, run.code, run.err)
    has(run.err, "asks to wait longer than --max-wait or --deadline")
    assert.equal(0, run.summary.outcomes.failed)
    emulator:reset()
    assert.equal(0, place:run({ "resume", "last" }).code)
  end)

  it("bounds the wait for the lock", function()
    place:script("print 'here' composio.sleep(20)", "hold.lua")
    local holder = place:start { "hold.lua", "--apply" }
    holder:wait_for "here"
    local run = run_of(DISABLE, "1s", "--apply", "--lock-wait", "1m")
    holder:signal "TERM"
    holder:wait()
    assert.equal(75, run.code, run.err)
  end)

  it("is over for a later resume, which has its own", function()
    run_of(DISABLE, "1s", "--apply", "--rate", "10/s")
    local run = place:run { "resume", "last" }
    assert.equal(0, run.code, run.err)
  end)
end)
