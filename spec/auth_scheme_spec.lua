-- composio.auth_scheme: the table that each helper returns, and the helpers' aliases.
local composio = require "composio"
local scheme = composio.auth_scheme

local function made(word, val)
  return { authScheme = word, val = val }
end

describe("composio.auth_scheme", function()
  local cases = {
    { "oauth2", {}, made("OAUTH2", { status = "INITIALIZING" }) },
    {
      "oauth2",
      { subdomain = "example" },
      made("OAUTH2", { status = "INITIALIZING", subdomain = "example" }),
    },
    {
      "oauth2",
      { access_token = "t", expires_in = 3600 },
      made("OAUTH2", { status = "ACTIVE", access_token = "t", expires_in = 3600 }),
    },
    {
      "oauth2",
      { access_token = "" },
      made("OAUTH2", { status = "INITIALIZING", access_token = "" }),
    },
    {
      "oauth2",
      { access_token = "t", status = "INITIALIZING" },
      made("OAUTH2", { status = "INITIALIZING", access_token = "t" }),
    },
    { "oauth1", {}, made("OAUTH1", { status = "INITIALIZING" }) },
    {
      "oauth1",
      { oauth_token = "a" },
      made("OAUTH1", { status = "INITIALIZING", oauth_token = "a" }),
    },
    {
      "oauth1",
      { oauth_token = "a", oauth_token_secret = "b" },
      made("OAUTH1", { status = "ACTIVE", oauth_token = "a", oauth_token_secret = "b" }),
    },
    { "api_key", { api_key = "k" }, made("API_KEY", { status = "ACTIVE", api_key = "k" }) },
    {
      "api_key",
      { generic_api_key = "k", status = "INACTIVE" },
      made("API_KEY", { status = "INACTIVE", generic_api_key = "k" }),
    },
    {
      "basic",
      { username = "u", password = "p" },
      made("BASIC", { status = "ACTIVE", username = "u", password = "p" }),
    },
    {
      "basic_with_jwt",
      { username = "u", password = "p" },
      made("BASIC_WITH_JWT", { status = "ACTIVE", username = "u", password = "p" }),
    },
    { "bearer_token", { token = "t" }, made("BEARER_TOKEN", { status = "ACTIVE", token = "t" }) },
    {
      "google_service_account",
      { credentials_json = "{}" },
      made("GOOGLE_SERVICE_ACCOUNT", { status = "ACTIVE", credentials_json = "{}" }),
    },
    { "no_auth", nil, made("NO_AUTH", { status = "ACTIVE" }) },
    { "no_auth", { base_url = "h" }, made("NO_AUTH", { status = "ACTIVE", base_url = "h" }) },
    { "calcom_auth", nil, made("CALCOM_AUTH", { status = "ACTIVE" }) },
    {
      "billcom_auth",
      { sessionId = "s", devKey = "d" },
      made("BILLCOM_AUTH", { status = "ACTIVE", sessionId = "s", devKey = "d" }),
    },
  }
  for place, case in ipairs(cases) do
    it(("makes what the service expects: %s, %d"):format(case[1], place), function()
      assert.same(case[3], scheme[case[1]](case[2]))
    end)
  end

  it("leaves to the service what only it knows", function()
    assert.equal("x", scheme.api_key { app_key = "x" }.val.app_key)
    assert.equal("p", scheme.basic { password = "p" }.val.password) -- an update of one alone
    assert.equal("FAILED", scheme.bearer_token { status = "FAILED" }.val.status)
    assert.equal(composio.null, scheme.api_key { api_key = composio.null }.val.api_key)
  end)

  it("does not change what it was given", function()
    local given = { api_key = "k" }
    scheme.api_key(given)
    assert.same({ api_key = "k" }, given)
  end)

  it("has the names of other clients", function()
    for alias, name in pairs {
      OAuth1 = "oauth1",
      OAuth2 = "oauth2",
      ApiKey = "api_key",
      APIKey = "api_key",
      Basic = "basic",
      BasicWithJWT = "basic_with_jwt",
      BearerToken = "bearer_token",
      GoogleServiceAccount = "google_service_account",
      NoAuth = "no_auth",
      CalcomAuth = "calcom_auth",
      BillcomAuth = "billcom_auth",
    } do
      assert.equal(scheme[name], rawget(scheme, alias), alias)
    end
  end)

  it("says what is wrong, with the script's line", function()
    local ok, err = pcall(scheme.api_key, "key")
    assert.is_false(ok)
    assert.matches("auth_scheme_spec%.lua:%d+: ", err)
    assert.matches("api_key: expected a table of fields, got string", err)
    for text, call in pairs {
      ["bearer_token: token is missing"] = function() scheme.bearer_token() end,
      ["bearer_token: token is missing$"] = function() scheme.bearer_token { tok = "x" } end,
      ["basic: username or password is missing"] = function() scheme.basic {} end,
      ["api_key: api_key or generic_api_key or bearer_token or basic_encoded is missing"]
        = function() scheme.api_key { api_key = nil } end,
      ["bearer_token: token: expected a string, got number"]
        = function() scheme.bearer_token { token = 5 } end,
      ["api_key: unknown field 'apiKey' %(did you mean 'api_key'%?%)"]
        = function() scheme.APIKey { apiKey = "k" } end,
      ["billcom_auth: unknown field 'session_id' %(did you mean 'sessionId'%?%)"]
        = function() scheme.billcom_auth { session_id = "s", devKey = "d" } end,
      ["api_key: expected a table of fields, got a list"] = function() scheme.api_key { "k" } end,
    } do
      ok, err = pcall(call)
      assert.is_false(ok, text)
      assert.matches("^%S*auth_scheme_spec%.lua:%d+: composio%.auth_scheme%." .. text, err)
    end
    ok, err = pcall(function() return scheme.bearertoken end)
    assert.is_false(ok)
    assert.matches("auth_scheme has no 'bearertoken' %(did you mean 'bearer_token'%?%)", err)
  end)
end)
