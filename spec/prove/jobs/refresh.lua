-- 40 accounts that are not ACTIVE are refreshed, of schemes that can be.
-- Must not know: that it is killed on the way.
local composio = require "composio"
local accounts = composio.connected_accounts
composio.job { summary = "Refresh." }
local selection = accounts.each { statuses = { "EXPIRED" }, account_type = "ALL" }
composio.bulk("all", selection, function(account)
  account:refresh()
end)
