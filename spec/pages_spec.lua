-- accounts.each: all pages of a filter, what makes a listing incomplete, and changes
-- while a walk is open.
local composio = require "composio"
local core = require "composio.core"
local both = require "spec.support.both"
local raised = require "spec.support.raised"
local scene = require "spec.support.scene"
local server = require "spec.support.server"

local emulator, client, accounts

scene.of_module({ "--accounts", "250" }, function(...)
  emulator, accounts, client = ...
end)

-- All ids of a selection, and how its listing came out.
local function walk(selection)
  local ids = {}
  for account in selection do
    ids[#ids + 1] = account.id
  end
  return ids, selection:listing()
end

local function all(options)
  options = options or {}
  options.account_type = options.account_type or "ALL"
  return accounts.each(options)
end

describe("each", function()
  both("walks all pages, oldest first, a hundred at a time", function()
    emulator:forget()
    local ids, listing = walk(all())
    assert.equal(250, #ids)
    assert.same({
      complete = true,
      accounts = 250,
      pages = 3,
      dropped = 0,
      repeated = 0,
      total_items = 250,
    }, listing)
    local seen = {}
    for _, id in ipairs(ids) do
      assert.is_nil(seen[id])
      seen[id] = true
    end
    local lines = emulator:lines()
    assert.equal(3, #lines)
    for _, line in ipairs(lines) do
      assert.is_truthy(line:find("order_by=created_at&order_direction=asc&limit=100", 1, true))
    end
  end)

  both("gives accounts with their operations", function()
    for account in all { user_ids = { "user_123" } } do
      assert.is_function(account.disable)
      assert.equal("user_123", account.user_id)
    end
  end)

  both("passes filters and orders on", function()
    emulator:forget()
    local ids, listing = walk(accounts.each {
      statuses = { "ACTIVE" },
      order_by = "updated_at",
      order_direction = "desc",
      limit = 50,
    })
    assert.is_true(listing.complete)
    assert.is_true(#ids > 0)
    local query = "statuses=ACTIVE&order_by=updated_at&order_direction=desc&limit=50"
    assert.is_truthy(emulator:lines()[1]:find(query, 1, true))
  end)

  both("begins a new walk for each loop", function()
    local selection = all { limit = 60 }
    local first = walk(selection)
    local second = walk(selection)
    assert.same(first, second)
    local count = 0
    for _ in selection do
      count = count + 1
      if count == 70 then
        break
      end
    end
    assert.same(first, (walk(selection)))
  end)

  both("lets loops over one selection stand in each other", function()
    local selection = all { user_ids = { "user_123" }, limit = 2 }
    local pairs_of = {}
    for a in selection do
      for b in selection do
        pairs_of[#pairs_of + 1] = a.id .. b.id
      end
    end
    assert.equal(9, #pairs_of)
  end)

  it("can be walked by hand", function()
    local step = all({ limit = 90 }):walk()
    local count = 0
    while step() do
      count = count + 1
    end
    assert.equal(250, count)
    assert.is_nil(step())
    assert.is_true(step:listing().complete)
  end)

  both("gives nothing where there is nothing", function()
    local ids, listing = walk(all { user_ids = { "nobody at all" } })
    assert.same({}, ids)
    assert.is_true(listing.complete)
    assert.equal(1, listing.pages)
  end)

  it("says before the first walk that nothing was read", function()
    local listing = all():listing()
    assert.is_false(listing.complete)
    assert.equal("the selection was not read to its end", listing.reason)
    assert.equal(0, listing.pages)
  end)

  it("says so when a loop was left early", function()
    local selection = all()
    for account in selection do
      if account then
        break
      end
    end
    assert.is_false(selection:listing().complete)
    assert.matches("selection of accounts %(100 read, 1 pages%)", tostring(selection))
  end)

  it("asks for the next page while this one is worked on, in a task", function()
    composio.run(function()
      emulator:forget()
      local step = all():walk()
      step()
      composio.sleep(0.3)
      assert.equal(2, #emulator:lines())
    end)
  end)

  it("does not ask ahead outside tasks, where nobody would read it", function()
    emulator:forget()
    all():walk()()
    assert.equal(1, #emulator:lines())
  end)

  it("can be shared by tasks", function()
    composio.run(function()
      local step = all({ limit = 10 }):walk()
      local seen, count = {}, 0
      for _ = 1, 8 do
        composio.spawn(function()
          for account in step do
            assert.is_nil(seen[account.id])
            seen[account.id] = true
            count = count + 1
            composio.sleep(0)
          end
        end)
      end
      composio.sleep(0)
      while count < 250 do
        composio.sleep(0.01)
      end
      assert.is_true(step:listing().complete)
    end)
  end)

  it("walks in places where a task cannot suspend", function()
    composio.run(function()
      local count = 0
      table.sort({ 2, 1 }, function(a, b)
        count = #walk(all())
        return a < b
      end)
      assert.equal(250, count)
    end)
  end)

  local wrong = {
    { { statusses = { "ACTIVE" } }, "unknown option 'statusses' %(did you mean 'statuses'%?%)" },
    { { statuses = {} }, "statuses: an empty list would mean" },
    { { user_ids = { "a,b" } }, "contains a comma" },
    { "ACTIVE", "each: expected a table of options, got string" },
  }
  for place, case in ipairs(wrong) do
    both("refuses wrong options at once, " .. place, function()
      emulator:forget()
      local _, text = raised(pcall(accounts.each, case[1]))
      assert.matches(case[2], text)
      assert.matches("pages_spec%.lua:%d+: ", text)
      assert.equal(0, #emulator:lines())
    end)
  end
end)

describe("a listing is incomplete when", function()
  both("a cursor comes twice; the loop raises", function()
    emulator:faults { { action = "cursor_repeated", nth = 2, times = 0 } }
    local selection = all()
    local err, text = raised(pcall(walk, selection))
    assert.equal("ComposioListingError", err.name)
    assert.matches("the same page cursor twice", text)
    local listing = selection:listing()
    assert.is_false(listing.complete)
    assert.matches("the same page cursor twice", listing.reason)
  end)

  both("accounts come twice; they are given once", function()
    emulator:faults { { action = "duplicate_items", count = 3, nth = 1 } }
    local ids, listing = walk(all())
    assert.equal(250, #ids)
    assert.is_false(listing.complete)
    assert.equal(3, listing.repeated)
    assert.matches("3 accounts were listed twice", listing.reason)
  end)

  both("page one comes for every cursor", function()
    emulator:faults { { action = "cursor_ignored" } }
    local selection = all()
    pcall(walk, selection)
    local listing = selection:listing()
    assert.is_false(listing.complete)
    assert.equal(100, listing.accounts)
  end)

  both("pages are missing", function()
    emulator:faults { { action = "cursor_lost", nth = 2 } }
    local ids, listing = walk(all())
    assert.equal(200, #ids)
    assert.is_false(listing.complete)
    assert.matches("the service counts 250 accounts, but listed 200", listing.reason)
  end)

  both("the count is wrong", function()
    emulator:faults { { action = "total_items", add = 2 } }
    local _, listing = walk(all())
    assert.is_false(listing.complete)
    assert.equal(252, listing.total_items)
  end)

  both("a page cannot be read; the loop raises its error", function()
    emulator:faults { { action = "reply", status = 500, body = "no", nth = 2 } }
    local selection = all()
    local count = 0
    local err = raised(pcall(function()
      for _ in selection do
        count = count + 1
      end
    end))
    assert.equal("InternalServerError", err.name)
    assert.equal(100, count)
    local listing = selection:listing()
    assert.is_false(listing.complete)
    assert.equal(1, listing.pages)
    assert.matches("cannot read a page", listing.reason)
  end)
end)

describe("accounts that were not asked for", function()
  local filters = {
    statuses = { "EXPIRED" },
    user_ids = { "user_123" },
    toolkit_slugs = { "GitHub" },
    auth_config_ids = { "ac_GithubManage" },
    connected_account_ids = { "ca_github_u123A" },
  }
  for name, values in pairs(filters) do
    both("are dropped and counted: " .. name, function()
      emulator:faults()
      local right = walk(all { [name] = values })
      emulator:faults { { action = "ignore_filter", filter = name } }
      local ids, listing = walk(all { [name] = values })
      assert.same(right, ids)
      assert.equal(250 - #right, listing.dropped)
      assert.equal(#right, listing.accounts)
    end)
  end

  it("are told from asked ones by their type, too", function()
    emulator:faults { { action = "ignore_filter", filter = "account_type" } }
    local ids = walk(accounts.each { account_type = "SHARED" })
    for _, id in ipairs(ids) do
      assert.equal("SHARED", accounts.get(id).experimental.account_type)
    end
  end)
end)

describe("a change while a walk is open", function()
  both("reads the rest of the walk first, so that no page moves", function()
    emulator:reset()
    emulator:forget()
    local ids, first_change = {}, nil
    for account in accounts.each { statuses = { "ACTIVE" }, limit = 20 } do
      ids[#ids + 1] = account.id
      account:disable()
    end
    for place, line in ipairs(emulator:lines()) do
      if line:find "^PATCH" then
        first_change = first_change or place
      else
        assert.is_nil(first_change, "a page was read after a change")
      end
    end
    local left = walk(accounts.each { statuses = { "ACTIVE" } })
    assert.same({}, left)
    assert.is_true(#ids > 20)
  end)

  both("reads nothing for a loop that was left", function()
    local found
    for account in all { limit = 20 } do
      found = account
      if found then
        break
      end
    end
    composio.sleep(0.1)
    emulator:forget()
    pcall(found.update, found, { alias = "a" })
    assert.equal(1, #emulator:lines())
  end)

  both("reads the rest of a loop that was left and can be read on", function()
    local selection = all { limit = 100 }
    for account in selection do
      if account then
        break
      end
    end
    emulator:forget()
    accounts.update("ca_github_u123A", { alias = "a" })
    assert.equal(3, #emulator:lines())
    assert.is_true(selection:listing().complete)
  end)

  both("reads nothing of a selection that was closed", function()
    emulator:faults { { action = "total_items", total_items = 10001 } }
    local closed = all { limit = 20 }
    for account in closed do
      if account then
        break
      end
    end
    closed:close()
    do
      local selection <close> = all { limit = 20 }
      selection()
    end
    composio.sleep(0.1)
    emulator:forget()
    accounts.update("ca_github_u123A", { alias = "a" })
    assert.equal(1, #emulator:lines())
    assert.is_false(closed:listing().complete)
  end)

  -- Disables what the walk gives; how many that were, and how many are left.
  local function disable_all(step)
    local count = 0
    for account in step do
      account:disable()
      count = count + 1
    end
    local left = #walk(accounts.each { statuses = { "ACTIVE" } })
    return count, left
  end

  both("is met by a walk whose first page is read after another change", function()
    emulator:reset()
    local active = #walk(accounts.each { statuses = { "ACTIVE" } })
    local step = accounts.each({ statuses = { "ACTIVE" }, limit = 20 }):walk()
    accounts.update("ca_github_u123A", { alias = "before it begins" })
    local count, left = disable_all(step)
    assert.equal(active, count)
    assert.equal(0, left)
  end)

  it("is met by a walk whose first page is on its way", function()
    emulator:reset()
    local active = #walk(accounts.each { statuses = { "ACTIVE" } })
    local count, left
    composio.run(function()
      composio.spawn(function()
        count, left = disable_all(accounts.each { statuses = { "ACTIVE" }, limit = 20 })
      end)
      composio.spawn(function()
        accounts.update("ca_github_u123A", { alias = "meanwhile" })
      end)
    end)
    assert.equal(active, count)
    assert.equal(0, left)
  end)

  both("is met by a walk of another client of the same project", function()
    emulator:reset()
    local other = emulator:client()
    local count = 0
    local active = #walk(accounts.each { statuses = { "ACTIVE" } })
    for account in accounts.each { statuses = { "ACTIVE" }, limit = 20 } do
      other.connected_accounts.disable(account.id)
      count = count + 1
    end
    other:close()
    assert.equal(active, count)
  end)

  both("reads nothing of another project's walk", function()
    local elsewhere = server.emulator { "--accounts", "250" }
    local other = elsewhere:client()
    local step = other.connected_accounts.each({ limit = 20 }):walk()
    step()
    accounts.update("ca_github_u123A", { alias = "a" })
    composio.sleep(0.1)
    assert.is_true(step:listing().pages <= 2) -- the second one was asked for ahead
    other:close()
    elsewhere:stop()
  end)

  it("goes on when a script has replaced collectgarbage", function()
    local before = collectgarbage
    local step = all({ limit = 20 }):walk()
    step()
    rawset(_G, "collectgarbage", nil)
    local ok, err = pcall(accounts.update, "ca_github_u123A", { alias = "a" })
    rawset(_G, "collectgarbage", before)
    assert.is_true(ok, tostring(err))
  end)

  it("raises above 10,000 accounts and names composio.bulk", function()
    emulator:faults { { action = "total_items", total_items = 10001 } }
    local err, text = raised(pcall(function()
      for account in all() do
        account:disable()
      end
    end))
    assert.equal("string", type(err))
    assert.matches("10001 accounts", text)
    assert.matches("composio%.bulk", text)
    assert.equal(0, #emulator:changes())
  end)

  it("does not raise in a bulk of as many, where changes are planned only", function()
    local name, state = os.tmpname(), os.tmpname()
    local file = assert(io.open(name, "wb"))
    file:write [[
      local composio = require "composio"
      local accounts = composio.connected_accounts
      composio.bulk(accounts.each { statuses = { "ACTIVE" }, limit = 10 }, function(account)
        account:disable()
      end)
    ]]
    file:close()
    os.remove(state)
    emulator:faults { { action = "total_items", total_items = 10001 } }
    local program = server.quote(server.build .. "/composio-lua")
    local command = "COMPOSIO_API_KEY=%s %s run %s --base-url %s --state-dir %s 2>&1"
    local pipe = assert(
      io.popen(command:format(emulator.api_key, program, name, emulator.url, state))
    )
    local text = pipe:read "a"
    assert.is_truthy(pipe:close(), text)
    os.remove(name)
    os.execute("rm -r " .. state)
    assert.is_nil(text:find("too many", 1, true), text)
    assert.is_truthy(text:find("disable", 1, true), text)
    assert.equal(0, #emulator:changes())
  end)

  it("does not raise for a loop of as many that was left", function()
    emulator:faults { { action = "total_items", total_items = 10001 } }
    local found
    for account in accounts.each { statuses = { "ACTIVE" } } do
      found = account
      if found then
        break
      end
    end
    found:disable()
    assert.equal(1, #emulator:changes())
  end)

  both("is a change of an auth config, too", function()
    emulator:forget()
    local first = true
    for _ in all { limit = 100 } do
      if first then
        client.auth_configs.enable "ac_GithubCustom"
        first = false
      end
    end
    local lines = emulator:lines()
    assert.equal("PATCH /auth_configs/ac_GithubCustom/ENABLED", lines[#lines])
    assert.equal(4, #lines)
  end)

  it("in a loop whose variable is kept in a closure, and that is left", function()
    local kept = {}
    for account in all { limit = 20 } do
      kept[#kept + 1] = function()
        return account.id
      end
      if #kept == 3 then
        break
      end
    end
    assert.is_string(kept[3]())
  end)
end)

describe("closing", function()
  -- How many accounts a loop gives after its selection was closed at the n-th.
  local function given(selection, close_at, before_close)
    local count = 0
    for account in selection do
      count = count + 1
      if count == close_at then
        if before_close then
          before_close(account)
        end
        selection:close()
      end
    end
    return count
  end

  both("ends a loop, however much was read", function()
    assert.equal(1, given(all { limit = 20 }, 1))
    assert.equal(2, given(all { user_ids = { "user_123" } }, 2)) -- one page
    assert.equal(245, given(all { limit = 20 }, 245)) -- within the last page
    assert.equal(1, given(all { limit = 20 }, 1, function(account)
      account:update { alias = "all pages are read first" }
    end))
  end)

  it("drops a page that is on its way", function()
    local path = "*/connected_accounts?*"
    emulator:faults { { path = path, action = "delay", delay_ms = 100, nth = 1 } }
    composio.run(function()
      local selection, count = all { limit = 20 }, 0
      local task = composio.spawn(function()
        for _ in selection do
          count = count + 1
        end
      end)
      composio.sleep(0.02)
      selection:close()
      task:join()
      assert.equal(0, count)
      assert.is_false(selection:listing().complete)
    end)
    emulator:faults()
  end)

  it("ends a walk by hand", function()
    local selection = all { limit = 20 }
    do
      local step <close> = selection:walk()
      step()
      emulator:forget()
    end
    accounts.update("ca_github_u123A", { alias = "a" })
    assert.equal(1, #emulator:lines())
    assert.equal("the selection was closed", selection:listing().reason)
  end)

  it("names the script's line when called with a dot", function()
    local selection = all()
    for _, call in ipairs {
      function() selection.close() end,
      function() selection.listing "x" end,
      function() selection.walk {} end,
      function() selection:walk().close() end,
      function() selection:walk().listing {} end,
    } do
      local _, text = raised(pcall(call))
      assert.matches("pages_spec%.lua:%d+: .*: call it with a colon", text)
    end
  end)
end)

describe("core.idset", function()
  it("knows what it was given, and nothing else", function()
    local seen = core.idset()
    for i = 1, 20000 do
      assert(seen:add("ca_" .. i))
    end
    for i = 1, 20000 do
      assert(not seen:add("ca_" .. i))
    end
    assert.equal(20000, seen:count())
    assert.is_true(seen:add "")
    assert.is_false(seen:add "")
  end)
end)
