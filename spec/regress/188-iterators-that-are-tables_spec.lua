-- A table with __call, given to composio.bulk as an iterator, was taken for an empty list: it
-- was never called, and the bulk ended with 0 items and exit 0.
local scene = require "spec.support.scene"

local place
scene.of_host({ "--accounts", "10" }, function(_, directory)
  place = directory
end)

it("calls a table that can be called", function()
  local result = place:run({ "job.lua" }, { script = [[
    local count = 0
    composio.bulk("c", setmetatable({}, { __call = function()
      count = count + 1
      return count <= 3 and { id = "row" .. count } or nil
    end }), function(row) print(row.id) end)
  ]] })
  assert.equal(0, result.code, result.err)
  assert.equal("row1\nrow2\nrow3\n", result.out:match "row1.-row3\n")
end)
