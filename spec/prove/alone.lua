-- One listing in a task and one change at the same time; `verdict` tells what is known
-- of the change. The argument is the base URL and the API key, separated by a space.
-- Must not know: that memory fails.
-- luacheck: globals verdict
local url, key = (...):match "^(%S+) (%S+)$"
verdict = "not asked"
local composio = require "composio"
local client <close> = composio.client { base_url = url, api_key = key, retries = 0, timeout = 10 }
local accounts = client.connected_accounts
composio.run(function()
  local task = composio.spawn(function()
    return #accounts.list({ limit = 2 }).items
  end)
  local missed = "unknown"
  verdict = missed
  local good, err = pcall(accounts.disable, "ca_github_u123A")
  if good then
    verdict = "done"
  elseif type(err) == "table" then
    verdict = err.outcome
  end
  local seen = task:join()
  assert(seen == 2, "a part of the page: " .. tostring(seen))
  if not good then
    error(err, 0)
  end
end)
