-- accounts.each: all accounts that match a filter, read page by page, as a selection.
-- Must not know: what is done with the accounts.
-- A cursor stands for a page number, so a change of the list during a walk moves rows
-- between pages. Hence a walk lists the oldest accounts first, infers nothing from a
-- short page, remembers every id and compares the count at the end. Any mismatch makes
-- the listing incomplete; none is ignored.

local REST_MAX = 10000 -- the longest listing that is read to its end before a change
local COLLECT_FROM = 100 -- unread accounts above which a collection costs less than the requests

local collectgarbage = collectgarbage -- a script may replace it

local FILTERS = { -- option → function that reads it from an account
  user_ids = function(account)
    return account.user_id
  end,
  toolkit_slugs = function(account)
    local slug = type(account.toolkit) == "table" and account.toolkit.slug
    return type(slug) == "string" and slug:lower() or nil
  end,
  statuses = function(account)
    return account.status
  end,
  auth_config_ids = function(account)
    return type(account.auth_config) == "table" and account.auth_config.id or nil
  end,
  connected_account_ids = function(account)
    return account.id
  end,
}

local TYPES = { PRIVATE = true, SHARED = true }

return function(_, core)
  local WEAK = { __mode = "k" }

  -- The state of walks and selections, by handle. Scripts only get the handle, an empty
  -- table, and so cannot change the state. Weak: a dropped handle frees its state.
  local walks = setmetatable({}, WEAK)
  local selections = setmetatable({}, WEAK)

  -- Open walks: those with unread pages. Weak: a walk that the script dropped will not be
  -- read any further.
  local open = setmetatable({}, WEAK)

  -- ---- one walk ----

  local function listing_error(message)
    return core.error_object {
      name = "ComposioListingError",
      message = message,
      operation = "connected_accounts.list",
      retryable = true,
      outcome = "failed",
    }
  end

  -- Returns a function that tells whether an account matches the options, or nil when all
  -- accounts do. A field that an account lacks cannot be compared and counts as a match.
  local function make_filter(options)
    local reads, sets = {}, {}
    for name, read in pairs(FILTERS) do
      if options[name] then
        local set = {}
        for _, value in ipairs(options[name]) do
          set[name == "toolkit_slugs" and value:lower() or value] = true
        end
        reads[#reads + 1], sets[#sets + 1] = read, set
      end
    end
    local kind = TYPES[options.account_type] and options.account_type
    if #reads == 0 and not kind then
      return nil -- everything was asked for
    end
    return function(account)
      for i = 1, #reads do
        local value = reads[i](account)
        if value ~= nil and not sets[i][value] then
          return false
        end
      end
      local experimental = kind and account.experimental
      local got = type(experimental) == "table" and experimental.account_type
      return not got or got == kind
    end
  end

  -- Removes accounts that do not match from the list; returns how many it removed.
  local function drop(list, matches)
    local count, remaining = #list, 0
    for place = 1, count do
      local account = list[place]
      if matches(account) then
        remaining = remaining + 1
        list[remaining] = account
      end
    end
    for place = remaining + 1, count do
      list[place] = nil
    end
    return count - remaining
  end

  -- Returns the object's state in `private`. Without this check, a call with `.` instead
  -- of `:` would raise an error that names a line of this file.
  local function state_of(private, object, method)
    return private[object] or core.usage(method .. "() is a method: call it with a colon")
  end

  -- Called when a script uses a selection or a walk as if it were a list. Without this check,
  -- it would look like an empty list.
  local function no_list()
    core.usage("accounts.each {…} is not a list: write for account in accounts.each {…} do; "
      .. "accounts.list {…}.items is the list of one page")
  end

  -- Returns the __index of these methods.
  local function methods_of(methods)
    return function(_, name)
      if math.type(name) or name == "items" then
        no_list()
      end
      return methods[name]
    end
  end

  local Walk = {}
  local walk_class = {
    __name = "composio.walk",
    __index = methods_of(Walk),
    __len = no_list,
    __pairs = no_list,
    __metatable = false,
  }

  local function new_walk(selection)
    local options = {}
    for key, value in pairs(selection.options) do
      options[key] = value
    end
    local walk = {
      list = selection.list,
      options = options, -- with the cursor of the next page
      client = selection.client,
      matches = make_filter(options),
      ids = core.idset(),
      cursors = core.idset(),
      ready = {}, -- accounts of pages that were read
      first = 1,
      last = 0,
      unread = true, -- there are more pages
      state = { accounts = 0, pages = 0, dropped = 0, repeated = 0 },
    }
    local handle = setmetatable({}, walk_class)
    walks[handle], open[walk] = walk, true
    selection.begun[handle] = true
    selection.latest = handle
    return handle
  end

  local function stop(walk, reason)
    walk.unread = false
    walk.state.reason = walk.state.reason or reason
    open[walk] = nil
  end

  local function finish(walk)
    local state = walk.state
    local listed = walk.ids:count()
    stop(walk)
    if state.repeated > 0 then
      local text = "%d accounts were listed twice: the list changed while it was read"
      state.reason = text:format(state.repeated)
    elseif state.total_items and state.total_items ~= listed then
      local text = "the service counts %d accounts, but listed %d"
      state.reason = text:format(state.total_items, listed)
    elseif state.shrunk_from then
      local text = "%d accounts became %d while they were listed: some may be missing"
      state.reason = text:format(state.shrunk_from, state.total_items)
    end
    state.complete = not state.reason
  end

  -- New accounts come last and do no harm. After a deletion the later accounts move up,
  -- and one of them may move into a page that was already read.
  local function note_total(state, total)
    if total and state.total_items and total < state.total_items then
      state.shrunk_from = state.shrunk_from or state.total_items
    end
    state.total_items = total or state.total_items
  end

  local function take(walk, page)
    local state, items = walk.state, page.items
    state.pages = state.pages + 1
    note_total(state, math.tointeger(page.total_items))
    state.repeated = state.repeated + walk.ids:add_accounts(items)
    if walk.matches then
      state.dropped = state.dropped + drop(items, walk.matches)
    end
    state.accounts = state.accounts + #items
    if walk.first > walk.last then
      walk.ready, walk.first, walk.last = items, 1, #items
    else
      table.move(items, 1, #items, walk.last + 1, walk.ready)
      walk.last = walk.last + #items
    end
    local cursor = page.next_cursor
    if type(cursor) ~= "string" or cursor == "" then
      finish(walk)
    elseif not walk.cursors:add(cursor) then
      stop(walk, "the service sent the same page cursor twice")
      walk.failure = listing_error(walk.state.reason)
    else
      walk.options.cursor = cursor
    end
  end

  -- Runs in a task of its own, so that the next page arrives while the script handles the
  -- current one. The task must not fail, because perhaps nobody joins it.
  local function fetch(list, options)
    return pcall(list, options)
  end

  local function ask_ahead(walk)
    if core.can_suspend() then
      walk.fetching = core.spawn(fetch, walk.list, walk.options)
    end
  end

  local function read_page(walk)
    local ok, page
    if core.can_suspend() then
      local task = walk.fetching or core.spawn(fetch, walk.list, walk.options)
      walk.fetching = task
      ok, page = task:join()
      if walk.fetching ~= task then
        return -- another task has taken this page
      end
    else
      ok, page = fetch(walk.list, walk.options)
    end
    walk.fetching = nil
    if walk.closed then
      return -- closed while the page was being fetched
    elseif not ok then
      stop(walk, "cannot read a page: " .. tostring(page))
      walk.failure = page
      return
    end
    take(walk, page)
  end

  -- Returns the next account, or nil at the end. An error that ended the walk early is
  -- raised once; listing() still has its text as the reason.
  local function step(walk)
    while walk.first > walk.last and walk.unread do
      read_page(walk)
    end
    if walk.first > walk.last then
      local failure = walk.failure
      walk.failure = nil
      if failure then
        error(failure, 0)
      end
      return nil
    end
    local account = walk.ready[walk.first]
    walk.ready[walk.first] = nil
    walk.first = walk.first + 1
    if walk.unread and not walk.fetching then
      ask_ahead(walk)
    end
    return account
  end

  function walk_class.__call(handle)
    return step(walks[handle])
  end

  -- Ends the walk: it returns no more accounts and reads no more pages.
  function Walk.close(handle)
    local walk = state_of(walks, handle, "walk:close")
    stop(walk, not walk.state.complete and "the selection was closed" or nil)
    walk.closed = true
    walk.ready, walk.first, walk.last = {}, 1, 0
  end

  walk_class.__close = Walk.close

  -- Returns the walk's counts and whether it is complete: false until it was read to its
  -- end, with the reason.
  function Walk.listing(handle)
    local state = state_of(walks, handle, "walk:listing").state
    local listing = { complete = state.complete or false, total_items = state.total_items }
    for _, name in ipairs { "accounts", "pages", "dropped", "repeated" } do
      listing[name] = state[name]
    end
    if not listing.complete then
      listing.reason = state.reason or "the selection was not read to its end"
    end
    return listing
  end

  -- ---- selections ----

  local Selection = {}

  -- Returns a new walk. Calling it returns the next account; walk:listing() tells whether
  -- it is complete.
  function Selection.walk(handle)
    return new_walk(state_of(selections, handle, "selection:walk"))
  end

  -- Returns the listing of the latest walk.
  function Selection.listing(handle)
    local selection = state_of(selections, handle, "selection:listing")
    return (selection.latest or new_walk(selection)):listing()
  end

  -- Ends the selection's walks, so that no loop over it goes on and no page is read. Meant
  -- for scripts that leave a loop early and change accounts afterwards.
  function Selection.close(handle)
    local selection = state_of(selections, handle, "selection:close")
    for walk in pairs(selection.begun) do
      walk:close()
    end
  end

  -- A generic `for` passes the previous account. Without one a new walk begins; otherwise
  -- that account identifies the walk.
  local function call(handle, _, before)
    local selection = selections[handle]
    local walk = before and selection.walks[before] or new_walk(selection)
    local account = step(walks[walk])
    if before then
      selection.walks[before] = nil
    end
    if account then
      selection.walks[account] = walk
    end
    return account
  end

  local class = {
    __name = "composio.selection",
    __index = methods_of(Selection),
    __len = no_list,
    __pairs = no_list,
    __metatable = false,
    __call = call,
    __close = Selection.close,
    __tostring = function(selection)
      local listing = selection:listing()
      local text = "selection of accounts (%d read, %d pages)"
      return text:format(listing.accounts, listing.pages)
    end,
  }

  -- ---- changes while a walk is open ----

  core.unguarded = {} -- change → the same without the guard, for changes that are planned

  -- Returns a started walk of the client's project that has unread pages, and how many
  -- accounts it has left; or nil. A walk that has not requested its first page cannot be
  -- harmed by a change.
  local function find_open(client)
    local project = core.project(client)
    for walk in pairs(open) do
      local theirs = core.project(walk.client)
      local same = walk.client == client or not project or project == theirs
      if same and (walk.state.pages > 0 or walk.fetching) then
        return walk, (walk.state.total_items or 0) - walk.ids:count()
      end
    end
  end

  -- A function of its own, so that no local variable of the caller keeps the walk alive
  -- during the collection that follows.
  local function is_much_left(client)
    local walk, left = find_open(client)
    return walk and left > COLLECT_FROM
  end

  local function read_rest(client)
    if core.in_item() then
      return -- the change is planned, not sent, so no page shifts
    end
    if is_much_left(client) then
      -- Lua cannot tell that a loop was left, but a collection removes the walks that no
      -- script can reach
      collectgarbage()
    end
    local walk = find_open(client)
    while walk do
      local total = walk.state.total_items or 0
      if total > REST_MAX then
        local text = "a change now would shift the unread pages of accounts.each, and %d accounts "
          .. "are too many to read first; use composio.bulk, or close() the selection if its "
          .. "loop has ended"
        core.usage(text:format(total))
      end
      read_page(walk)
      walk = find_open(client)
    end
  end

  local function guard_changes(resource, client, name)
    for _, row in ipairs(core.operations()) do
      local change = row.resource == name and row.class ~= "read" and resource[row.name]
      if change then
        local function guarded(...)
          if next(open) then
            read_rest(client)
          end
          return change(...)
        end
        resource[row.name], core.unguarded[guarded] = guarded, change
      end
    end
  end

  local page_class = { __metatable = false }

  local function no_page()
    core.usage "list {…} returns a page: its entries are in page.items; each {…} reads all pages"
  end

  -- The right number, and no error: tools that show or compare any table ask for it.
  function page_class.__len(page)
    return #page.items
  end

  function page_class.__index(_, name)
    return math.type(name) and no_page() or nil
  end

  -- Makes a page raise an error when a script uses it as if it were a list.
  local function guard_pages(resource)
    local list = resource.list
    function resource.list(...)
      return setmetatable(list(...), page_class)
    end
  end

  core.on_resource("connected_accounts", function(accounts, client)
    guard_changes(accounts, client, "connected_accounts")
    local list = accounts.list
    guard_pages(accounts)
    local check = core.check(client, "connected_accounts", "list")

    function accounts.each(...)
      local given = core.check_only_options("connected_accounts.each", "each", ...)
      if given ~= nil and type(given) ~= "table" then
        core.usage("connected_accounts.each: expected a table of options, got " .. type(given))
      end
      core.check_plain("connected_accounts.each", given or {})
      local options = { order_by = "created_at", order_direction = "asc", limit = 100 }
      for key, value in pairs(given or {}) do
        options[key] = value
      end
      check(options)
      local handle = setmetatable({}, class)
      selections[handle] = {
        options = options,
        list = list,
        client = client,
        begun = setmetatable({}, WEAK),
        walks = setmetatable({}, WEAK),
      }
      return handle
    end
  end)

  core.on_resource("auth_configs", function(configs, client)
    guard_changes(configs, client, "auth_configs")
    guard_pages(configs)
  end)
end
