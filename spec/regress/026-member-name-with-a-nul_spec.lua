-- A member whose name was that of a known list and a NUL was compared beyond
-- the end of the known name (seen by ASan), and could be taken for a list.
require "composio"
local core = require "composio.core"

it("a name that ends with NUL is not the name of a list", function()
  for _, name in ipairs { "items", "scopes", "tools", "errors", "expected_input_fields" } do
    local value = core.json_decode('{"' .. name .. '\\u0000":[],"' .. name .. '":[]}')
    assert.equal("{}", core.json_encode(value[name .. "\0"]), name)
  end
  assert.equal("[]", core.json_encode(core.json_decode('{"items":[]}').items))
end)
