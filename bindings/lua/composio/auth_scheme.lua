-- composio.auth_scheme: how an account's credentials look on the wire.
-- Must not know: where they are sent.
-- Each toolkit has fields of its own, which only the service knows. These mistakes are
-- refused: a credential that is not a string, a credential's name in another spelling, and a
-- call without any credential, because a variable may have been nil. One of several may be
-- missing: an update keeps its value. A `status` that the caller gives replaces the default
-- one, and then no credential is required.

local function filled(value)
  return type(value) == "string" and value ~= ""
end

-- Returns a name without what differs between spellings: apiKey, api-key, APIKEY.
local function plain(name)
  return (name:lower():gsub("[^%w]", ""))
end

local function always_active()
  return "ACTIVE"
end

-- name, the service's name, function for the default status, the names in other clients,
-- the credentials (strings), and whether one of them must be there ("any": or another field).
local SCHEMES = {
  {
    "oauth1",
    "OAUTH1",
    function(given)
      local complete = filled(given.oauth_token) and filled(given.oauth_token_secret)
      return complete and "ACTIVE" or "INITIALIZING"
    end,
    { "OAuth1" },
    { "oauth_token", "oauth_token_secret", "oauth_verifier", "consumer_key" },
  },
  {
    "oauth2",
    "OAUTH2",
    function(given)
      return filled(given.access_token) and "ACTIVE" or "INITIALIZING"
    end,
    { "OAuth2" },
    { "access_token", "refresh_token", "id_token", "token_type" },
  },
  {
    "api_key", "API_KEY", always_active, { "ApiKey", "APIKey" },
    { "api_key", "generic_api_key", "bearer_token", "basic_encoded" }, "any",
  },
  { "basic", "BASIC", always_active, { "Basic" }, { "username", "password" }, true },
  { "bearer_token", "BEARER_TOKEN", always_active, { "BearerToken" }, { "token" }, true },
  {
    "basic_with_jwt", "BASIC_WITH_JWT", always_active, { "BasicWithJWT", "BasicWithJwt" },
    { "username", "password" }, true,
  },
  {
    "google_service_account", "GOOGLE_SERVICE_ACCOUNT", always_active, { "GoogleServiceAccount" },
    { "credentials_json" }, true,
  },
  { "no_auth", "NO_AUTH", always_active, { "NoAuth" }, {} },
  { "calcom_auth", "CALCOM_AUTH", always_active, { "CalcomAuth" }, {} },
  {
    "billcom_auth", "BILLCOM_AUTH", always_active, { "BillcomAuth" }, { "sessionId", "devKey" },
    true,
  },
}

return function(composio, core)
  local helpers, names = {}, {}

  local function refuse(name, text, ...)
    core.usage(("composio.auth_scheme.%s: "):format(name) .. text:format(...))
  end

  -- Raises for fields that must be a mistake. needs: whether a credential must be there.
  local function check_fields(name, given, credentials, needs)
    local spelled = {} -- a credential without its signs → the credential
    local found = needs == "any" and next(given) ~= nil or given.status ~= nil
    for _, credential in ipairs(credentials) do
      local value = given[credential]
      spelled[plain(credential)] = credential
      found = found or value ~= nil
      if value ~= nil and value ~= core.null and type(value) ~= "string" then
        refuse(name, "%s: expected a string, got %s", credential, type(value))
      end
    end
    for field in pairs(given) do
      if type(field) ~= "string" then
        refuse(name, "expected a table of fields, got a list")
      end
      local credential = spelled[plain(field)]
      if credential and credential ~= field then
        refuse(name, "unknown field '%s' (did you mean '%s'?)", field, credential)
      end
    end
    if needs and not found then
      refuse(name, "%s is missing", table.concat(credentials, " or "))
    end
  end

  local function make(name, word, status, credentials, needs)
    return function(given)
      if given == nil then
        given = {}
      elseif type(given) ~= "table" then
        refuse(name, "expected a table of fields, got %s", type(given))
      end
      core.check_plain("composio.auth_scheme." .. name, given)
      check_fields(name, given, credentials, needs)
      local val = { status = status(given) }
      for key, value in pairs(given) do
        val[key] = value
      end
      return { authScheme = word, val = val }
    end
  end

  for _, scheme in ipairs(SCHEMES) do
    local name, word, status, aliases, credentials, needs = table.unpack(scheme, 1, 6)
    helpers[name] = make(name, word, status, credentials, needs)
    names[#names + 1] = name
    for _, alias in ipairs(aliases) do
      helpers[alias] = helpers[name]
    end
  end

  composio.auth_scheme = core.strict("composio.auth_scheme", helpers, names)
end
