-- Errors: objects for failures of the service or network, strings for mistakes in
-- scripts, and the suggestions in both.
local composio = require "composio"
local core = require "composio.core"
local both = require "spec.support.both"
local raised = require "spec.support.raised"
local scene = require "spec.support.scene"
local server = require "spec.support.server"

local function reply(status, body, headers)
  return { action = "reply", status = status, body = body, headers = headers }
end

local function envelope(status, fields)
  local error = { message = "m", code = 1, slug = "S", status = status }
  for key, value in pairs(fields or {}) do
    error[key] = value
  end
  return reply(status, { error = error })
end

describe("errors", function()
  local emulator, client, accounts

  scene.of_module({ "--accounts", "30" }, function(...)
    emulator, accounts, client = ...
  end)

  both("carry what the service said", function()
    emulator:faults {
      envelope(404, {
        message = "Connected account not found",
        code = 606,
        slug = "ConnectedAccount_ResourceNotFound",
        request_id = "req-1",
        suggested_fix = "look again",
      }),
    }
    local err, text = raised(pcall(accounts.get, "ca_gone"))
    assert.equal("ComposioConnectedAccountNotFoundError", err.name)
    assert.equal(404, err.status)
    assert.equal(606, err.code)
    assert.equal("ConnectedAccount_ResourceNotFound", err.slug)
    assert.equal("req-1", err.request_id)
    assert.equal("look again", err.suggested_fix)
    assert.equal("connected_accounts.get", err.operation)
    assert.equal("ca_gone", err.account_id)
    assert.equal(1, err.attempts)
    assert.equal("failed", err.outcome)
    assert.is_false(err.retryable)
    for _, part in ipairs {
      "ComposioConnectedAccountNotFoundError",
      "connected_accounts.get",
      "ca_gone",
      "Connected account not found",
      "look again",
    } do
      assert.is_truthy(text:find(part, 1, true), part .. " is missing in: " .. text)
    end
    assert.is_nil(text:find "\n")
  end)

  local names = {
    [400] = "BadRequestError",
    [401] = "AuthenticationError",
    [403] = "PermissionDeniedError",
    [404] = "ComposioConnectedAccountNotFoundError",
    [409] = "ConflictError",
    [422] = "UnprocessableEntityError",
    [429] = "RateLimitError",
    [500] = "InternalServerError",
    [503] = "InternalServerError",
    [418] = "APIError",
  }
  for status, name in pairs(names) do
    both(("call a %d %s"):format(status, name), function()
      emulator:faults { envelope(status) }
      local err = raised(pcall(accounts.enable, "ca_x"))
      assert.equal(name, err.name)
      assert.equal(status, err.status)
    end)
  end

  it("call the 404 of an auth config otherwise", function()
    local err = raised(pcall(client.auth_configs.get, "ac_nosuch"))
    assert.is_truthy(err.name:find "NotFoundError")
    assert.is_not_equal("ComposioConnectedAccountNotFoundError", err.name)
  end)

  it("understand flat, text and empty bodies", function()
    emulator:faults { reply(429, { message = "Rate limit exceeded" }, { ["Retry-After"] = "0" }) }
    assert.matches("Rate limit exceeded", (select(2, raised(pcall(accounts.list)))))
    emulator:faults { reply(500, "<html>bad gateway</html>") }
    assert.matches("bad gateway", (select(2, raised(pcall(accounts.list)))))
    emulator:faults { reply(500, "") }
    assert.matches("500", (select(2, raised(pcall(accounts.list)))))
  end)

  it("come of 200s that are no JSON, or not what was asked for", function()
    for _, action in ipairs { "html", "garbage" } do
      emulator:faults { { action = action } }
      local err, text = raised(pcall(accounts.get, "ca_x"))
      assert.equal("APIError", err.name)
      assert.equal(200, err.status)
      assert.matches("not JSON", text)
    end
    emulator:faults { reply(200, { hello = "world" }) }
    assert.matches("not a reply to this request", (select(2, raised(pcall(accounts.list)))))
    assert.matches("not a reply to this request", (select(2, raised(pcall(accounts.get, "ca_x")))))
    emulator:faults { reply(200, { items = { 1 } }) }
    assert.matches("not a reply to this request", (select(2, raised(pcall(accounts.list)))))
  end)

  it("say unknown when a change may have been made", function()
    emulator:faults { { action = "html", method = "PATCH" } }
    local err, text = raised(pcall(accounts.disable, "ca_x"))
    assert.equal("unknown", err.outcome)
    assert.matches("may have been carried out", text)
    emulator:faults { { action = "apply_then_close", method = "POST" } }
    err = raised(pcall(accounts.link, "someone", "ac_GithubManage", { allow_multiple = true }))
    assert.equal("unknown", err.outcome)
  end)

  it("name a host that cannot be reached", function()
    local url = "http://127.0.0.1:9"
    local nobody = composio.client { base_url = url, api_key = "ak_x", retries = 0 }
    local err, text = raised(pcall(nobody.connected_accounts.list))
    assert.equal("APIConnectionError", err.name)
    assert.matches("127%.0%.0%.1", text)
    assert.equal("failed", err.outcome)
    nobody:close()
  end)

  it("do not follow a redirect, and say where it led", function()
    emulator:faults { { action = "redirect", location = "https://elsewhere.example/x" } }
    local _, text = raised(pcall(accounts.list))
    assert.matches("elsewhere%.example", text)
  end)

  it("are concatenated like the strings that Lua's own errors are", function()
    local err, text = raised(pcall(accounts.get, "ca_nosuch"))
    assert.equal("failed: " .. text, "failed: " .. err)
    assert.equal(text .. "; " .. text .. 5, err .. "; " .. err .. 5)
    local _, wrong = raised(pcall(function() return err .. {} end))
    assert.matches("error_spec.lua:%d+: attempt to concatenate a table value", wrong)
  end)

  it("never show the key", function()
    local message = "bad key " .. emulator.api_key
    emulator:faults { reply(400, { error = { message = message, code = 1 } }) }
    local err, text = raised(pcall(accounts.list))
    assert.is_nil(text:find(emulator.api_key, 1, true))
    assert.is_nil(err.message:find(emulator.api_key, 1, true))
  end)

  it("mask what a script puts into one by itself", function()
    local err = core.error_object { name = "X", message = "with " .. emulator.api_key }
    assert.is_nil(tostring(err):find(emulator.api_key, 1, true))
  end)

  it("are caught by pcall, and keep their class from scripts", function()
    local err = raised(pcall(accounts.get, "ca_nosuch"))
    assert.is_false(getmetatable(err))
    assert.is_true(core.is_error(err))
    assert.is_false(core.is_error {})
    assert.is_false(core.is_error "text")
  end)

  it("show as one line in a program's own report", function()
    local script = ("require 'composio'.client { base_url = '%s', api_key = '%s' }"
      .. ".connected_accounts.get 'ca_nosuch'"):format(emulator.url, emulator.api_key)
    local command = "echo %s | %s /dev/stdin 2>&1"
    local program = server.quote(server.build .. "/composio-spec")
    local pipe = assert(io.popen(command:format(server.quote(script), program)))
    local text = pipe:read "a"
    pipe:close()
    assert.matches("ComposioConnectedAccountNotFoundError: connected_accounts%.get ca_nosuch", text)
  end)
end)

describe("suggestions", function()
  local known = { "user_ids", "statuses", "toolkit_slugs", "limit", "cursor", "auth_config_ids" }
  local near = {
    userIds = "user_ids",
    UserIds = "user_ids",
    ["user-ids"] = "user_ids",
    user_id = "user_ids",
    usre_ids = "user_ids",
    status = "statuses",
    toolkitSlugs = "toolkit_slugs",
    limt = "limit",
    authConfigIds = "auth_config_ids",
    curosr = "cursor",
  }
  for word, expected in pairs(near) do
    it(("lead from %s to %s"):format(word, expected), function()
      assert.equal(expected, core.nearest(word, known))
    end)
  end

  it("know that camelCase is a habit, not a typing error", function()
    assert.equal("user_ids", core.nearest("userIds", { "userids", "user_ids" }))
  end)

  it("are not made for what is far from all", function()
    assert.is_nil(core.nearest("banana", known))
    assert.is_nil(core.nearest("x", known))
    assert.is_nil(core.nearest(("user_ids"):rep(10), known))
  end)

  it("become a list of all when none is near", function()
    local _, text = raised(pcall(core.unknown_option, "f", "banana", { "limit", "cursor" }))
    assert.matches("f: unknown option 'banana' %(it takes: limit, cursor%)", text)
  end)
end)

describe("usage errors", function()
  it("point at the script's line, not at ours", function()
    local accounts = composio.connected_accounts
    for _, call in ipairs {
      function() accounts.list { bad = 1 } end,
      function() accounts.link("u", "ac_x", { bad = 1, allow_multiple = true }) end,
      function() accounts.each { bad = 1 } end,
      function() accounts.wait_for_connection({}) end,
      function() accounts.refresh("ca_x", 1) end,
      function() composio.client { bad = 1 } end,
    } do
      local _, text = raised(pcall(call))
      assert.matches("^[^ ]*error_spec%.lua:%d+: ", text)
    end
  end)
end)
