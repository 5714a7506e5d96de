-- A credential that the service echoes in its error stood in the error object.
local composio = require "composio"
local server = require "spec.support.server"

it("an echoed credential is masked, in each of its spellings", function()
  local emulator = server.emulator { "--accounts", "30" }
  local client = emulator:client()
  local secret = 'tok/"en+1234'
  for _, echo in ipairs { secret, "tok%2F%22en%2B1234", 'tok/\\"en+1234', "dG9rLyJlbisxMjM0" } do
    emulator:faults {
      { action = "reply", status = 400, body = { error = { message = "no: " .. echo } } },
    }
    local ok, err = pcall(client.connected_accounts.initiate, "someone", "ac_AirtblBearer", {
      config = composio.auth_scheme.bearer_token { token = secret, subdomain = "example" },
      allow_multiple = true,
    })
    assert.is_false(ok)
    assert.is_nil(err.message:find(echo, 1, true), err.message)
    assert.matches("no: %*%*%*", err.message)
  end
  emulator:faults { { action = "reply", status = 400, body = "example is ACTIVE" } }
  local _, err = pcall(client.connected_accounts.initiate, "someone", "ac_AirtblBearer", {
    config = composio.auth_scheme.bearer_token { token = secret, subdomain = "example" },
    allow_multiple = true,
  })
  assert.matches("example is ACTIVE", err.message) -- those are no secrets
  client:close()
  emulator:stop()
end)
