-- A finalizer that was put into a metatable after setmetatable had no hook, so an endless
-- loop there never ended (051 has the loops). Now a sentinel calls a script's finalizers;
-- they must run as Lua runs them.
local scene = require "spec.support.scene"

local place
scene.of_host({ "--accounts", "30" }, function(_, found)
  place = found
end)

local function out_of(code)
  local run = place:run({ "job.lua" }, { script = code })
  assert.equal(0, run.code, run.err)
  return run.out
end

it("a finalizer runs once, with its object, the newest first", function()
  assert.equal("b\na\n", out_of [[
    local mt = { __gc = function(object) print(object.name) end }
    local a = setmetatable({ name = "a" }, mt)
    setmetatable(a, mt)
    local b = setmetatable({ name = "b" }, mt)
    a, b = nil, nil
    collectgarbage() collectgarbage()]])
end)

it("an object that lives is not finalized, and one is at the end of the run", function()
  assert.equal("alive\nend\n", out_of [[
    kept = setmetatable({}, { __gc = function() print "end" end })
    collectgarbage() collectgarbage()
    print "alive"]])
end)

it("an object that its finalizer marks again is finalized again", function()
  assert.equal("3\n", out_of [[
    local count, mt = 0, {}
    mt.__gc = function(object)
      count = count + 1
      if count < 3 then
        setmetatable(object, mt)
      end
    end
    setmetatable({}, mt)
    for _ = 1, 9 do
      collectgarbage()
    end
    print(count)]])
end)

it("a protected metatable stays, and a metatable keeps its `__gc`", function()
  assert.equal("false\ttrue\n", out_of [[
    local mt = { __gc = print, __metatable = 1 }
    local object = setmetatable({}, mt)
    local good = pcall(setmetatable, object, { __gc = error })
    local same = mt.__gc == print
    mt.__gc = nil
    print(good, same)]])
end)
