-- wait_for_connection: waits until a person has logged in or the connection has failed.
-- Must not know: how links are made.
-- A single wait gets its account once per interval (1 s by default). Waits in several
-- tasks share listings instead: the first wait that is due asks for all, so a thousand
-- waits cost ten requests a second and not a thousand.

local HOUR = 3600 -- nobody waits longer for a link that lives ten minutes
local CHUNK = 100 -- ids per request
local FAILURES = { FAILED = true, EXPIRED = true, REVOKED = true }
local OPERATION = "connected_accounts.wait_for_connection"

return function(composio, core)
  local OPTIONS = { timeout = "seconds", interval = "seconds", inactive_is_failure = "boolean" }

  local function read_seconds(name, value, least)
    if value > HOUR then
      local text = "wait_for_connection: %s: %g is more than 3600; "
        .. "it is in seconds, not milliseconds"
      core.usage(text:format(name, value))
    elseif value ~= value or value < least then
      core.usage(("wait_for_connection: %s: %g is too short"):format(name, value))
    end
    return value
  end

  local function read_options(given)
    local options = core.check_options("wait_for_connection", given, OPTIONS)
    options.timeout = read_seconds("timeout", options.timeout or 60, 0)
    options.interval = read_seconds("interval", options.interval or 1, 0.01)
    return options
  end

  local function has_name(err, name)
    return core.is_error(err) and err.name == name
  end

  local function failure(name, id, account, message, fix, retryable)
    return core.error_object {
      name = name,
      message = message,
      suggested_fix = fix,
      operation = OPERATION,
      account_id = id,
      account_status = account and account.status,
      status_reason = account and account.status_reason,
      retryable = retryable or false,
      outcome = "failed",
    }
  end

  local function failed(id, account)
    local message = "Connection request failed with status: " .. account.status
    if account.status_reason then
      message = message .. ", reason: " .. account.status_reason
    end
    local fix = "make a new link for this user"
    return failure("ConnectionRequestFailedError", id, account, message, fix)
  end

  local function timed_out(id, account)
    local message = "Connection request timed out for " .. id
    local fix = "nobody logged in yet; a link is valid for ten minutes, so waiting again may help"
    return failure("ConnectionRequestTimeoutError", id, account, message, fix, true)
  end

  -- Returns whether the account is ACTIVE. Raises when the connection has failed.
  local function check(wait, account)
    local status = account.status
    wait.last = account
    if FAILURES[status] or (status == "INACTIVE" and wait.options.inactive_is_failure) then
      error(failed(wait.id, account), 0)
    end
    return status == "ACTIVE"
  end

  -- ---- many waits, one listing ----

  -- Lists the accounts of all due waits, CHUNK at a time. Each wait gets its account in
  -- `found` (false when the listing lacks it) or an error in `cause`.
  local function ask_for(poller, due)
    for first = 1, #due, CHUNK do
      local chunk = table.move(due, first, math.min(first + CHUNK - 1, #due), 1, {})
      local ids, found = {}, {}
      for place, wait in ipairs(chunk) do
        ids[place] = wait.id
      end
      local cursor
      local ok, cause = pcall(function()
        repeat
          local page = poller.list {
            connected_account_ids = ids,
            account_type = "ALL",
            limit = CHUNK,
            cursor = cursor,
          }
          for _, account in ipairs(page.items) do
            found[account.id] = account
          end
          cursor = page.next_cursor
        until not cursor or cursor == "" or #page.items == 0
      end)
      if not ok and has_name(cause, "ComposioRequestCancelledError") then
        error(cause, 0) -- only this task was cancelled
      end
      for _, wait in ipairs(chunk) do
        if ok then
          wait.found = found[wait.id] or false
        else
          wait.cause = cause
        end
        wait.due = core.now() + wait.options.interval
      end
    end
  end

  -- A wait is due: asks for all waits that are due within 0.25 s.
  local function lead(poller)
    local due, soon = {}, core.now() + 0.25
    for wait in pairs(poller.waits) do
      if wait.due <= soon then
        due[#due + 1] = wait
        wait.due = math.huge -- no other task asks for it meanwhile
      end
    end
    poller.leading = true
    local _ <close> = setmetatable({}, {
      __close = function()
        poller.leading = false
        for _, wait in ipairs(due) do
          if wait.due == math.huge then -- this task was stopped before it asked
            wait.due = core.now()
          end
        end
        for wait in pairs(poller.waits) do
          wait.pause:wake()
        end
      end,
    })
    ask_for(poller, due)
  end

  -- Waits for the next result of this wait. Returns the account, or nil at the deadline.
  local function news(poller, wait)
    while wait.found == nil and not wait.cause do
      local now = core.now()
      if now >= wait.deadline then
        return nil
      elseif poller.leading then -- the leading task wakes all others
        wait.pause:wait(wait.deadline - now)
      elseif wait.due <= now then
        lead(poller)
      else
        wait.pause:wait(math.min(wait.deadline, wait.due) - now)
      end
    end
    local found, cause = wait.found, wait.cause
    wait.found, wait.cause = nil, nil
    if cause then
      error(cause, 0)
    elseif found == false then
      found = poller.get(wait.id) -- not listed: the error of get tells why
    end
    return found
  end

  local function wait_together(poller, wait)
    poller.waits[wait] = true
    local _ <close> = setmetatable({}, {
      __close = function()
        poller.waits[wait] = nil
      end,
    })
    wait.pause, wait.due = core.pause(), core.now() + wait.options.interval
    repeat
      local account = news(poller, wait)
      if not account then
        error(timed_out(wait.id, wait.last), 0)
      end
    until check(wait, account)
    return poller.get(wait.id) -- a listing has fewer fields than a get
  end

  -- ---- one wait ----

  -- One get whose timeout is the time left to the wait, but at least 0.5 s.
  local function get_within(poller, wait)
    local rest = math.max(wait.deadline - core.now(), 0.5)
    local ok, account = pcall(poller.get, wait.id, { timeout = rest })
    if ok then
      return account
    elseif has_name(account, "APIConnectionTimeoutError") and core.now() >= wait.deadline then
      error(timed_out(wait.id, wait.last), 0)
    end
    return error(account, 0)
  end

  -- The first get follows the caller's at once: the official client also begins with two
  -- gets. Later ones are an interval apart, and the last one is at the deadline.
  local function wait_alone(poller, wait)
    while core.now() < wait.deadline do
      local account = get_within(poller, wait)
      if check(wait, account) then
        return account
      end
      local rest = wait.deadline - core.now()
      if rest <= 0 then
        break
      end
      composio.sleep(math.min(wait.options.interval, rest))
      if poller.active > 1 and core.can_suspend() then
        return wait_together(poller, wait)
      end
      if core.now() >= wait.deadline then
        account = poller.get(wait.id)
        if check(wait, account) then
          return account
        end
      end
    end
    return error(timed_out(wait.id, wait.last), 0)
  end

  local function id_of(target)
    if type(target) == "table" then
      target = rawget(target, "id")
    end
    if type(target) ~= "string" then
      local text = "wait_for_connection: expected an id, an account or a connection request, got "
      core.usage(text .. type(target))
    end
    return target
  end

  core.on_resource("connected_accounts", function(accounts, _, methods)
    local poller = { get = accounts.get, list = accounts.list, waits = {}, active = 0 }

    function accounts.wait_for_connection(target, given)
      core.check_dot("wait_for_connection", "wait_for_connection", target)
      local id, options = id_of(target), read_options(given)
      local wait = { id = id, options = options, deadline = core.now() + options.timeout }
      local account = poller.get(id)
      if check(wait, account) then
        return account
      end
      poller.active = poller.active + 1
      local _ <close> = setmetatable({}, {
        __close = function()
          poller.active = poller.active - 1
        end,
      })
      if poller.active > 1 and core.can_suspend() then
        account = wait_together(poller, wait)
      else
        account = wait_alone(poller, wait)
      end
      return account
    end
    methods.wait_for_connection = accounts.wait_for_connection
  end)
end
