-- Only data that the module itself read counts as the service's: fields that a script
-- sets in an account, or tables that it makes, change no guard and no row of a plan.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local has, lacks = job.has, job.lacks
local emulator, place

scene.of_host({ "--accounts", "200" }, function(...)
  emulator, place = ...
  emulator:forget()
end)

local function run(script, ...)
  local words = host.unlimited { "job.lua", "--summary", "summary.json", ... }
  return place:run(words, { script = script })
end

-- What scripts may try, each as a statement on `account`; TRUE is its status,
-- FALSE another.
local WRITES = {
  ["writes a field"] = "account.status = 'FALSE'",
  ["writes raw"] = "rawset(account, 'status', 'FALSE')",
  ["writes after decode()"] = "account:decode().status = 'FALSE'",
  ["takes the field away"] = "account.status = nil",
}
local FORGES = {
  ["makes a table"] = "account = { id = account.id, status = 'FALSE' }",
  ["makes one with an account's fields behind it"] = "account = setmetatable("
    .. "{ id = account.id, status = 'FALSE' }, { __index = account })",
  ["makes one that claims all methods"] = "account = setmetatable({ id = account.id }, {"
    .. "__index = function(_, name) return name == 'status' and 'FALSE' or nil end,"
    .. "__pairs = next, __name = 'composio.account' })"
    .. " account.decode = function(self) return self end",
  ["copies with pairs"] = "local copy = {} for k, v in pairs(account) do copy[k] = v end"
    .. " copy.status = 'FALSE' account = copy",
}

local function each_forgery(check)
  for _, kind in ipairs { WRITES, FORGES } do
    for name, statement in pairs(kind) do
      it("a script that " .. name, function()
        check(function(status)
          return (statement:gsub("FALSE", status))
        end)
      end)
    end
  end
end

describe("an account is not taken for disabled by", function()
  each_forgery(function(forge)
    local result = run(([[
      composio.bulk(accounts.each { statuses = { "ACTIVE" }, limit = 1 }, function(account)
        %s
        accounts.disable(account)
      end)
    ]]):format(forge "INACTIVE"), "--limit-items", "1")
    assert.equal(0, result.code, result.err)
    assert.same({ planned = 1 }, result.summary.operations.disable)
    has(result.out, "ACTIVE")
    lacks(result.out, "INACTIVE")
  end)
end)

describe("an ACTIVE account is not deleted without --delete-active for", function()
  each_forgery(function(forge)
    local result = run(([[
      composio.job { may = "irreversible" }
      composio.bulk(accounts.each { statuses = { "ACTIVE" } }, function(account)
        %s
        accounts.delete(account)
      end)
    ]]):format(forge "EXPIRED"), "--limit-items", "1", "--apply", "--confirm", "1")
    assert.equal(4, result.code, result.err)
    has(result.err, "--delete-active allows it")
    assert.same({}, emulator:changes())
  end)
end)

describe("outside of a bulk", function()
  it("a change is sent although the script says that it is so already", function()
    for _, statement in pairs(WRITES) do
      emulator:reset()
      local result = run(([[
        local account = accounts.get "ca_github_u123A"
        %s
        accounts.disable(account)
        local made_up = { id = "ca_github_u123A", status = "ACTIVE" }
        accounts.enable(made_up)
      ]]):format((statement:gsub("FALSE", "INACTIVE"))), "--apply")
      assert.equal(0, result.code, result.err)
      assert.same({ "disable ca_github_u123A", "enable ca_github_u123A" }, job.changes(emulator))
    end
  end)

  it("an ACTIVE account is not refreshed because the script calls it EXPIRED", function()
    local result = run [[
      local account = accounts.get "ca_github_u123A"
      account.status = "EXPIRED"
      print(account.status, pcall(account.refresh, account))
      print(pcall(accounts.refresh, { id = account.id, status = "EXPIRED" }))
    ]]
    local _, count = result.out:gsub("the account is ACTIVE", "")
    assert.equal(2, count, result.out)
    has(result.out, "EXPIRED\tfalse")
  end)
end)

describe("--protect holds for", function()
  local function skips(lines, statement)
    place:write("never", lines .. "\n")
    local result = run(([[
      composio.bulk({ "ca_github_u123A" }, function(account)
        account:decode()
        %s
        accounts.disable(account)
      end)
    ]]):format(statement), "--protect", "never", "--apply")
    assert.equal(0, result.code, result.err)
    assert.same({ skipped = 1 }, result.summary.operations.disable)
    assert.same({}, emulator:changes())
  end

  it("an account whose user the script rewrote", function()
    skips("user:user_123", "account.user_id = 'somebody'")
    skips("user:user_123", "account = { id = account.id, user_id = 'somebody', status = 'ACTIVE' }")
  end)

  it("an account whose toolkit the script rewrote", function()
    skips("toolkit:github", "account.toolkit.slug = 'gmail'")
    skips("toolkit:github", "account.toolkit = nil")
  end)

  it("an account whose id the script wrote into another", function()
    skips("ca_github_u123A", "")
    local ids = job.ids(emulator, { statuses = { "ACTIVE" }, user_ids = { "user_123" } }, 1)
    emulator:forget()
    place:write("never", "user:user_123\n")
    local result = run(([[
      composio.bulk(accounts.each { statuses = { "ACTIVE" } }, function(account)
        if account.user_id ~= "user_123" then
          account.id = %q
          account:disable()
        end
      end)
    ]]):format(ids[1]), "--protect", "never", "--limit-items", "8", "--apply")
    assert.equal(0, result.code, result.err)
    assert.is_nil(result.summary.operations.disable.done)
    assert.same({}, emulator:changes())
  end)
end)

it("an auth config counts all its connections, whatever the script makes of them", function()
  local client = emulator:client()
  local count = client.auth_configs.get("ac_GmailManaged").no_of_connections
  client:close()
  emulator:forget()
  assert.is_true(count > 1)
  for _, statement in ipairs {
    "config.no_of_connections = 0",
    "config = { id = config.id, status = config.status, no_of_connections = 0 }",
  } do
    local script = ([[
      local config = composio.auth_configs.get "ac_GmailManaged"
      %s
      composio.auth_configs.disable(config)
    ]]):format(statement)
    local most = tostring(count - 1)
    local result = place:run({ "job.lua", "--apply", "--max-changes", most }, { script = script })
    assert.equal(4, result.code, result.err)
    has(result.err, count .. " changes are more than")
    assert.equal(0, job.writes(emulator))
  end
end)

it("next, rawget, rawset and lua-cjson do no more than in stock Lua", function()
  local result = run [[
    local cjson = require "cjson"
    local account = accounts.get "ca_github_u123A"
    assert(next == pairs {})
    assert(rawget(account, "toolkit") == nil)
    assert(rawset(account, "note", 1) == account)
    local raw, count = cjson.decode(cjson.encode(account)), 0
    for key in next, account do
      assert(raw[key] ~= nil)
      count = count + 1
    end
    assert(raw.toolkit == nil and cjson.new().decode(cjson.new().encode(account)).toolkit == nil)
    account:decode()
    assert(rawget(account, "toolkit").slug == "github")
    assert(cjson.decode(cjson.encode(account)).toolkit.slug == "github")
    print(count > 5)
  ]]
  assert.equal(0, result.code, result.err)
  assert.equal("true\n", result.out)
end)
