-- accounts.each dropped filters that its table of options inherited, and walked all accounts;
-- accounts.list honoured them. An update dropped inherited fields, a scheme a credential that
-- its check had seen. Every table of fields is a plain one now.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

local HEIR = "local function heir(of) return setmetatable({}, { __index = of }) end "

it("refuses what would be inherited, wherever a script gives fields", function()
  for where, calls in pairs {
    ["connected_accounts.each"] = {
      "accounts.each(setmetatable({ limit = 9 }, { __index = { statuses = { 'EXPIRED' } } }))",
    },
    ["connected_accounts.list"] = { "accounts.list(heir { userIds = { 'a' } })" },
    ["connected_accounts.get"] = { "accounts.get('ca_x', heir {})" },
    ["connected_accounts.delete"] = { "accounts.delete('ca_x', heir { revoke = true })" },
    ["connected_accounts.disable"] = { "accounts.disable('ca_x', heir { reason = 'r' })" },
    ["connected_accounts.refresh"] = { "accounts.refresh('ca_x', heir {})" },
    ["connected_accounts.link"] = { "accounts.link('u', 'ac', heir { allow_multiple = true })" },
    ["connected_accounts.initiate"] = { "accounts.initiate('u', 'ac', heir {})" },
    ["connected_accounts.update"] = {
      "accounts.update('ca_x', heir { alias = 'x' })",
      "accounts.update('ca_x', setmetatable({ credentials = scheme.basic { username = 'u' } }, "
        .. "{ __index = { alias = 'x' } }))",
    },
    ["connected_accounts.update: credentials"] = {
      "accounts.update('ca_x', { credentials = heir(scheme.basic { username = 'u' }) })",
      "accounts.update('ca_x', { credentials = { authScheme = 'BASIC', "
        .. "val = heir { password = 'p' } } })",
    },
    ["auth_configs.list"] = { "composio.auth_configs.list(heir { limit = 1 })" },
    ["wait_for_connection"] = { "accounts.wait_for_connection('ca_x', heir { timeout = 1 })" },
    ["composio.auth_scheme.basic"] = { "scheme.basic(heir { username = 'u' })" },
    ["composio.client"] = { "composio.client(heir { timeout = 1 })" },
    ["composio.runs"] = { "composio.runs(heir {})" },
    ["composio.history"] = { "composio.history(heir {})" },
    ["composio.job"] = { "composio.job(heir { may = 'read' })" },
    ["composio.job: params"] = { "composio.job { params = heir {} }" },
    ["composio.job: params.x"] = { "composio.job { params = { x = heir { type = 'id' } } }" },
    ["composio.job: stop_on"] = { "composio.job { stop_on = heir { failed = 1 } }" },
    ["composio.bulk"] = { "composio.bulk(heir { name = 'n' }, {}, print)" },
    ["composio.bulk: canary"] = { "composio.bulk({ canary = heir { count = 1 } }, {}, print)" },
    ["composio.csv"] = { "composio.csv('x.csv', {}, heir { raw = true })" },
    ["composio.report"] = { "composio.report('x', { 'a' }, heir {})" },
  } do
    for _, call in ipairs(calls) do
      local result = place:run({ "job.lua" }, {
        script = HEIR .. "local scheme = composio.auth_scheme " .. call,
      })
      assert.equal(1, result.code, call .. "\n" .. result.err)
      job.has(result.err, "job.lua:3: " .. where .. ": expected a plain table")
    end
  end
  assert.same({}, emulator:changes())
end)

it("takes plain copies, and lists of any kind", function()
  local result = place:run({ "job.lua" }, { script = [[
    local options = { toolkit_slugs = composio.array { "github" }, account_type = "ALL" }
    local count = 0
    for _ in accounts.each(options) do count = count + 1 end
    print(count > 0 and count == accounts.list(options).total_items)
  ]] })
  assert.equal("true\n", result.out, result.err)
end)
