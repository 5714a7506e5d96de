-- composio.runs, composio.history and account:history: iterators over what the ledger
-- holds of earlier runs of this project.
-- Must not know: SQL, how rows are read ahead, terminals.
-- Rows are read in batches, each one when the batch before is used up. No lock is held
-- while a script handles a row or waits for a call, so other processes can use the ledger.
-- The script's own run is not included, because it has not ended.

local changes = require "composio.pruned"

local RUNS = { mode = "string", since = "any" }
local MODES = { "apply", "preview" }
local HISTORY = {
  account = "any", operation = "string", outcome = "string", previews = "boolean", since = "any",
}
local OF_ACCOUNT = {
  operation = "string", outcome = "string", previews = "boolean", since = "any",
}
local OUTCOMES = {
  "done", "same", "failed", "skipped", "unknown", "stale", "pending", "planned", "intended",
  "not_tried",
}

local now = os.time -- a script may replace it

local function without_host(core)
  return function()
    core.usage "composio.runs and composio.history need the host: run this script with composio-lua"
  end
end

return function(composio, core, host)
  local account_history

  core.on_resource("connected_accounts", function(_, _, methods)
    function methods.history(account, options)
      if type(account) ~= "table" then
        core.usage "history() is a method of accounts: call it with a colon"
      end
      return account_history(account, options)
    end
  end)

  if not host then
    local refuse = without_host(core)
    composio.runs, composio.history, account_history = refuse, refuse, refuse
    return
  end

  -- ---- options ----

  -- Returns the value if it is nil or one of these words; raises otherwise.
  local function check_word(where, name, value, words)
    for _, word in ipairs(words) do
      if value == nil or value == word then
        return value
      end
    end
    local near = type(value) == "string" and core.nearest(value, words)
    core.usage(("%s: %s is one of %s, got '%s'%s"):format(where, name, table.concat(words, ", "),
      tostring(value), near and " (did you mean '" .. near .. "'?)" or ""))
  end

  -- Converts a duration ("90d", seconds) or a time (as composio.ago returns it) to
  -- milliseconds since 1970.
  local function check_since(where, since)
    if since == nil then
      return 0
    end
    local seconds = core.seconds(since)
    local ms = seconds and (now() - math.floor(seconds)) * 1000
    ms = ms or type(since) == "string" and host.milliseconds(since)
    if not ms then
      local wrong = "%s: since: expected a duration such as '90d', or a time such as "
        .. "composio.ago('90d') gives, got '%s'"
      core.usage(wrong:format(where, tostring(since)))
    end
    return ms
  end

  local function check_account(where, account)
    local id = account
    if type(account) == "table" then
      id = account.id
    end
    if account ~= nil and (type(id) ~= "string" or id == "") then
      core.usage(where .. ": account: expected an id or an account, got " .. type(account))
    end
    return id
  end

  local operations -- names in scripts → names in the ledger

  local function check_operation(where, operation)
    if not operations then
      operations = { names = {} }
      for _, row in ipairs(core.operations()) do
        if row.class ~= "read" then
          local is_account = row.resource == "connected_accounts"
          local name = is_account and row.name or row.resource .. "." .. row.name
          operations[name] = row.resource .. "." .. row.name
          operations.names[#operations.names + 1] = name
        end
      end
    end
    local known = check_word(where, "operation", operation, operations.names)
    return known and operations[known]
  end

  -- ---- the ledger ----

  local ledger -- opened by the first query that finds one
  local gathered = false

  local function open()
    ledger = ledger or host.ledger()
    return ledger
  end

  -- Returns an iterator over rows_of()'s rows, each converted by `make`. rows_of is called
  -- at the first step.
  local function iterate(rows_of, make)
    local rows, ended
    return function()
      if ended then
        return nil
      end
      rows = rows or open() and rows_of()
      local row = rows and rows()
      ended = row == nil or row == false
      return row and make(row) or nil
    end
  end

  -- ---- runs ----

  local function run_of(row)
    return {
      id = row.run,
      script = row.script,
      mode = row.mode,
      state = host.state(row),
      began_at = row.began,
      ended_at = row.ended,
      exit = row.exit,
      sessions = row.sessions,
      undoes = row.undoes,
      params = core.json_decode(row.params or "{}"),
      changes = row.changes,
      who = row.who,
      host = row.host,
      version = row.version,
    }
  end

  -- for run in composio.runs { mode = "apply", since = "90d" } do … end
  function composio.runs(...)
    local given = core.check_only_options("composio.runs", "runs", ...)
    local options = core.check_options("composio.runs", given, RUNS)
    local filter = {
      project = host.own_project,
      mode = check_word("composio.runs", "mode", options.mode, MODES),
      since_ms = check_since("composio.runs", options.since),
    }
    local function rows_of()
      local rows = ledger:runs(filter)
      return function()
        local row = rows()
        if row and row.run == host.own_run() then
          row = rows()
        end
        return row
      end
    end
    return iterate(rows_of, run_of)
  end

  -- ---- changes ----

  local function change_of(row)
    local is_account = row.resource == "connected_accounts"
    return {
      run = row.run,
      script = row.script,
      mode = row.mode,
      pruned = row.pruned,
      at = row.at,
      operation = row.operation,
      outcome = row.outcome,
      account_id = is_account and (row.account or row.made) or nil,
      auth_config_id = row.auth_config or not is_account and row.account or nil,
      user_id = row.user or row.item_user,
      toolkit = row.toolkit,
      key = row.key,
      status_before = row.before,
      status_after = row.after,
      reason = row.reason,
      error = row.error,
      resolved_at = row.resolved,
      resolved_by = row.resolved_by,
      resolution = row.resolution,
      request_id = row.request_id,
      fallback = row.fallback,
      class = row.class,
      line = row.line,
      who = row.who,
      host = row.host,
    }
  end

  local function history(where, account, options)
    local filter = {
      project = host.own_project,
      account = account,
      operation = check_operation(where, options.operation),
      outcome = check_word(where, "outcome", options.outcome, OUTCOMES),
      previews = options.previews and 1 or 0,
      since_ms = check_since(where, options.since),
    }
    local function rows_of()
      if account and not gathered then
        ledger:gather(nil, host.own_project)
        gathered = true
      end
      local rows = changes(ledger, filter)
      return function()
        filter.except = host.own_run()
        return rows()
      end
    end
    return iterate(rows_of, change_of)
  end

  -- for change in composio.history { operation = "disable", since = "90d" } do … end
  function composio.history(...)
    local where = "composio.history"
    local given = core.check_only_options(where, "history", ...)
    local options = core.check_options(where, given, HISTORY)
    return history(where, check_account(where, options.account), options)
  end

  -- for change in account:history { outcome = "done" } do … end
  function account_history(account, given)
    local where = "account:history"
    local options = core.check_options(where, given, OF_ACCOUNT)
    return history(where, check_account(where, account or ""), options)
  end
end
