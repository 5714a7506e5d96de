-- busted could not show a page: its formatter asks for the length of any table, and a page
-- raised. The length of a page is now the number of its entries.
local scene = require "spec.support.scene"

local accounts
scene.of_module({ "--accounts", "10" }, function(_, resource)
  accounts = resource
end)

it("shows the difference between a page and a table", function()
  local page = accounts.list { limit = 2 }
  assert.equal(2, #page)
  local ok, why = pcall(assert.same, { items = {} }, page)
  assert.is_false(ok)
  assert.matches("Expected objects to be the same", tostring(why))
end)
