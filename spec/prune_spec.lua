-- runs --prune: which old runs it removes and which it leaves, what stays known of their
-- accounts, and what goes with them.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"
local server = require "spec.support.server"

local has, lacks = job.has, job.lacks
local place

local ID = "ca_github_u123A"
local LEDGER = ".local/state/composio-lua/ledger.db"
local DAY = 86400000

scene.of_host({ "--accounts", "30" }, function(_, new_place)
  place = new_place
end)

local function write_ledger(sql)
  place:write("ledger.sql", sql)
  host.shell(("cd %s && sqlite3 %s < ledger.sql"):format(server.quote(place.path), LEDGER))
end

-- Makes everything in the ledger that many days older.
local function age(days)
  local ms = days * DAY
  write_ledger(([[
UPDATE run SET began_ms = began_ms - %d, ended_ms = ended_ms - %d;
UPDATE part SET began_ms = began_ms - %d, ended_ms = ended_ms - %d;
UPDATE intent SET sent_ms = sent_ms - %d;
UPDATE outcome SET ended_ms = ended_ms - %d;
]]):format(ms, ms, ms, ms, ms, ms))
end

local function run_of(text, ...)
  local words = host.unlimited { "job.lua", "--summary", "summary.json", ... }
  local run = place:run(words, { script = text })
  assert(run.summary, run.err)
  return run.summary.run, run
end

local function prune(...)
  return place:run({ "runs", "--prune", ... }, {
    env = { COMPOSIO_API_KEY = false, COMPOSIO_BASE_URL = false },
  })
end

local function runs_left()
  return place:run({ "runs" }).out
end

local REFRESH = 'composio.bulk({ "ca_gmail_u123_C" }, function(a) a:refresh() end)'
local DISABLE = ('accounts.disable(%q, { reason = "idle" })'):format(ID)

describe("runs --prune", function()
  it("shows first, and removes with --apply", function()
    local old = run_of(REFRESH, "--apply")
    age(100)
    local new = run_of(REFRESH, "--apply")
    local run = prune "90d"
    assert.equal(0, run.code, run.err)
    has(run.out, old)
    lacks(run.out, new)
    has(run.err, "nothing was removed; --apply removes 1 run")
    has(runs_left(), old)
    run = prune("90d", "--apply")
    assert.equal(0, run.code, run.err)
    has(run.err, "removed: 1 run with 1 change")
    lacks(runs_left(), old)
    has(runs_left(), new)
    for _, name in ipairs { "change", "item", "intent", "outcome", "sent" } do
      local column = "id >> " .. (name == "item" and 26 or 41)
      local query = ("SELECT count(DISTINCT %s) FROM %s"):format(column, name)
      assert.equal("1", place:ledger(query)[1][1], name)
    end
    assert.same({}, place:ledger "SELECT * FROM part WHERE run NOT IN (SELECT id FROM run)")
    has(prune("90d", "--apply").err, "no run that ended more than 90 days ago can be removed")
  end)

  it("leaves what can be undone for a year, or until --force", function()
    local id = run_of(DISABLE, "--apply")
    age(100)
    local run = prune("90d", "--apply")
    has(run.err, "left: 1 run that can be undone")
    has(runs_left(), id)
    run = prune("90d", "--force")
    has(run.out, id)
    age(266)
    run = prune("90d", "--apply")
    has(run.err, "removed: 1 run with 1 change")
    lacks(runs_left(), id)
  end)

  it("leaves a run with anything open, however old", function()
    local id = run_of(DISABLE, "--apply")
    write_ledger "UPDATE run SET counts = '[0,0,0,0,0,0,0,1,0,0]', exit_code = 8" -- 1 unknown
    age(4000)
    local run = prune("90d", "--apply", "--force")
    has(run.err, "left: 1 run with something open")
    has(runs_left(), id)
  end)

  it("leaves a run whose rows an open run has taken over", function()
    local first, second = run_of(REFRESH, "--apply"), run_of(REFRESH, "--apply")
    local open = "UPDATE run SET exit_code = 7, redoes = '%s' WHERE name = '%s';"
    write_ledger(open:format(first, second))
    age(100)
    local run = prune("90d", "--apply")
    assert.equal(0, run.code, run.err)
    has(runs_left(), first)
    has(runs_left(), second)
  end)

  it("does not touch a run while another holds the lock", function()
    run_of(REFRESH, "--apply")
    age(100)
    local holder = place:start({ "job.lua", "--apply" }, {
      script = "print 'here' composio.sleep(20)",
    })
    holder:wait_for "here"
    local run = prune("90d", "--apply")
    holder:signal "TERM"
    holder:wait()
    assert.equal(75, run.code, run.err)
    has(run.err, "another run holds the lock")
  end)

  it("leaves history true: the last refresh, and that an account was ACTIVE", function()
    run_of(REFRESH, "--apply")
    age(1)
    run_of(DISABLE, "--apply")
    age(1000)
    local asks = [[
for change in composio.history { account = %q%s } do
  print(change.operation, change.outcome, change.at, change.status_before, change.pruned)
end]]
    local function answer(id, more)
      local run = place:run({ "job.lua" }, { script = asks:format(id, more or "") })
      assert.equal(0, run.code, run.err)
      return run.out
    end
    local gmail, github = answer "ca_gmail_u123_C", answer(ID)
    has(gmail, "refresh\tdone\t20")
    assert.equal(0, prune("90d", "--apply").code)
    assert.equal(gmail:gsub("nil\n", "true\n"), (answer "ca_gmail_u123_C"))
    assert.equal(github:gsub("nil\n", "true\n"), (answer(ID)))
    has(github, "ACTIVE")
    assert.equal("", answer("ca_gmail_u123_C", ', operation = "disable"'))
    assert.equal("", answer("ca_gmail_u123_C", ', since = "90d"'))
    local all = place:run({ "job.lua" }, {
      script = "for change in composio.history {} do print(change.account_id, change.pruned) end",
    })
    assert.equal("ca_github_u123A\ttrue\nca_gmail_u123_C\ttrue\n", all.out)
    has(place:run({ "history", ID }).out, "(pruned)")
  end)

  it("removes what is left of the rows of its reports", function()
    local id = run_of([[
local report = composio.report("waiting.csv", { "id" })
composio.bulk({ "ca_gmail_u123_C" }, function(a) a:refresh() report:add { id = a.id } end)
error "too bad"
]], "--apply")
    assert(place:read "waiting.csv.partial")
    write_ledger "UPDATE run SET exit_code = 3"
    age(100)
    has(prune("90d", "--apply").err, "1 partial report")
    lacks(runs_left(), id)
    assert.is_nil(place:read "waiting.csv.partial")
  end)

  it("leaves the rows of another run", function()
    local script = [[
local report = composio.report("waiting.csv", { "id" })
composio.bulk({ %q }, function(a) a:refresh() report:add { id = a.id } end)
error "too bad"
]]
    local first = run_of(script:format "ca_gmail_u123_C", "--apply")
    age(100)
    run_of(script:format "ca_gmail_u123_C", "--apply")
    local renamed = "waiting.csv." .. first .. ".partial"
    assert(place:read(renamed))
    has(prune("90d", "--apply").err, "1 partial report")
    assert.is_nil(place:read(renamed))
    assert(place:read "waiting.csv.partial")
  end)

  it("is refused without an age of a day or more", function()
    assert.equal(2, prune("1h").code)
    local run = place:run { "runs", "--apply" }
    assert.equal(2, run.code)
    has(run.err, "only with --prune")
  end)
end)

it("a preview without changes leaves no run behind after a week", function()
  local empty = run_of "composio.bulk({}, function() end)"
  local full = run_of(REFRESH)
  age(8)
  has(runs_left(), empty)
  local new = run_of "composio.bulk({}, function() end)"
  lacks(runs_left(), empty)
  has(runs_left(), full)
  has(runs_left(), new)
end)
