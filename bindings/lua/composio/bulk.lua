-- composio.bulk: one decision for many accounts. Select, plan, and with
-- --apply carry out and look after each finished item.
-- Must not know: how changes are sent, options of the command line.
-- The action only decides: what it plans is in the ledger before anything is
-- sent, and no code of the script runs while changes are carried out, except
-- `after`, which cannot write.

local host = package.loaded["composio.host"]

local KNOWN = { "name", "key", "after", "concurrency", "allow_incomplete" }
local CHUNK = 100 -- ids asked for at once
local TYPES = {
  name = "string",
  key = "function",
  after = "function",
  concurrency = "number",
  allow_incomplete = "boolean",
}

-- Many tasks may ask for the next one of something that itself waits: one
-- pulls, the others wait in a queue. Whoever is woken looks again, so that a
-- task that never waits goes on without a change of tasks.
local function make_turns(pull)
  local pulling, queue = false, {}
  -- No table holds what was pulled: this runs once per item.
  local function pulled(good, ...)
    pulling = false
    local turn = table.remove(queue, 1)
    if turn then
      turn:set()
    end
    if not good then
      error((...), 0)
    end
    return ...
  end
  return function()
    while pulling do
      local turn = host.signal()
      queue[#queue + 1] = turn
      turn:wait()
    end
    pulling = true
    return pulled(pcall(pull))
  end
end

return function(composio, core)
  if not host then
    function composio.bulk()
      core.usage "composio.bulk needs the host: run this script with composio-lua"
    end
    return
  end

  local accounts_of = function()
    return composio.connected_accounts
  end

  -- Runs `count` tasks of the same function; the first failure ends all.
  local function together(count, work)
    local tasks = {}
    for i = 1, count do
      tasks[i] = composio.spawn(work)
    end
    local failed, cause
    for _, task in ipairs(tasks) do
      local good, why = pcall(task.join, task)
      if not good and not failed then
        failed, cause = true, why
        for _, other in ipairs(tasks) do
          other:cancel "another task of the bulk failed"
        end
      end
    end
    if failed then
      error(cause, 0)
    end
  end

  -- ---- selections ----
  -- A source has next() → subject, key, account, row; and why(), the reason
  -- why the listing is incomplete, or nil.

  local function of_accounts(selection, options)
    local source, walk = {}, selection:walk(true)
    function source.next()
      local account = walk()
      if account then
        return account, options.key and options.key(account) or account.id, account
      end
    end
    function source.why()
      local state = walk:listing()
      host.listing(state.accounts, state.pages, state.complete)
      return state.reason
    end
    return source
  end

  local function check_ids(ids)
    local seen = {}
    for place, id in ipairs(ids) do
      if type(id) ~= "string" or id == "" then
        core.usage(("composio.bulk: place %d of the list is no account id"):format(place))
      end
      if seen[id] then
        local places = ("%d and %d"):format(seen[id], place)
        core.usage(("composio.bulk: %s is in the list twice, at %s"):format(id, places))
      end
      seen[id] = place
    end
  end

  -- Ids get their accounts in lists of a hundred; what the service does not
  -- know fails as not found.
  local function of_ids(ids)
    local source, at, ready, first, why = {}, 0, {}, 1, nil
    check_ids(ids)
    local function fill()
      local chunk, found = table.move(ids, at + 1, math.min(at + CHUNK, #ids), 1, {}), {}
      at = at + #chunk
      if #chunk == 0 then
        return false
      end
      local walk = accounts_of()
        .each({ connected_account_ids = chunk, account_type = "ALL", limit = CHUNK })
        :walk(true)
      for account in walk do
        found[account.id] = account
      end
      why = why or walk:listing().reason
      ready, first = {}, 1
      for place, id in ipairs(chunk) do
        ready[place] = { id, found[id] }
      end
      return true
    end
    function source.next()
      if first > #ready and not fill() then
        return nil
      end
      local id, account = table.unpack(ready[first], 1, 2)
      first = first + 1
      return account or { id = id, missing = true }, id, account, nil, not account
    end
    function source.why()
      return why
    end
    return source
  end

  -- Rows: of a file (callable), or of a list of tables.
  local function of_rows(next_row, options, secret)
    local source, place = {}, 0
    local hidden = {}
    for _, name in ipairs(secret or {}) do
      hidden[name] = true
    end
    function source.next()
      local row = next_row()
      if row == nil then
        return nil
      end
      place = place + 1
      if type(row) ~= "table" then
        core.usage(("composio.bulk: row %d is no table but %s"):format(place, type(row)))
      end
      local key
      if options.key then
        key = options.key(row)
      else
        key = row.id
      end
      if type(key) ~= "string" or key == "" then
        core.usage(("composio.bulk: row %d has no key: give key = function(row)"):format(place))
      end
      local kept = {}
      for name, value in pairs(row) do
        if not hidden[name] then
          kept[name] = value
        end
      end
      return row, key, nil, core.json_encode(kept, "composio.bulk: row")
    end
    function source.why() end
    return source
  end

  local function list_iterator(list)
    local at = 0
    return function()
      at = at + 1
      return list[at]
    end
  end

  local function make_source(selection, options)
    local kind = type(selection)
    local is_selection = kind == "table" or kind == "userdata"
    if is_selection and not selection.is_rows and selection.listing then
      return of_accounts(selection, options)
    elseif is_selection and selection.is_rows then
      return of_rows(selection, options, selection.secret)
    elseif kind == "function" then
      return of_rows(selection, options)
    elseif kind == "table" and type(selection[1]) == "string" then
      return of_ids(selection)
    elseif kind == "table" then
      return of_rows(list_iterator(selection), options)
    end
    return core.usage("composio.bulk: expected accounts.each { … }, ids or rows, got " .. kind)
  end

  -- ---- arguments ----

  local function read_arguments(...)
    local count = select("#", ...)
    if count < 2 or count > 3 then
      core.usage "composio.bulk: expected (selection, action), with a name or options before them"
    end
    local options, selection, action = ...
    if count == 2 then
      options, selection, action = {}, ...
    end
    if type(options) == "string" then
      options = { name = options }
    elseif type(options) ~= "table" then
      core.usage("composio.bulk: expected a name or options, got " .. type(options))
    end
    for key, value in pairs(options) do
      local expected = TYPES[key]
      if not expected then
        core.unknown_option("composio.bulk", tostring(key), KNOWN)
      elseif type(value) ~= expected then
        core.usage(("composio.bulk: %s: expected a %s, got %s"):format(key, expected, type(value)))
      end
    end
    local workers = options.concurrency
    if workers and not (math.type(workers) == "integer" and workers > 0 and workers <= 512) then
      core.usage "composio.bulk: concurrency: expected a whole number from 1 to 512"
    end
    if type(action) ~= "function" then
      core.usage("composio.bulk: expected a function as action, got " .. type(action))
    end
    if not host.can_suspend() then
      core.usage "composio.bulk: call it in the script itself, not in a coroutine or a callback"
    end
    return options, selection, action
  end

  -- ---- steps ----

  local function not_found()
    error("not found: it was deleted, or belongs to another project", 0)
  end

  -- A page that cannot be had makes the listing incomplete; a script's mistake
  -- or a rejected key ends the bulk.
  local function is_listing_trouble(cause)
    return core.is_error(cause) and cause.status ~= 401
  end

  local function plan(bulk, source, action, workers)
    local trouble, cut
    local limit, taken = host.limit_items, 0
    local pull = make_turns(function()
      cut = limit > 0 and taken >= limit
      if trouble or cut then
        return nil
      end
      taken = taken + 1
      return source.next()
    end)
    together(workers, function()
      while true do
        local good, subject, key, account, row, missing = pcall(pull)
        if not good then
          local cause = subject
          if not is_listing_trouble(cause) then
            error(cause, 0)
          end
          trouble = trouble or cause
          return
        end
        if subject == nil then
          return
        end
        host.plan_item(bulk, missing and not_found or action, subject, key, account, row)
      end
    end)
    -- nothing at all could be read: that is no listing without accounts
    if trouble and taken <= 1 then
      error(trouble, 0)
    end
    local why = source.why()
    -- what was cut was asked for
    return trouble and tostring(trouble) or (not cut and why or nil)
  end

  -- What calls would have returned, for what the service answered.
  local function results_of(replies)
    local results = {}
    for key, reply in pairs(replies) do
      results[key] = reply
    end
    for _, name in ipairs { "link", "initiate" } do
      local reply = results[name]
      if reply then
        local request = core.connection_request(name, reply)
        for key, other in pairs(results) do
          results[key] = rawequal(other, reply) and request or other
        end
      end
    end
    return results
  end

  local function apply(bulk, workers, after)
    local applier <close> = host.apply(bulk, workers, after ~= nil)
    if not after then
      applier:next()
      return
    end
    together(workers, function()
      for number, key, row, account, results in applier.next, applier do
        local subject = row and core.json_decode(row) or account
        host.after_item(number, after, subject, results_of(results), key)
      end
    end)
  end

  function composio.bulk(...)
    local options, selection, action = read_arguments(...)
    local source = make_source(selection, options)
    local workers = options.concurrency or host.concurrency
    local bulk = host.begin_bulk(options.name or "")
    local why = plan(bulk, source, action, workers)
    if options.allow_incomplete then
      why = nil
    end
    local planned, same = host.end_plan(why)
    if host.is_apply and why then
      local text = "composio.bulk: the listing is incomplete (%s): nothing was changed; "
        .. "run it again, or give allow_incomplete = true"
      core.usage(text:format(why))
    end
    if host.is_apply and (planned > 0 or (same > 0 and options.after)) then
      apply(bulk, workers, options.after)
      if host.key_rejected() then
        error("the API key was rejected: nothing more was sent", 0)
      end
    end
    return host.counts(bulk)
  end
end
