-- What a finalizer made while the state was closing was never collected: Lua marks no
-- object for finalization then. A client's endpoint was lost.
local composio = require "composio"

local function in_finalizer(f)
  local got
  setmetatable({}, { __gc = function() got = table.pack(pcall(f)) end })
  collectgarbage()
  collectgarbage()
  return table.unpack(got, 1, got.n)
end

it("a finalizer makes no client and begins no walk", function()
  local ok, text = in_finalizer(function()
    return composio.client { api_key = "ak_x", base_url = "http://127.0.0.1:9" }
  end)
  assert.is_false(ok)
  assert.matches("053.*:%d+: composio%.client: a finalizer", text)
  ok, text = in_finalizer(function()
    return composio.connected_accounts.each {}()
  end)
  assert.is_false(ok)
  assert.matches("053.*:%d+: a finalizer", text)
end)
