-- composio.bulk: one action for many accounts. It selects, plans and checks the guards;
-- with --apply it carries out the changes and calls `after` for each finished item. In a
-- replay the plan is already sealed: selection and action are skipped, or run only to
-- get the secrets again.
-- Must not know: how changes are sent, options of the command line.
-- The action only decides: its whole plan is in the ledger before anything is sent. While
-- changes are carried out, no code of the script runs except `after` and the canary's
-- `check`, neither of which can write.

local lost_links = require "composio.lost_links"
local running_item = require "composio.running_item"

local host -- set when init.lua loads this file

local CHUNK = 100 -- ids per request
local OPTIONS = {
  name = "string",
  key = "function",
  after = "function",
  concurrency = "number",
  allow_incomplete = "boolean",
  canary = "table",
}
local CANARY = { count = "number", check = "function" }
local FEW = 3 -- keys named in a message
local WAITING = { INITIALIZING = true, INITIATED = true } -- for a person with a link

-- Lets many tasks share an iterator whose step may suspend: one task pulls, the others
-- wait in a queue. A woken task checks `pulling` again, so a task that never suspends can
-- pull several times without a task switch; no second task is woken before that check.
-- The function returns what pcall(pull) returns. It runs once per item, hence no table
-- for the results. An iterator that has returned nil, or raised, is not called again: a
-- coroutine would raise then, and others would begin anew.
local function make_turns(pull)
  local pulling, woken, ended = false, false, false
  local queue, first, last = {}, 1, 0
  local function pulled(good, subject, ...)
    pulling = false
    ended = not good or subject == nil
    if first <= last and not woken then
      local turn = queue[first]
      queue[first] = nil
      first = first + 1
      woken = true
      turn:set()
    end
    return good, subject, ...
  end
  return function()
    while pulling do
      local turn = host.signal()
      last = last + 1
      queue[last] = turn
      turn:wait()
      woken = false
    end
    if ended then
      return pulled(true)
    end
    pulling = true
    return pulled(pcall(pull))
  end
end

local function raise(good, ...)
  if not good then
    error((...), 0)
  end
  return ...
end

return function(composio, core, given)
  host = given
  if not host then
    function composio.bulk()
      core.usage "composio.bulk needs the host: run this script with composio-lua"
    end
    return
  end

  -- Did the run's own client read this account? Another one may have asked another service.
  local is_read_by_default
  local function is_read(account)
    is_read_by_default = is_read_by_default or core.read_by(core.default_client())
    return is_read_by_default(account)
  end

  -- Runs `count` tasks of the same function. The first failure cancels the others and
  -- is raised.
  local function together(count, work)
    local tasks = {}
    for i = 1, count do
      tasks[i] = core.spawn(work)
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
  -- A source has next() → subject, key, account, row, missing; and why(), the reason
  -- why the listing is incomplete, or nil.

  local function of_accounts(selection, options)
    local source, walk = { kind = "accounts" }, selection:walk()
    local key, is_ours = options.key, nil
    function source.next()
      local account = walk()
      if not account then
        return nil
      elseif key then -- key() may write into the account
        return account, key(account) or account.id, is_read(account) and account or nil
      end
      is_ours = is_ours or is_read(account) -- asked once: one client reads the whole listing
      return account, account.id, is_ours and account.status and account or nil
    end
    function source.why()
      local state = walk:listing()
      host.listing(state.accounts, state.pages, state.complete)
      if state.dropped > 0 then
        local text = "  left out %d listed accounts that do not match the filter"
        host.log(text:format(state.dropped))
      end
      return state.reason
    end
    return source
  end

  local function check_ids(ids)
    local seen = {}
    for place, id in ipairs(ids) do
      if type(id) ~= "string" or id == "" then
        core.usage(("composio.bulk: element %d of the list is not an account id"):format(place))
      end
      if seen[id] then
        local places = ("%d and %d"):format(seen[id], place)
        core.usage(("composio.bulk: %s is in the list twice, at %s"):format(id, places))
      end
      seen[id] = place
    end
  end

  -- Reads the accounts of a list of ids, CHUNK ids per listing. An id that the listing
  -- does not have becomes an item that fails as not found.
  local function of_ids(ids)
    local source, at, ready, first, why = { kind = "ids" }, 0, {}, 1, nil
    check_ids(ids)
    local function fill()
      local chunk, found = table.move(ids, at + 1, math.min(at + CHUNK, #ids), 1, {}), {}
      at = at + #chunk
      if #chunk == 0 then
        return false
      end
      local walk = core.reads.accounts
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

  -- Returns what the ledger stores of a row, as JSON: its texts, numbers and booleans
  -- without the secret columns. A table in a row is not stored, because it may hold
  -- anything, such as an account with its link and tokens.
  local function stored_row(row, hidden)
    local stored = {}
    for name, value in pairs(row) do
      if type(value) ~= "table" and not hidden[name] then
        stored[name] = value
      end
    end
    return core.json_encode(stored, "composio.bulk: row")
  end

  -- Rows from an iterator: a function, a CSV selection or a list of tables. A row that is
  -- an account of the service becomes an item as accounts.each makes one.
  local function of_rows(next_row, options, secret, path)
    local source, place = { kind = "rows", path = path }, 0
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
        core.usage(("composio.bulk: expected a table as row %d, got %s"):format(place, type(row)))
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
      if is_read(row) then
        return row, key, row
      end
      return row, key, nil, stored_row(row, hidden)
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

  -- Leaves out what other shards take.
  local function sliced(source)
    local next_item = source.next
    function source.next()
      while true do
        local subject, key, account, row, missing = next_item()
        if subject == nil or host.is_in_shard(key) then
          return subject, key, account, row, missing
        end
      end
    end
    return source
  end

  -- Is it a script's table or object that is called like an iterator?
  local function is_callable(selection)
    local class = getmetatable(selection)
    return type(class) == "table" and rawget(class, "__call") ~= nil
  end

  local function make_source(selection, options)
    local kind = type(selection)
    local is_selection = kind == "table" or kind == "userdata"
    if rawequal(selection, composio.connected_accounts)
      or rawequal(selection, composio.connected_accounts.each) then
      core.usage "composio.bulk: expected a selection: write connected_accounts.each {}"
    elseif is_selection and not selection.is_rows and selection.listing then
      if not selection.walk then
        core.usage "composio.bulk: expected a selection, got its walk: pass accounts.each { … }"
      end
      return of_accounts(selection, options)
    elseif is_selection and selection.is_rows then
      local source = of_rows(selection, options, selection.secret, selection.path)
      source.is_settled = selection.is_settled -- its rows cannot have changed
      return source
    elseif kind == "function" or is_callable(selection) then
      return of_rows(selection, options)
    elseif kind == "table" and selection.items then
      core.usage "composio.bulk: expected a list, got a page: pass its items or accounts.each {}"
    elseif kind == "table" and selection.id then
      core.usage "composio.bulk: expected a list, got one account or row: pass { it }"
    elseif kind == "table" then
      core.check_list("composio.bulk: the selection", selection)
      if type(selection[1]) == "string" then
        return of_ids(selection)
      end
      return of_rows(list_iterator(selection), options)
    end
    return core.usage("composio.bulk: expected accounts.each { … }, ids or rows, got " .. kind)
  end

  -- ---- arguments ----

  local function read_canary(canary)
    canary = core.check_options("composio.bulk: canary", canary, CANARY)
    if math.type(canary.count) ~= "integer" or canary.count < 1 then
      core.usage "composio.bulk: canary.count: expected a whole number of at least 1"
    end
    if not canary.check then
      core.usage "composio.bulk: canary.check: expected a function that returns whether to go on"
    end
    return canary
  end

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
    options = core.check_options("composio.bulk", options, OPTIONS)
    local workers = options.concurrency
    if workers and not (math.type(workers) == "integer" and workers > 0 and workers <= 512) then
      core.usage "composio.bulk: concurrency: expected a whole number from 1 to 512"
    end
    if options.canary then
      options.canary = read_canary(options.canary)
    end
    if type(action) ~= "function" then
      core.usage("composio.bulk: expected a function as action, got " .. type(action))
    end
    if not core.can_suspend() then
      core.usage "composio.bulk: call it in the script itself, not in a coroutine or a callback"
    end
    return options, selection, action
  end

  -- ---- steps ----

  -- Actions on rows often look up their account by id, and before.lua puts such ids into
  -- one request: run as many actions at once as one request has ids.
  local function planners(source, workers)
    return source.kind == "rows" and math.max(workers, CHUNK) or workers
  end

  local function not_found()
    error("not found: it was deleted, or belongs to another project", 0)
  end

  -- A page that cannot be read makes the listing incomplete. A script error, a
  -- rejected key and a missing route end the bulk.
  local function is_listing_trouble(cause)
    return core.is_error(cause) and not core.ends_run(cause)
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
    together(planners(source, workers), function()
      while true do
        local good, subject, key, account, row, missing = pull()
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
    -- nothing could be read at all: do not take that for an empty listing
    if trouble and taken <= 1 then
      error(trouble, 0)
    end
    local why = source.why()
    -- a listing cut by the item limit is not incomplete: the operator asked for it
    if trouble then
      return tostring(trouble), nil, trouble.retryable
    end
    return not cut and why or nil
  end

  -- ---- a sealed plan ----

  local function keys_text(keys, count)
    local text = table.concat(keys, ", ")
    return #keys > 0 and count > #keys and text .. ", …" or text
  end

  local function note(notes, key)
    notes.count = notes.count + 1
    if #notes < FEW then
      notes[#notes + 1] = key
    end
  end

  local function log_notes(source, notes, text)
    if notes.count > 0 then
      local where = source.path and source.path .. ": " or ""
      local said = text:format(keys_text(notes, notes.count))
      host.log(("  %srows: %d %s"):format(where, notes.count, said))
    end
  end

  -- Returns the numbers of the items whose action failed, when they are to be planned anew:
  -- number → the account's id, or the key.
  local function unplanned(bulk)
    local failed, number = {}, 0
    while number and (host.is_redo or host.with_failed and not host.exact) do
      local key, account
      number, key, account = host.unplanned(bulk, number)
      if number then
        failed[number] = account or key
      end
    end
    return failed
  end

  -- Returns such items with their accounts, read by their ids.
  local function by_account(failed)
    local numbers, ids, list = {}, {}, {}
    for number, id in pairs(failed) do
      numbers[id] = number
      ids[#ids + 1] = id
    end
    table.sort(ids)
    for subject, id, account, _, missing in of_ids(ids).next do
      list[#list + 1] = { numbers[id], subject, id, account, missing }
    end
    return list
  end

  -- Runs the action for such items. anew: they become items of this run. Returns the numbers
  -- of those that did not fail.
  local function plan_failed(bulk, items, action, workers, anew)
    local turns, good = make_turns(list_iterator(items)), {}
    local function pull()
      return raise(turns())
    end
    together(planners({ kind = "rows" }, workers), function()
      for item in pull do
        local number, subject, key, account, missing, row = table.unpack(item, 1, 6)
        local what = missing and not_found or action
        if host.plan_item(bulk, what, subject, key, account, anew and row or nil,
          not anew and number or nil, true) then
          good[#good + 1] = number
        end
      end
    end)
    return good
  end

  -- Plans the items whose action failed in the run that this one redoes.
  local function redo(bulk, source, action, workers)
    local failed, items = unplanned(bulk), {}
    if not next(failed) then
      return
    elseif source.kind ~= "rows" then
      items = by_account(failed)
    else
      for subject, key, account, row in source.next do
        local number = host.row_of(bulk, key)
        if number and failed[number] then
          items[#items + 1] = { number, subject, key, account, false, row }
        end
      end
    end
    plan_failed(bulk, items, action, workers, true)
  end

  -- Walks the selection again. Logs which rows are new or changed since the plan was
  -- made, and how many are gone. Actions run again to get the secrets of their items and,
  -- when a saved plan is carried out, the rows that they add to reports.
  -- Returns the items to plan again, and why the selection is incomplete if rows need it.
  local function reread(bulk, source, action, workers, selected)
    local secrets, turns = host.open_secrets(bulk), make_turns(source.next)
    local recalls = secrets or host.exact and lost_links.wanted
    local failed, retries = unplanned(bulk), {}
    local function pull()
      return raise(turns())
    end
    if source.kind ~= "rows" and next(failed) then
      retries = by_account(failed)
    end
    if (source.kind ~= "rows" or source.is_settled and not next(failed)) and not recalls then
      return retries
    end
    local new, changed, seen = { count = 0 }, { count = 0 }, 0
    together(workers, function()
      for subject, key, account, row in pull do
        local number, stored = host.row_of(bulk, key)
        if number or not row then -- an account without changes has no number
          seen = seen + 1
        else
          note(new, key)
        end
        if row and stored and row ~= stored then
          note(changed, key)
        end
        if number and failed[number] and source.kind == "rows" then
          retries[#retries + 1] = { number, subject, key, account }
        elseif number and recalls then
          host.plan_item(bulk, action, subject, key, account, nil, number)
        end
      end
    end)
    if source.kind == "rows" and not host.redoes then -- that plan holds a few of them
      log_notes(source, new, "added after the plan was made, only a new run takes them: %s")
      log_notes(source, changed, "changed after the plan was made, carried out as planned: %s")
      local gone = { count = math.max(0, selected - seen) }
      log_notes(source, gone, "gone after the plan was made, carried out as planned%s")
    end
    return retries, host.exact and lost_links.wanted and source.why() or nil
  end

  -- Plans the items whose action failed in an earlier session, all of them before any of
  -- their changes is sent. Returns how many changes the bulk has to send now.
  local function retry(bulk, retries, action, workers)
    host.begin_retry()
    local good = plan_failed(bulk, retries, action, workers, false)
    if host.end_plan() > 0 then
      core.ensure_project()
      host.guard()
    end
    return host.seal_retry(good)
  end

  -- ---- carrying out ----

  -- Converts the service's replies to what the calls would have returned.
  local function results_of(replies)
    local results = {}
    for key, reply in pairs(replies) do
      results[key] = reply
    end
    for _, row in ipairs(core.operations()) do
      local reply = row.makes and results[row.name]
      if reply and reply.success ~= false then
        local request = core.connection_request(row, reply)
        request.earlier = reply.earlier
        for key, other in pairs(results) do
          results[key] = rawequal(other, reply) and request or other
        end
      end
    end
    return results
  end

  -- Gives an account of the ledger's columns the shape that the service shows.
  local function account_of(columns)
    columns.toolkit = { slug = columns.toolkit }
    columns.auth_config = {
      auth_scheme = columns.auth_scheme,
      is_disabled = columns.config_disabled,
      is_composio_managed = columns.managed,
    }
    columns.experimental = { account_type = columns.shared and "SHARED" or "PRIVATE" }
    columns.auth_scheme, columns.config_disabled = nil, nil
    columns.managed, columns.shared = nil, nil
    return columns
  end

  -- An earlier session of the run carried these changes out, and its replies are gone with
  -- their links. Where the account still shows its link, the result gets it.
  local function find_links(results)
    local any = false
    for _, result in pairs(results) do
      any = any or result.earlier
      if result.earlier and WAITING[result.status] and not result.redirect_url then
        local good, account = pcall(core.lookup, result.id)
        local state = good and account and account.state
        local val = type(state) == "table" and type(state.val) == "table" and state.val or {}
        result.redirect_url = type(val.redirectUrl) == "string" and val.redirectUrl or nil
      end
    end
    return any
  end

  local function run_after(number, after, subject, results, key)
    lost_links.of_item[number] = lost_links.wanted and find_links(results) or nil
    running_item.in_after[number] = true
    local good = host.after_item(number, after, subject, results, key, "after")
    running_item.in_after[number], lost_links.of_item[number] = nil, nil
    return good
  end

  -- Has the canary passed in an earlier session? A session whose canary did not pass has
  -- carried out no more items than the canary's count, so together they have done no more
  -- than that for each session.
  local function has_passed(bulk, canary)
    local counts, sent = host.counts(bulk), 0
    for _, outcome in ipairs { "done", "failed", "unknown", "pending" } do
      sent = sent + (counts[outcome] or 0)
    end
    local ledger <close> = host.ledger()
    local sessions = #ledger:sessions(host.run) - 1 -- without this one
    return sessions > 0 and sent > canary.count * sessions
  end

  -- Runs the canary's check on the first items, before the rest is changed.
  local function check_canary(applier, canary, ended)
    local bad = applier:bad()
    core.checking = true
    for _, item in ipairs(ended) do
      -- an item whose `after` raised has failed already
      local good = item.good and host.after_item(item.number, function()
        local id = item.account.id
        local subject = item.subject
        if id then -- read again; nil when it was deleted
          subject = core.lookup(id)
        end
        if not canary.check(subject) then
          error("the canary's check failed", 0)
        end
      end, nil, {}, item.key, "canary")
      bad = bad + (good and 0 or 1)
    end
    core.checking = false
    if bad > 0 then
      applier:stop()
      local text = "stopped: %d of the first %d items failed or missed the check; the rest is "
        .. "not tried"
      host.stop("early", text:format(bad, #ended + applier:bad()))
    end
  end

  local function apply(bulk, workers, after, canary)
    local keep = after ~= nil or canary ~= nil
    local applier <close> = host.apply(bulk, workers, keep, canary and canary.count or 0)
    local ended = {}
    local function work()
      for number, key, row, columns, results in applier.next, applier do
        local account = account_of(columns)
        local subject = row and core.json_decode(row) or account
        local good = true
        if after then
          good = run_after(number, after, subject, results_of(results), key)
        end
        if canary then
          local item = { number = number, key = key, subject = subject, account = account }
          item.good = good
          ended[#ended + 1] = item
        end
      end
    end
    local function wait()
      if keep then
        together(workers, work)
      else
        applier:next()
      end
    end
    wait()
    if canary then
      check_canary(applier, canary, ended)
      canary = nil
      applier:go_on()
      wait()
    end
    while host.settle(bulk, workers) do -- items go on after their unknown changes are settled
      wait()
    end
  end

  -- Without a planned change the guard has nothing to refuse: the run just ends early
  -- (exit 7). passes: may the same run succeed at another time?
  local function refuse_incomplete(why, planned, passes)
    local text = "composio.bulk: the listing is incomplete (%s): %s; the option "
      .. "allow_incomplete = true lifts that"
    host.stop(planned > 0 and "refused" or "early",
      text:format(why, planned > 0 and "none of its changes is made" or "the run ends"),
      passes and "unread" or "incomplete")
  end

  local function carry_out(bulk, workers, options, sealed)
    local canary = options.canary
    if canary and sealed and has_passed(bulk, canary) then
      canary = nil
    end
    apply(bulk, workers, options.after, canary)
    local ended = host.why_ended()
    if ended then
      error(ended .. ": no further change was sent", 0)
    end
    local stopped = host.stopped()
    if stopped then
      host.stop("early", stopped)
    end
  end

  -- Returns why the selection is incomplete, the items of a sealed plan to plan again, and
  -- whether the selection may be complete at another time.
  local function make_plan(bulk, sealed, selected, source, action, workers)
    if host.is_redo then
      redo(bulk, source, action, workers)
    elseif sealed then
      local retries, why = reread(bulk, source, action, workers, selected)
      return why, retries
    else
      return plan(bulk, source, action, workers)
    end
  end

  function composio.bulk(...)
    core.check_dot("composio.bulk", "bulk", (...))
    local options, selection, action = read_arguments(...)
    local source = make_source(selection, options)
    if host.is_shard then
      source = sliced(source)
    end
    local workers = options.concurrency or host.concurrency
    local bulk, sealed, selected = host.begin_bulk(options.name or "")
    local good, why, retries, passes = pcall(make_plan, bulk, sealed, selected, source, action,
      workers)
    if not good then
      host.drop_plan(tostring(why), sealed)
      error(why, 0)
    end
    local planned, same = host.end_plan(why) -- reports the plan, also an incomplete one
    if retries and #retries > 0 then
      planned = retry(bulk, retries, action, workers)
    end
    if options.allow_incomplete then
      why = nil
    end
    if why and (host.is_apply or host.only_reads) then
      refuse_incomplete(why, planned, passes)
    end
    if not sealed then
      if planned > 0 then
        core.ensure_project()
        host.guard()
      end
      if not why then
        host.seal(source.kind)
      end
    end
    local has_work = planned > 0 or (options.after and (same > 0 or sealed))
    if host.is_apply and has_work then
      carry_out(bulk, workers, options, sealed)
    end
    return host.counts(bulk)
  end
end
