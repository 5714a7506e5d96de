-- What scripts can read about earlier runs: composio.runs, composio.history and
-- account:history.
local composio = require "composio"
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"
local server = require "spec.support.server"

local has, lacks = job.has, job.lacks
local emulator, place

local ID = "ca_github_u123A"
local LEDGER = ".local/state/composio-lua/ledger.db"

scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

-- Runs a script; its id and the run.
local function run_of(text, ...)
  local words = host.unlimited { "job.lua", "--summary", "summary.json", ... }
  local run = place:run(words, { script = text })
  assert(run.summary, run.err)
  return run.summary.run, run
end

-- What a script prints.
local function printed(text, ...)
  local run = place:run(host.unlimited { "job.lua", ... }, { script = text })
  assert.equal(0, run.code, run.err)
  return run.out
end

local function change(call, ...)
  return (run_of(call, "--apply", ...))
end

local function disable(id, reason)
  return change(('accounts.disable(%q, { reason = %q })'):format(id, reason))
end

local function write_ledger(sql)
  place:write("ledger.sql", sql)
  host.shell(("cd %s && sqlite3 %s < ledger.sql"):format(server.quote(place.path), LEDGER))
end

-- Appends `count` changes of one more run to the ledger, copies of one that is
-- there.
local function grow(count)
  write_ledger(([[
    CREATE TEMP TABLE one AS SELECT max(id) AS id FROM change;
    INSERT INTO run(name, script, mode, project, who, host, version, params, began_ms, ended_ms,
      exit_code) SELECT 'grown', script, mode, project, who, host, version, params, began_ms,
      ended_ms, exit_code FROM run ORDER BY id DESC LIMIT 1;
    CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
      WHERE i < %d) SELECT i, ((SELECT max(id) FROM run) << 26) | i AS item FROM n;
    INSERT INTO item(id, bulk, outcome, flags, key, account, user, toolkit)
      SELECT n.item, 0, 0, 0, 'call ' || i, '%s', 'u', 'github' FROM n;
    INSERT INTO change(id, bulk, operation, cost, outcome, account, reason)
      SELECT n.item << 15 | 1, 0, c.operation, c.cost, 0, '%s', 'number ' || i
      FROM n JOIN change c JOIN one ON c.id = one.id;
    INSERT INTO outcome(id, outcome, ended_ms)
      SELECT n.item << 15 | 1, 3, 1000 + i FROM n;
  ]]):format(count, ID, ID))
end

describe("composio.runs", function()
  local LIST = [[
    for run in composio.runs(%s) do
      print(run.id, run.mode, run.state, run.exit, run.changes and run.changes.done)
    end
  ]]

  it("gives the runs of the ledger, newest first, with what is known of each", function()
    local first = disable(ID, "a")
    run_of "error 'no'" -- it touched nothing, so it is not in the ledger
    emulator:faults { job.refusal { method = "PATCH" } }
    local wrong = change(('accounts.enable(%q)'):format(ID))
    local preview = run_of(('accounts.enable(%q)'):format(ID))
    assert.equal(table.concat({
      preview .. "\tpreview\tended\t0\tnil", wrong .. "\tapply\tended\t1\tnil",
      first .. "\tapply\tended\t0\t1", "",
    }, "\n"), printed(LIST:format ""))
    assert.equal(preview .. "\tpreview\tended\t0\tnil\n",
      printed(LIST:format "{ mode = 'preview' }"))
    assert.equal("", printed(LIST:format "{ since = '2100-01-01T00:00:00Z' }"))
    local out = printed [[
      for run in composio.runs { mode = "apply", since = 3600 } do
        assert(run.began_at <= run.ended_at and run.began_at > composio.ago "1h")
        print(run.script:match "[^/]+$", run.sessions, run.undoes, run.who .. "@" .. run.host,
          run.version == composio._VERSION, type(run.params))
      end
    ]]
    local by = host.shell "id -un" .. "@" .. host.shell "uname -n"
    assert.equal(("job.lua\t1\tnil\t%s\ttrue\ttable\n"):format(by):rep(2), out)
  end)

  it("has parameters and what was undone", function()
    local undone = disable(ID, "a")
    local run = place:run(host.unlimited { "undo", undone, "--apply" })
    assert.equal(0, run.code, run.err)
    change([[
      composio.job { params = { days = { type = "integer" } } }
      accounts.disable("ca_github_u123A")
    ]], "--days", "30")
    assert.equal("30\tnil\nnil\t" .. undone .. "\nnil\tnil\n", printed [[
      for run in composio.runs {} do
        print(run.params.days, run.undoes)
      end
    ]])
  end)

  it("leaves out the run that asks, and runs of other projects", function()
    local first = disable(ID, "a")
    local env = { COMPOSIO_BASE_URL = emulator.url:gsub("127%.0%.0%.1", "localhost") }
    local words = host.unlimited { "job.lua", "--apply" }
    local elsewhere = place:run(words, { script = ('accounts.enable(%q)'):format(ID), env = env })
    assert.equal(0, elsewhere.code, elsewhere.err)
    assert.equal("2", place:ledger("SELECT count(*) FROM run")[1][1])
    assert.equal(("before %s\nafter %s\nchange %s\n"):format(first, first, first), printed([[
      for run in composio.runs() do print("before " .. run.id) end
      accounts.enable("ca_github_u123A")
      for run in composio.runs() do print("after " .. run.id) end
      for change in composio.history { account = "ca_github_u123A" } do
        print("change " .. change.run)
      end
    ]], "--apply"))
  end)

  it("tells one that goes on from one that was killed", function()
    place:script [[
      accounts.disable "ca_github_u123A"
      print "ready"
      composio.sleep(60)
    ]]
    local process = place:start { "job.lua", "--apply" }
    process:wait_for "ready"
    place:write("other.lua", [[
      local composio = require "composio"
      for run in composio.runs {} do print(run.state, run.exit, run.ended_at) end
    ]])
    assert.equal("running\tnil\tnil\n", place:run({ "other.lua" }).out)
    process:signal "KILL"
    process:wait()
    assert.equal("interrupted\tnil\tnil\n", place:run({ "other.lua" }).out)
  end)

  it("are none where there is no ledger, and none is made", function()
    assert.equal("0\n", printed [[
      local count = 0
      for _ in composio.runs {} do count = count + 1 end
      for _ in composio.history {} do count = count + 1 end
      for _ in accounts.get("ca_github_u123A"):history() do count = count + 1 end
      print(count)
    ]])
    assert.is_nil(place:read(LEDGER))
  end)
end)

describe("composio.history", function()
  local LIST = [[
    for change in composio.history(%s) do
      local id = change.account_id or change.auth_config_id
      print(change.operation, id, change.outcome, change.reason)
    end
  ]]

  it("gives the changes of one account, oldest first", function()
    local first = disable(ID, "first")
    disable(job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1], "not this one")
    local second = change(('accounts.enable(%q, { reason = "second" })'):format(ID))
    local out = printed(([[
      for change in composio.history { account = %q } do
        print(change.run, change.operation, change.reason, change.status_before,
          change.status_after, change.user_id, change.toolkit, change.line, change.mode,
          change.class, change.fallback, #change.request_id > 10, change.at > composio.ago "1h")
      end
    ]]):format(ID))
    local text = "%s\t%s\t%s\t%s\t%s\tuser_123\tgithub\tjob.lua:3\tapply\treversible\t"
      .. "false\ttrue\ttrue\n"
    assert.equal(text:format(first, "disable", "first", "ACTIVE", "INACTIVE")
      .. text:format(second, "enable", "second", "INACTIVE", "ACTIVE"), out)
  end)

  it("takes an account for its id, and account:history is short for that", function()
    disable(ID, "first")
    local out = printed(([[
      local account = accounts.get(%q)
      for change in composio.history { account = account } do print(change.reason) end
      for change in account:history() do print(change.reason) end
      for change in account:history { outcome = "failed" } do print "none" end
    ]]):format(ID))
    assert.equal("first\nfirst\n", out)
  end)

  it("includes the create that made the account, and auth configs", function()
    local _, run = run_of([[
      print(accounts.link("user_new", "ac_GithubCustom", { allow_multiple = true }).id)
      composio.auth_configs.disable("ac_GithubCustom")
    ]], "--apply")
    local made = run.out:match "ca_[%w_-]+"
    assert.equal(("link\t%s\tdone\tnil\n"):format(made),
      printed(LIST:format(("{ account = %q }"):format(made))))
    assert.equal("auth_configs.disable\tac_GithubCustom\tdone\tnil\n",
      printed(LIST:format '{ operation = "auth_configs.disable" }'))
  end)

  it("is narrowed by operation, outcome and time, and leaves previews out", function()
    disable(ID, "done")
    emulator:faults { job.refusal { method = "PATCH" } }
    change(([[
      pcall(accounts.update, %q, { alias = "x" })
      accounts.enable(%q, { reason = "back" })
    ]]):format(ID, ID))
    run_of(('accounts.disable(%q, { reason = "shown" })'):format(ID))
    local back = ("enable\t%s\tdone\tback\n"):format(ID)
    local refused = ("update\t%s\tfailed\tnil\n"):format(ID)
    assert.equal(back, printed(LIST:format '{ operation = "enable" }'))
    assert.equal(refused, printed(LIST:format '{ outcome = "failed" }'))
    local options = '{ operation = "enable", outcome = "done", since = "1h" }'
    assert.equal(back, printed(LIST:format(options)))
    assert.equal("", printed(LIST:format '{ since = "2100-01-01T00:00:00Z" }'))
    assert.equal(3, select(2, printed(LIST:format '{ since = composio.ago(60) }'):gsub("\n", "")))
    assert.equal(("disable\t%s\tplanned\tshown\n"):format(ID),
      printed(LIST:format '{ previews = true, outcome = "planned" }'))
  end)

  it("can be asked in a bulk's action, in a preview and with --apply", function()
    disable(ID, "first")
    change(('accounts.enable(%q)'):format(ID))
    local bulk = [[
      composio.bulk("again", { "ca_github_u123A" }, function(account)
        local count = 0
        for change in account:history { operation = "disable" } do
          count = count + 1
          accounts.get(account.id) -- waits between two rows
        end
        if count > 0 then
          account:disable { reason = ("disabled %d times"):format(count) }
        end
      end)
    ]]
    local _, preview = run_of(bulk)
    assert.same({ planned = 1 }, preview.summary.operations.disable)
    local _, run = run_of(bulk, "--apply")
    assert.same({ done = 1 }, run.summary.operations.disable)
    assert.equal("disabled 1 times",
      place:ledger("SELECT reason FROM change ORDER BY id DESC LIMIT 1")[1][1])
  end)

  it("holds nothing of the ledger while the script waits", function()
    disable(ID, "first")
    grow(600)
    place:script(([[
      local next_change, next_run = composio.history { account = %q }, composio.runs {}
      local every = composio.history {}
      next_change() next_run() every()
      print "ready"
      composio.sleep(3)
      local count = 3
      for _ in next_change do count = count + 1 end
      for _ in next_run do count = count + 1 end
      for _ in every do count = count + 1 end
      print(count)
    ]]):format(ID))
    local process = place:start { "job.lua" }
    process:wait_for "ready"
    write_ledger "INSERT INTO salt SELECT x'00' WHERE 0; PRAGMA user_version = 3;"
    local busy = host.shell(("cd %s && sqlite3 %s 'PRAGMA wal_checkpoint(TRUNCATE)'"):format(
      server.quote(place.path), LEDGER))
    assert.equal("0|0|0", busy)
    local run = process:wait()
    assert.equal(0, run.code, run.err)
    has(run.out, "ready\n1204\n")
  end)

  it("needs no more memory for many changes", function()
    disable(ID, "first")
    grow(20000)
    for _, options in ipairs { "", ("{ account = %q }"):format(ID) } do
      local run = place:run({ "job.lua", "--memory", "8" }, { script = ([[
        local count, last = 0, nil
        for change in composio.history(%s) do
          count, last = count + 1, change.reason
        end
        print(count, last)
      ]]):format(options) })
      assert.equal(0, run.code, run.err)
      assert.matches("^20001\t", run.out)
    end
  end)

  it("gives plain tables, and nothing of the host", function()
    disable(ID, "first")
    assert.equal("nil\tnil\tfunction\tfalse\n", printed [[
      local row = composio.history {}()
      row.reason = nil
      for name, value in pairs(row) do
        assert(type(value) ~= "userdata" and type(value) ~= "function", name)
      end
      local found = pcall(require, "composio.host")
      print(getmetatable(row), row.reason, type(composio.runs {}), found)
    ]])
  end)

  it("raises for options that it does not know, and names the nearest", function()
    for _, case in ipairs {
      { "composio.runs { sinse = '1d' }", "unknown option 'sinse' (did you mean 'since'?)" },
      { "composio.runs 'x'", "composio.runs: expected a table of options, got string" },
      { "composio.runs { mode = 'aply' }", "mode is one of apply, preview, got 'aply' (did you" },
      { "composio.runs { since = 'soon' }", "since: expected a duration such as '90d'" },
      { "composio.history { acount = 'ca_x' }", "'acount' (did you mean 'account'?)" },
      { "composio.history { account = '' }", "account: expected an id or an account" },
      { "composio.history { account = 7 }", "account: expected an id or an account, got number" },
      { "composio.history { operation = 'disabel' }", "'disabel' (did you mean 'disable'?)" },
      { "composio.history { operation = 'list' }", "operation is one of " },
      { "composio.history { outcome = 'faild' }", "got 'faild' (did you mean 'failed'?)" },
      { "composio.history { since = -1 }", "since: expected a duration" },
      { "accounts.get('ca_github_u123A'):history { account = 'x' }",
        "account:history: unknown option" },
    } do
      local run = place:run({ "job.lua" }, { script = case[1] })
      assert.equal(1, run.code)
      has(run.err, "job.lua:3: ")
      has(run.err, case[2])
      lacks(run.err, "composio/history.lua")
    end
  end)

  it("names the host in stock Lua", function()
    for _, name in ipairs { "runs", "history" } do
      local good, err = pcall(composio[name], {})
      assert.is_false(good)
      has(err, "run this script with composio-lua")
    end
    local client = emulator:client()
    local account = client.connected_accounts.get(ID)
    local good, err = pcall(account.history, account)
    client:close()
    assert.is_false(good)
    has(err, "run this script with composio-lua")
  end)
end)
