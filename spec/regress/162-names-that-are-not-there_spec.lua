-- Reading a misspelt name returned nil, and the script went on: job.params.shraed looked like
-- false, account.isDisabled like an enabled account, ipairs(accounts.list {}) like an empty
-- project. Each is now an error that gives the right name.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local place
scene.of_host({ "--accounts", "10" }, function(_, directory)
  place = directory
end)

local function refused(cases)
  for script, text in pairs(cases) do
    local result = place:run({ "job.lua" }, { script = script })
    assert.equal(1, result.code, script .. "\n" .. result.err)
    job.has(result.err, "job.lua:3: " .. text)
  end
end

it("names of the module are known", function()
  refused {
    ["composio.connectedAccounts.list()"]
      = "composio has no 'connectedAccounts' (did you mean 'connected_accounts'?)",
    ["accounts.disabel 'ca_x'"] = "connected_accounts has no 'disabel' (did you mean 'disable'?)",
    ["composio.auth_configs.lst()"] = "auth_configs has no 'lst' (did you mean 'list'?)",
    ["print(composio.link)"] = "composio has no 'link'",
    ["composio.bulk(accounts, print)"] = "composio.bulk: expected a selection: write",
    ["composio.bulk(accounts.each, print)"] = "composio.bulk: expected a selection: write",
  }
end)

it("names of parameters are known", function()
  local params = "local job = composio.job { params = { shared = { type = 'boolean' } } } "
  refused {
    [params .. "print(job.params.shraed)"]
      = "composio.job: params has no 'shraed' (did you mean 'shared'?)",
    [params .. "print(job.shared)"] = "composio.job's result, beside params, has no 'shared'",
  }
  local result = place:run({ "job.lua" }, { script = params .. "print(job.params.shared)" })
  job.has(result.out, "nil\n")
end)

it("fields of accounts and auth configs have their own spelling", function()
  local get = "local account = accounts.get 'ca_github_u123A' "
  refused {
    [get .. "print(account.userId)"] = "there is no field 'userId' (did you mean 'user_id'?)",
    [get .. "print(account.authConfig)"] = "there is no field 'authConfig' (did you mean",
    [get .. "account:waitForConnection()"] = "there is no field 'waitForConnection' (did you mean",
    ["print(composio.auth_configs.list().items[1].isComposioManaged)"]
      = "there is no field 'isComposioManaged' (did you mean 'is_composio_managed'?)",
  }
  local result = place:run({ "job.lua" }, {
    script = get .. "print(account.nosuch, account.noSuch, account.Toolkits)",
  })
  assert.equal("nil\tnil\tnil\n", result.out, result.err)
end)

it("a page is not a list", function()
  local why = "list {…} returns a page: its entries are"
  refused {
    ["for _, a in ipairs(accounts.list {}) do print(a) end"] = why,
    ["local p = accounts.list {} for i = 1, #p do print(p[i]) end"] = why,
    ["print(composio.auth_configs.list()[1])"] = why,
  }
  local result = place:run({ "job.lua" }, { script = [[
    local page, names = accounts.list {}, {}
    for name in pairs(page) do names[#names + 1] = name end
    print(#page.items, #names > 3, page.nosuch, page.next_cursor)
  ]] })
  assert.equal("10\ttrue\tnil\tnil\n", result.out, result.err)
end)
