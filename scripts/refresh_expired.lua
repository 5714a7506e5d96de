#!/usr/bin/env composio-lua
-- Refreshes EXPIRED accounts and sorts them three ways: healed (ACTIVE again
-- without a person), waiting for a person (who gets a link), and in need of new
-- credentials (an expired key can only be replaced, not refreshed).
-- Never touches ACTIVE accounts: a refresh would log their users out.
local composio = require "composio"
local accounts = composio.connected_accounts

local job = composio.job {
  summary = "Refresh expired accounts; report a link for each person who must log in again.",
  may = "reversible",
  params = {
    reconnect = { type = "enum", values = { "refresh", "link" }, default = "refresh",
      help = "refresh renews the account; link makes a new one, by a hosted link" },
    report = { type = "string", default = "waiting.csv", help = "CSV of people who must log in" },
  },
}

-- Schemes that can be refreshed; the others hold credentials that a person typed.
local RENEWABLE = {
  OAUTH1 = true, OAUTH2 = true, DCR_OAUTH = true, -- a person logs in again
  S2S_OAUTH2 = true, GOOGLE_SERVICE_ACCOUNT = true, SERVICE_ACCOUNT = true, -- no person needed
}
local count = { looked = 0, healed = 0, waiting = 0, credentials = 0, shared = 0 }
local waiting =
  composio.report(job.params.report, { "user", "toolkit", "reason", "expires_at", "redirect_url" })

local counts = composio.bulk({
  name = "expired",
  after = function(account, results)
    local answer = results.refresh or results.link
    local word = answer.status == "ACTIVE" and "healed" or "waiting"
    count[word] = count[word] + 1
    if word == "healed" then return end
    waiting:add {
      user = account.user_id, toolkit = account.toolkit.slug, reason = account.status_reason,
      expires_at = answer.expires_at, -- of a link alone: a refresh does not tell it
      redirect_url = answer.redirect_url,
    }
  end,
}, accounts.each { statuses = { "EXPIRED" }, account_type = "ALL" }, function(account)
  count.looked = count.looked + 1
  if account.experimental and account.experimental.account_type == "SHARED" then
    count.shared = count.shared + 1
  end
  local scheme = account.state and account.state.authScheme or account.auth_config.auth_scheme
  if not RENEWABLE[scheme] then
    count.credentials = count.credentials + 1
  elseif job.params.reconnect == "link" and scheme:find "OAUTH" and scheme ~= "S2S_OAUTH2" then
    accounts.link(account.user_id, account.auth_config.id, { allow_multiple = true })
  else
    account:refresh { reason = "expired" }
  end
end)

local words = { "healed", "waiting", "credentials", "shared" }
for i = 1, count.looked < counts.selected and 2 or 4 do -- an earlier session planned the rest
  print(("%-12s %6d"):format(words[i], count[words[i]]))
end
