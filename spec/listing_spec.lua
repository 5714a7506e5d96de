-- Incomplete listings: previews report them, bulks refuse to change anything, and
-- allow_incomplete permits it. Covers every wrong listing that the emulator can produce.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local has, lacks = job.has, job.lacks
local emulator, place

scene.of_host({ "--accounts", "350" }, function(...)
  emulator, place = ...
end)

local function run(script, ...)
  return place:run(
    { "job.lua", "--max-percent=100", "--summary=summary.json", ... },
    { script = script }
  )
end

-- All accounts get a name: four pages, and every account is changed.
local SCRIPT = [[
  composio.bulk({ %s }, accounts.each { account_type = "ALL" }, function(account)
    account:update { alias = "x " .. account.id }
  end)
  print "and on"
]]
local ANYWAY = SCRIPT:format "allow_incomplete = true"
local STRICT = SCRIPT:format ""

-- Only pages of the selection, not the count of the project's accounts.
local PAGES = "*order_by=*"

local lies = {
  ["a cursor that is lost"] = { path = PAGES, nth = 2, action = "cursor_lost" },
  ["a cursor that comes again"] = { path = PAGES, nth = 2, action = "cursor_repeated" },
  ["a cursor that means nothing"] = { path = "*cursor=*", action = "cursor_ignored" },
  ["accounts that stand twice"] = { path = PAGES, nth = 2, action = "duplicate_items", count = 2 },
  ["a total that is too high"] = { path = PAGES, action = "total_items", add = 1 },
  ["a total that is too low"] = { path = PAGES, action = "total_items", add = -1 },
  ["a total that shrinks"] = { path = PAGES, nth = 3, action = "total_items", add = 5 },
  ["a page that is refused"] = {
    path = "*cursor=*", nth = 2, times = 9, action = "reply", status = 400, body = "no",
  },
  ["a page that is no JSON"] = { path = "*cursor=*", nth = 2, times = 9, action = "garbage" },
  ["a page that is a web page"] = { path = "*cursor=*", nth = 2, times = 9, action = "html" },
  ["a page that never ends"] = { path = "*cursor=*", nth = 2, times = 9, action = "truncate" },
  ["a page that leads elsewhere"] = {
    path = "*cursor=*", nth = 2, times = 9, action = "redirect", location = "https://example.com/",
  },
  ["a server that is busy for ever"] = {
    path = "*cursor=*", nth = 2, times = 99, action = "reply", status = 503, body = "busy",
  },
}

describe("a listing with", function()
  for name, rule in pairs(lies) do
    it(name .. " is told in a preview, and refused with --apply", function()
      emulator:faults { rule }
      local preview = run(STRICT, "--retries=1")
      assert.equal(0, preview.code, preview.err)
      has(preview.out, "the listing is incomplete: ")
      assert.is_false(preview.summary.listing.complete)
      has(preview.out, "and on\n")

      emulator:faults { rule }
      local acted = run(STRICT, "--apply", "--retries=1")
      assert.equal(4, acted.code, acted.err)
      has(acted.err, "the listing is incomplete (")
      has(acted.err, "none of its changes is made")
      has(acted.err, "allow_incomplete = true")
      assert.equal(0, job.writes(emulator))
      assert.equal("", acted.out)
      assert.is_false(acted.summary.listing.complete)
    end)
  end

  it("any of these is acted on with allow_incomplete: each account once", function()
    for _, name in ipairs {
      "a cursor that is lost", "accounts that stand twice", "a total that is too high",
      "a page that is refused", "a cursor that comes again", "a cursor that means nothing",
    } do
      emulator:reset()
      emulator:forget()
      emulator:faults { lies[name] }
      local acted = run(ANYWAY, "--apply", "--retries=1")
      assert.equal(0, acted.code, name .. acted.err)
      has(acted.err, "the listing is incomplete: ")
      local seen, count = {}, 0
      for _, change in ipairs(emulator:changes()) do
        assert.is_nil(seen[change.account_id], name)
        seen[change.account_id] = true
        count = count + 1
      end
      assert.is_true(count >= 100, name .. count)
      assert.equal(count, acted.summary.outcomes.done)
    end
  end)

  it("none of these is complete, and is acted on", function()
    local preview = run(STRICT)
    lacks(preview.err, "incomplete")
    assert.same({ complete = true, accounts = 350, pages = 4 }, preview.summary.listing)
    local acted = run(STRICT, "--apply")
    assert.equal(0, acted.code, acted.err)
    assert.equal(350, job.writes(emulator))
  end)

  it("a failed page that a retry gets is complete", function()
    emulator:faults {
      { path = "*cursor=*", nth = 2, times = 1, action = "close" },
      { path = "*cursor=*", nth = 3, times = 1, action = "reply", status = 502, body = "x" },
    }
    local preview = run(STRICT)
    assert.equal(0, preview.code, preview.err)
    lacks(preview.err, "incomplete")
    assert.equal(350, preview.summary.listing.accounts)
  end)

  it("no first page at all is an error, not a project without accounts", function()
    -- the service's own word, and another's
    for code, body in pairs { [1] = { error = { message = "no", code = 1 } }, [7] = "no" } do
      emulator:faults { { path = PAGES, action = "reply", status = 400, body = body } }
      for _, word in ipairs { "--apply", "-v" } do
        local acted = run(STRICT, word, "--retries=0")
        assert.equal(code, acted.code, acted.err)
        assert.equal("", acted.out)
        assert.equal(0, job.writes(emulator))
      end
    end
  end)
end)

describe("a filter that the service ignores", function()
  local cases = {
    statuses = { "statuses", '{ "ACTIVE" }', function(account)
      return account.status == "ACTIVE"
    end },
    toolkit_slugs = { "toolkit_slugs", '{ "github" }', function(account)
      return account.toolkit.slug == "github"
    end },
    user_ids = { "user_ids", '{ "user_123" }', function(account)
      return account.user_id == "user_123"
    end },
    auth_config_ids = { "auth_config_ids", '{ "ac_GmailManaged" }', function(account)
      return account.auth_config.id == "ac_GmailManaged"
    end },
  }

  for name, case in pairs(cases) do
    it(name .. " changes none that do not match, and tells how many came", function()
      local client = emulator:client()
      local wanted = {}
      for account in client.connected_accounts.each {} do
        wanted[account.id] = case[3](account) or nil
      end
      client:close()
      emulator:forget()
      emulator:faults { { path = PAGES, action = "ignore_filter", filter = name } }
      local text = [[
        composio.bulk({ allow_incomplete = true }, accounts.each { %s = %s }, function(account)
          account:update { alias = "x " .. account.id }
        end)
      ]]
      local acted = run(text:format(case[1], case[2]), "--apply")
      assert.equal(0, acted.code, acted.err)
      for _, change in ipairs(emulator:changes()) do
        assert.is_true(wanted[change.account_id], change.account_id)
        wanted[change.account_id] = nil
      end
      assert.is_nil(next(wanted))
    end)
  end

  it("is told, with the number that were left out", function()
    local total = emulator:stats().accounts
    local expired = #job.ids(emulator, { statuses = { "EXPIRED" }, account_type = "ALL" })
    emulator:faults { { path = PAGES, action = "ignore_filter", filter = "statuses" } }
    local preview = run [[
      local all = accounts.each { statuses = { "EXPIRED" }, account_type = "ALL" }
      composio.bulk(all, function(account) account:update { alias = "x" } end)
    ]]
    assert.equal(0, preview.code, preview.err)
    local text = "left out %d listed accounts that do not match the filter"
    has(preview.err, text:format(total - expired))
    assert.equal(expired, preview.summary.outcomes.planned)
  end)
end)

describe("other listings of a run", function()
  it("of ids that come incomplete are refused, too", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 3)
    local script = ("composio.bulk(%s, function(account) account:disable() end)"):format(
      job.quoted(ids)
    )
    emulator:faults { { path = "*connected_account_ids=*", action = "total_items", add = 1 } }
    local acted = run(script, "--apply")
    assert.equal(4, acted.code, acted.err)
    assert.equal(0, job.writes(emulator))
    emulator:faults { { path = "*connected_account_ids=*", action = "reply", status = 400 } }
    acted = run(script, "--apply")
    assert.is_not.equal(0, acted.code)
    assert.equal(0, job.writes(emulator))
  end)

  it("of rows' accounts that cannot be read fail their items, and change nothing", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 2)
    local script = ([[
      composio.bulk({ { id = %q }, { id = %q } }, function(row) accounts.disable(row.id) end)
    ]]):format(ids[1], ids[2])
    emulator:faults { { path = "*connected_account_ids=*", action = "total_items", add = 1 } }
    local acted = run(script, "--apply")
    assert.equal(3, acted.code, acted.err)
    has(acted.err, "cannot read the accounts")
    assert.equal(0, job.writes(emulator))
  end)

  it("after a page that shifts under it is not complete", function()
    -- an account goes while the listing is under way: what was behind moves up
    emulator:faults { { path = "*cursor=*", action = "delay", delay_ms = 300 } }
    local first = job.ids(emulator, { account_type = "ALL" }, 1)[1]
    emulator:faults { { path = "*cursor=*", action = "delay", delay_ms = 300 } }
    local process = place:start(
      { "job.lua", "--apply", "--max-percent=100", "--summary=summary.json" },
      { script = STRICT }
    )
    host.wait_until(function()
      return #emulator:requests() >= 2
    end, "the second request")
    local client = emulator:client()
    client.connected_accounts.delete(first)
    client:close()
    local acted = process:wait()
    assert.equal(4, acted.code, acted.err)
    has(acted.err, "the listing is incomplete")
    assert.equal(1, job.writes(emulator)) -- ours
  end)
end)
