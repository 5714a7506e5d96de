-- Refreshes the expired accounts: a selection, then changes that must never
-- be sent twice.
local composio = require "composio"
local accounts = composio.connected_accounts

composio.job {
  summary = "Refresh every expired account of the bench's server.",
  may     = "reversible",
}

composio.bulk("refresh", accounts.each {
  account_type = "ALL",
  statuses     = { "EXPIRED" },
}, function(account)
  account:refresh { reason = "bench" }
end)
