-- Operations with checks before the call; their rows in the operation table say which.
-- Must not know: how calls are made, how waits work, any operation by its name.
-- Creates first look for an ACTIVE account of the same user and auth config, as the
-- official clients do. Check and call are two requests: the service does not prevent
-- another client from creating an account between them.

local ACL_FRAGMENT = "acl_config_for_shared is only valid on SHARED"
local RETIRED_FRAGMENT = "no longer supported"

return function(_, core, host)
  -- Does the action run again only for its secrets? Then its plan is already sealed, and
  -- the checks are not repeated.
  local function in_recall()
    return host ~= nil and host.item_kind() == "recall"
  end

  -- Returns the same error under the name that the official clients use; err is its cause.
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

  local function acl_or_same(err)
    return acl_error(err) or err
  end

  local function create_error(err)
    if not core.is_error(err) then
      return err
    end
    local retired = err.status == 400
      and (not err.slug or err.slug == "ConnectedAccount_BadRequest")
      and (err.message or ""):find(RETIRED_FRAGMENT, 1, true)
    if retired then
      local fix = "use link with the same user and auth config; it returns a URL for the user"
      return renamed(err, "ComposioLegacyConnectedAccountsEndpointRetiredError", err.message, fix)
    end
    return acl_or_same(err)
  end

  -- Errors that are not renamed: the official client passes some on unchanged, and others
  -- are not about this link (a rejected key, a shut gate).
  local STORED = {
    AuthenticationError = true,
    RouteNotFoundError = true,
    ComposioRequestCancelledError = true,
    ComposioWriteRefusedError = true,
    ValidationError = true,
  }

  local function failure(row, err)
    if not core.is_error(err) or STORED[err.name] then
      return err
    end
    local message = "Failed to create connected account link: " .. tostring(err.message)
    return acl_error(err) or renamed(err, row.failure, message)
  end

  -- The helpers of auth_scheme set the status of a new account. The service rejects a
  -- status in a change of credentials, so this returns a copy of the options without it.
  local function without_status(options, row)
    local name, where = row.credentials, "connected_accounts." .. row.name
    local credentials = type(options) == "table" and rawget(options, name)
    local val = type(credentials) == "table" and rawget(credentials, "val")
    if type(val) ~= "table" or rawget(val, "status") == nil then
      return options
    end
    local function copy(from)
      local to = {}
      core.check_plain(where, from)
      for key, value in next, from do
        to[key] = value
      end
      return to
    end
    options, credentials = copy(options), copy(credentials)
    credentials.val = copy(val)
    credentials.val.status = nil
    options[name] = credentials
    return options
  end

  -- ---- connection requests ----

  local function request_class(accounts)
    local methods = {}

    -- Waits, and stores the last status that was seen in the request.
    function methods.wait_for_connection(request, options)
      if type(request) ~= "table" then
        core.usage "wait_for_connection() is a method of connection requests: call it with a colon"
      end
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
      -- without the URL: anyone who has it can log in as the user
      __tostring = function(request)
        return ("connection request %s (%s)"):format(request.id, request.status)
      end,
    }
  end

  local function text(value)
    return type(value) == "string" and value ~= "" and value or nil
  end

  -- The reply to a create is the stored account, with status and URL under
  -- `connectionData.val`. The reply to a link has no status.
  local function request_of(row, reply)
    local data = type(reply.connectionData) == "table" and reply.connectionData or {}
    local val = type(data.val) == "table" and data.val or {}
    return {
      id = reply[row.makes],
      status = text(val.status) or text(reply.status) or "INITIATED",
      redirect_url = text(val.redirectUrl) or text(reply.redirect_url) or text(reply.redirect_uri),
      expires_at = text(reply.expires_at),
      link_token = text(reply.link_token),
    }
  end

  local function no_account(operation)
    return core.error_object {
      name = "APIError",
      message = "the reply has no account id",
      operation = "connected_accounts." .. operation,
      retryable = false,
      unavailable = true,
      outcome = "unknown",
    }
  end

  -- ---- before the call ----

  -- The service cannot filter by a user id that contains a comma. For such a user this
  -- reads all ACTIVE accounts of the auth config and compares here.
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

  local function check_single(accounts, row, user_id, auth_config_id)
    if not has_active(accounts, user_id, auth_config_id) then
      return
    end
    local message = "Multiple connected accounts found for user %s in auth config %s"
    error(
      core.error_object {
        name = "ComposioMultipleConnectedAccountsError",
        message = message:format(user_id, auth_config_id),
        suggested_fix = ("give %s = true to connect another one"):format(row.option),
        operation = "connected_accounts." .. row.name,
        retryable = false,
        outcome = "failed",
      },
      0
    )
  end

  local function check_order(operation, user_id, auth_config_id)
    if type(user_id) ~= "string" or type(auth_config_id) ~= "string" then
      return -- the call itself raises
    end
    if user_id:find "^ac_" and not auth_config_id:find "^ac_" then
      local order = "connected_accounts.%s: '%s' looks like an auth config; the user id comes first"
      core.usage(order:format(operation, user_id))
    end
  end

  -- Returns an option that is handled here and not by the call. Raises when it is not a
  -- boolean, and when the script wrote a colon for a dot. first: the first argument.
  local function take(operation, options, name, first)
    core.check_dot("connected_accounts." .. operation, operation, first)
    if options == nil then
      return false
    elseif type(options) ~= "table" then
      local wrong = "connected_accounts.%s: expected a table of options, got %s"
      core.usage(wrong:format(operation, type(options)))
    end
    core.check_plain("connected_accounts." .. operation, options)
    local value = options[name]
    if value ~= nil and type(value) ~= "boolean" then
      local wrong = "connected_accounts.%s: %s: expected true or false, got %s"
      core.usage(wrong:format(operation, name, type(value)))
    end
    return value or false
  end

  local function check_spared(accounts, client, row, target)
    local message = "the account is %s; a %s would start a new login and end the connection"
    local account, status = target, core.status_of(target, client)
    if not status then
      account = accounts.get(target)
      status = account.status
    end
    if status ~= row.spares then
      return
    end
    error(
      core.error_object {
        name = "ValidationError",
        message = message:format(row.spares, row.name),
        suggested_fix = ("give %s = true if that is what you want"):format(row.option),
        operation = "connected_accounts." .. row.name,
        account_id = account.id,
        retryable = false,
        outcome = "failed",
      },
      0
    )
  end

  core.on_resource("connected_accounts", function(accounts, client, methods)
    -- taken before a script could replace them: the checks stand on them
    local reads = { get = accounts.get, list = accounts.list }
    local class = request_class(accounts)

    -- Returns what a create would have returned for this reply. The methods are those of the
    -- default client: init.lua completes it first.
    core.connection_request = core.connection_request
      or function(row, reply)
        return setmetatable(request_of(row, reply), class)
      end

    local function creating(row, call)
      return function(user_id, auth_config_id, options)
        check_order(row.name, user_id, auth_config_id)
        local several = take(row.name, options, row.option, user_id)
        if not several and not in_recall() and text(user_id) and text(auth_config_id) then
          check_single(reads, row, user_id, auth_config_id)
        end
        local ok, reply = pcall(call, user_id, auth_config_id, options)
        if not ok then
          error(row.failure and failure(row, reply) or create_error(reply), 0)
        elseif rawget(reply, "planned") then
          return reply
        end
        local request = request_of(row, reply)
        if not text(request.id) then
          error(no_account(row.name), 0)
        end
        return setmetatable(request, class)
      end
    end

    local function sparing(row, call)
      return function(target, options)
        if not take(row.name, options, row.option, target) and not in_recall() then
          check_spared(reads, client, row, target)
        end
        return call(target, options)
      end
    end

    local function replacing(row, call)
      return function(target, options)
        local ok, result = pcall(call, target, without_status(options, row))
        if not ok then
          error(acl_or_same(result), 0)
        end
        return result
      end
    end

    for _, row in ipairs(core.operations()) do
      local call = row.resource == "connected_accounts" and accounts[row.name]
      if call and row.makes then
        accounts[row.name] = creating(row, call)
      elseif call and row.spares then
        accounts[row.name] = sparing(row, call)
      elseif call and row.credentials then
        accounts[row.name] = replacing(row, call)
      end
    end

    function methods.is_usable(account)
      if type(account) ~= "table" then
        core.usage "is_usable() is a method of accounts: call it with a colon"
      end
      local config = type(account.auth_config) == "table" and account.auth_config or {}
      return account.status == "ACTIVE" and not account.is_disabled and not config.is_disabled
    end
  end)
end
