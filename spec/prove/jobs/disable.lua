-- 40 ACTIVE accounts are disabled.
-- Must not know: that it is killed on the way.
local composio = require "composio"
local accounts = composio.connected_accounts
composio.job { summary = "Disable." }
local selection = accounts.each { statuses = { "ACTIVE" }, account_type = "ALL" }
composio.bulk("all", selection, function(account)
  account:disable { reason = "proof" }
end)
