-- 40 accounts that are not ACTIVE are deleted.
-- Must not know: that it is killed on the way.
local composio = require "composio"
local accounts = composio.connected_accounts
composio.job { summary = "Delete.", may = "irreversible" }
local useless = { "FAILED", "EXPIRED", "INACTIVE" }
composio.bulk("all", accounts.each { statuses = useless, account_type = "ALL" }, function(account)
  account:delete()
end)
