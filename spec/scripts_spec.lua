-- The shipped jobs on an emulated project: preview, apply, second preview.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local has = job.has
local emulator, place

scene.of_host({ "--accounts", "400" }, function(...)
  emulator, place = ...
end)

local function run(script, ...)
  return place:run { "run", script, "--summary", "summary.json", ... }
end

-- All accounts of the emulated project by id.
local function project()
  local list = {}
  for account in emulator:client().connected_accounts.each { account_type = "ALL" } do
    list[account.id] = account
  end
  return list
end

local function expired()
  local list = {}
  for id, account in pairs(project()) do
    if account.status == "EXPIRED" then
      list[id] = account
    end
  end
  return list
end

local function count(list)
  local n = 0
  for _ in pairs(list) do
    n = n + 1
  end
  return n
end

-- The rows of a report, each by column; no cell of these jobs has a comma or a quote.
local function report(name)
  local rows, columns = {}, nil
  for line in place:read(name or "waiting.csv"):gmatch "[^\r\n]+" do
    local cells, row = {}, {}
    for cell in (line .. ","):gmatch "([^,]*)," do
      cells[#cells + 1] = cell
    end
    for i, column in ipairs(columns or {}) do
      row[column] = cells[i]
    end
    rows[#rows + 1] = columns and row or nil
    columns = columns or cells
  end
  return rows
end

-- How many of these accounts have each status now.
local function statuses_now(accounts)
  local now, after = {}, project()
  for id in pairs(accounts) do
    now[after[id].status] = (now[after[id].status] or 0) + 1
  end
  return now
end

describe("every shipped script", function()
  it("fits on a screen, reads as documentation and tells about itself", function()
    for path in io.popen("ls scripts/*.lua"):lines() do
      local lines, comments = 0, 0
      for line in io.lines(path) do
        lines = lines + 1
        comments = comments + (line:find "^%-%-" and 1 or 0)
        assert.is_true(#line <= 100, path)
      end
      assert.is_true(lines <= 60, path .. " has " .. lines .. " lines")
      assert.is_true(comments >= 3, path)
      local name = path:match "([%w_]+)%.lua$"
      local help = place:run { "help", name }
      assert.equal(0, help.code)
      has(place:run({ "scripts" }).out, name)
      has(help.out, "Parameters:")
    end
  end)
end)

describe("refresh_expired", function()
  it("previews without a change", function()
    local result = run "refresh_expired"
    assert.equal(0, result.code, result.err)
    assert.same({}, emulator:changes())
    assert.is_true(result.summary.outcomes.planned > 3)
    assert.is_nil(place:read "waiting.csv")
  end)

  it("heals what a machine can and lists people, for whom it makes no link", function()
    local before = expired()
    local result = run("refresh_expired", "--apply")
    assert.equal(0, result.code, result.err)
    local tags = result.summary.tags
    assert.equal(tags.healed, result.summary.outcomes.done)
    assert.equal(count(before), tags.healed + tags.waiting + tags.credentials)
    assert.is_true(tags.healed > 0 and tags.waiting > 0 and tags.credentials > 0)
    assert.same({ ACTIVE = tags.healed, EXPIRED = tags.waiting + tags.credentials },
      statuses_now(before))
    assert.equal(tags.healed, #emulator:changes())
    for _, change in ipairs(emulator:changes()) do
      assert.equal("refresh", change.op)
      assert.is_not_nil(before[change.account_id])
    end
    local rows = report()
    assert.equal(tags.waiting, #rows)
    for _, row in ipairs(rows) do
      assert.equal(before[row.account].status_reason, row.reason)
      assert.equal("", row.redirect_url)
    end
    local second = run "refresh_expired"
    assert.equal(0, second.code)
    has(second.err, "nothing would be changed")
    assert.same({ waiting = tags.waiting, credentials = tags.credentials }, second.summary.tags)
  end)

  it("tells who was not in the last report", function()
    run("refresh_expired", "--apply")
    local first, old = report(), 0
    local text = place:read "waiting.csv"
    place:write("waiting.csv", (text:gsub(",20%d%d%-[^,]*Z,", ",2026-01-01,")
      :gsub("[^\n]*\n$", "")))
    run("refresh_expired", "--apply")
    for _, row in ipairs(report()) do
      old = old + (row.new_since == "2026-01-01" and 1 or 0)
      assert.is_true(row.new_since == "2026-01-01" or row.new_since >= first[1].new_since)
    end
    assert.equal(#first, #report())
    assert.equal(#first - 1, old)
  end)

  it("reports people from a saved plan, too", function()
    local shown = run("refresh_expired", "--save-plan", "p.jsonl")
    local acted = place:run { "apply", "p.jsonl", "--summary", "summary.json" }
    assert.equal(0, acted.code, acted.err)
    assert.equal(shown.summary.tags.waiting, #report())
    assert.equal(shown.summary.tags.waiting, acted.summary.tags.waiting)
  end)

  it("mints links that keep the account, for nobody but the one who runs it", function()
    local before = expired()
    local result = run("refresh_expired", "--apply", "--people", "refresh", "--report", "p.csv")
    assert.equal(0, result.code, result.err)
    local tags = result.summary.tags
    assert.same({ ACTIVE = tags.healed, INITIATED = tags.waiting, EXPIRED = tags.credentials },
      statuses_now(before))
    assert.equal("600", place:mode "p.csv")
    local ledger = place:read ".local/state/composio-lua/ledger.db"
    local rows = report "p.csv"
    assert.equal(tags.waiting, #rows)
    for _, row in ipairs(rows) do
      assert.matches("^http://127", row.redirect_url)
      assert.equal(before[row.account].status_reason, row.reason)
      assert.is_nil((result.out .. result.err .. ledger):find(row.redirect_url, 1, true))
    end
  end)

  it("keeps the true reason of who let a link lapse", function()
    local before = expired()
    run("refresh_expired", "--apply")
    run("refresh_expired", "--apply", "--people", "refresh")
    emulator:tell("clock/advance", { seconds = 700 })
    run("refresh_expired", "--apply")
    local true_reasons = 0
    for _, row in ipairs(report()) do -- others lapse with the clock, too
      if before[row.account] then
        assert.equal(before[row.account].status_reason, row.reason)
        true_reasons = true_reasons + 1
      end
    end
    assert.is_true(true_reasons > 10)
  end)

  it("makes new accounts where a refresh is gone", function()
    local before = expired()
    local result = run("refresh_expired", "--apply", "--people", "link")
    assert.equal(0, result.code, result.err)
    local links = 0
    for _, change in ipairs(emulator:changes()) do
      if change.op == "link" then
        links = links + 1
      else
        assert.equal("refresh", change.op)
        assert.is_nil(before[change.account_id].state.authScheme:find "^OAUTH")
      end
    end
    assert.is_true(links > 0)
    assert.equal(result.summary.tags.waiting, links)
    has(place:read "waiting.csv", "/link/lk_")
  end)

  it("refuses its former option and names the new one", function()
    for _, option in ipairs { "--reconnect", "--reconnect=link" } do
      local result = run("refresh_expired", "--apply", option)
      assert.equal(2, result.code)
      has(result.err, "--reconnect is --people now")
    end
    assert.equal(2, run("refresh_expired", "--deliver", "hook").code)
    assert.same({}, emulator:requests())
  end)

  it("tells what failed, and goes on", function()
    emulator:faults {
      { method = "POST", path = "*/refresh*", nth = 2, action = "reply", status = 422,
        body = { error = { message = "cannot start again", code = 1, slug = "X", status = 422 } } },
    }
    local result = run("refresh_expired", "--apply")
    assert.equal(3, result.code)
    assert.equal(1, result.summary.outcomes.failed)
    has(result.err, "cannot start again")
  end)
end)

describe("disable_idle", function()
  local function idle(days, with_shared)
    local since = os.date("!%Y-%m-%dT%H:%M:%S.000Z", os.time() - days * 86400)
    local list = {}
    for id, account in pairs(project()) do
      local shared = account.experimental and account.experimental.account_type == "SHARED"
      local old = account.status == "ACTIVE" and account.updated_at < since
      if old and (with_shared or not shared) then
        list[id] = account
      end
    end
    return list
  end

  it("disables what was not updated for so long, and deletes nothing", function()
    for _, case in ipairs { { days = 90 }, { days = 30 }, { days = 30, shared = true } } do
      emulator:reset()
      local before = idle(case.days, case.shared)
      assert.is_true(count(before) > 0)
      local words = { "--days", tostring(case.days), case.shared and "--shared" or nil }
      local result = run("disable_idle", table.unpack(words))
      assert.equal(count(before), result.summary.outcomes.planned)
      assert.same({}, emulator:changes())
      result = run("disable_idle", "--apply", table.unpack(words))
      assert.equal(0, result.code, result.err)
      assert.equal(count(before), result.summary.outcomes.done)
      for _, change in ipairs(emulator:changes()) do
        assert.equal("disable", change.op)
        assert.is_not_nil(before[change.account_id])
        before[change.account_id] = nil
      end
      assert.same({}, before)
      assert.is_nil(run("disable_idle", table.unpack(words)).summary.outcomes.planned)
    end
  end)

  it("refuses less than a day", function()
    local result = run("disable_idle", "--days", "0")
    assert.equal(2, result.code)
    assert.same({}, emulator:requests())
  end)
end)

-- Who looks at a plan again looks at no account, yet knows what was tagged.
describe("a saved plan of a shipped script", function()
  local tags = { disable_idle = "shared-left-alone", refresh_expired = "credentials" }
  for script, tag in pairs(tags) do
    it("keeps the tags of what it did not change: " .. script, function()
      local plan = place.path .. "/plan.jsonl"
      local words = host.unlimited { "--summary", "summary.json" }
      local shown = place:run { "run", script, "--save-plan", plan, table.unpack(words) }
      assert.equal(0, shown.code, shown.err)
      assert.is_true(shown.summary.tags[tag] > 0)
      local acted = place:run { "apply", plan, table.unpack(words) }
      assert.is_true(#emulator:changes() > 0, acted.err)
      assert.equal(shown.summary.tags[tag], acted.summary.tags[tag])
    end)
  end
end)
