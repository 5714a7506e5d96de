-- 40 new users get a connection by an API key, which is a secret.
-- Must not know: that it is killed on the way.
local composio = require "composio"
local accounts = composio.connected_accounts
local params = { token = { type = "secret", required = true } }
local job = composio.job { summary = "Initiate.", params = params }
local rows = {}
for i = 1, 40 do
  rows[i] = { id = "row " .. i, user = "invited " .. i }
end
local config = composio.auth_scheme.api_key { api_key = job.params.token }
composio.bulk("all", rows, function(row)
  accounts.initiate(row.user, "ac_StripeApiKey", { config = config, allow_multiple = true })
end)
