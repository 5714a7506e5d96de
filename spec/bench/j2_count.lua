-- Counts all accounts by status: what a listing costs.
local composio = require "composio"
local accounts = composio.connected_accounts

composio.job {
  summary = "Count the accounts of the bench's server by status.",
  may     = "read",
}

local count = {}
for account in accounts.each { account_type = "ALL" } do
  count[account.status] = (count[account.status] or 0) + 1
end

local statuses = {}
for status in pairs(count) do statuses[#statuses + 1] = status end
table.sort(statuses)
for _, status in ipairs(statuses) do print(status, count[status]) end
