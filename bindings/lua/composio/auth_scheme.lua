-- composio.auth_scheme: how an account's credentials look on the wire.
-- Must not know: where they are sent.
-- Nothing is validated here: each toolkit has its own fields, and the service knows them.
-- A `status` that the caller gives replaces the default one.

local function filled(value)
  return type(value) == "string" and value ~= ""
end

local function always_active()
  return "ACTIVE"
end

-- name, the service's name, function for the default status, the names in other clients.
local SCHEMES = {
  {
    "oauth1",
    "OAUTH1",
    function(given)
      local complete = filled(given.oauth_token) and filled(given.oauth_token_secret)
      return complete and "ACTIVE" or "INITIALIZING"
    end,
    { "OAuth1" },
  },
  {
    "oauth2",
    "OAUTH2",
    function(given)
      return filled(given.access_token) and "ACTIVE" or "INITIALIZING"
    end,
    { "OAuth2" },
  },
  { "api_key", "API_KEY", always_active, { "ApiKey", "APIKey" } },
  { "basic", "BASIC", always_active, { "Basic" } },
  { "bearer_token", "BEARER_TOKEN", always_active, { "BearerToken" } },
  { "basic_with_jwt", "BASIC_WITH_JWT", always_active, { "BasicWithJWT", "BasicWithJwt" } },
  { "google_service_account", "GOOGLE_SERVICE_ACCOUNT", always_active, { "GoogleServiceAccount" } },
  { "no_auth", "NO_AUTH", always_active, { "NoAuth" } },
  { "calcom_auth", "CALCOM_AUTH", always_active, { "CalcomAuth" } },
  { "billcom_auth", "BILLCOM_AUTH", always_active, { "BillcomAuth" } },
}

return function(composio, core)
  local helpers, names = {}, {}

  local function make(name, word, status)
    return function(given)
      if given == nil then
        given = {}
      elseif type(given) ~= "table" then
        local text = "composio.auth_scheme.%s: expected a table of fields, got %s"
        core.usage(text:format(name, type(given)))
      end
      local val = { status = status(given) }
      for key, value in pairs(given) do
        val[key] = value
      end
      return { authScheme = word, val = val }
    end
  end

  for _, scheme in ipairs(SCHEMES) do
    local name, word, status, aliases = table.unpack(scheme)
    helpers[name] = make(name, word, status)
    names[#names + 1] = name
    for _, alias in ipairs(aliases) do
      helpers[alias] = helpers[name]
    end
  end

  composio.auth_scheme = setmetatable(helpers, {
    __index = function(_, name)
      local near = core.nearest(tostring(name), names)
      local hint = near and (" (did you mean '%s'?)"):format(near) or ""
      core.usage(("composio.auth_scheme: unknown scheme '%s'%s"):format(tostring(name), hint))
    end,
  })
end
