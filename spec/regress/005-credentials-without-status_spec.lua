-- Credentials made by an auth_scheme helper carried the status of a new
-- account, and the service refused the update.
local composio = require "composio"
local server = require "spec.support.server"

it("an update of credentials has no status", function()
  local emulator = server.emulator { "--accounts", "0" }
  local client = emulator:client()
  local accounts = client.connected_accounts
  local scheme = composio.auth_scheme
  local request = accounts.initiate("someone", "ac_AirtblBearer", {
    config = scheme.bearer_token { token = "the first token" },
  })
  local credentials = scheme.bearer_token { token = "the second one" }
  local updated = accounts.update(request.id, { credentials = credentials })
  assert.is_true(updated.success)
  local requests = emulator:requests()
  local sent = require("cjson").decode(requests[#requests].body)
  assert.same({ token = "the second one" }, sent.connection.state.val)
  assert.equal("ACTIVE", credentials.val.status) -- the script's table is its own
  client:close()
  emulator:stop()
end)
