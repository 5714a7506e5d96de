-- What the consent test runs in stock Lua: makes a link, says where it leads,
-- and waits for the person at the browser.
-- Usage: lua5.4 wait.lua USER AUTH_CONFIG [CALLBACK_URL]
-- Must not know: who clicks.
local composio = require "composio"

local request = composio.connected_accounts.link(arg[1], arg[2], {
  callback_url = arg[3],
  allow_multiple = true, -- the same person comes again and again
})
print(request.id .. " " .. request.redirect_url)
io.flush()

local ok, result = pcall(request.wait_for_connection, request, { timeout = 60, interval = 0.1 })
if ok then
  print("connected " .. result.id .. " " .. result.status)
else
  print("refused " .. tostring(result.name) .. " " .. tostring(result))
end
