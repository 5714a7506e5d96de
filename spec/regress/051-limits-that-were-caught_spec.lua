-- Lua calls no hook in finalizers, nor in the message handler of an error that a
-- hook raised: an endless loop there ended by neither --instructions nor SIGTERM.
-- A refused allocation that a pcall caught let the script go on and exit 0.
local scene = require "spec.support.scene"

local place
scene.of_host({ "--accounts", "30" }, function(_, found)
  place = found
end)

local SPIN = "while true do end"

local endless = {
  ["a message handler"] = "xpcall(function() %s end, function() %s end)",
  ["the handler of another error"] = "xpcall(error, function() %s end, 'x')",
  ["handlers in handlers"] = [[
    xpcall(function() %s end, function() xpcall(error, function() %s end) %s end)]],
  ["a finalizer"] = "setmetatable({}, { __gc = function() %s end }) collectgarbage() %s",
  ["a finalizer in a coroutine"] = [[
    coroutine.wrap(function()
      setmetatable({}, { __gc = function() pcall(function() %s end) %s end })
      collectgarbage()
    end)() %s]],
  ["a finalizer in a task"] = [[
    composio.spawn(function()
      setmetatable({}, { __gc = function() %s end })
      collectgarbage()
    end):join()]],
  ["a finalizer that is put in later"] = [[
    local mt = { __gc = true }
    setmetatable({}, mt)
    mt.__gc = function() %s end
    collectgarbage() %s]],
  ["a finalizer that replaces another"] = [[
    local mt = { __gc = function() end }
    setmetatable({}, mt)
    mt.__gc = function() %s end
    collectgarbage() %s]],
  ["a callable table as a finalizer"] = [[
    local mt = { __gc = setmetatable({}, { __call = function() %s end }) }
    setmetatable({}, mt)
    collectgarbage() %s]],
  ["__close"] = [[
    local _ <close> = setmetatable({}, { __close = function() %s end })
    while true do pcall(function() %s end) end]],
  ["__close of a coroutine"] = [[
    pcall(coroutine.wrap(function()
      local _ <close> = setmetatable({}, { __close = function() %s end })
      %s
    end)) %s]],
  ["__close of a coroutine that is closed"] = [[
    local thread = coroutine.create(function()
      local _ <close> = setmetatable({}, { __close = function() %s end })
      coroutine.yield()
    end)
    coroutine.resume(thread)
    coroutine.close(thread) %s]],
  ["a coroutine in a pcall in a coroutine"] = [[
    while true do
      pcall(coroutine.wrap(function()
        while true do pcall(coroutine.wrap(function() %s end)) end
      end))
    end]],
}

describe("an endless loop ends by --instructions, in", function()
  for name, code in pairs(endless) do
    it(name, function()
      local run = place:run({ "job.lua", "--instructions", "300000" },
        { script = (code:gsub("%%s", SPIN)) })
      assert.equal(1, run.code, run.err)
      assert.matches("%-%-instructions", run.err)
    end)
  end
end)

describe("an endless loop ends by the first SIGTERM, in", function()
  for name, code in pairs(endless) do
    it(name, function()
      local run = place:run({ "job.lua" }, {
        script = (code:gsub("%%s", SPIN)),
        prefix = "timeout --preserve-status --signal TERM --kill-after 20 0.5",
      })
      assert.equal(143, run.code, run.err)
    end)
  end
end)

describe("a script that needs too much memory ends with 1, though it catches this by", function()
  local greedy = {
    pcall = "print(pcall(string.rep, 'x', 1 << 30)) print 'goes on'",
    xpcall = "xpcall(string.rep, function() end, 'x', 1 << 30) print 'goes on'",
    ["a coroutine"] = "print(coroutine.resume(coroutine.create(string.rep), 'x', 1 << 30))",
    ["a task"] = "pcall(composio.spawn(string.rep, 'x', 1 << 30).join)",
    __close = [[
      pcall(function()
        local _ <close> = setmetatable({}, { __close = function() print "closed" end })
        string.rep('x', 1 << 30)
      end)]],
    ["a loop"] = "while true do pcall(string.rep, 'x', 1 << 30) end",
  }
  for name, code in pairs(greedy) do
    it(name, function()
      local run = place:run({ "job.lua", "--memory", "32" }, { script = code })
      assert.equal(1, run.code, run.err)
      assert.matches("more than 32 MB of memory", run.err)
    end)
  end
end)

it("garbage that fills the memory is collected, and ends no run", function()
  local run = place:run({ "job.lua", "--memory", "16" }, { script = [[
    collectgarbage "stop"
    local long = ("x"):rep(100000)
    for i = 1, 3000 do
      local _ = long .. i
    end
    print "done"
  ]] })
  assert.equal("done\n", run.out, run.err)
  assert.equal(0, run.code)
end)
