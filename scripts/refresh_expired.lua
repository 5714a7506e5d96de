#!/usr/bin/env composio-lua
-- Refreshes EXPIRED accounts that a machine can heal, and lists who must log in again, with
-- the reason. Makes no links by default, since one lasts ten minutes: --people refresh mints
-- one for each account, which keeps its id; --people link makes new accounts, for services
-- that refuse a refresh. Never touches ACTIVE accounts: a refresh would log their users out.
local composio = require "composio"
local accounts = composio.connected_accounts

local job = composio.job {
  summary = "Refresh expired accounts; report who must log in again.",
  may = "reversible",
  params = {
    people = { type = "enum", values = { "list", "refresh", "link" }, default = "list",
      was = "reconnect", help = "list who must log in, or also make a link (10 minutes) for each" },
    report = { type = "path", default = "waiting.csv", help = "CSV of people who must log in" },
  },
}

-- Schemes whose credentials can be renewed; all others hold values that a person typed.
local MACHINE = { S2S_OAUTH2 = true, GOOGLE_SERVICE_ACCOUNT = true, SERVICE_ACCOUNT = true }
local PERSON = { OAUTH1 = true, OAUTH2 = true, DCR_OAUTH = true, CIMD_OAUTH = true }
local STATUSES = { "EXPIRED", "INITIATED", "INITIALIZING" } -- the last two: a login goes on
local LAPSED = "did not complete" -- an unused link's reason hides the true one
local waiting = composio.report(job.params.report,
  { "user", "account", "toolkit", "reason", "new_since", "expires_at", "redirect_url" })
local last, now = {}, composio.ago "0s"
for row in waiting:last() do last[row.account or ""] = row end

local function report(account, answer)
  local before, reason = last[account.id] or {}, account.status_reason
  local is_hidden = account.status ~= "EXPIRED" or (reason or ""):find(LAPSED, 1, true)
  composio.tag "waiting"
  waiting:add {
    user = account.user_id, account = account.id, toolkit = account.toolkit.slug,
    reason = is_hidden and before.reason or reason, new_since = before.new_since or now,
    expires_at = answer.expires_at, redirect_url = answer.redirect_url,
  }
end

composio.bulk({
  name = "expired",
  after = function(account, results)
    local answer = results.refresh or results.link
    if answer.status ~= "ACTIVE" then return report(account, answer) end
    composio.tag "healed"
  end,
}, accounts.each { statuses = STATUSES, account_type = "ALL" }, function(account)
  local before = last[account.id] -- keep its link while the login goes on
  if account.status ~= "EXPIRED" then return before and report(account, before) end
  local scheme = account.state and account.state.authScheme or account.auth_config.auth_scheme
  local people = PERSON[scheme] and job.params.people
  if people == "list" then return report(account, {}) end
  if people == "link" then
    accounts.link(account.user_id, account.auth_config.id, { allow_multiple = true })
  elseif people or MACHINE[scheme] then
    account:refresh { reason = "expired" }
  else
    composio.tag "credentials"
  end
end)
