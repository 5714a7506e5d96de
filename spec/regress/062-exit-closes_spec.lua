-- os.exit unwinds, but the hook that ends a script raised again in the first instruction of
-- each `__close` of the running task, so that none of them ran. And the line about another
-- failed task called the script's own `__tostring`, unprotected.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local place
scene.of_host({ "--accounts", "5" }, function(_, ...)
  place = ...
end)

local CLOSES = [[
  local function closing(word)
    return setmetatable({}, { __close = function() print("closed " .. word) end })
  end
  local main <close> = closing "main"
  composio.run(function()
    composio.spawn(function()
      local other <close> = closing "other"
      composio.sleep(5)
    end)
    local task <close> = closing "task"
    composio.sleep(0.05)
    coroutine.wrap(function()
      local inner <close> = closing "coroutine"
      %s
    end)()
  end)
]]

describe("os.exit", function()
  it("closes what is open, everywhere", function()
    local run = place:run({ "job.lua", "--allow", "os" }, { script = CLOSES:format "os.exit(66)" })
    assert.equal(66, run.code, run.err)
    for _, word in ipairs { "main", "other", "task", "coroutine" } do
      job.has(run.out, "closed " .. word)
    end
  end)

  it("cannot be caught", function()
    for _, catch in ipairs {
      "pcall(os.exit, 66)",
      "xpcall(os.exit, print, 66)",
      "coroutine.resume(coroutine.create(os.exit), 66)",
      "composio.run(function() pcall(pcall, function() composio.sleep(0.01) os.exit(66) end) end)",
    } do
      local run = place:run({ "job.lua", "--allow", "os" }, {
        script = catch .. " print 'not reached'",
      })
      assert.equal(66, run.code, catch .. run.err)
      assert.equal("", run.out, catch)
    end
  end)

  it("is followed by no call, and by no endless __close", function()
    local run = place:run({ "job.lua", "--allow", "os" }, { script = [[
      local x <close> = setmetatable({}, { __close = function() while true do end end })
      pcall(os.exit, 65)
      print(pcall(accounts.list))
      print "not reached"
    ]] })
    assert.equal(65, run.code, run.err)
    job.lacks(run.out, "not reached")
  end)
end)

describe("a second task that failed", function()
  it("is told without calling the script", function()
    local run = place:run({ "job.lua" }, { script = [[
      composio.run(function()
        for place = 1, 3 do
          composio.spawn(function()
            if place == 1 then error "the first" end
            if place == 2 then error "the second" end
            error(setmetatable({}, { __tostring = function() print "called" error "within" end }))
          end)
        end
      end)
    ]] })
    assert.equal(1, run.code)
    assert.equal("", run.out)
    job.has(run.err, "the first")
    job.has(run.err, "another task failed: ")
    job.has(run.err, "the second")
    job.has(run.err, "it raised a table")
  end)
end)
