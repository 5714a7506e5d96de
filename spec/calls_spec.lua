-- Calls: each operation's bytes on the wire, each option and refusal, and the clients
-- that make the calls.
local composio = require "composio"
local core = require "composio.core"
local both = require "spec.support.both"
local cjson = require "cjson"
local raised = require "spec.support.raised"
local scene = require "spec.support.scene"
local server = require "spec.support.server"

local emulator, client, accounts, configs

scene.of_module({ "--accounts", "60" }, function(...)
  emulator, accounts, client, configs = ...
end)

-- The only request that was made, without the API's prefix.
local function sent()
  local list = emulator:requests()
  assert.equal(1, #list)
  local request = list[1]
  request.line = request.method .. " " .. request.path:gsub("^/api/v3%.1", "")
  return request
end

describe("on the wire", function()
  -- name, call, line, body (nil: none; "": of length 0)
  local cases = {
    { "list", function() accounts.list() end, "GET /connected_accounts" },
    {
      "list with all filters, in the order of the reference",
      function()
        accounts.list {
          cursor = "Mi0yMA==",
          limit = 5,
          order_direction = "asc",
          order_by = "created_at",
          account_type = "ALL",
          connected_account_ids = { "ca_1", "ca_2" },
          auth_config_ids = { "ac_1" },
          user_ids = { "u1", "u2" },
          statuses = { "ACTIVE", "EXPIRED" },
          toolkit_slugs = { "github", "slack" },
        }
      end,
      "GET /connected_accounts?toolkit_slugs=github%2Cslack&statuses=ACTIVE%2CEXPIRED"
        .. "&user_ids=u1%2Cu2&auth_config_ids=ac_1&connected_account_ids=ca_1%2Cca_2"
        .. "&account_type=ALL&order_by=created_at&order_direction=asc&limit=5&cursor=Mi0yMA%3D%3D",
    },
    {
      "list with awkward user ids",
      function() accounts.list { user_ids = { "jösé 日本+&=#?/%@example.com~!*()'-._" } } end,
      "GET /connected_accounts?user_ids=j%C3%B6s%C3%A9%20%E6%97%A5%E6%9C%AC%2B%26%3D%23%3F%2F%25"
        .. "%40example.com~%21%2A%28%29%27-._",
    },
    {
      "list with emoji",
      function() accounts.list { user_ids = { "😀", "ünï" } } end,
      "GET /connected_accounts?user_ids=%F0%9F%98%80%2C%C3%BCn%C3%AF",
    },
    {
      "list with a status this program has never heard of",
      function() pcall(accounts.list, { statuses = { "PAUSED" } }) end,
      "GET /connected_accounts?statuses=PAUSED",
    },
    {
      "get",
      function() accounts.get "ca_github_u123A" end,
      "GET /connected_accounts/ca_github_u123A",
    },
    {
      "get with an id of awkward signs",
      function() pcall(accounts.get, "ca~!$&'()*+,;=:@/?#%[x]") end,
      "GET /connected_accounts/ca~!$&'()*+,;=:@%2F%3F%23%25%5Bx%5D",
    },
    {
      "enable",
      function() accounts.enable "ca_github_u123A" end,
      "PATCH /connected_accounts/ca_github_u123A/status",
      { enabled = true },
    },
    {
      "disable, whose reason stays here",
      function() accounts.disable("ca_github_u123A", { reason = "idle" }) end,
      "PATCH /connected_accounts/ca_github_u123A/status",
      { enabled = false },
    },
    {
      "refresh",
      function() accounts.refresh("ca_gmail_u123_C", { even_if_active = true }) end,
      "POST /connected_accounts/ca_gmail_u123_C/refresh",
      {},
    },
    {
      "refresh with a redirect URL",
      function()
        accounts.refresh(
          "ca_gmail_u123_C",
          { even_if_active = true, redirect_url = "https://x.example/a?b=c d" }
        )
      end,
      "POST /connected_accounts/ca_gmail_u123_C/refresh"
        .. "?redirect_url=https%3A%2F%2Fx.example%2Fa%3Fb%3Dc%20d",
      {},
    },
    {
      "delete",
      function() accounts.delete "ca_github_u123A" end,
      "DELETE /connected_accounts/ca_github_u123A",
    },
    {
      "delete with revoke",
      function() accounts.delete("ca_github_u123A", { revoke = true }) end,
      "DELETE /connected_accounts/ca_github_u123A?revoke_on_delete=true",
    },
    {
      "revoke",
      function() accounts.revoke "ca_github_u123A" end,
      "POST /connected_accounts/ca_github_u123A/revoke",
      "",
    },
    {
      "update of the alias",
      function() accounts.update("ca_github_u123A", { alias = "tür/日本" }) end,
      "PATCH /connected_accounts/ca_github_u123A",
      { alias = "tür/日本" },
    },
    {
      "update that takes the alias away",
      function() accounts.update("ca_github_u123A", { alias = "" }) end,
      "PATCH /connected_accounts/ca_github_u123A",
      { alias = "" },
    },
    {
      "update of credentials",
      function()
        pcall(accounts.update, "ca_github_u123A", {
          credentials = composio.auth_scheme.api_key { api_key = "canary-6f1c" },
        })
      end,
      "PATCH /connected_accounts/ca_github_u123A",
      {
        connection = {
          state = { authScheme = "API_KEY", val = { api_key = "canary-6f1c" } },
        },
      },
    },
    {
      "update of the access list, with an empty one that stays a list",
      function()
        local acl = { allow_all_users = false, allowed_user_ids = { "a", "b" } }
        acl.not_allowed_user_ids = {}
        pcall(accounts.update, "ca_github_u123A", { acl = acl })
      end,
      "PATCH /connected_accounts/ca_github_u123A",
      '{"experimental":{"acl_config_for_shared":{"allow_all_users":false,'
        .. '"allowed_user_ids":["a","b"],"not_allowed_user_ids":[]}}}',
    },
    {
      "link",
      function()
        accounts.link("user_new", "ac_GithubManage", {
          allow_multiple = true,
          callback_url = "https://app.example/cb?x=1&y=é",
          alias = "work",
          connection_data = { subdomain = "example" },
        })
      end,
      "POST /connected_accounts/link",
      {
        user_id = "user_new",
        auth_config_id = "ac_GithubManage",
        callback_url = "https://app.example/cb?x=1&y=é",
        alias = "work",
        connection_data = { subdomain = "example" },
      },
    },
    {
      "link of a shared account",
      function()
        accounts.link("user_new", "ac_GithubManage", {
          allow_multiple = true,
          account_type = "SHARED",
          acl = { allow_all_users = true },
        })
      end,
      "POST /connected_accounts/link",
      {
        user_id = "user_new",
        auth_config_id = "ac_GithubManage",
        experimental = {
          account_type = "SHARED",
          acl_config_for_shared = { allow_all_users = true },
        },
      },
    },
    {
      "initiate",
      function()
        accounts.initiate("user_new", "ac_StripeApiKey", {
          allow_multiple = true,
          alias = "work",
          callback_url = "https://app.example/cb",
          config = composio.auth_scheme.api_key { api_key = "key123" },
        })
      end,
      "POST /connected_accounts",
      {
        auth_config = { id = "ac_StripeApiKey" },
        connection = {
          user_id = "user_new",
          callback_url = "https://app.example/cb",
          alias = "work",
          state = { authScheme = "API_KEY", val = { status = "ACTIVE", api_key = "key123" } },
        },
      },
    },
    {
      "list of auth configs",
      function()
        configs.list {
          toolkit_slugs = { "github", "gmail" },
          show_disabled = true,
          search = "a b",
          limit = 5,
          is_composio_managed = false,
        }
      end,
      "GET /auth_configs?is_composio_managed=false&limit=5&search=a%20b&show_disabled=true"
        .. "&toolkit_slug=github%2Cgmail",
    },
    {
      "get of an auth config",
      function() configs.get "ac_GithubCustom" end,
      "GET /auth_configs/ac_GithubCustom",
    },
    {
      "enable of an auth config",
      function() configs.enable "ac_JiraDisabled" end,
      "PATCH /auth_configs/ac_JiraDisabled/ENABLED",
      "",
    },
    {
      "disable of an auth config",
      function() configs.disable "ac_GithubCustom" end,
      "PATCH /auth_configs/ac_GithubCustom/DISABLED",
      "",
    },
    {
      "update of an auth config",
      function()
        configs.update("ac_GithubCustom", {
          type = "custom",
          credentials = { client_id = "id", scopes = composio.array {} },
        })
      end,
      "PATCH /auth_configs/ac_GithubCustom",
      '{"type":"custom","credentials":{"client_id":"id","scopes":[]}}',
    },
  }
  for _, case in ipairs(cases) do
    both(case[1], function()
      emulator:forget()
      case[2]()
      local request = sent()
      assert.equal(case[3], request.line)
      local body = case[4]
      if body == nil or body == "" then
        assert.is_true(request.body == nil or request.body == cjson.null or request.body == "")
        assert.is_nil(request.headers["content-type"])
        assert.equal(body and "0", request.headers["content-length"])
      elseif type(body) == "string" then
        assert.equal(body, request.body)
      else
        assert.same(body, cjson.decode(request.body))
        assert.equal("application/json", request.headers["content-type"])
      end
      assert.equal("application/json", request.headers.accept)
      assert.matches("^composio%-lua/", request.headers["user-agent"])
      assert.matches("^%x+%-%x+%-%x+%-%x+%-%x+$", request.headers["x-request-id"])
      assert.same({ "x-api-key" }, request.credentials)
    end)
  end

  it("has a case for every operation", function()
    local covered = {}
    for _, case in ipairs(cases) do
      covered[case[3]:gsub("%?.*", ""):gsub("/c?a[ca]_[%w_]+", "/ID")] = true
    end
    local count = 0
    for _ in pairs(covered) do
      count = count + 1
    end
    assert.is_true(count >= #core.operations() - 1, "operations without a case")
  end)
end)

describe("replies", function()
  both("of list are pages with accounts", function()
    local page = accounts.list { user_ids = { "user_123" }, limit = 2 }
    assert.equal(2, #page.items)
    assert.equal("string", type(page.next_cursor))
    assert.equal("integer", math.type(page.total_items))
    for _, account in ipairs(page.items) do
      assert.equal("user_123", account.user_id)
      assert.is_function(account.disable)
    end
  end)

  both("of get are accounts that carry the operations", function()
    local account = accounts.get "ca_github_u123A"
    assert.equal("github", account.toolkit.slug)
    for _, name in ipairs {
      "enable",
      "disable",
      "refresh",
      "revoke",
      "delete",
      "update",
      "wait_for_connection",
      "is_usable",
    } do
      assert.is_function(account[name], name)
    end
    assert.is_nil(account.get)
    assert.is_nil(account.list)
    assert.is_false(getmetatable(account))
  end)

  both("of changes say what became of them", function()
    emulator:reset()
    assert.is_true(accounts.disable("ca_github_u123A").success)
    assert.equal("INACTIVE", accounts.get("ca_github_u123A").status)
    local account = accounts.get "ca_github_u123A"
    assert.is_false(account:is_usable())
    account:enable()
    account = accounts.get "ca_github_u123A"
    assert.is_true(account:is_usable())
    assert.equal("REVOKED", account:revoke().connected_account.status)
    account:delete { revoke = true }
    local err = raised(pcall(accounts.get, "ca_github_u123A"))
    assert.equal("ComposioConnectedAccountNotFoundError", err.name)
  end)

  both("of an update show it", function()
    emulator:reset()
    accounts.get("ca_slack_u123_B"):update { alias = "new" }
    assert.equal("new", accounts.get("ca_slack_u123_B").alias)
    accounts.update("ca_slack_u123_B", { alias = "" })
    assert.is_nil(accounts.get("ca_slack_u123_B").alias)
  end)

  it("with an unknown status pass, and are not usable", function()
    emulator:faults { { action = "unknown_status", status_name = "PAUSED" } }
    local account = accounts.list({ limit = 1 }).items[1]
    assert.equal("PAUSED", account.status)
    assert.is_false(account:is_usable())
  end)

  it("of a disabled auth config's accounts are not usable", function()
    local account = accounts.get "ca_github_u123A"
    assert.is_true(account:is_usable())
    account.auth_config.is_disabled = true
    assert.is_false(account:is_usable())
    account.auth_config, account.is_disabled = nil, true
    assert.is_false(account:is_usable())
  end)

  it("may be empty where there is nothing to tell", function()
    emulator:faults { { action = "reply", status = 204, body = "", method = "DELETE" } }
    assert.same({}, accounts.delete "ca_slack_u123_B")
  end)

  it("may be longer than one read of the network", function()
    local page = accounts.list { account_type = "ALL", limit = 100 }
    assert.equal(60, #page.items)
  end)
end)

-- Each raises before anything is sent.
describe("arguments", function()
  local usage = {
    ["an unknown option"] = {
      function() accounts.list { userIds = { "u" } } end,
      "connected_accounts%.list: unknown option 'userIds' %(did you mean 'user_ids'%?%)",
    },
    ["an option of another operation"] = {
      function() accounts.get("ca_x", { limit = 1 }) end,
      "connected_accounts%.get: unknown option 'limit'",
    },
    ["an option that is an argument"] = {
      function() accounts.get("ca_x", { id = "ca_y" }) end,
      "unknown option 'id'",
    },
    ["a reason of a read"] = {
      function() accounts.get("ca_x", { reason = "r" }) end,
      "unknown option 'reason'",
    },
    ["a reason that is no text"] = {
      function() accounts.disable("ca_x", { reason = 1 }) end,
      "reason: expected a string, got number",
    },
    ["a text for a list"] = {
      function() accounts.list { statuses = "ACTIVE" } end,
      "statuses: expected a list of strings, got string",
    },
    ["a list with a number"] = {
      function() accounts.list { user_ids = { "u", 2 } } end,
      "user_ids: expected a list of strings, got number at place 2",
    },
    ["a list with names"] = {
      function() accounts.list { user_ids = { a = "u" } } end,
      "user_ids: 'a' is not a list index",
    },
    ["a fractional limit"] = {
      function() accounts.list { limit = 1.5 } end,
      "limit: expected a whole number, got number",
    },
    ["a limit as text"] = {
      function() accounts.list { limit = "10" } end,
      "limit: expected a whole number, got string",
    },
    ["a number as id"] = {
      function() accounts.get(12) end,
      "id: expected an id or an account, got number",
    },
    ["no id"] = {
      function() accounts.get() end,
      "id: expected an id or an account, got nothing",
    },
    ["a table without id"] = {
      function() accounts.get { name = "x" } end,
      "id: expected an id or an account, got table",
    },
    ["options that are no table"] = {
      function() accounts.get("ca_x", "y") end,
      "connected_accounts%.get: expected a table of options, got string",
    },
    ["too many arguments"] = {
      function() accounts.get("ca_x", {}, 3) end,
      "too many arguments",
    },
    ["a colon for a dot"] = {
      function() accounts:list {} end,
      "connected_accounts%.list: call it with a dot, not with a colon",
    },
    ["a boolean as text"] = {
      function() accounts.delete("ca_x", { revoke = "yes" }) end,
      "revoke: expected true or false, got string",
    },
    ["milliseconds"] = {
      function() accounts.get("ca_x", { timeout = 120000 }) end,
      "timeout: 120000%.0 is more than 24 hours; it is in seconds, not milliseconds",
    },
    ["no time at all"] = {
      function() accounts.get("ca_x", { timeout = 0 }) end,
      "timeout: 0%.0 is not a number of seconds to wait",
    },
    ["a timeout as text"] = {
      function() accounts.get("ca_x", { timeout = "5" }) end,
      "timeout: expected seconds, got string",
    },
    ["a config that no helper made"] = {
      function()
        accounts.initiate("u", "ac_x", { config = { api_key = "k" }, allow_multiple = true })
      end,
      "config: expected a value of composio%.auth_scheme",
    },
    ["a function in free data"] = {
      function()
        accounts.link("u", "ac_x", { connection_data = { a = { print } }, allow_multiple = true })
      end,
      "connection_data%.a%[1%]: a function cannot be sent",
    },
    ["an unknown word in the access list"] = {
      function() accounts.update("ca_x", { acl = { allowedUserIds = {} } }) end,
      "unknown option 'allowedUserIds' %(did you mean 'allowed_user_ids'%?%)",
    },
    ["an access list that is no list"] = {
      function() accounts.update("ca_x", { acl = { allowed_user_ids = "u" } }) end,
      "acl%.allowed_user_ids: expected a list of user ids, got string",
    },
    ["allow_all_users as text"] = {
      function() accounts.update("ca_x", { acl = { allow_all_users = "yes" } }) end,
      "acl%.allow_all_users: expected true or false, got string",
    },
    ["user and auth config swapped"] = {
      function() accounts.link("ac_GithubManage", "user_1") end,
      "'ac_GithubManage' looks like an auth config; the user id comes first",
    },
    ["the same of initiate"] = {
      function() accounts.initiate("ac_GithubManage", "user_1") end,
      "the user id comes first",
    },
    ["allow_multiple as text"] = {
      function() accounts.link("u", "ac_x", { allow_multiple = "yes" }) end,
      "allow_multiple: expected true or false, got string",
    },
  }
  for name, case in pairs(usage) do
    both("refuse " .. name .. ", as text with the script's line", function()
      emulator:forget()
      local err, text = raised(pcall(case[1]))
      assert.equal("string", type(err))
      assert.matches(case[2], text)
      assert.matches("^[^ ]*calls_spec%.lua:%d+: ", text)
      assert.equal(0, #emulator:requests())
    end)
  end

  -- These are about values, which come from files: objects, so that a job can
  -- tell them from a wrong script.
  local values = {
    ["an empty id"] = { function() accounts.get "" end, "id: empty" },
    ["an id with a blank"] = { function() accounts.delete "ca_1 " end, "not printable ASCII" },
    ["an id with a line end"] = { function() accounts.disable "ca_1\r\nx: y" end, "printable" },
    ["an id with a zero byte"] = { function() accounts.disable "ca_1\0" end, "printable" },
    ["an id with an umlaut"] = { function() accounts.get "ca_ü" end, "printable" },
    ["a dot as id"] = { function() accounts.delete "." end, "is not an id" },
    ["two dots as id"] = { function() accounts.delete ".." end, "is not an id" },
    ["an id as long as a page"] = {
      function() accounts.get(("x"):rep(500)) end,
      "longer than any",
    },
    ["an empty filter"] = {
      function() accounts.list { user_ids = {} } end,
      "user_ids: an empty list would mean \"no filter\"",
    },
    ["an empty value in a filter"] = {
      function() accounts.list { user_ids = { "a", "" } } end,
      "user_ids: empty",
    },
    ["a comma in a filter"] = {
      function() accounts.list { user_ids = { "smith, john" } } end,
      "user_ids: 'smith, john' contains a comma",
    },
    ["a control byte in a filter"] = {
      function() accounts.list { user_ids = { "a\nb" } } end,
      "control byte 10",
    },
    ["bad UTF-8"] = { function() accounts.list { user_ids = { "a\xff" } } end, "not valid UTF%-8" },
    ["an unknown word"] = {
      function() accounts.list { order_by = "name" } end,
      "order_by: 'name' is not one of created_at, updated_at",
    },
    ["a limit of zero"] = {
      function() accounts.list { limit = 0 } end,
      "limit: 0 is less than 1",
    },
    ["an empty user"] = {
      function() accounts.link("", "ac_x", { allow_multiple = true }) end,
      "user_id: empty",
    },
    ["an update of nothing"] = { function() accounts.update("ca_x", {}) end, "no field to change" },
    ["null where there is none"] = {
      function() accounts.update("ca_x", { alias = composio.null }) end,
      "alias: cannot be null",
    },
  }
  for name, case in pairs(values) do
    both("refuse " .. name .. ", as a ValidationError", function()
      emulator:forget()
      local err, text = raised(pcall(case[1]))
      assert.equal("ValidationError", err.name)
      assert.matches(case[2], text)
      assert.matches("calls_spec%.lua:%d+: ", text)
      assert.equal(0, #emulator:requests())
    end)
  end

  it("refuse masked secrets", function()
    local _, text = raised(pcall(accounts.update, "ca_x", {
      credentials = composio.auth_scheme.api_key { api_key = "REDACTED" },
    }))
    assert.matches("credentials%.val%.api_key: this is a secret as the service shows it", text)
  end)

  it("may be an account where an id stands", function()
    local account = accounts.get "ca_github_u123A"
    assert.equal(account.id, accounts.get(account).id)
  end)
end)

describe("the timeout of a call", function()
  both("ends it", function()
    emulator:faults { { action = "delay", delay_ms = 3000 } }
    local start = core.now()
    local err, text = raised(pcall(accounts.get, "ca_github_u123A", { timeout = 0.2 }))
    assert.equal("APIConnectionTimeoutError", err.name)
    assert.is_true(core.now() - start < 2, text)
  end)
end)

describe("retries", function()
  it("go on until it works, and count", function()
    local patient = emulator:client { retries = 2 }
    emulator:faults { { action = "reply", status = 503, body = "busy", times = 2 } }
    assert.equal("ca_github_u123A", patient.connected_accounts.get("ca_github_u123A").id)
    assert.equal(3, #emulator:requests())
    patient:close()
  end)

  it("end, and the error tells how many there were", function()
    local patient = emulator:client { retries = 1 }
    emulator:faults { { action = "reply", status = 500, body = "no" } }
    local err = raised(pcall(patient.connected_accounts.get, "ca_github_u123A"))
    assert.equal(2, err.attempts)
    assert.is_true(err.retryable)
    patient:close()
  end)

  it("keep the request id over all attempts", function()
    local patient = emulator:client { retries = 1 }
    emulator:faults { { action = "reply", status = 503, body = "busy", times = 1 } }
    patient.connected_accounts.list()
    local list = emulator:requests()
    assert.equal(list[1].headers["x-request-id"], list[2].headers["x-request-id"])
    patient:close()
  end)

  it("of a delete take a 404 for done", function()
    local patient = emulator:client { retries = 1 }
    emulator:faults { { action = "apply_then_close", method = "DELETE", times = 1 } }
    patient.connected_accounts.delete "ca_slack_u123_B"
    assert.is_true(emulator:ask("accounts/ca_slack_u123_B").deleted)
    patient:close()
  end)
end)

describe("composio.client", function()
  it("shows its address and never its key", function()
    local text = tostring(client)
    assert.is_truthy(text:find(emulator.url, 1, true))
    assert.is_nil(text:find(emulator.api_key, 1, true))
    assert.is_false(getmetatable(client))
    for key in pairs { api_key = 1, key = 1, endpoint = 1 } do
      assert.is_nil(client[key])
    end
  end)

  it("has the resources", function()
    assert.is_function(client.connected_accounts.list)
    assert.is_function(client.auth_configs.list)
    assert.is_nil(rawget(client.connected_accounts, "create"))
    assert.is_nil(client.nothing)
  end)

  it("takes a key with blanks around it", function()
    local padded = composio.client { base_url = emulator.url, api_key = " ak_emulator\r\n" }
    padded.connected_accounts.list()
    padded:close()
  end)

  it("takes base URLs with a path and a slash at the end", function()
    local odd = composio.client { base_url = emulator.url .. "/", api_key = "ak_emulator" }
    odd.connected_accounts.list()
    odd:close()
  end)

  it("reports a key that the service rejects", function()
    local wrong = composio.client { base_url = emulator.url, api_key = "ak_wrong-one" }
    local err, text = raised(pcall(wrong.connected_accounts.list))
    assert.equal("AuthenticationError", err.name)
    assert.matches("Invalid API key", text)
    assert.is_nil(text:find("ak_wrong", 1, true))
    wrong:close()
  end)

  it("is closed once and for all", function()
    local other
    do
      local scoped <close> = emulator:client()
      other = scoped
      scoped.connected_accounts.list()
    end
    other:close()
    assert.matches("the client is closed", select(2, raised(pcall(other.connected_accounts.list))))
    assert.equal("composio.client (closed)", tostring(other))
  end)

  it("ends its calls when it is closed", function()
    composio.run(function()
      local other = emulator:client()
      emulator:faults { { action = "delay", delay_ms = 5000 } }
      local start = core.now()
      local task = composio.spawn(other.connected_accounts.get, "ca_github_u123A")
      composio.sleep(0.1)
      other:close()
      assert.matches("the client was closed", select(2, raised(pcall(task.join, task))))
      assert.is_true(core.now() - start < 3)
    end)
  end)

  it("may be forgotten with calls under way", function()
    emulator:faults { { action = "delay", delay_ms = 300 } }
    composio.run(function()
      local other = emulator:client()
      local task = composio.spawn(other.connected_accounts.get, "ca_github_u123A")
      composio.sleep(0.05)
      task:cancel()
      pcall(task.join, task)
      other, task = nil, nil
      assert.is_nil(other or task)
      collectgarbage()
      collectgarbage()
    end)
  end)

  local wrong = {
    { { base_url = "ftp://x.example" }, "base URL" },
    { { base_url = "http://x.example" }, "clear text" },
    { { base_url = "https://user:pw@x.example" }, "base URL" },
    { { base_url = "https://x.example?a=b" }, "base URL" },
    { { base_url = "https://x.example/\r\nx: y" }, "base URL" },
    { { base_url = 1 }, "base_url: expected a string, got number" },
    { { api_key = "" }, "key" },
    { { api_key = "a\r\nb: c" }, "key" },
    { { api_key = 1 }, "api_key: expected a string" },
    { { api_key_file = "/nonexistent/key" }, "/nonexistent/key: No such file" },
    { { api_key_file = "/x", api_key = "k" }, "api_key or api_key_file, not both" },
    { { timeout = 60000 * 2 }, "timeout: .* %(it is in seconds%)" },
    { { retries = -1 }, "retries: .* is not between" },
    { { concurrency = 0 }, "concurrency: .* is not between" },
    { { concurrency = 1.5 }, "concurrency: expected a whole number, got 1.5" },
    { { retries = 0.5 }, "retries: expected a whole number, got 0.5" },
    { { concurrency = "many" }, "concurrency: expected a number, got string" },
    { { budget = 200 }, "budget: .* is not between" },
    { { max_wait = 0 }, "max_wait: .* is not between" },
    { { baseUrl = "x" }, "unknown option 'baseUrl' %(did you mean 'base_url'%?%)" },
  }
  for place, case in ipairs(wrong) do
    it(("refuses wrong options, %d: %s"):format(place, next(case[1])), function()
      local options = { api_key = not case[1].api_key_file and "ak_some-key" or nil }
      for key, value in pairs(case[1]) do
        options[key] = value
      end
      local _, text = raised(pcall(composio.client, options))
      assert.matches(case[2], text)
    end)
  end

  it("takes the options that are right", function()
    local all = emulator:client {
      timeout = 5,
      retries = 1,
      concurrency = 4,
      budget = 50,
      max_wait = 10,
    }
    all.connected_accounts.list()
    all:close()
  end)
end)

describe("the key", function()
  local program = server.quote(server.build .. "/composio-spec")
  local script = "local ok, err = pcall(require('composio').connected_accounts.list) print(ok, err)"
  local name

  local function run(environment)
    local clean = "env -u COMPOSIO_API_KEY -u CREDENTIALS_DIRECTORY -u COMPOSIO_BASE_URL "
    local command = ("%s %s %s 2>&1"):format(environment, program, name)
    local pipe = assert(io.popen(clean .. command))
    local text = pipe:read "a"
    pipe:close()
    return text
  end

  local function write(path, text)
    local file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
  end

  before_each(function()
    name = os.tmpname()
    write(name, script)
  end)
  after_each(function()
    os.remove(name)
  end)

  local function base()
    return "COMPOSIO_BASE_URL=" .. emulator.url
  end

  it("comes from COMPOSIO_API_KEY, without blanks", function()
    assert.matches("^true", run(base() .. " COMPOSIO_API_KEY=' ak_emulator\n'"))
  end)

  it("comes from the credentials directory", function()
    local directory = os.tmpname()
    os.remove(directory)
    assert(os.execute("mkdir " .. directory))
    write(directory .. "/composio-api-key", "ak_emulator\n")
    assert.matches("^true", run(base() .. " CREDENTIALS_DIRECTORY=" .. directory))
    os.execute("rm -r " .. directory)
  end)

  it("comes from a file that only its owner can read", function()
    local path = os.tmpname()
    write(path, "ak_emulator\n")
    local call = "require('composio').client { base_url = '%s', api_key_file = '%s' }"
    write(name, "print(pcall(" .. (call .. ".connected_accounts.list))"):format(emulator.url, path))
    os.execute("chmod 600 " .. path)
    assert.matches("^true", run "")
    os.execute("chmod 640 " .. path)
    assert.matches("others can read it %(mode 0640%)", run "")
    os.execute("chmod 600 " .. path)
    write(path, " \n")
    assert.matches("the file is empty", run "")
    os.remove(path)
  end)

  it("is missed with the names of its three sources", function()
    local text = run(base())
    assert.matches("ComposioNoAPIKeyError", text)
    for _, source in ipairs { "COMPOSIO_API_KEY", "CREDENTIALS_DIRECTORY", "api_key_file" } do
      assert.is_truthy(text:find(source, 1, true), source)
    end
    assert.matches("ComposioNoAPIKeyError", run(base() .. " COMPOSIO_API_KEY=' '"))
  end)
end)
