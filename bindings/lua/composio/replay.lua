-- Checks before the first change of a saved plan: does it belong to this project, is it
-- within the limits, is it confirmed? A resumed run, too, is checked for accounts that
-- --protect names.
-- Must not know: plan files, how changes are sent.

local CHUNK = 100
local FEW = 10 -- changes named in the log

return function(_, core, host)
  if not host then
    return
  end

  -- Returns an iterator over the ids of the accounts that the plan changes, each once.
  local function plan_ids()
    local changes, seen = host.ledger():changes { run = host.run, previews = 1 }, {}
    return function()
      for row in changes do
        local id = row.account
        if row.resource == "connected_accounts" and id and id ~= "" and not seen[id] then
          seen[id] = true
          return id
        end
      end
    end
  end

  -- A key whose fingerprint differs from the plan's may be a rotated key of the same
  -- project. The service must then know every account of the plan.
  local function check_project()
    local ids, missing, count = {}, {}, 0

    local function check()
      local found = core.find_all(ids)
      for _, id in ipairs(ids) do
        if not found[id] then
          missing[#missing + 1] = id
        end
      end
      count = count + #ids
      ids = {}
    end

    for id in plan_ids() do
      ids[#ids + 1] = id
      if #ids == CHUNK then
        check()
      end
    end
    if #ids > 0 then
      check()
    end
    if #missing > 0 then
      local text = "refused: --same-project was given, but %d of the plan's %d accounts, such "
        .. "as %s, are not in this project: the plan was made for another one"
      host.stop("refused", text:format(#missing, count, missing[1]))
    end
  end

  -- ---- accounts that --protect names ----

  local function is_open(row)
    return row.outcome == "planned"
      or row.outcome == "not_tried"
      or (row.outcome == "failed" and host.with_failed)
  end

  local configs = {}

  -- Returns an auth config, each read once; one that is gone has its id alone.
  local function read_config(id)
    if not configs[id] then
      local good, config = pcall(core.reads.configs.get, id)
      if not good and config.status ~= 404 then
        error(config, 0)
      end
      configs[id] = good and config or { id = id }
    end
    return configs[id]
  end

  -- is_changed → id → why the config is protected, or false
  local prechecked = { [true] = {}, [false] = {} }

  local function config_why(id, is_changed)
    local known = prechecked[is_changed]
    if known[id] == nil then
      known[id] = core.config_protected(read_config(id), is_changed) or false
    end
    return known[id] or nil
  end

  -- Missing from a list is not proof of deletion: the list may be truncated. Gets one
  -- account by id; returns nil when it was deleted, nil and the reason when that cannot be
  -- known. A proxy's 404 proves nothing; the service's own errors have a code or a slug.
  local function get_unlisted(id)
    local good, account = pcall(core.reads.accounts.get, id)
    if good and account.id == id then
      return account
    elseif good then
      return nil, "the service answered with another account"
    elseif not core.is_error(account) or core.ends_run(account) then
      error(account, 0) -- the other accounts would fail in the same way
    elseif core.is_gone(account) then
      return nil
    end
    return nil, account.message
  end

  -- Returns the accounts by id, and the reasons by id for those that could not be read.
  local function read_accounts(ids)
    local found, failures = #ids > 0 and core.find_all(ids) or {}, {}
    for _, id in ipairs(ids) do
      if not found[id] then
        found[id], failures[id] = get_unlisted(id)
      end
    end
    return found, failures
  end

  local function account_why(id, account, failure)
    local slug = account and account.toolkit.slug
    return host.protected(id, account and account.user_id, slug)
      or failure and "it is not known whether it is protected: " .. failure
  end

  local function why_of(row, found, failures)
    local id = row.account
    if row.resource == "auth_configs" then
      return config_why(id, true)
    elseif id and id ~= "" then
      return account_why(id, found[id], failures[id])
    end
    return host.protected(nil, row.user, nil)
      or row.auth_config and config_why(row.auth_config, false)
  end

  local function leave_out(rows, left)
    local ids, seen = {}, {}
    for _, row in ipairs(rows) do
      local id = row.account
      if row.resource == "connected_accounts" and id and id ~= "" and not seen[id] then
        ids[#ids + 1], seen[id] = id, true
      end
    end
    local found, failures = read_accounts(ids)
    for _, row in ipairs(rows) do
      local why = why_of(row, found, failures)
      if why then
        host.leave_out(row.number, why)
        left.count = left.count + 1
        if left.count <= FEW then
          local whom = row.account or row.user or "?"
          host.log(("  left out: %s %s, %s"):format(row.name, whom, why))
        end
      end
    end
  end

  -- Checks every open change, because the plan may have been made without --protect or
  -- with another file.
  local function protect()
    local rows, left = {}, { count = 0 }
    for row in host.ledger():changes { run = host.run, previews = 1 } do
      if is_open(row) then
        rows[#rows + 1] = row
      end
      if #rows == CHUNK then
        leave_out(rows, left)
        rows = {}
      end
    end
    leave_out(rows, left)
    if left.count > FEW then
      host.log(("  left out: … and %d more"):format(left.count - FEW))
    end
  end

  -- ---- the limits ----

  -- Returns how many accounts the plan's changes of one operation change now.
  local function weigh_operation(operation)
    local weight = 0
    local name = ("%s.%s"):format(operation.resource, operation.name)
    for row in host.ledger():changes { run = host.run, operation = name, previews = 1 } do
      if row.outcome ~= "same" and row.outcome ~= "skipped" then
        local count = math.tointeger(read_config(row.account)[operation.weight])
        weight = weight + math.max(count or 1, 1)
      end
    end
    return weight
  end

  local function weigh()
    local weight = 0
    for _, operation in ipairs(core.operations()) do
      weight = weight + (operation.weight and weigh_operation(operation) or 0)
    end
    return weight
  end

  -- Returns the script of a replay with these checks in front of it.
  function core.with_plan(script)
    return function()
      if host.other_key then
        check_project()
      end
      if host.protects then
        protect()
      end
      if host.only_plan then
        core.ensure_project()
        host.guard_plan(weigh())
      end
      return script()
    end
  end
end
