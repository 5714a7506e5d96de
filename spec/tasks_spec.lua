-- Tasks: spawn, join, cancel, sleep, run; and the rule that a call blocks where it
-- cannot suspend.
local composio = require "composio"
local core = require "composio.core"
local both = require "spec.support.both"
local raised = require "spec.support.raised"

local function closing(f)
  return setmetatable({}, { __close = f })
end

describe("composio.spawn", function()
  it("runs the function and hands on its results", function()
    composio.run(function()
      local task = composio.spawn(function(...)
        composio.sleep(0)
        return select("#", ...), ...
      end, 1, nil, "three", nil)
      assert.same({ n = 5, 4, 1, nil, "three", nil }, table.pack(task:join()))
      assert.equal("done", task.status)
      assert.same({ n = 5, 4, 1, nil, "three", nil }, table.pack(task:join()))
    end)
  end)

  it("does not start the task before its spawner waits", function()
    composio.run(function()
      local order = {}
      local task = composio.spawn(function()
        order[#order + 1] = "task"
      end)
      order[#order + 1] = "spawner"
      assert.equal("ready", task.status)
      task:join()
      assert.same({ "spawner", "task" }, order)
    end)
  end)

  it("runs tasks in the order in which they were spawned", function()
    local order = {}
    composio.run(function()
      for i = 1, 20 do
        composio.spawn(function()
          order[#order + 1] = i
        end)
      end
    end)
    for i = 1, 20 do
      assert.equal(i, order[i])
    end
  end)

  it("lets tasks sleep at the same time", function()
    local start = core.now()
    composio.run(function()
      for _ = 1, 100 do
        composio.spawn(composio.sleep, 0.1)
      end
    end)
    local took = core.now() - start
    assert.is_true(took >= 0.099 and took < 0.6, "took " .. took)
  end)

  it("takes functions only", function()
    local _, text = raised(pcall(composio.spawn, nil))
    assert.matches("tasks_spec%.lua:%d+: composio%.spawn: expected a function, got nil", text)
  end)

  it("works outside a run, where join turns the loop", function()
    local task = composio.spawn(function()
      composio.sleep(0.01)
      return "x"
    end)
    assert.equal("x", task:join())
  end)

  it("shows the task as text with its status", function()
    composio.run(function()
      local task = composio.spawn(function() end)
      assert.equal("composio.task (ready)", tostring(task))
      task:join()
      assert.equal("composio.task (done)", tostring(task))
    end)
  end)

  it("lets others run at a bare coroutine.yield", function()
    local order = {}
    composio.run(function()
      for name in ("ab"):gmatch "." do
        composio.spawn(function()
          for i = 1, 2 do
            order[#order + 1] = name .. i
            coroutine.yield()
          end
        end)
      end
    end)
    assert.same({ "a1", "b1", "a2", "b2" }, order)
  end)
end)

describe("task:join", function()
  it("raises the task's error as it was", function()
    composio.run(function()
      local object = {}
      local task = composio.spawn(error, object)
      local err = raised(pcall(task.join, task))
      assert.equal(object, err)
      assert.equal("failed", task.status)
    end)
  end)

  it("keeps the line of a string, and the traceback apart", function()
    composio.run(function()
      local function guilty()
        error "boom"
      end
      local task = composio.spawn(function()
        guilty()
      end)
      local _, text = raised(pcall(task.join, task))
      assert.matches("^[^\n]*tasks_spec%.lua:%d+: boom$", text)
      assert.matches("guilty", task.traceback)
    end)
  end)

  it("serves any number of joiners", function()
    composio.run(function()
      local task = composio.spawn(function()
        composio.sleep(0.01)
        return 7
      end)
      local joiners = {}
      for i = 1, 10 do
        joiners[i] = composio.spawn(task.join, task)
      end
      for i = 1, 10 do
        assert.equal(7, joiners[i]:join())
      end
    end)
  end)

  it("refuses a task that joins itself", function()
    composio.run(function()
      local task
      task = composio.spawn(function()
        return task:join()
      end)
      assert.matches("a task cannot join itself", select(2, raised(pcall(task.join, task))))
    end)
  end)

  it("says when tasks wait for each other for ever", function()
    local a, b
    local _, text = raised(pcall(composio.run, function()
      a = composio.spawn(function() return b:join() end)
      b = composio.spawn(function() return a:join() end)
    end))
    assert.matches("wait for each other", text)
    assert.equal(0, core.live_tasks())
  end)

  it("cannot turn the loop from within table.sort, and says so", function()
    composio.run(function()
      local task = composio.spawn(composio.sleep, 0.01)
      local _, text = raised(pcall(table.sort, { 2, 1 }, function(x, y)
        task:join()
        return x < y
      end))
      assert.matches("not from here", text)
      task:join()
    end)
  end)
end)

describe("composio.run", function()
  it("returns what the function returns", function()
    assert.same({ n = 3, 1, nil, 3 }, table.pack(composio.run(function(...)
      return ...
    end, 1, nil, 3)))
  end)

  it("raises what the function raises", function()
    local object = {}
    local err = raised(pcall(composio.run, error, object))
    assert.equal(object, err)
  end)

  it("waits for the tasks that were spawned in it", function()
    local done = 0
    composio.run(function()
      for _ = 1, 5 do
        composio.spawn(function()
          composio.sleep(0.02)
          composio.spawn(function()
            composio.sleep(0.01)
            done = done + 1
          end)
        end)
      end
    end)
    assert.equal(5, done)
  end)

  it("cancels them when the function raises", function()
    local closed, finished = false, false
    raised(pcall(composio.run, function()
      composio.spawn(function()
        local _ <close> = closing(function()
          composio.sleep(0.01)
          closed = true
        end)
        composio.sleep(30)
        finished = true
      end)
      composio.sleep(0.01)
      error "enough"
    end))
    assert.is_true(closed)
    assert.is_false(finished)
    assert.equal(0, core.live_tasks())
  end)

  it("raises a failure that nobody joined", function()
    local _, text = raised(pcall(composio.run, function()
      composio.spawn(error, "nobody looked", 0)
    end))
    assert.equal("nobody looked", text)
  end)

  it("does not raise a failure that was joined, or a cancel", function()
    composio.run(function()
      local task = composio.spawn(error, "joined", 0)
      pcall(task.join, task)
      local other = composio.spawn(composio.sleep, 30)
      composio.sleep(0)
      other:cancel()
    end)
  end)

  it("may stand in a task; its tasks end before it does", function()
    local order = {}
    composio.run(function()
      composio.run(function()
        composio.spawn(function()
          composio.sleep(0.02)
          order[#order + 1] = "inner"
        end)
      end)
      order[#order + 1] = "outer"
    end)
    assert.same({ "inner", "outer" }, order)
  end)

  it("passes a cancel on to what was spawned in it", function()
    local inner
    composio.run(function()
      local task = composio.spawn(function()
        composio.run(function()
          inner = composio.spawn(composio.sleep, 30)
          composio.sleep(30)
        end)
      end)
      composio.sleep(0.01)
      task:cancel "no more"
      assert.matches("no more", select(2, raised(pcall(task.join, task))))
    end)
    assert.equal("cancelled", inner.status)
  end)

  it("is refused where it could not wait", function()
    composio.run(function()
      local _, text = raised(pcall(string.gsub, "a", "a", function()
        composio.run(function() end)
      end))
      assert.matches("composio%.run: not from here", text)
    end)
  end)
end)

describe("task:cancel", function()
  it("raises in the task, with the reason, and ends its wait at once", function()
    local start = core.now()
    composio.run(function()
      local task = composio.spawn(composio.sleep, 30)
      composio.sleep(0.01)
      task:cancel "the user left"
      local err, text = raised(pcall(task.join, task))
      assert.equal("ComposioRequestCancelledError", err.name)
      assert.matches("the user left", text)
      assert.equal("cancelled", task.status)
    end)
    assert.is_true(core.now() - start < 5)
  end)

  it("ends a task that has not started", function()
    composio.run(function()
      local ran = false
      local task = composio.spawn(function()
        ran = true
      end)
      task:cancel()
      raised(pcall(task.join, task))
      assert.is_false(ran)
    end)
  end)

  it("is sticky: a pcall meets it again at its next call", function()
    composio.run(function()
      local met = 0
      local task = composio.spawn(function()
        for _ = 1, 5 do
          local ok = pcall(composio.sleep, 30)
          met = met + (ok and 0 or 1)
        end
      end)
      composio.sleep(0.01)
      task:cancel()
      task:join()
      assert.equal(5, met)
    end)
  end)

  it("cannot be swallowed for ever", function()
    composio.run(function()
      local task = composio.spawn(function()
        while true do
          pcall(composio.sleep, 30)
        end
      end)
      composio.sleep(0.01)
      task:cancel "stop"
      assert.matches("stop", select(2, raised(pcall(task.join, task))))
    end)
  end)

  -- What `work` closes when it is cancelled, and what that came to.
  local function closed_by(call)
    local closed, why = false, nil
    local function work()
      local _ <close> = closing(function()
        local ok, err = pcall(composio.sleep, 0.02)
        closed, why = ok, err
      end)
      composio.sleep(30)
    end
    composio.run(function()
      local task = composio.spawn(call, work)
      composio.sleep(0.01)
      task:cancel()
      pcall(task.join, task)
    end)
    return closed, why
  end

  it("lets __close do I/O while the task unwinds", function()
    assert.is_true((closed_by(function(work)
      work()
    end)))
  end)

  it("is met by a __close that a pcall of the task's own waits for", function()
    for _, protect in ipairs { pcall, function(f) return xpcall(f, tostring) end } do
      local closed, why = closed_by(protect)
      assert.is_false(closed)
      assert.equal("ComposioRequestCancelledError", why.name)
    end
  end)

  -- Errors that neither pcall nor the end of the task catches.
  local function catch_by_load()
    assert(not load(function() error "reader" end))
  end
  local function catch_by_close()
    local other = coroutine.create(function()
      local _ <close> = closing(function() error "closing" end)
      coroutine.yield()
    end)
    coroutine.resume(other)
    assert(not coroutine.close(other))
  end

  for name, catch in pairs { ["load"] = catch_by_load, ["coroutine.close"] = catch_by_close } do
    it("is met after an error that " .. name .. " caught, before and after it", function()
      composio.run(function()
        local rounds = 0
        local task = composio.spawn(function()
          catch()
          for _ = 1, 50 do
            local ok, err = pcall(composio.sleep, 0.01)
            catch()
            rounds = rounds + 1
            if not ok then
              assert.equal("ComposioRequestCancelledError", err.name)
              composio.sleep(0.01) -- met again
            end
          end
        end)
        composio.sleep(0.02)
        task:cancel "enough"
        local err, text = raised(pcall(task.join, task))
        assert.equal("ComposioRequestCancelledError", err.name)
        assert.matches("enough", text)
        assert.is_true(rounds < 50)
      end)
    end)
  end

  it("is met after a cancelled call in a reader of load", function()
    composio.run(function()
      local rounds = 0
      local task = composio.spawn(function()
        for _ = 1, 1000 do
          load(function() composio.sleep(0.001) end)
          pcall(composio.sleep, 0.001)
          rounds = rounds + 1
        end
      end)
      composio.sleep(0.03)
      task:cancel("enough", 1)
      raised(pcall(task.join, task))
      assert.is_true(rounds < 200, "went on for " .. rounds .. " rounds")
    end)
  end)

  it("stops a task whose __close does not end in its time", function()
    local start = core.now()
    composio.run(function()
      local task = composio.spawn(function()
        local _ <close> = closing(function()
          composio.sleep(30)
        end)
        composio.sleep(30)
      end)
      composio.sleep(0.01)
      task:cancel("out", 0.1)
      raised(pcall(task.join, task))
      assert.equal("cancelled", task.status)
    end)
    assert.is_true(core.now() - start < 5)
  end)

  it("leaves a finished task as it is", function()
    composio.run(function()
      local task = composio.spawn(function() return 1 end)
      task:join()
      task:cancel()
      assert.equal(1, task:join())
      assert.equal("done", task.status)
    end)
  end)
end)

describe("composio.sleep", function()
  both("waits as long as it was told", function()
    local start = core.now()
    composio.sleep(0.05)
    local took = core.now() - start
    assert.is_true(took >= 0.049 and took < 1, "took " .. took)
  end)

  for _, value in ipairs { -1, 0 / 0, 1 / 0 } do
    both("refuses " .. tostring(value), function()
      assert.matches("composio%.sleep", select(2, raised(pcall(composio.sleep, value))))
    end)
  end
end)

-- Every place of the language where a C function stands between the task and
-- its script, and some where none does. Each gets a function that waits and
-- returns its argument; each must give the same inside and outside tasks.
local places = {
  ["plain code"] = function(wait)
    return wait "x"
  end,
  ["pcall"] = function(wait)
    return select(2, pcall(wait, "x"))
  end,
  ["xpcall"] = function(wait)
    return select(2, xpcall(wait, error, "x"))
  end,
  ["an xpcall handler"] = function(wait)
    return select(2, xpcall(error, wait, "x"))
  end,
  ["table.sort"] = function(wait)
    local list = { "x", "a" }
    table.sort(list, function(a, b)
      return wait(a) < wait(b)
    end)
    return list[2]
  end,
  ["gsub"] = function(wait)
    return (("x"):gsub("x", wait))
  end,
  ["tostring"] = function(wait)
    return tostring(setmetatable({}, { __tostring = function() return wait "x" end }))
  end,
  ["table.concat"] = function(wait)
    return table.concat(setmetatable({}, {
      __index = function() return wait "x" end,
      __len = function() return 1 end,
    }))
  end,
  ["a load reader"] = function(wait)
    local parts = { "return ", "'x'" }
    return load(function()
      return wait(table.remove(parts, 1))
    end)()
  end,
  ["the body of a required module"] = function(wait)
    package.preload["a.module.of.this.spec"] = function()
      return wait "x"
    end
    package.loaded["a.module.of.this.spec"] = nil
    return (require "a.module.of.this.spec")
  end,
  ["__gc"] = function(wait)
    local got
    setmetatable({}, { __gc = function() got = wait "x" end })
    collectgarbage()
    collectgarbage()
    return got
  end,
  ["a coroutine of its own"] = function(wait)
    return coroutine.wrap(function()
      return wait "x"
    end)()
  end,
  ["a coroutine in a coroutine in table.sort"] = function(wait)
    local got
    table.sort({ 1, 2 }, function()
      got = coroutine.wrap(function()
        return coroutine.wrap(wait)("x")
      end)()
      return false
    end)
    return got
  end,
  ["__index"] = function(wait)
    return setmetatable({}, { __index = function() return wait "x" end }).anything
  end,
  ["__concat"] = function(wait)
    return setmetatable({}, { __concat = function() return wait "x" end }) .. ""
  end,
  ["a generic for"] = function(wait)
    local got = ""
    for value in function(_, before) return not before and wait "x" or nil end do
      got = got .. value
    end
    return got
  end,
  ["__close at the end of a block"] = function(wait)
    local got
    do
      local _ <close> = closing(function() got = wait "x" end)
    end
    return got
  end,
  ["__close while an error unwinds"] = function(wait)
    local got
    pcall(function()
      local _ <close> = closing(function() got = wait "x" end)
      error "unwind"
    end)
    return got
  end,
}

describe("a wait gives the same in", function()
  for name, place in pairs(places) do
    both(name, function()
      local waits = 0
      local function wait(value)
        composio.sleep(0)
        waits = waits + 1
        return value
      end
      assert.equal("x", place(wait))
      assert.is_true(waits > 0)
    end)
  end
end)

describe("while one task waits in place", function()
  it("no other task runs, and all goes on after", function()
    local order = {}
    composio.run(function()
      local other = composio.spawn(function()
        order[#order + 1] = "other"
      end)
      table.sort({ 2, 1 }, function(a, b)
        composio.sleep(0.02)
        order[#order + 1] = "sorted"
        return a < b
      end)
      other:join()
    end)
    assert.equal("sorted", order[1])
    assert.equal("other", order[#order])
  end)
end)

describe("coroutines that are not one's own", function()
  it("cannot be resumed past a wait", function()
    composio.run(function()
      local thread
      local task = composio.spawn(function()
        thread = coroutine.running()
        composio.sleep(0.05)
        return "slept"
      end)
      composio.sleep(0)
      assert.same({ n = 1, true }, table.pack(coroutine.resume(thread, "wrong")))
      assert.same({ n = 1, true }, table.pack(coroutine.resume(thread, "again")))
      assert.equal("slept", task:join())
    end)
  end)

  it("end their task when they are closed", function()
    composio.run(function()
      local thread
      local task = composio.spawn(function()
        thread = coroutine.running()
        composio.sleep(30)
      end)
      composio.sleep(0)
      coroutine.close(thread)
      raised(pcall(task.join, task))
      assert.equal("failed", task.status)
    end)
  end)
end)

describe("what tasks leave behind", function()
  local function registry_size()
    local count = 0
    for _ in pairs(debug.getregistry()) do
      count = count + 1
    end
    return count
  end

  local function descriptors()
    local count = 0
    for _ in require("lfs").dir "/proc/self/fd" do
      count = count + 1
    end
    return count
  end

  it("is nothing: registry, descriptors, live tasks", function()
    -- joins are part of what is counted: half of the tasks end by an error
    local function round()
      composio.run(function()
        local tasks = {}
        for i = 1, 10000 do
          tasks[i] = composio.spawn(function()
            composio.sleep(0)
            if i % 2 == 0 then
              error "every other"
            end
          end)
        end
        for i = 1, 10000 do
          pcall(tasks[i].join, tasks[i])
        end
      end)
      collectgarbage()
      collectgarbage()
    end
    composio.run(function() end)
    local registry, files = registry_size(), descriptors()
    round()
    assert.equal(registry, registry_size())
    assert.equal(files, descriptors())
    assert.equal(0, core.live_tasks())
    local before = collectgarbage "count"
    round()
    assert.is_true(collectgarbage "count" < before + 200, "memory grows from round to round")
  end)
end)

describe("a finished task", function()
  it("is collected when nobody holds it", function()
    local held = setmetatable({}, { __mode = "v" })
    composio.run(function()
      held[1] = composio.spawn(function() end)
      held[2] = composio.spawn(error, "x", 0)
      pcall(held[2].join, held[2])
      composio.sleep(0)
    end)
    collectgarbage()
    collectgarbage()
    assert.is_nil(held[1])
    assert.is_nil(held[2])
  end)
end)

describe("the module", function()
  it("can be opened twice in a state", function()
    local before = package.loaded["composio"]
    package.loaded["composio"], package.loaded["composio.core"] = nil, nil
    local again = require "composio"
    package.loaded["composio"] = before
    assert.not_equal(before, again)
    assert.equal(3, again.run(function()
      return before.spawn(function() return 3 end):join()
    end))
  end)
end)
