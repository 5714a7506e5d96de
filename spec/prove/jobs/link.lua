-- Links for 40 new users, one of each row.
-- Must not know: that it is killed on the way.
local composio = require "composio"
local accounts = composio.connected_accounts
composio.job { summary = "Link." }
local rows = {}
for i = 1, 40 do
  rows[i] = { id = "row " .. i, user = "invited " .. i }
end
composio.bulk("all", rows, function(row)
  accounts.link(row.user, "ac_GithubManage", { allow_multiple = true })
end)
