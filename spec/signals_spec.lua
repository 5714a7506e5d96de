-- Signals: the first one ends a run cleanly, the second one at once.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local has = job.has
local emulator, place

scene.of_host({ "--accounts", "230" }, function(...)
  emulator, place = ...
end)

local DISABLE = [[
  composio.bulk(accounts.each { statuses = { "ACTIVE" } }, function(account) account:disable() end)
  print "not reached"
]]

-- Starts an apply of which each request takes a while, and waits until the
-- first changes are under way.
local function start_slow(delay_ms, concurrency)
  emulator:faults { { method = "PATCH", action = "delay", delay_ms = delay_ms } }
  local process = place:start(
    host.unlimited { "job.lua", "--apply", "--concurrency", concurrency, "--summary=summary.json" },
    { script = DISABLE }
  )
  host.wait_until(function()
    return job.writes(emulator) > 0
  end, "the first change")
  return process
end

local function sum(outcomes)
  local n = 0
  for _, count in pairs(outcomes) do
    n = n + count
  end
  return n
end

describe("the first signal", function()
  for name, code in pairs { INT = 130, TERM = 143, HUP = 129 } do
    it("SIG" .. name .. " lets what is under way end, starts nothing, exits " .. code, function()
      local process = start_slow(400, "4")
      process:signal(name)
      local run = process:wait()
      assert.equal("exit", run.kind)
      assert.equal(code, run.code)
      assert.equal("", run.out)
      has(run.err, "interrupted by SIG" .. name)
      local outcomes = run.summary.operations.disable
      assert.equal(#emulator:changes(), outcomes.done)
      assert.is_true(outcomes.done >= 1 and outcomes.done <= 8, outcomes.done)
      assert.equal(sum(outcomes), outcomes.done + outcomes.not_tried)
      assert.equal(code, run.summary.exit)
      local ended = place:ledger "SELECT exit_code, ended_ms > 0 FROM run"
      assert.same({ { tostring(code), "1" } }, ended)
    end)
  end

  it("gives up after ten seconds what does not end: unknown, since it may have left", function()
    local process = start_slow(60000, "2")
    local from = os.time()
    process:signal "TERM"
    local run = process:wait()
    assert.is_true(os.time() - from <= 14, "it took too long")
    assert.is_true(os.time() - from >= 9, "it did not wait")
    assert.equal(143, run.code)
    assert.equal(2, run.summary.operations.disable.unknown)
    has(run.err, "may or may not have been changed")
  end)

  it("ends a preview that is listing", function()
    emulator:faults { { method = "GET", action = "delay", delay_ms = 300 } }
    local process = place:start({ "job.lua" }, { script = "print 'ready' " .. DISABLE })
    process:wait_for "ready"
    process:signal "INT"
    local run = process:wait()
    assert.equal(130, run.code)
    assert.is_nil(run.out:find("not reached", 1, true))
  end)

  it("reaches a script that computes, and one that catches everything", function()
    for _, script in ipairs {
      "print 'ready' while true do end",
      "print 'ready' while true do pcall(composio.sleep, 0.01) end",
      "print 'ready' while true do pcall(function() while true do end end) end",
      "print 'ready' coroutine.wrap(function() while true do pcall(composio.sleep, 1) end end)()",
      "print 'ready' coroutine.wrap(function() while true do end end)()",
      [[local function spin()
          print "ready"
          while true do pcall(function() while true do end end) end
        end
        local inner = coroutine.create(function() coroutine.wrap(spin)() end)
        print(coroutine.resume(inner))]],
      "composio.spawn(function() print 'ready' while true do end end) composio.sleep(30)",
      "composio.spawn(function() while true do end end) print 'ready' while true do end",
      [[composio.bulk(accounts.each { limit = 1 }, function()
          print "ready"
          while true do end
        end)]],
    } do
      local process = place:start({ "job.lua" }, { script = script })
      process:wait_for "ready"
      process:signal "TERM"
      local run = process:wait(20)
      assert.equal("exit", run.kind)
      assert.equal(143, run.code)
    end
  end)

  it("closes what the script has open", function()
    local process = place:start({ "job.lua", "--apply" }, { script = [[
      local report = composio.report("out.csv", { "a" })
      report:add { a = "row" }
      print "ready"
      composio.sleep(30)
    ]] })
    process:wait_for "ready"
    process:signal "TERM"
    assert.equal(143, process:wait().code)
    assert.matches("\nrow\r\n$", (place:read "out.csv.partial":gsub("\n[%d,]+", "\n")))
    assert.is_nil(place:read "out.csv")
  end)

  it("reaches a straight-line change: it ends, and its result is kept", function()
    emulator:faults { { method = "PATCH", action = "delay", delay_ms = 800 } }
    local process = place:start({ "job.lua", "--apply", "--summary", "summary.json" }, { script = [[
      local items = accounts.list({ statuses = { "ACTIVE" } }).items
      print "ready"
      for _, account in ipairs(items) do pcall(account.disable, account) end
    ]] })
    process:wait_for "ready"
    host.shell "sleep 0.3"
    process:signal "INT"
    local run = process:wait()
    assert.equal(130, run.code)
    assert.equal(1, #emulator:changes())
    assert.same({ disable = { done = 1 } }, run.summary.operations)
  end)
end)

describe("the second signal", function()
  it("ends the process at once, and the ledger still knows what may have left", function()
    local process = start_slow(60000, "3")
    process:signal "INT"
    host.shell "sleep 0.2"
    local from = os.time()
    process:signal "INT"
    local run = process:wait()
    assert.is_true(os.time() - from <= 2)
    assert.equal(130, run.code)
    local rows = place:ledger [[
      SELECT count(*) FROM intent n LEFT JOIN outcome o ON o.id = n.id WHERE o.id IS NULL
    ]]
    assert.is_true(tonumber(rows[1][1]) >= 3)
    assert.same({ { "1" } }, place:ledger "SELECT exit_code IS NULL FROM run")
  end)
end)

describe("kill -9", function()
  it("loses no intent", function()
    local process = start_slow(60000, "3")
    process:signal "KILL"
    local run = process:wait()
    assert.equal("signal", run.kind)
    assert.equal(9, run.code)
    local sent = 0
    for _, request in ipairs(emulator:requests()) do
      sent = sent + (request.method == "PATCH" and 1 or 0)
    end
    assert.equal(3, sent)
    local intents = tonumber(place:ledger("SELECT count(*) FROM intent")[1][1])
    assert.is_true(intents >= sent)
  end)
end)
