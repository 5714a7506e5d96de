-- Accounts in scripts: plain tables whose large fields are decoded on first access.
local cjson = require "cjson"
local composio = require "composio"
local core = require "composio.core"
local scene = require "spec.support.scene"

local emulator, accounts, client

scene.of_module({ "--accounts", "400", "--mask", "raw" }, function(...)
  emulator, accounts, client = ...
end)

local LIGHT = {
  "id", "user_id", "alias", "status", "word_id", "status_reason", "is_disabled", "created_at",
  "updated_at",
}

local TEXT = [[{"id":"ca_x","user_id":"u","alias":null,"status":"ACTIVE","is_disabled":false,
  "created_at":"2026-01-01T00:00:00Z","toolkit":{"slug":"github","logo":null},"count":42,
  "state":{"authScheme":"OAUTH2","val":{"scopes":[],"n":[1,null,2.5],"big":1e3}},
  "requested_scopes":[],"data":{},"nothing":null,"deep":{"items":[],"other":[]}}]]

local function reply(text)
  emulator:faults {
    { action = "reply", status = 200, body = text, content_type = "application/json" },
  }
end

-- Each way in which a script comes by an account, with the account's text.
local WAYS = {
  get = function(text)
    reply(text)
    return accounts.get "ca_x"
  end,
  list = function(text)
    reply('{"items":[' .. text .. '],"next_cursor":null,"total_items":1}')
    return accounts.list().items[1]
  end,
  each = function(text)
    reply('{"items":[' .. text .. '],"next_cursor":null,"total_items":1}')
    return accounts.each { account_type = "ALL" }:walk()()
  end,
}

local function raw_copy(t)
  local copy = {}
  for key, value in next, t do
    copy[key] = value
  end
  return copy
end

for way, read in pairs(WAYS) do
  describe("an account of " .. way, function()
    local account

    before_each(function()
      account = read(TEXT)
    end)

    it("has its light fields from the start, and no others", function()
      assert.same({
        id = "ca_x",
        user_id = "u",
        status = "ACTIVE",
        is_disabled = false,
        created_at = "2026-01-01T00:00:00Z",
      }, raw_copy(account))
    end)

    it("decodes another field when it is asked for, and once", function()
      local toolkit = account.toolkit
      assert.same({ slug = "github" }, toolkit)
      assert.equal(toolkit, rawget(account, "toolkit"))
      assert.is_nil(rawget(account, "state"))
      toolkit.mine = true
      assert.is_true(account.toolkit.mine)
      assert.is_true(account:decode().toolkit.mine)
    end)

    it("shows all by pairs, as the whole reply is decoded", function()
      local shown = {}
      for key, value in pairs(account) do
        shown[key] = value
      end
      assert.same(core.json_decode(TEXT), shown)
      assert.same(shown, raw_copy(account))
    end)

    it("is filled in by decode() for next, rawget and lua-cjson", function()
      assert.is_nil(cjson.decode(cjson.encode(account)).state)
      assert.equal(account, account:decode())
      assert.same(core.json_decode(TEXT), raw_copy(account))
      assert.equal("OAUTH2", rawget(account, "state").authScheme)
      assert.equal("OAUTH2", cjson.decode(cjson.encode(account)).state.authScheme)
    end)

    it("has integers, no nulls, and lists that stay lists", function()
      assert.equal("integer", math.type(account.count))
      assert.is_nil(account.nothing)
      assert.is_nil(account.alias)
      assert.equal("integer", math.type(account.state.val.big))
      assert.equal(2.5, account.state.val.n[3])
      assert.equal(composio.null, account.state.val.n[2])
      assert.equal("[]", core.json_encode(account.requested_scopes))
      assert.equal("[]", core.json_encode(account.state.val.scopes))
      assert.equal("[]", core.json_encode(account.deep.items))
      assert.equal("{}", core.json_encode(account.data))
    end)

    it("keeps what a script writes and forgets what it takes away", function()
      account.status = "MINE"
      account.toolkit = "mine"
      account.state = nil
      account.user_id = nil
      account.note = 7
      rawset(account, "count", 1)
      for _ = 1, 2 do
        assert.equal("MINE", account.status)
        assert.equal("mine", account.toolkit)
        assert.is_nil(account.state)
        assert.is_nil(account.user_id)
        assert.equal(7, account.note)
        assert.equal(1, account.count)
        account:decode()
      end
      account.count = nil
      assert.is_nil(account.count)
      local _ = account.data
      account.data = nil
      assert.is_nil(account.data)
    end)
  end)
end

describe("an account", function()
  it("prints as one line", function()
    local account = accounts.get "ca_github_u123A"
    assert.equal("ca_github_u123A github ACTIVE user_123", tostring(account))
    assert.equal("ca_x", tostring(WAYS.get '{"id":"ca_x","toolkit":7,"user_id":[1]}'))
    assert.equal("ca_x EXPIRED", tostring(WAYS.list '{"id":"ca_x","status":"EXPIRED"}'))
  end)

  it("has the service's light fields and nothing else at once", function()
    local known = {}
    for _, name in ipairs(LIGHT) do
      known[name] = true
    end
    for account in accounts.each { account_type = "ALL" } do
      for name in next, account do
        assert.is_true(known[name], name)
      end
      assert.is_nil(rawget(account, "toolkit"))
      assert.is_string(account.toolkit.slug)
    end
  end)

  it("keeps its methods when the service has fields of the same names", function()
    local account = WAYS.get '{"id":"ca_x","disable":"no","decode":1,"is_usable":null,"other":2}'
    assert.is_function(account.disable)
    assert.is_function(account.is_usable)
    local shown = {}
    for name in pairs(account:decode()) do
      shown[#shown + 1] = name
    end
    table.sort(shown)
    assert.same({ "id", "other" }, shown)
    assert.is_function(account.disable)
  end)

  it("gives no way to its metatable", function()
    local account = accounts.get "ca_github_u123A"
    assert.is_false(getmetatable(account))
    assert.is_false(pcall(setmetatable, account, {}))
    for _, value in next, account do
      assert.is_not.equal("userdata", type(value))
      assert.is_not.equal("table", type(value))
    end
  end)

  it("lends its fields to a table that looks them up in it", function()
    local account = accounts.get "ca_github_u123A"
    local heir = setmetatable({}, { __index = account })
    assert.equal("github", heir.toolkit.slug)
    assert.equal(account.toolkit, heir.toolkit)
    assert.is_nil(next(heir))
  end)

  it("raises when decode is called without one", function()
    local ok, err = pcall(accounts.get("ca_github_u123A").decode)
    assert.is_false(ok)
    assert.matches("decode%(%) is a method of accounts", err)
  end)

  it("does not keep the page it came with", function()
    local kept = {}
    local function count()
      collectgarbage()
      collectgarbage()
      return collectgarbage "count" * 1024
    end
    local before = count()
    local size = 0
    for place = 1, 4 do
      local page = accounts.list { account_type = "ALL", limit = 100 }
      for _, account in ipairs(page.items) do
        account:decode()
        size = size + #cjson.encode(account)
      end
      kept[place] = accounts.list({ account_type = "ALL", limit = 100 }).items[1]
    end
    assert.is_true(size > 200000, size)
    assert.is_true(count() - before < size / 2, count() - before)
    assert.is_string(kept[4].toolkit.slug)
  end)

  it("is what an auth config is, too", function()
    local config = client.auth_configs.get "ac_GithubManage"
    assert.is_nil(rawget(config, "toolkit"))
    assert.equal("github", config.toolkit.slug)
    assert.equal("ac_GithubManage github ENABLED", tostring(config))
    assert.equal(config, config:decode())
    assert.is_string(rawget(config, "name"))
    assert.is_nil(config.disable)
    for _, listed in ipairs(client.auth_configs.list().items) do
      assert.is_string(listed.toolkit.slug)
    end
  end)
end)

describe("an unusual account", function()
  it("is what lua-cjson makes of it", function()
    local text = [[{"id":"ca_y","a":0,"id":"ca_x","a":1,"b":1,"b":null,"\u0061b":2,
      "c":"\u00e9\ud83d\ude00","d":"x","\u0073tatus":"ACTIVE","e\u0000":3}]]
    for _, read in pairs(WAYS) do
      local account = read(text)
      assert.equal(2, account.ab)
      assert.equal("ACTIVE", account.status)
      assert.equal("é😀", account.c)
      assert.equal(3, account["e\0"])
      assert.same(core.json_decode(text), raw_copy(read(text):decode()))
    end
  end)

  it("may have many members", function()
    local members = { '"id":"ca_x"' }
    for i = 1, 300 do
      members[#members + 1] = ('"m%d":%d'):format(i, i)
    end
    local account = WAYS.list("{" .. table.concat(members, ",") .. "}")
    assert.equal(63, account.m63)
    assert.equal(300, account.m300)
    local count = 0
    for _ in pairs(account) do
      count = count + 1
    end
    assert.equal(301, count)
  end)

  it("is refused where the codec would refuse it", function()
    for _, text in ipairs {
      [[{"id":"ca_x","data":{"half":"\ud83d"}}]],
      [[{"id":"ca_x","n":01}]],
      [[{"id":"ca_x","n":{"a":]] .. ("["):rep(130) .. ("]"):rep(130) .. "}}",
      [[{"user_id":"without id"}]],
      [[{"id":7}]],
      [[{"id":"ca_x","id":null}]],
      [["ca_x"]],
    } do
      for way, read in pairs(WAYS) do
        local ok, err = pcall(read, text)
        assert.is_false(ok, way .. text)
        assert.equal("APIError", err.name)
        assert.matches("^HTTP 200, but the reply ", err.message)
      end
    end
  end)
end)
