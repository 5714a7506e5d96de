-- The module's public table, built from the private one (composio.core).
-- Must not know: how calls are made.
-- Each other file that is loaded here returns a function (composio, core, host) that adds
-- its functions. Functions that need the host exist in stock Lua, too, where host is nil;
-- there they raise an error that says so.

local require = require
local core = require "composio.core"
local host = package.loaded["composio.host"]

require "composio.operations"(core)
require "composio.options"(core)

-- Does the service say itself that the account or auth config does not exist? Another
-- 404, such as a proxy's page, proves nothing.
function core.is_gone(err)
  return core.is_error(err) and err.status == 404
    and (err.name == "ComposioConnectedAccountNotFoundError"
      or err.name == "ComposioAuthConfigNotFoundError")
end

-- Would every other call fail in the same way: is the key rejected or a route missing?
function core.ends_run(err)
  return core.is_error(err) and (err.status == 401 or err.name == "RouteNotFoundError")
end

local composio = {
  _VERSION = core.version,
  versions = core.versions,
  null = core.null,
  array = core.array,
  spawn = core.spawn,
  sleep = core.sleep,
  run = core.run,
}

-- resource name → functions that complete it. They may replace an operation by a
-- composite that calls the plain one.
local resources = {}

local function make_resource(client, name)
  local resource = {}
  for _, row in ipairs(core.operations()) do
    if row.resource == name then
      resource[row.name] = core.operation(client, name, row.name)
    end
  end
  return resource
end

-- core.on_resource("connected_accounts", f): f(resource, client, methods) is called for
-- each client to complete its table of that name and the methods of its accounts.
function core.on_resource(name, complete)
  resources[name] = resources[name] or {}
  table.insert(resources[name], complete)
end

-- Fills a client: its resources, and the methods of its accounts.
local function set_class(client)
  local fields, methods = {}, {}
  for _, name in ipairs { "connected_accounts", "auth_configs" } do
    local resource = make_resource(client, name)
    for _, complete in ipairs(resources[name] or {}) do
      complete(resource, client, methods)
    end
    fields[name] = resource
  end
  for _, row in ipairs(core.operations()) do
    if row.of_account and row.class ~= "read" then
      methods[row.name] = fields.connected_accounts[row.name]
    end
  end
  for name, resource in pairs(fields) do
    core.strict(name, resource)
  end
  core.client_set_class(client, fields, methods)
  return client
end

function composio.client(options)
  core.check_dot("composio.client", "client", options)
  core.has_clients = true -- besides the default one
  return set_class(core.client_new(core.client_options(options)))
end

local function add_part(name)
  require("composio." .. name)(composio, core, host)
end

for _, name in ipairs {
  "auth_scheme", "wait", "checked_calls", "pages", "before", "time",
  "job", "history",
} do
  add_part(name)
end

-- Loads a file on the first call of owner[word]: most scripts never need it. Until then
-- owner[word] is `first`. A script that saved `first` can go on calling it, and a
-- function that a script assigned to owner[word] itself stays there.
local function add_on_demand(name, owner, word)
  local real
  local function first(...)
    if not real then
      local now = owner[word]
      add_part(name)
      real = owner[word]
      owner[word] = now ~= first and now or real
    end
    return real(...)
  end
  owner[word] = first
end

add_on_demand("client", core, "client_options")
add_on_demand("csv", composio, "csv")
add_on_demand("report", composio, "report")
add_on_demand("bulk", composio, "bulk")
add_on_demand("tag", composio, "tag")
if host then
  add_on_demand("replay", core, "with_plan")
  add_on_demand("undo", core, "undo")
end

local default = set_class(core.default_client())
composio.connected_accounts = default.connected_accounts
composio.auth_configs = default.auth_configs

return core.strict("composio", composio)
