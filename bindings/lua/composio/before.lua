-- Before-images: how an account is before a run changes it. They tell which changes
-- are not needed, what the guard counts, what undo restores, and which items went
-- stale after the plan was made.
-- Must not know: how changes are recorded or sent.
-- An account object is its own before-image. For an id, this file reads the account:
-- in a bulk's action in one request with the ids of other actions, elsewhere with a
-- get. Only the host records changes, so in stock Lua this file does nothing.

local CHUNK = 100 -- ids per request

return function(_, core, host)
  if not host then
    return
  end

  -- The default client's reads, taken before a script could put other functions into
  -- composio.connected_accounts: guards stand on them.
  local reads = {}
  core.reads = reads

  -- ---- many ids, one request ----

  local waiting = {} -- id → its entry: the signals of the tasks that wait for it
  local batch -- ids of the next request

  local function answer(entry)
    for _, signal in ipairs(entry.signals) do
      signal:set()
    end
  end

  -- Returns the accounts of at most CHUNK ids, by id. Raises when the listing is
  -- incomplete.
  local function find_all(ids)
    local found = {}
    local walk = reads.accounts
      .each({ connected_account_ids = ids, account_type = "ALL", limit = CHUNK })
      :walk(true)
    for account in walk do
      found[account.id] = account
    end
    local listing = walk:listing()
    if not listing.complete then
      error(("cannot read the accounts: %s"):format(listing.reason), 0)
    end
    return found
  end
  core.find_all = find_all

  local function fetch(mine)
    core.sleep(0) -- lets the other runnable tasks add their ids first
    if batch == mine then
      batch = nil
    end
    local good, found = pcall(find_all, mine.ids)
    for id, entry in pairs(mine.entries) do
      waiting[id] = nil
      if good then
        entry.account = found[id]
      else
        entry.failure = found
      end
      answer(entry)
    end
  end

  local function enter(id)
    if not batch or #batch.ids == CHUNK then
      batch = { ids = {}, entries = {} }
      core.spawn(fetch, batch)
    end
    local entry = { signals = {} }
    batch.ids[#batch.ids + 1] = id
    batch.entries[id], waiting[id] = entry, entry
    return entry
  end

  -- Returns the account, or nil when it does not exist.
  local function lookup(id)
    if not core.can_suspend() or id:find(",", 1, true) then
      local good, account = pcall(reads.accounts.get, id)
      if not good and not core.is_gone(account) then
        error(account, 0)
      end
      return good and account or nil
    end
    local entry = waiting[id] or enter(id)
    local signal = host.signal()
    entry.signals[#entry.signals + 1] = signal
    signal:wait()
    if entry.failure then
      error(entry.failure, 0)
    end
    return entry.account
  end
  core.lookup = lookup

  local function not_found(operation, id)
    error(
      core.error_object {
        name = "ComposioConnectedAccountNotFoundError",
        message = "not found: it was deleted, or belongs to another project",
        operation = operation,
        account_id = id,
        status = 404,
        retryable = false,
        outcome = "failed",
      },
      0
    )
  end

  -- ---- the project ----

  -- Asks once for the project's number of accounts: limits in per cent refer to it.
  local function ensure_project()
    if host.needs_project() then
      local page = reads.accounts.list { limit = 1, account_type = "ALL" }
      host.project(math.tointeger(page.total_items) or -1)
    end
  end
  core.ensure_project = ensure_project

  -- ---- accounts and auth configs after straight-line changes ----

  -- id → true when the run has changed it: what the script read before is out of date.
  -- A preview changes nothing, so there the value is the status that the planned change
  -- leads to.
  local changed = {}

  local function change_straight(change, row, account, id, ...)
    if host.is_apply then
      changed[id] = true -- also when the change fails: it may have happened
      return change(account, ...)
    end
    local expected = changed[id]
    local result = change(expected and host.with_status(account, expected) or account, ...)
    changed[id] = row.becomes or expected
    return result
  end


  -- ---- auth configs and protection ----

  local noted = {}

  local function protected_below(id)
    local walk = reads.accounts.each({ auth_config_ids = { id }, account_type = "ALL" }):walk()
    for account in walk do
      local why = host.protected(account.id, account.user_id, account.toolkit.slug)
      if why then
        walk:close() -- one protected account is enough
        return ("%s (account %s)"):format(why, account.id)
      end
    end
    local listing = walk:listing()
    if not listing.complete then
      return "it is not known whether an account below it is protected: " .. listing.reason
    end
  end

  -- Returns why the auth config is protected (or nil), and its toolkit. When the config
  -- itself is to be changed, a protected account below it protects it, too.
  local function config_protected(config, is_changed)
    local slug = type(config.toolkit) == "table" and config.toolkit.slug or nil
    local why = host.protected(config.id, nil, slug)
    if is_changed then
      why = why or protected_below(config.id)
    end
    return why, slug
  end
  core.config_protected = config_protected

  -- Tells the host whether the config is protected, once for each use.
  local function note_config(config, is_changed)
    if not host.protects or noted[config.id] and (noted[config.id].whole or not is_changed) then
      return
    end
    local why, slug = config_protected(config, is_changed)
    noted[config.id] = { whole = is_changed }
    host.note_config(config.id, slug, why)
  end

  local function id_of(target)
    local id = target
    if type(target) == "table" then
      id = target.id
    end
    return type(id) == "string" and id ~= "" and id or nil
  end

  -- ---- changes of accounts ----

  local function wrap_account_change(accounts, client, row)
    local name = "connected_accounts." .. row.name
    local change = accounts[row.name]
    local plan = core.unguarded[change]
    local check = core.check(client, "connected_accounts", row.name)
    -- Of a table that the script made, or that another client read, only the id is used.
    local is_read = core.read_by(client)

    local function image_of(target, kind)
      local id = id_of(target)
      if kind == "after" or kind == "recall" or not id then
        return target
      elseif kind == "plan" then
        return is_read(target) and target
          or host.item_account(id)
          or lookup(id)
          or not_found(name, id)
      elseif is_read(target) and changed[id] ~= true then
        return target
      end
      local good, account = pcall(reads.accounts.get, id)
      if good then
        return account
      end
      if core.is_gone(account) then
        host.fail_straight(row.name, id, account.message)
        account.operation = name
      end
      return error(account, 0)
    end

    accounts[row.name] = function(target, options, ...)
      local kind = host.item_kind()
      if kind == "plan" and is_read(target) then
        return plan(target, options, ...) -- the usual case, kept fast
      end
      local class = check(target, options, ...)
      if kind ~= "after" then
        host.check_class(row.name, id_of(target), class)
      end
      if kind then
        return change(image_of(target, kind), options, ...)
      end
      ensure_project()
      local account, id = image_of(target), id_of(target)
      if not id then
        return change(account, options, ...) -- raises: the target has no id
      end
      return change_straight(change, row, account, id, options, ...)
    end
  end

  local function wrap_create(accounts, name)
    local create = accounts[name]
    accounts[name] = function(user_id, auth_config_id, ...)
      local kind = host.item_kind()
      if not kind then
        ensure_project()
      end
      if host.protects and kind ~= "after" and type(auth_config_id) == "string" then
        local good, config = pcall(reads.configs.get, auth_config_id)
        if good then
          note_config(config, false)
        elseif core.is_error(config) and config.status ~= 404 then
          error(config, 0) -- its toolkit may be protected
        end -- on a 404 the call itself reports the error
      end
      return create(user_id, auth_config_id, ...)
    end
  end

  local function wrap_config_change(configs, client, row)
    local change = configs[row.name]
    local check = core.check(client, "auth_configs", row.name)
    configs[row.name] = function(target, options, ...)
      local kind, id = host.item_kind(), id_of(target)
      local class = check(target, options, ...)
      if kind ~= "after" then
        host.check_class(row.name, id, class)
      end
      if kind == "after" or kind == "recall" or not id then
        return change(target, options, ...)
      end
      if not kind then
        ensure_project()
      end
      local is_read = not core.has_clients and core.status_of(target) ~= nil
      local config = is_read and changed[id] ~= true and target or reads.configs.get(id)
      note_config(config, true)
      if kind then
        return change(config, options, ...)
      end
      return change_straight(change, row, config, id, options, ...)
    end
  end

  local function changes(resource)
    local list = {}
    for _, row in ipairs(core.operations()) do
      if row.resource == resource and row.class ~= "read" then
        list[#list + 1] = row
      end
    end
    return list
  end

  local function is_default(client)
    return rawequal(client, core.default_client())
  end

  core.on_resource("connected_accounts", function(accounts, client)
    if not is_default(client) then
      return -- a run's changes go through the default client
    end
    reads.accounts = { get = accounts.get, list = accounts.list, each = accounts.each }
    for _, row in ipairs(changes "connected_accounts") do
      if row.of_account then
        wrap_account_change(accounts, client, row)
      else
        wrap_create(accounts, row.name)
      end
    end
  end)

  core.on_resource("auth_configs", function(configs, client)
    if not is_default(client) then
      return
    end
    reads.configs = { get = configs.get }
    for _, row in ipairs(changes "auth_configs") do
      wrap_config_change(configs, client, row)
    end
  end)
end
