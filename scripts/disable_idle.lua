#!/usr/bin/env composio-lua
-- Disables ACTIVE accounts that were not updated for a while; never deletes.
-- A disabled account can be enabled again without a new login.
-- "Not updated" is not "not used": a token renewed in the background may move
-- updated_at. Shared accounts are left alone without --shared, because many
-- people may use one of them.

local composio = require "composio"
local accounts = composio.connected_accounts

local job = composio.job {
  summary = "Disable accounts that were not updated for a while; never delete.",
  may = "reversible",
  params = {
    days = { type = "integer", default = 90, min = 1, help = "days without an update" },
    shared = { type = "boolean", default = false, help = "also disable shared accounts" },
  },
}

local since = composio.ago(job.params.days .. "d")

composio.bulk(
  "idle",
  accounts.each { statuses = { "ACTIVE" }, account_type = "ALL" },
  function(account)
    if account.updated_at >= since then
      return
    end
    if account.experimental and account.experimental.account_type == "SHARED" then
      composio.tag(job.params.shared and "shared" or "shared-left-alone")
      if not job.params.shared then
        return
      end
    end
    account:disable { reason = "idle for " .. job.params.days .. " days" }
  end
)
