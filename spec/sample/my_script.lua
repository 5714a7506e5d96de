#!/usr/bin/env composio-lua
-- Gives people whose login ran out of time another ten minutes.

local composio = require "composio"
local accounts = composio.connected_accounts

local job = composio.job {
  summary = "Start logins anew that nobody finished within ten minutes.",
  may = "reversible",
  params = { toolkit = { type = "string", default = "github", help = "of this toolkit" } },
}

local late = accounts.each {
  statuses = { "EXPIRED" },
  toolkit_slugs = { job.params.toolkit },
  account_type = "ALL",
}

composio.bulk({
  name = "late",
  after = function(account, results)
    print(account.user_id, results.refresh.redirect_url)
  end,
}, late, function(account)
  if (account.status_reason or ""):find("did not complete", 1, true) then
    account:refresh { reason = "login ran out of time" }
  end
end)
