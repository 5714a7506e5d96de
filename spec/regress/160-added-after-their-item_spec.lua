-- A task that an action or an `after` had spawned, and that went on when they had ended,
-- could still tag the item and add rows to a report: the bulk had returned its counts without
-- the tag, and a resumed run lost the row.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local place
scene.of_host({ "--accounts", "20" }, function(_, directory)
  place = directory
end)

local SCRIPT = [[
  local report = composio.report("r.csv", { "who" })
  local tasks = {}
  local function later()
    tasks[#tasks + 1] = composio.spawn(function() composio.sleep(0.05) %s end)
  end
  local counts = composio.bulk({ after = function() %s end }, { "ca_github_u123A" },
    function(account) account:disable() %s end)
  local good, why = pcall(tasks[1].join, tasks[1])
  print(good, why)
]]

local function run(...)
  local words = host.unlimited { "job.lua", "--apply" }
  return place:run(words, { script = SCRIPT:format(...) })
end

describe("a task that has outlived its item's", function()
  for what, call in pairs {
    ["composio.tag"] = "composio.tag 'x'",
    ["report:add"] = "report:add { who = 'x' }",
  } do
    it("action adds nothing by " .. what, function()
      local result = run(call, "", "later()")
      job.has(result.out, "false\tjob.lua:6: " .. what .. ": the item's action has ended")
    end)

    it("`after` adds nothing by " .. what, function()
      local result = run(call, "later()", "")
      job.has(result.out, "false\tjob.lua:6: " .. what .. ": the item's `after` has ended")
    end)
  end

  it("is waited for by a join", function()
    local result = run("composio.tag 'x' report:add { who = 'x' }", "later() tasks[1]:join()", "")
    assert.equal("true\tnil\n", result.out, result.err)
    assert.equal("who\r\nx\r\n", place:read "r.csv")
  end)
end)
