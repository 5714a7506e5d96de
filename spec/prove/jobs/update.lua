-- 40 accounts get an alias.
-- Must not know: that it is killed on the way.
local composio = require "composio"
local accounts = composio.connected_accounts
composio.job { summary = "Alias." }
local selection = accounts.each { statuses = { "ACTIVE" }, account_type = "ALL" }
composio.bulk("all", selection, function(account)
  account:update { alias = "proof-" .. account.id }
end)
