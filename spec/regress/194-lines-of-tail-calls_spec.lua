-- A change that was asked for by a tail call stood in plan and ledger without a line of the
-- script: the call leaves no frame. An error of the same call named its line.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place, ids
scene.of_host({ "--accounts", "20" }, function(...)
  emulator, place = ...
  ids = ids or job.ids(emulator, { statuses = { "ACTIVE" } }, 1)
end)

-- Returns the lines that the ledger has of the script's changes.
local function lines_of(script, ...)
  local run = place:run({ "job.lua", "--max-percent=100", ... }, {
    script = (script:gsub("ID", ids[1])),
  })
  assert.equal(0, run.code, run.err)
  return place:ledger "SELECT line FROM change ORDER BY id"
end

for name, script in pairs {
  ["of an action"] = [[
    composio.bulk({ "ID" }, function(a)
      return a:update { alias = "t1" }
    end)]],
  ["of a function that an action calls"] = [[
    composio.bulk({ "ID" }, function(a) return accounts.disable(a.id) end)]],
  ["of a task"] = [[
    composio.spawn(function() return accounts.update("ID", { alias = "t2" }) end):join()]],
} do
  it("a tail call " .. name .. " has the line where it begins", function()
    for _, apply in ipairs { "--quiet", "--apply" } do
      local line = lines_of(script, apply)[1][1]
      assert.is_truthy(line and line:find "^job%.lua:%d+$", line)
    end
  end)
end

it("another call has its own line, and so has the next one after a tail call", function()
  local lines = lines_of [[
    composio.bulk("one", { "ID" }, function(a) return a:disable() end)
    composio.bulk("two", { "ID" }, function(a)
      a:update { alias = "t3" }
    end)]]
  local first, second = lines[1][1]:match ":(%d+)", lines[2][1]:match ":(%d+)"
  assert.equal(tonumber(first) + 2, tonumber(second))
end)
