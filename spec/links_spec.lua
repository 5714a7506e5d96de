-- link, initiate and refresh: the check before the call, the connection request that is
-- returned, and the names of errors.
local composio = require "composio"
local both = require "spec.support.both"
local raised = require "spec.support.raised"
local scene = require "spec.support.scene"
local server = require "spec.support.server"

local emulator, accounts

scene.of_module({ "--accounts", "60" }, function(...)
  emulator, accounts = ...
end)

local LOOK = "GET /connected_accounts?statuses=ACTIVE&user_ids=%s&auth_config_ids=%s"

describe("link", function()
  both("looks for an ACTIVE account first, then makes the link", function()
    emulator:forget()
    local request = accounts.link("user_new", "ac_GithubManage", { callback_url = "https://x/cb" })
    assert.same({
      LOOK:format("user_new", "ac_GithubManage"),
      "POST /connected_accounts/link",
    }, emulator:lines())
    assert.matches("^ca_", request.id)
    assert.equal("INITIATED", request.status)
    assert.matches("^http", request.redirect_url)
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT", request.expires_at)
    assert.matches("^lk_", request.link_token)
    accounts.delete(request.id)
  end)

  both("raises when there is one, and sends nothing", function()
    emulator:forget()
    local err, text = raised(pcall(accounts.link, "user_123", "ac_GithubManage"))
    assert.equal("ComposioMultipleConnectedAccountsError", err.name)
    assert.matches(
      "Multiple connected accounts found for user user_123 in auth config ac_GithubManage",
      text
    )
    assert.matches("allow_multiple = true", text)
    assert.same({ LOOK:format("user_123", "ac_GithubManage") }, emulator:lines())
  end)

  both("makes another one with allow_multiple, without looking", function()
    emulator:forget()
    accounts.link("user_123", "ac_GithubManage", { allow_multiple = true })
    assert.same({ "POST /connected_accounts/link" }, emulator:lines())
  end)

  it("takes another status for none", function()
    emulator:tell("accounts/ca_github_u123A/set", { status = "EXPIRED" })
    accounts.link("user_123", "ac_GithubManage")
  end)

  it("compares users with a comma itself, on all pages", function()
    for _ = 1, 3 do
      accounts.initiate("other", "ac_StripeApiKey", {
        allow_multiple = true,
        config = composio.auth_scheme.api_key { api_key = "key-of-other" },
      })
    end
    local config = { config = composio.auth_scheme.api_key { api_key = "key-of-john" } }
    local before = emulator:stats().accounts
    emulator:forget()
    local request = accounts.initiate("doe, john", "ac_StripeApiKey", config)
    assert.equal("ACTIVE", request.status)
    local line = emulator:lines()[1]
    assert.is_nil(line:find("user_ids", 1, true))
    assert.is_truthy(line:find("auth_config_ids=ac_StripeApiKey", 1, true))
    assert.is_truthy(line:find("statuses=ACTIVE", 1, true))
    local err = raised(pcall(accounts.initiate, "doe, john", "ac_StripeApiKey", config))
    assert.equal("ComposioMultipleConnectedAccountsError", err.name)
    assert.equal(before + 1, emulator:stats().accounts)
  end)

  it("walks every page to compare a user with a comma", function()
    local small = server.emulator { "--accounts", "0", "--page-max", "2" }
    local other = small:client()
    local config = { config = composio.auth_scheme.api_key { api_key = "a-key-here" } }
    local make = other.connected_accounts.initiate
    make("a, b", "ac_StripeApiKey", config)
    for i = 1, 5 do
      make("user " .. i, "ac_StripeApiKey", config)
    end
    local err = raised(pcall(make, "a, b", "ac_StripeApiKey", config))
    assert.equal("ComposioMultipleConnectedAccountsError", err.name)
    other:close()
    small:stop()
  end)

  both("names failures as the SDK does, and keeps the cause", function()
    emulator:forget()
    local err, text = raised(pcall(accounts.link, "user_new", "ac_nosuch"))
    assert.equal("ComposioFailedToCreateConnectedAccountLink", err.name)
    assert.equal(404, err.status)
    assert.equal(404, err.cause.status)
    assert.is_not_equal(err.name, err.cause.name)
    assert.matches("Failed to create connected account link: ", text)
  end)

  it("keeps the outcome of a link that may have been made", function()
    emulator:faults { { action = "apply_then_close", method = "POST" } }
    local err = raised(pcall(accounts.link, "user_new", "ac_GithubManage"))
    assert.equal("ComposioFailedToCreateConnectedAccountLink", err.name)
    assert.equal("unknown", err.outcome)
    assert.equal("APIConnectionError", err.cause.name)
  end)

  it("keeps the name of a rejected key and of refused values", function()
    local wrong = composio.client { base_url = emulator.url, api_key = "ak_wrong-one" }
    local err = raised(pcall(wrong.connected_accounts.link, "u", "ac_x", { allow_multiple = true }))
    assert.equal("AuthenticationError", err.name)
    wrong:close()
    err = raised(pcall(accounts.link, "u", "ac_x", { alias = "a\1", allow_multiple = true }))
    assert.equal("ValidationError", err.name)
  end)

  it("names an access list on a private account", function()
    local err = raised(pcall(accounts.link, "user_new", "ac_GithubManage", {
      acl = { allow_all_users = true },
    }))
    assert.equal("ComposioAclOnlyForSharedError", err.name)
    assert.equal(400, err.status)
    err = raised(pcall(accounts.update, "ca_github_u123A", { acl = { allow_all_users = true } }))
    assert.equal("ComposioAclOnlyForSharedError", err.name)
  end)

  it("takes no 2xx without an account for a link", function()
    emulator:faults {
      { action = "reply", method = "POST", status = 201, body = { redirect_url = "https://x" } },
    }
    local err = raised(pcall(accounts.link, "user_new", "ac_GithubManage"))
    assert.equal("unknown", err.outcome)
    assert.matches("has no account id", err.message)
    assert.not_matches("https://x", err.message) -- a link is a secret
  end)
end)

describe("a connection request", function()
  it("shows as text without its URL", function()
    local request = accounts.link("user_new", "ac_GithubManage")
    local text = tostring(request)
    assert.is_truthy(text:find(request.id, 1, true))
    assert.is_nil(text:find("http", 1, true))
    assert.is_false(getmetatable(request))
  end)

  both("waits, and its status follows", function()
    local request = accounts.link("user_w", "ac_GithubManage", { allow_multiple = true })
    emulator:tell("accounts/" .. request.id .. "/complete")
    local account = request:wait_for_connection { timeout = 5 }
    assert.equal("ACTIVE", account.status)
    assert.equal("ACTIVE", request.status)
    request = accounts.link("user_w", "ac_GithubManage", { allow_multiple = true })
    emulator:tell("accounts/" .. request.id .. "/deny")
    local err = raised(pcall(request.wait_for_connection, request, { timeout = 5 }))
    assert.equal("ConnectionRequestFailedError", err.name)
    assert.equal("FAILED", request.status)
  end)
end)

describe("initiate", function()
  local scheme = composio.auth_scheme

  both("makes an account that is ACTIVE at once where nobody logs in", function()
    local options = { config = scheme.api_key { api_key = "key-1234" }, allow_multiple = true }
    local request = accounts.initiate("user_new", "ac_StripeApiKey", options)
    assert.equal("ACTIVE", request.status)
    assert.is_nil(request.redirect_url)
    assert.equal("ACTIVE", accounts.get(request.id).status)
  end)

  it("gives the URL that the user has to visit", function()
    local request = accounts.initiate("user_new", "ac_ZendeskOAuth", {
      config = scheme.oauth2 { subdomain = "example" },
    })
    assert.equal("INITIATED", request.status)
    assert.matches("^http", request.redirect_url)
  end)

  it("takes the URL from connectionData before the old places", function()
    local function answer(body)
      emulator:faults { { action = "reply", method = "POST", status = 201, body = body } }
      return accounts.initiate("user_new", "ac_ZendeskOAuth")
    end
    local val = { status = "INITIATED", redirectUrl = "https://right" }
    local request = answer {
      id = "ca_1",
      connectionData = { authScheme = "OAUTH2", val = val },
      status = "ACTIVE",
      redirect_url = "https://old",
    }
    assert.equal("https://right", request.redirect_url)
    assert.equal("INITIATED", request.status)
    request = answer { id = "ca_1", status = "INITIATED", redirect_url = "https://old" }
    assert.equal("https://old", request.redirect_url)
    assert.equal("INITIATED", request.status)
  end)

  both("looks first, as link does", function()
    emulator:forget()
    local err = raised(pcall(accounts.initiate, "user_123", "ac_GithubManage"))
    assert.equal("ComposioMultipleConnectedAccountsError", err.name)
    assert.equal("connected_accounts.initiate", err.operation)
    assert.equal(1, #emulator:lines())
  end)

  both("says that the endpoint is retired for managed apps, and names link", function()
    local err, text = raised(pcall(accounts.initiate, "user_new", "ac_GithubManage"))
    assert.equal("ComposioLegacyConnectedAccountsEndpointRetiredError", err.name)
    assert.equal(400, err.status)
    assert.matches("use link", text)
    assert.equal("BadRequestError", err.cause.name)
  end)

  it("leaves other 400s what they are", function()
    local err = raised(pcall(accounts.initiate, "user_new", "ac_ZendeskOAuth"))
    assert.equal("BadRequestError", err.name)
    assert.equal("ConnectedAccount_MissingRequiredFields", err.slug)
  end)
end)

describe("refresh", function()
  both("of an ACTIVE account raises, by id after a look", function()
    emulator:forget()
    local err, text = raised(pcall(accounts.refresh, "ca_github_u123A"))
    assert.equal("ValidationError", err.name)
    assert.matches("ca_github_u123A", text)
    assert.matches("even_if_active = true", text)
    assert.same({ "GET /connected_accounts/ca_github_u123A" }, emulator:lines())
  end)

  both("of an ACTIVE account raises, by the account itself without a look", function()
    local account = accounts.get "ca_github_u123A"
    emulator:forget()
    local err = raised(pcall(account.refresh, account))
    assert.equal("ValidationError", err.name)
    assert.same({}, emulator:lines())
  end)

  both("goes on where it is wanted", function()
    emulator:reset()
    local reply = accounts.refresh("ca_github_u123A", { even_if_active = true })
    assert.equal("INITIATED", reply.status)
    assert.matches("^http", reply.redirect_url)
  end)

  both("of an EXPIRED account starts a login", function()
    emulator:reset()
    local reply = accounts.refresh "ca_gmail_u123_C"
    assert.equal("ca_gmail_u123_C", reply.id)
    assert.equal("INITIATED", reply.status)
  end)

  it("names the conflict where a scheme cannot refresh", function()
    local request = accounts.initiate("user_new", "ac_StripeApiKey", {
      config = composio.auth_scheme.api_key { api_key = "key-1234" },
    })
    emulator:tell("accounts/" .. request.id .. "/set", { status = "EXPIRED" })
    assert.equal("ConflictError", raised(pcall(accounts.refresh, request.id)).name)
  end)

  it("takes true or false for even_if_active", function()
    local _, text = raised(pcall(accounts.refresh, "ca_x", { even_if_active = 1 }))
    assert.matches("even_if_active: expected true or false, got number", text)
    local both_names = { evenIfActive = true, even_if_active = true }
    _, text = raised(pcall(accounts.refresh, "ca_x", both_names))
    assert.matches("unknown option 'evenIfActive' %(did you mean 'even_if_active'%?%)", text)
  end)
end)
