-- Two tasks that joined each other hung the host with its lock; a thread that had
-- ended was used again while a script could close it; and a finalizer that ran the
-- loop while results were stored let a join return nothing.
local composio = require "composio"
local scene = require "spec.support.scene"

local place
scene.of_host({ "--accounts", "30" }, function(_, found)
  place = found
end)

local circles = {
  ["of two"] = [[
    local a, b
    a = composio.spawn(function() return b:join() end)
    b = composio.spawn(function() return a:join() end)
    a:join()]],
  ["of three"] = [[
    local a, b, c
    a = composio.spawn(function() return b:join() end)
    b = composio.spawn(function() return c:join() end)
    c = composio.spawn(function() return a:join() end)
    b:join()]],
  ["through a run"] = [[
    local a
    a = composio.spawn(function()
      composio.run(function()
        composio.spawn(function() composio.sleep(0) return a:join() end)
      end)
    end)
    a:join()]],
  ["through a run of another"] = [[
    local a, b
    a = composio.spawn(function() composio.sleep(0.01) return b:join() end)
    b = composio.spawn(function()
      composio.run(function()
        composio.spawn(function() return a:join() end)
      end)
    end)
    b:join()]],
  ["of one"] = [[
    local a
    a = composio.spawn(function() return a:join() end)
    a:join()]],
}

describe("a circle of joins", function()
  for name, code in pairs(circles) do
    local words = name == "of one" and "cannot join itself" or "wait for each other"

    it(name .. " raises in stock Lua", function()
      local ok, err = pcall(composio.run, assert(load("local composio = ...\n" .. code)), composio)
      assert.is_false(ok)
      assert.matches(words, tostring(err))
    end)

    it(name .. " raises in the host, outside and inside a bulk", function()
      local run = place:run({ "job.lua" }, { script = code })
      assert.equal(1, run.code, run.err)
      assert.matches(words, run.err)
      local inside = "composio.bulk('b', accounts.each {}, function() %s end)"
      run = place:run({ "job.lua" }, { script = inside:format(code) })
      assert.matches(words, run.err)
    end)
  end
end)

it("a thread of a task that has ended belongs to no other task", function()
  local held = {}
  composio.run(function()
    for i = 1, 10 do
      composio.spawn(function() held[i] = coroutine.running() end)
    end
  end)
  local ran = 0
  composio.run(function()
    for _ = 1, 20 do
      composio.spawn(function() ran = ran + 1 end)
    end
    for _, thread in ipairs(held) do
      coroutine.close(thread)
    end
  end)
  assert.equal(20, ran)
end)

it("a finalizer finds no half-stored result, and cannot run tasks", function()
  local refused, lost = 0, 0
  local function litter(task)
    return setmetatable({}, { __gc = function()
      local ok = pcall(task.join, task)
      refused = refused + (ok and 0 or 1)
    end })
  end
  local mode = collectgarbage("generational")
  for _ = 1, 200 do
    local task
    local tasks = {}
    task = composio.spawn(function() composio.sleep(0) return 1, 2, 3 end)
    for i = 1, 20 do
      tasks[i] = composio.spawn(function()
        for _ = 1, 20 do
          litter(task)
        end
        return 1, 2, {}
      end)
    end
    for i = 1, 20 do
      lost = lost + (select("#", tasks[i]:join()) == 3 and 0 or 1)
    end
    assert.equal(3, select("#", task:join()))
  end
  collectgarbage(mode)
  assert.equal(0, lost)
  assert.is_true(refused > 0)
end)

it("a cancelled task that has not begun keeps its reason", function()
  composio.run(function()
    local task = composio.spawn(composio.sleep, 9)
    task:cancel "no longer wanted"
    local ok, err = pcall(task.join, task)
    assert.is_false(ok)
    assert.equal("ComposioRequestCancelledError", err.name)
    assert.matches("no longer wanted", err.message)
    assert.equal("cancelled", task.status)
  end)
end)
