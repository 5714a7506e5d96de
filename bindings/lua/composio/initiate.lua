-- link, initiate and refresh with the checks that belong before them.
-- Must not know: how calls are made, how waits work.
-- Like the official clients, link and initiate look first for an ACTIVE account
-- of this user and auth config. The check and the call are two requests, and
-- the service has no guard between them.

local ACL_FRAGMENT = "acl_config_for_shared is only valid on SHARED"
local RETIRED_FRAGMENT = "no longer supported"

return function(_, core, host)
  -- Does an action run again only for its secrets? Then its plan stands, and
  -- what was looked for before it is not looked for again.
  local function in_recall()
    return host ~= nil and host.item_kind() == "recall"
  end

  -- The same failure under the name that the official clients give it.
  local function renamed(err, name, message, fix)
    local fields = {}
    for key, value in next, err do
      fields[key] = value
    end
    fields.name, fields.message = name, message
    fields.suggested_fix = fix or fields.suggested_fix
    fields.cause = err
    return core.error_object(fields)
  end

  local function acl_error(err)
    local bad = core.is_error(err) and err.status == 400
    if bad and (err.message or ""):find(ACL_FRAGMENT, 1, true) then
      local fix = 'give account_type = "SHARED", or leave the acl out'
      return renamed(err, "ComposioAclOnlyForSharedError", err.message, fix)
    end
  end

  local function create_error(err)
    if not core.is_error(err) then
      return err
    end
    local retired = err.status == 400
      and (not err.slug or err.slug == "ConnectedAccount_BadRequest")
      and (err.message or ""):find(RETIRED_FRAGMENT, 1, true)
    if retired then
      local fix = "use link with the same user and auth config; it gives a URL for the user"
      return renamed(err, "ComposioLegacyConnectedAccountsEndpointRetiredError", err.message, fix)
    end
    return acl_error(err) or err
  end

  -- What the official client passes on as it is, and what must keep its own
  -- name because it is not about this link: a key that is refused, a shut gate.
  local KEPT = {
    AuthenticationError = true,
    ComposioRequestCancelledError = true,
    ComposioWriteRefusedError = true,
    ValidationError = true,
  }

  local function link_error(err)
    if not core.is_error(err) or KEPT[err.name] then
      return err
    end
    return acl_error(err)
      or renamed(
        err,
        "ComposioFailedToCreateConnectedAccountLink",
        "Failed to create connected account link: " .. tostring(err.message)
      )
  end

  -- The helpers of auth_scheme say in which status an account begins. A change
  -- of credentials has none, and the service refuses it.
  local function without_status(options)
    local credentials = type(options) == "table" and rawget(options, "credentials")
    local val = type(credentials) == "table" and rawget(credentials, "val")
    if type(val) ~= "table" or rawget(val, "status") == nil then
      return options
    end
    local function copy(from)
      local to = {}
      for key, value in next, from do
        to[key] = value
      end
      return to
    end
    options, credentials = copy(options), copy(credentials)
    credentials.val = copy(val)
    credentials.val.status = nil
    options.credentials = credentials
    return options
  end

  -- ---- connection requests ----

  local function request_class(accounts)
    local methods = {}

    -- Waits, and keeps the status that was found.
    function methods.wait_for_connection(request, options)
      local ok, result = pcall(accounts.wait_for_connection, request.id, options)
      if ok then
        request.status = result.status
        return result
      end
      if core.is_error(result) and result.account_status then
        request.status = result.account_status
      end
      return error(result, 0)
    end

    return {
      __name = "composio.connection_request",
      __index = methods,
      __metatable = false,
      -- without the URL: who has it can log in as the user
      __tostring = function(request)
        return ("connection request %s (%s)"):format(request.id, request.status)
      end,
    }
  end

  local function text(value)
    return type(value) == "string" and value ~= "" and value or nil
  end

  local function of_create(reply)
    local data = type(reply.connectionData) == "table" and reply.connectionData or {}
    local val = type(data.val) == "table" and data.val or {}
    return {
      id = reply.id,
      status = text(val.status) or text(reply.status),
      redirect_url = text(val.redirectUrl) or text(reply.redirect_url) or text(reply.redirect_uri),
    }
  end

  local function of_link(reply)
    return {
      id = reply.connected_account_id,
      status = "INITIATED",
      redirect_url = text(reply.redirect_url),
      expires_at = text(reply.expires_at),
      link_token = text(reply.link_token),
    }
  end

  local function no_account(operation)
    return core.error_object {
      name = "APIError",
      message = "the reply names no account",
      operation = "connected_accounts." .. operation,
      retryable = false,
      outcome = "unknown",
    }
  end

  -- ---- before the call ----

  -- Users whose id holds a comma cannot be filtered on: all ACTIVE accounts of
  -- the auth config, compared here.
  local function has_active(accounts, user_id, auth_config_id)
    local filter = { auth_config_ids = { auth_config_id }, statuses = { "ACTIVE" } }
    if not user_id:find(",", 1, true) then
      filter.user_ids = { user_id }
      return #accounts.list(filter).items > 0
    end
    filter.limit = 100
    repeat
      local page = accounts.list(filter)
      for _, account in ipairs(page.items) do
        if account.user_id == user_id then
          return true
        end
      end
      local before = filter.cursor
      filter.cursor = text(page.next_cursor)
    until not filter.cursor or filter.cursor == before
    return false
  end

  local function check_single(accounts, operation, user_id, auth_config_id)
    if not has_active(accounts, user_id, auth_config_id) then
      return
    end
    local message = "Multiple connected accounts found for user %s in auth config %s"
    error(
      core.error_object {
        name = "ComposioMultipleConnectedAccountsError",
        message = message:format(user_id, auth_config_id),
        suggested_fix = "give allow_multiple = true to connect another one",
        operation = "connected_accounts." .. operation,
        retryable = false,
        outcome = "failed",
      },
      0
    )
  end

  local function check_order(operation, user_id, auth_config_id)
    if type(user_id) ~= "string" or type(auth_config_id) ~= "string" then
      return -- the call itself says what is wrong
    end
    if user_id:find "^ac_" and not auth_config_id:find "^ac_" then
      local order = "connected_accounts.%s: '%s' looks like an auth config; the user id comes first"
      core.usage(order:format(operation, user_id))
    end
  end

  -- An option of ours, which the call leaves to us; raises for what is not a
  -- boolean.
  local function take(operation, options, name)
    if options == nil then
      return false
    elseif type(options) ~= "table" then
      local wrong = "connected_accounts.%s: expected a table of options, got %s"
      core.usage(wrong:format(operation, type(options)))
    end
    local value = options[name]
    if value ~= nil and type(value) ~= "boolean" then
      local wrong = "connected_accounts.%s: %s: expected true or false, got %s"
      core.usage(wrong:format(operation, name, type(value)))
    end
    return value or false
  end

  local function check_inactive(accounts, target)
    local account = target
    if type(target) ~= "table" or not rawget(target, "status") then
      account = accounts.get(target)
    end
    if account.status ~= "ACTIVE" then
      return
    end
    error(
      core.error_object {
        name = "ValidationError",
        message = "the account is ACTIVE; refreshing it would start a new login and end what works",
        suggested_fix = "give even_if_active = true if that is what you want",
        operation = "connected_accounts.refresh",
        account_id = account.id,
        retryable = false,
        outcome = "failed",
      },
      0
    )
  end

  core.on_resource("connected_accounts", function(accounts, client, methods)
    local function plain(name, extra)
      return core.operation(client, "connected_accounts", name, extra)
    end
    local refresh, update = plain("refresh", "even_if_active"), accounts.update
    local class = request_class(accounts)
    local makers = { link = of_link, initiate = of_create }

    -- What link or initiate would have returned for this reply; of the default
    -- client, which is dressed first.
    core.connection_request = core.connection_request
      or function(name, reply)
        return setmetatable(makers[name](reply), class)
      end

    local function begin(name, make, name_error)
      local call = plain(name, "allow_multiple")
      return function(user_id, auth_config_id, options)
        check_order(name, user_id, auth_config_id)
        local several = take(name, options, "allow_multiple")
        if not several and not in_recall() and text(user_id) and text(auth_config_id) then
          check_single(accounts, name, user_id, auth_config_id)
        end
        local ok, reply = pcall(call, user_id, auth_config_id, options)
        if not ok then
          error(name_error(reply), 0)
        elseif rawget(reply, "planned") then
          return reply
        end
        local request = make(reply)
        if not text(request.id) then
          error(no_account(name), 0)
        end
        return setmetatable(request, class)
      end
    end

    accounts.link = begin("link", of_link, link_error)
    accounts.initiate = begin("initiate", of_create, create_error)

    function accounts.refresh(target, options)
      if not take("refresh", options, "even_if_active") and not in_recall() then
        check_inactive(accounts, target)
      end
      return refresh(target, options)
    end

    function accounts.update(target, options)
      local ok, result = pcall(update, target, without_status(options))
      if not ok then
        error(acl_error(result) or result, 0)
      end
      return result
    end

    function methods.is_usable(account)
      local config = type(account.auth_config) == "table" and account.auth_config or {}
      return account.status == "ACTIVE" and not account.is_disabled and not config.is_disabled
    end
  end)
end
