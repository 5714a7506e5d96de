-- composio.tag: words that scripts give their items, in the ledger, in counts, in the
-- summary and in show.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local has, lacks = job.has, job.lacks
local emulator, place

scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

local function run(words, script)
  return place:run(host.unlimited(words), { script = script })
end

local function apply(script, ...)
  return run({ "job.lua", "--apply", "--summary", "summary.json", ... }, script)
end

-- Six rows; the first three are disabled, one of the others is only looked at.
local SCRIPT = [[
  local rows = {}
  for account in accounts.each { statuses = { "ACTIVE" }, limit = 6 } do
    if #rows < 6 then rows[#rows + 1] = account end
  end
  local seen = 0
  local counts = composio.bulk({
    name = "some",
    after = function(account) composio.tag "off" composio.tag "off" %s end,
  }, rows, function(account)
    seen = seen + 1
    composio.tag "seen"
    if seen == 4 then composio.tag "odd_1-x" end
    if seen <= 3 then account:disable() end
  end)
  print(counts.tags.seen, counts.tags.off, counts.tags["odd_1-x"], counts.tags.none)
]]

describe("a tag", function()
  it("is counted in the bulk, the summary, the ledger and show, once an item", function()
    local result = apply(SCRIPT:format "")
    assert.equal(0, result.code, result.err)
    assert.equal("6\t3\t1\tnil\n", result.out)
    assert.same({ seen = 6, off = 3, ["odd_1-x"] = 1 }, result.summary.tags)
    has(result.err, "tags: odd_1-x 1 · off 3 · seen 6")
    assert.same({ { "6" } }, place:ledger "SELECT count(*) FROM item")
    local shown = place:run({ "show", "last" }).out
    assert.matches("\nseen +6\n", shown)
    shown = place:run({ "show", "last", "--tag", "odd_1-x" }).out
    local _, actives = shown:gsub("  ACTIVE", "")
    assert.equal(1, actives, shown)
    lacks(shown, "disable  ca_")
    shown = place:run({ "show", "last", "--tag", "off" }).out
    local _, disabled = shown:gsub("\ndisable +ca_", "")
    assert.equal(3, disabled, shown)
    local _, lines = place:run({ "show", "last", "--tag", "seen", "--json" }).out
      :gsub('"kind":"item"', "")
    assert.equal(6, lines)
    local none = place:run { "show", "last", "--tag", "none" }
    assert.equal(2, none.code)
    has(none.err, "no item of run")
  end)

  it("is kept by a preview and by its saved plan", function()
    local result = run({ "job.lua", "--save-plan", "p.jsonl", "--summary", "summary.json" },
      SCRIPT:format "")
    has(result.out, "6\tnil\t1\tnil\n")
    assert.same({ seen = 6, ["odd_1-x"] = 1 }, result.summary.tags)
    has(result.err, "tags: odd_1-x 1 · seen 6")
    result = run { "apply", "p.jsonl", "--summary", "summary.json" }
    assert.equal(0, result.code, result.err)
    assert.same({ seen = 6, off = 3, ["odd_1-x"] = 1 }, result.summary.tags)
  end)

  it("is right after a resume: what `after` said first counts no more", function()
    place:write("slow.csv", "a\n")
    local script = SCRIPT:format [[
      if pcall(composio.csv, "slow.csv") then composio.tag "early" composio.sleep(30) end
    ]]
    local process = place:start(host.unlimited { "job.lua", "--apply" }, { script = script })
    host.wait_until(function()
      return job.writes(emulator) == 3
    end, "the changes")
    process:signal "TERM"
    process:wait()
    os.remove(place.path .. "/slow.csv")
    local result = run { "resume", "last", "--summary", "summary.json" }
    assert.equal(0, result.code, result.err)
    assert.same({ seen = 6, off = 3, ["odd_1-x"] = 1 }, result.summary.tags)
  end)

  it("goes with a plan that was not sealed, and with an action that is planned anew", function()
    local script = [[
      local failing = pcall(composio.csv, "failing.csv")
      local rows = { { id = "one" }, { id = "two" } }
      composio.bulk("first", rows, function(row)
        composio.tag(failing and "bad" or "good")
        if failing then error "not now" end
        accounts.link(row.id, "ac_GmailManaged")
      end)
      composio.bulk("second", rows, function(row)
        composio.tag(failing and "bad" or "good")
        if failing and row.id == "two" then accounts.list() composio.sleep(30) end
      end)
    ]]
    place:write("failing.csv", "a\n")
    local process = place:start(host.unlimited { "job.lua", "--apply" }, { script = script })
    host.wait_until(function()
      return #emulator:requests() > 0
    end, "the second bulk")
    process:signal "KILL"
    process:wait()
    os.remove(place.path .. "/failing.csv")
    local result = run { "resume", "last", "--failed", "--summary", "summary.json" }
    assert.same({ good = 4 }, result.summary.tags, result.err)
  end)

  it("is refused elsewhere, and when it is none", function()
    local cases = {
      ['composio.tag "outside"'] = "call it in a bulk's action or its `after`",
      ['composio.bulk({ canary = { count = 1, check = function() composio.tag "x" end } }, '
        .. 'accounts.each { statuses = { "ACTIVE" } }, function(a) a:disable() end)'] =
        "call it in a bulk's action or its `after`",
      ['composio.bulk({ { id = "r" } }, function() composio.tag "Big" end)'] =
        'expected 1 to 32 of a-z, 0-9, _ and -, got "Big"',
      ['composio.bulk({ { id = "r" } }, function() composio.tag(("x"):rep(33)) end)'] =
        "expected 1 to 32",
      ['composio.bulk({ { id = "r" } }, function() composio.tag(7) end)'] = "got number",
    }
    for script, text in pairs(cases) do
      local result = apply(script)
      assert.is_true(result.code ~= 0, script)
      has(result.err, text)
    end
  end)
end)
