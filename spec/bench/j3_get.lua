-- Reads one account: what starting up costs.
local composio = require "composio"
local accounts = composio.connected_accounts

local job = composio.job {
  summary = "Read one account of the bench's server.",
  may     = "read",
  params  = { id = { type = "string", default = "ca_000000007xYz", help = "the account" } },
}

print(accounts.get(job.params.id).status)
