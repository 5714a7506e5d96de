-- A change whose first attempt had been sent, and whose second one had no time left, was told
-- as "nothing was sent".
local scene = require "spec.support.scene"
local composio = require "composio"

local emulator, accounts
scene.of_emulator({ "--accounts", "20" }, function(started)
  emulator = started
end)

it("says that it could not be sent again", function()
  local client = emulator:client { retries = 2 }
  accounts = client.connected_accounts
  emulator:faults {
    { method = "PATCH", action = "reply", status = 503, times = 1 },
    { method = "GET", action = "reply", status = 429, headers = { ["Retry-After"] = "3" },
      delay_ms = 100, times = 1 },
  }
  local failed, why
  composio.run(function()
    composio.spawn(function()
      pcall(accounts.get, "ca_github_u123A", { timeout = 1 })
    end)
    failed, why = pcall(accounts.disable, "ca_github_u123A", { timeout = 1.5 })
  end)
  client:close()
  assert.is_false(failed)
  assert.equal("unknown", why.outcome)
  assert.equal(1, why.attempts)
  assert.matches("sent again", why.message)
  assert.not_matches("nothing was sent", why.message)
end)
