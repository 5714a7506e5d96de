#!/usr/bin/env composio-lua
-- Disables ACTIVE accounts that were not updated for a while; never deletes.
-- A disabled account can be enabled again without a new login.
-- "Not updated" is not "not used": a token renewed in the background may move
-- updated_at. Shared accounts are left alone without --shared, because many
-- people may use one of them.

local composio = require "composio"
local accounts = composio.connected_accounts

local job = composio.job {
  summary = "Disable accounts that nobody has used for a while; never delete.",
  may = "reversible",
  params = {
    days = { type = "integer", default = 90, min = 1, help = "days without an update" },
    shared = { type = "boolean", default = false, help = "also disable shared accounts" },
  },
}

local since = composio.ago(job.params.days .. "d")
local looked = 0 -- stays 0 in a resume or with a saved plan: no action runs
local shared = { idle = 0, left = 0 }

local counts = composio.bulk(
  "idle",
  accounts.each { statuses = { "ACTIVE" }, account_type = "ALL" },
  function(account)
    looked = looked + 1
    if account.updated_at >= since then
      return
    end
    if account.experimental and account.experimental.account_type == "SHARED" then
      shared.idle = shared.idle + 1
      if not job.params.shared then
        shared.left = shared.left + 1
        return
      end
    end
    account:disable { reason = "idle for " .. job.params.days .. " days" }
  end
)

print(("%d ACTIVE accounts looked at, idle since %s"):format(counts.selected, since:sub(1, 10)))
if looked == counts.selected then
  print(("  shared and idle  %5d, of them left alone %d"):format(shared.idle, shared.left))
end
for outcome, count in pairs(counts.operations.disable or {}) do
  print(("  disable %-8s %5d"):format(outcome, count))
end
