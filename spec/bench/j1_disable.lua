-- Disables every account: what a change costs with plan, ledger and guard.
local composio = require "composio"
local accounts = composio.connected_accounts

composio.job {
  summary = "Disable every account of the bench's server.",
  may     = "reversible",
}

composio.bulk("disable", accounts.each { account_type = "ALL" }, function(account)
  account:disable { reason = "bench" }
end)
