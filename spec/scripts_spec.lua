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

local function number(text, word)
  return tonumber(text:match(word .. "%s+(%d+)"))
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
    assert.is_true(result.summary.outcomes.planned > 10)
    assert.is_nil(place:read "waiting.csv")
  end)

  it("heals, hands over to people, and leaves nothing that a machine can heal", function()
    local before = expired()
    local planned = run("refresh_expired").summary.outcomes.planned
    local result = run("refresh_expired", "--apply")
    assert.equal(0, result.code, result.err)
    local healed, waiting = number(result.out, "healed"), number(result.out, "waiting")
    local credentials = number(result.out, "credentials")
    assert.equal(planned, healed + waiting)
    assert.equal(count(before), healed + waiting + credentials)
    assert.is_true(healed > 0 and waiting > 0 and credentials > 0)
    local after = project()
    local now = { healed = 0, waiting = 0, credentials = 0 }
    for id in pairs(before) do
      local status = after[id].status
      if status == "ACTIVE" then
        now.healed = now.healed + 1
      elseif status == "INITIATED" then
        now.waiting = now.waiting + 1
      else
        assert.equal("EXPIRED", status)
        now.credentials = now.credentials + 1
      end
    end
    assert.same({ healed = healed, waiting = waiting, credentials = credentials }, now)
    local second = run "refresh_expired"
    assert.equal(0, second.code)
    assert.is_nil(second.summary.outcomes.planned)
    has(second.err, "nothing would be changed")
    assert.equal(credentials, number(second.out, "credentials"))
  end)

  it("touches nothing but EXPIRED accounts, shared ones among them", function()
    local before = expired()
    local result = run("refresh_expired", "--apply")
    local shared = 0
    for _, account in pairs(before) do
      local kind = account.experimental and account.experimental.account_type
      shared = shared + (kind == "SHARED" and 1 or 0)
    end
    assert.is_true(shared > 0)
    assert.equal(shared, number(result.out, "shared"))
    for _, change in ipairs(emulator:changes()) do
      assert.equal("refresh", change.op)
      assert.equal("EXPIRED", change.before)
      assert.is_not_nil(before[change.account_id])
    end
  end)

  it("gives people's links to nobody but the one who runs it", function()
    local result = run("refresh_expired", "--apply", "--report", "people.csv")
    assert.equal("600", place:mode "people.csv")
    local ledger, lines = place:read ".local/state/composio-lua/ledger.db", {}
    for line in place:read("people.csv"):gmatch "[^\r\n]+" do
      lines[#lines + 1] = line
    end
    assert.equal("user,toolkit,reason,expires_at,redirect_url", lines[1])
    assert.equal(number(result.out, "waiting"), #lines - 1)
    for i = 2, #lines do
      assert.matches(",%l+,[^,]*,,http://127", lines[i])
      local url = lines[i]:match "http://[^,]*$"
      assert.is_nil((result.out .. result.err .. ledger):find(url, 1, true))
    end
  end)

  it("makes new links instead when asked", function()
    local before = expired()
    local result = run("refresh_expired", "--apply", "--reconnect", "link")
    assert.equal(0, result.code, result.err)
    local links, waiting = 0, number(result.out, "waiting")
    for _, change in ipairs(emulator:changes()) do
      if change.op == "link" then
        links = links + 1
      else
        assert.equal("refresh", change.op)
        assert.is_nil(before[change.account_id].state.authScheme:find "^OAUTH")
      end
    end
    assert.is_true(links > 0)
    assert.equal(waiting, links)
    has(place:read "waiting.csv", "/link/lk_")
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
  for script, tag in pairs { disable_idle = "shared-left-alone" } do
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
