-- A reply that ends within its head was taken for one with an empty body, and
-- the change for done.
local proxy = require "spec.support.proxy"
local server = require "spec.support.server"

it("a reply cut within its head is no reply", function()
  local emulator = server.emulator { "--accounts", "30" }
  for at = 10, 40, 10 do
    local run = proxy.start(emulator, { ("when=reply,at=%d,do=cut"):format(at) })
    local accounts = run:client().connected_accounts
    local ok, err = pcall(accounts.disable, "ca_github_u123A")
    run:finish()
    assert.is_false(ok)
    assert.equal("unknown", err.outcome)
    assert.is_nil(err.status)
  end
  emulator:stop()
end)
