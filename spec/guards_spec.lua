-- What every operation refuses before it sends anything, and which unknown values it
-- passes through unchanged.
local composio = require "composio"
local core = require "composio.core"
local both = require "spec.support.both"
local cjson = require "cjson"
local scene = require "spec.support.scene"

local emulator, client, accounts

scene.of_module({ "--accounts", "200", "--odd" }, function(...)
  emulator, accounts, client = ...
end)

-- Raises, and not a byte has left.
local function refused(pattern, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok, pattern)
  assert.matches(pattern, tostring(err))
  assert.same({}, emulator:lines())
  return err
end

-- Every operation whose first argument is an id, of both resources.
local function each_by_id(f)
  local count = 0
  for _, row in ipairs(core.operations()) do
    if row.arguments[1] == "id" then
      local resource = client[row.resource]
      local options = {}
      if row.name == "update" then
        options = row.resource == "auth_configs" and { type = "custom", credentials = { a = "b" } }
          or { alias = "x" }
      elseif row.name == "refresh" then
        options.even_if_active = true
      end
      f(row.resource .. "." .. row.name, resource[row.name], options)
      count = count + 1
    end
  end
  assert.is_true(count >= 11)
end

describe("ids", function()
  local bad = {
    [""] = "empty",
    ["."] = "'%.' is not an id",
    [".."] = "'%.%.' is not an id",
    ["ca x"] = "not printable ASCII",
    ["ca\tx"] = "not printable ASCII",
    ["ca_x\r\nx-evil: 1"] = "not printable ASCII",
    ["ca_\0x"] = "not printable ASCII",
    ["ca_é"] = "not printable ASCII",
    ["ca_\127"] = "not printable ASCII",
    [("x"):rep(500)] = "longer than any id",
  }
  for id, pattern in pairs(bad) do
    it(("such as %q are refused by every operation"):format(id:sub(1, 12)), function()
      each_by_id(function(name, call, options)
        local err = refused(pattern, call, id, options)
        assert.is_truthy(tostring(err):find(name, 1, true), tostring(err))
      end)
      refused(pattern, accounts.wait_for_connection, id)
      refused(pattern, accounts.link, "u", id, { allow_multiple = true })
      refused(pattern, accounts.initiate, "u", id, { allow_multiple = true })
    end)
  end

  both("that are odd but possible are escaped and sent", function()
    for id, path in pairs {
      ["ca_a/../b"] = "ca_a%2F..%2Fb",
      ["ca_?x#y"] = "ca_%3Fx%23y",
      ["..."] = "...",
      ["ca_%2e"] = "ca_%252e",
    } do
      emulator:forget()
      pcall(accounts.get, id)
      assert.same({ "GET /connected_accounts/" .. path }, emulator:lines())
    end
  end)
end)

describe("filters", function()
  local LISTS = {
    "user_ids", "toolkit_slugs", "statuses", "auth_config_ids", "connected_account_ids",
  }

  for _, name in ipairs(LISTS) do
    it(name .. " are never empty, nor hold what is empty or has a comma", function()
      for _, list in ipairs { accounts.list, function(options) accounts.each(options)() end } do
        refused('an empty list would mean "no filter"', list, { [name] = {} })
        refused("an empty list", list, { [name] = composio.array {} })
        refused(name .. ": empty", list, { [name] = { "" } })
        refused(name .. ": empty", list, { [name] = { "x", "" } })
        refused("contains a comma", list, { [name] = { "a,b" } })
        refused("not valid UTF%-8 at byte 2", list, { [name] = { "a\xff" } })
        refused("control byte 10", list, { [name] = { "a\nb" } })
        refused("expected a list of strings", list, { [name] = "a" })
        refused("expected a list of strings, got boolean at place 1", list, { [name] = { false } })
      end
    end)
  end

  it("that are left out by nil are left out, and that is all", function()
    accounts.list { user_ids = nil }
    assert.same({ "GET /connected_accounts" }, emulator:lines())
  end)

  it("of an auth config's listing are guarded alike", function()
    refused("empty list", client.auth_configs.list, { toolkit_slugs = {} })
    refused("contains a comma", client.auth_configs.list, { toolkit_slugs = { "a,b" } })
  end)

  it("by null are none", function()
    for _, name in ipairs(LISTS) do
      refused("null", accounts.list, { [name] = composio.null })
    end
    refused("null", accounts.list, { cursor = composio.null })
    refused("null", accounts.list, { limit = composio.null })
  end)
end)

describe("masked secrets", function()
  local masked = { "REDACTED", "a...", "ab...", "abc...", "abcd..." }
  local scheme = composio.auth_scheme

  for _, value in ipairs(masked) do
    it(("such as %s are not sent back"):format(value), function()
      local text = "this is a secret as the service shows it"
      local calls = {
        function(config)
          accounts.initiate("u", "ac_StripeApiKey", { config = config, allow_multiple = true })
        end,
        function(config)
          accounts.update("ca_x", { credentials = config })
        end,
      }
      for _, call in ipairs(calls) do
        refused("val%.api_key: " .. text, call, scheme.api_key { api_key = value })
        refused("val%.token: " .. text, call, scheme.bearer_token { token = value })
        refused("val%.password: " .. text, call, scheme.basic { username = "u", password = value })
        refused("deep%.one: " .. text, call, scheme.oauth2 { deep = { one = value } })
      end
      refused("connection_data%.key: " .. text, accounts.link, "u", "ac_GithubManage", {
        connection_data = { key = value },
        allow_multiple = true,
      })
      refused("credentials%.client_secret: " .. text, client.auth_configs.update, "ac_x", {
        type = "custom",
        credentials = { client_secret = value },
      })
    end)
  end

  it("do not include what only looks a little like it", function()
    for _, value in ipairs { "redacted", "REDACTED!", "abcde...", "...", "ab...c" } do
      emulator:forget()
      pcall(accounts.update, "ca_x", { credentials = scheme.api_key { api_key = value } })
      assert.equal(1, #emulator:requests(), value)
    end
  end)

  it("as the emulator masks them come back to where they came from, and are refused", function()
    local id = accounts.initiate("someone", "ac_AirtblBearer", {
      config = scheme.bearer_token { token = "a real one" },
    }).id
    local state = accounts.get(id).state
    assert.equal("REDACTED", state.val.token)
    emulator:forget()
    refused("val%.token: this is a secret", accounts.update, id, { credentials = state })
  end)
end)

describe("null", function()
  both("takes a credential away, and nothing else does", function()
    local scheme = composio.auth_scheme
    local id = accounts.initiate("null user", "ac_StripeApiKey", {
      config = scheme.api_key { api_key = "first-key", generic_id = "an-id" },
      allow_multiple = true,
    }).id
    local function val()
      return emulator:ask("accounts/" .. id).state.val
    end
    local function sent()
      local list = emulator:requests()
      return cjson.decode(list[#list].body).connection.state.val
    end
    assert.equal("an-id", val().generic_id)

    accounts.update(id, { credentials = { authScheme = "API_KEY", val = { api_key = "second" } } })
    assert.is_nil(sent().generic_id) -- left out is kept
    assert.equal("an-id", val().generic_id)

    accounts.update(id, {
      credentials = { authScheme = "API_KEY", val = { generic_id = composio.null } },
    })
    assert.equal(cjson.null, sent().generic_id)
    assert.is_true(val().generic_id == nil or val().generic_id == cjson.null)
    assert.equal("second", val().api_key)
  end)

  it("is the one null there is", function()
    assert.equal("userdata", type(composio.null))
    assert.equal(composio.null, core.json_decode("[null]")[1])
  end)

  it("is refused where it would mean something else", function()
    refused("cannot be null", accounts.update, "ca_x", { alias = composio.null })
    refused("cannot be null", accounts.update, "ca_x", { acl = composio.null })
    refused("null", accounts.disable, composio.null)
    refused("null", accounts.link, composio.null, "ac_GithubManage", { allow_multiple = true })
  end)
end)

describe("words that nobody here knows", function()
  local function odd_account()
    for account in accounts.each { account_type = "ALL" } do
      if account.status == "PAUSED" then
        return account
      end
    end
  end

  both("pass as they are: status", function()
    local account = odd_account()
    assert.equal("PAUSED", accounts.get(account.id).status)
    assert.is_false(account:is_usable())
  end)

  both("pass as they are: scheme, and an account without user", function()
    local scheme, nobody
    for account in accounts.each { account_type = "ALL" } do
      scheme = scheme or account.state.authScheme == "PASSKEY" and account
      nobody = nobody or not account.user_id and account
    end
    assert.equal("PASSKEY", accounts.get(scheme.id).state.authScheme)
    assert.is_nil(accounts.get(nobody.id).user_id)
  end)

  it("pass as they are: fields, at any depth", function()
    local body = {
      id = "ca_x",
      status = "ACTIVE",
      tomorrow = { list = { 1, { deep = true } }, text = "é" },
      state = { authScheme = "OAUTH9", val = { status = "DREAMING", new_thing = "n" } },
    }
    emulator:faults { { action = "reply", status = 200, body = body } }
    local account = accounts.get "ca_x"
    assert.same(body.tomorrow, account.tomorrow)
    assert.same(body.state, account.state)
  end)

  it("are never taken for healthy", function()
    for _, status in ipairs { "PAUSED", "active", "ACTIVE ", "", "PENDING", 1, true } do
      emulator:faults {
        { action = "reply", status = 200, body = { id = "ca_x", status = status } },
      }
      assert.is_false(accounts.get("ca_x"):is_usable(), tostring(status))
    end
    emulator:faults { { action = "reply", status = 200, body = { id = "ca_x" } } }
    assert.is_false(accounts.get("ca_x"):is_usable())
    local usable = { id = "ca_x", status = "ACTIVE", auth_config = { is_disabled = false } }
    emulator:faults { { action = "reply", status = 200, body = usable } }
    assert.is_true(accounts.get("ca_x"):is_usable())
  end)

  it("do not end a wait: neither ACTIVE nor failed", function()
    local ok, err = pcall(accounts.wait_for_connection, odd_account().id, {
      timeout = 0.1,
      interval = 0.05,
    })
    assert.is_false(ok)
    assert.equal("ConnectionRequestTimeoutError", err.name)
  end)

  it("may be sent as a scheme, since the service may know it", function()
    pcall(accounts.initiate, "u", "ac_OddPasskey_", {
      config = { authScheme = "OAUTH9", val = { status = "ACTIVE", thing = "t" } },
      allow_multiple = true,
    })
    local sent
    for _, request in ipairs(emulator:requests()) do -- a poll given up may come late
      sent = request.method == "POST" and cjson.decode(request.body) or sent
    end
    assert.equal("OAUTH9", sent.connection.state.authScheme)
  end)

  it("may be asked for by a filter, and the service says what it thinks of them", function()
    local ok, err = pcall(accounts.list, { statuses = { "PAUSED" } })
    assert.same({ "GET /connected_accounts?statuses=PAUSED" }, emulator:lines())
    assert.is_false(ok)
    assert.equal("BadRequestError", err.name)
  end)

  it("are refused where a slip would mean everything", function()
    refused("account_type: 'BOTH' is not one of", accounts.list, { account_type = "BOTH" })
    refused("order_direction: 'up' is not one of asc, desc", accounts.list,
      { order_direction = "up" })
  end)
end)
