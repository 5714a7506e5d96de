-- Calls that write from where nobody looks: another client, tasks, coroutines,
-- callbacks of C functions, metamethods, what runs at the end.
-- Must not know: whether it is a preview.
local composio = require "composio"
composio.job { summary = "Everywhere.", may = "irreversible" }
local accounts = composio.connected_accounts
local other = composio.client { retries = 0 }.connected_accounts

local function write(places)
  for _, place in ipairs(places or { accounts, other }) do
    pcall(place.disable, "ca_github_u123A")
    pcall(place.delete, "ca_slack_u123_B")
    pcall(place.link, "somebody", "ac_GithubManage", { allow_multiple = true })
  end
end

write()
composio.spawn(write):join()
coroutine.wrap(write)()
table.sort({ 2, 1 }, function(a, b)
  write()
  return a < b
end)
string.gsub("a", "a", function()
  write()
end)
pcall(tostring, setmetatable({}, { __tostring = write }))
do
  local closed <close> = setmetatable({}, { __close = function() write() end })
  closed.used = true
end
setmetatable({}, { __gc = function() write() end })
collectgarbage()
setmetatable({ keep = _ENV }, { __gc = function() write() end })
composio.bulk({
  name = "after",
  after = function()
    write()
  end,
}, accounts.each { statuses = { "ACTIVE" }, limit = 10 }, function(account)
  local task = composio.spawn(account.disable, account)
  pcall(task.join, task)
  write { other }
end)
