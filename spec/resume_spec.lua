-- resume RUN: continues from the ledger a run that was killed, stopped or failed.
-- No change that happened is repeated, and no remaining change is lost.
local host = require "spec.support.host"
local job = require "spec.support.job"
local proxy = require "spec.support.proxy"
local scene = require "spec.support.scene"

local has, lacks, wait_until = job.has, job.lacks, host.wait_until
local emulator, place, between

scene.of_host({ "--accounts", "200" }, function(...)
  emulator, place = ...
end)
after_each(function()
  if between then
    between:finish()
    between = nil
  end
end)

local function run_name()
  return place:ledger("SELECT name FROM run ORDER BY id DESC LIMIT 1")[1][1]
end

local function resume(...)
  return place:run { "resume", run_name(), "--summary=summary.json", ... }
end

-- By the service's clock half an hour later: nothing that was sent can still arrive.
local function resume_later()
  emulator:tell("clock/advance", { seconds = 1800 })
  return resume()
end

-- Of a run that goes on: the ledger may not be there yet, or locked.
local function intents()
  local query = "sqlite3 -readonly %s/.local/state/composio-lua/ledger.db %s 2>/dev/null || true"
  local text = host.shell(query:format(place.path, "'SELECT count(*) FROM intent'"))
  return tonumber(text) or -1
end

-- Runs the script until its nth change hangs, then kills it. where: "request",
-- the server did not get it, or "reply", it did it.
local function kill_at(method, nth, where, script, ...)
  between = proxy.start(emulator, {
    ("method=%s,hit=%d,when=%s,at=0,do=stall"):format(method, nth, where),
  })
  place.env.COMPOSIO_BASE_URL = between.url
  local process = place:start(
    { "job.lua", "--apply", "--concurrency=1", "--progress=never", ... },
    { script = script }
  )
  local arrive = where == "reply" and nth or nth - 1
  wait_until(function()
    return job.writes(emulator) >= arrive and intents() >= nth
  end)
  host.shell "sleep 0.05"
  process:signal "KILL"
  local run = process:wait()
  assert.equal("signal", run.kind, run.err)
  assert.equal(arrive, job.writes(emulator))
  return run
end

local function each_once(op, count)
  local seen, total = {}, 0
  for _, change in ipairs(emulator:changes()) do
    local id = change.account_id
    if change.op == op then
      assert.is_nil(seen[id], "twice: " .. id)
      seen[id], total = true, total + 1
    end
  end
  assert.equal(count, total)
end

local function bulk_of(ids, call)
  return ("composio.bulk(%s, function(account) %s end)\n"):format(job.quoted(ids), call)
end

-- The first write, and what was asked before it.
local function reads_before_write()
  local reads = {}
  for _, request in ipairs(emulator:requests()) do
    if request.method ~= "GET" then
      return reads
    end
    reads[#reads + 1] = request.path
  end
  return reads
end

local LINKS = [[
  composio.bulk({ key = function(row) return row.user end }, {
    { user = "new a" }, { user = "new b" }, { user = "new c" }, { user = "new d" },
  }, function(row) accounts.link(row.user, "ac_GmailManaged") end)
]]

describe("a run that was killed", function()
  local expired = { statuses = { "EXPIRED" }, toolkit_slugs = { "gmail" } }
  local both = { "request", "reply" }
  local cases = {
    { "PATCH", "disable", { statuses = { "ACTIVE" } }, "account:disable()", both },
    { "DELETE", "delete", { statuses = { "EXPIRED" } }, "account:delete()", both },
    { "POST", "refresh", expired, "account:refresh()", { "request" } },
  }
  for _, case in ipairs(cases) do
    local method, op, filter, call, places = table.unpack(case)
    for _, where in ipairs(places) do
      it(("in a %s, at its %s, is finished"):format(op, where), function()
        local count = op == "refresh" and 3 or 6
        local ids = job.ids(emulator, filter, count)
        local script = 'composio.job { may = "irreversible" }\n' .. bulk_of(ids, call)
        kill_at(method, 2, where, script, "--confirm=" .. count)
        emulator:forget()
        local run = op == "refresh" and resume_later() or resume()
        assert.equal(0, run.code, run.err)
        each_once(op, count)
        -- the one that hung was asked about before anything was sent
        assert.is_true(#reads_before_write() >= 1)
        has(table.concat(reads_before_write(), " "), ids[2])
        assert.same({ done = count }, run.summary.operations[op])
        assert.equal(count - (where == "reply" and 2 or 1), job.writes(emulator))
        assert.equal(count, run.summary.outcomes.done)
      end)
    end
  end

  it("in a link makes no account twice", function()
    kill_at("POST", 2, "reply", LINKS)
    emulator:forget()
    local run = resume_later()
    assert.equal(0, run.code, run.err)
    local users = {}
    for _, change in ipairs(emulator:changes()) do
      if change.op == "link" then
        assert.is_nil(users[change.user_id], change.user_id)
        users[change.user_id] = true
      end
    end
    assert.same({ ["new a"] = true, ["new b"] = true, ["new c"] = true, ["new d"] = true }, users)
    assert.same({ link = { done = 4 } }, run.summary.operations)
  end)

  it("before its plan stood wrote nothing: exit 2, and the command to type", function()
    local script = [[
      local job = composio.job { params = { word = { type = "string" } } }
      composio.bulk(accounts.each { account_type = "ALL" }, function(account)
        account:update { alias = job.params.word }
      end)
    ]]
    between = proxy.start(emulator, {
      "method=GET,hit=2,when=reply,at=0,do=stall",
    })
    place.env.COMPOSIO_BASE_URL = between.url
    local arguments = { "job.lua", "--apply", "--max-percent=100", "--word", "it's me" }
    local process = place:start(arguments, { script = script })
    wait_until(function()
      return #emulator:requests() >= 2
    end)
    process:signal "KILL"
    process:wait()
    local run = resume()
    assert.equal(2, run.code, run.err)
    has(run.err, "stopped while it was still planning: nothing was changed")
    has(run.err, "run it again: composio-lua run " .. place.path .. "/job.lua ")
    has(run.err, "--word 'it'\\''s me'")
    has(run.err, "--apply")
    has(run.err, "--max-percent 100")
    assert.equal(0, job.writes(emulator))
  end)

  it("twice is finished by the third", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 6)
    kill_at("PATCH", 2, "reply", bulk_of(ids, "account:disable()"))
    emulator:faults { { method = "PATCH", nth = 2, action = "delay", delay_ms = 60000 } }
    local process = place:start { "resume", run_name(), "--concurrency=1" }
    wait_until(function()
      return job.writes(emulator) >= 4
    end)
    process:signal "KILL"
    process:wait()
    emulator:faults()
    local run = resume()
    assert.equal(0, run.code, run.err)
    each_once("disable", 6)
    assert.same({ disable = { done = 6 } }, run.summary.operations)
  end)

  it("between two bulks goes on with the second, which it plans anew", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 4)
    local script = ([[
      composio.bulk("one", { %q, %q, %q }, function(account) account:disable() end)
      print "first over"
      composio.bulk("two", { %q }, function(account) account:update { alias = "x" } end)
    ]]):format(table.unpack(ids))
    kill_at("PATCH", 2, "request", script)
    local run = resume()
    assert.equal(0, run.code, run.err)
    assert.equal("first over\n", run.out)
    assert.same({ disable = { done = 3 }, update = { done = 1 } }, run.summary.operations)
    each_once("disable", 3)
    each_once("alias", 1)
  end)

  it("leaves alone what somebody changed meanwhile, and tells: exit 3", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 4)
    kill_at("PATCH", 2, "request", bulk_of(ids, "account:disable()"))
    local client = emulator:client()
    client.connected_accounts.delete(ids[4])
    client:close()
    local run = resume()
    assert.equal(3, run.code)
    has(run.err, ids[4] .. ": the account is gone")
    assert.same({ done = 3, stale = 1 }, run.summary.operations.disable)
  end)
end)

describe("`after`", function()
  local SCRIPT = [[
    composio.bulk({ after = function(account, results)
      print("after", account.id, results[1].earlier, results.disable.success, results.disable.id)
    end }, %s, function(account) account:disable() end)
  ]]

  it("runs in the resumed part for what ended before it, once for each", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 4)
    local first = kill_at("PATCH", 3, "reply", SCRIPT:format(job.quoted(ids)))
    local run = resume()
    assert.equal(0, run.code, run.err)
    for place_of, id in ipairs(ids) do
      local _, before = first.out:gsub("after\t" .. id:gsub("%-", "%%-"), "")
      local _, now = run.out:gsub("after\t" .. id:gsub("%-", "%%-"), "")
      assert.is_true(now + before >= 1, id)
      assert.is_true(now <= 1)
      if place_of == 3 then -- done before, known now
        has(run.out, ("after\t%s\ttrue\ttrue\t%s\n"):format(id, id))
      elseif place_of == 4 then
        has(run.out, ("after\t%s\tnil\ttrue\t"):format(id))
      end
    end
  end)

  it("that failed before has another chance, and the later word counts", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 3)
    local script = ([[
      composio.bulk({ after = function(account)
        if accounts.get(account.id).alias ~= "good" then error "not well" end
      end }, %s, function(account) account:disable() end)
    ]]):format(job.quoted(ids))
    kill_at("PATCH", 3, "request", script)
    local client = emulator:client()
    for _, id in ipairs { ids[1], ids[3] } do
      client.connected_accounts.update(id, { alias = "good" })
    end
    client:close()
    local run = resume()
    assert.equal(3, run.code, run.err)
    assert.equal(1, run.summary.outcomes.failed)
    has(run.err, "failed  after  " .. ids[2])
    lacks(run.err, "failed  after  " .. ids[1])
  end)
end)

describe("a run with rows of a file", function()
  local SCRIPT = [[
    local rows = composio.csv("names.csv", { "id", "alias" })
    composio.bulk(rows, function(row) accounts.update(row.id, { alias = row.alias }) end)
  ]]
  local ids

  before_each(function()
    ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 6)
  end)

  -- Rows of the numbered accounts; each with its alias where it is not "x".
  local function write(name, numbers, aliases)
    local rows = { "id,alias" }
    for _, number in ipairs(numbers) do
      rows[#rows + 1] = ("%s,%s"):format(ids[number], aliases and aliases[number] or "x" .. number)
    end
    place:write(name, table.concat(rows, "\n") .. "\n")
  end

  local function named()
    local list = {}
    for place_of, change in ipairs(emulator:changes()) do
      list[place_of] = change.account_id
    end
    table.sort(list)
    return list
  end

  local function first(count)
    local list = table.move(ids, 1, count, 1, {})
    table.sort(list)
    return list
  end

  it("that were moved, added, removed and changed neither repeats nor skips one", function()
    write("names.csv", { 1, 2, 3, 4, 5 })
    kill_at("PATCH", 2, "reply", SCRIPT)
    write("names.csv", { 6, 5, 3, 2, 1 }, { [5] = "other" })
    local run = resume()
    assert.equal(0, run.code, run.err)
    assert.same(first(5), named())
    local text = "names.csv: rows: 1 added after the plan was made, only a new run takes them: "
    has(run.err, text .. ids[6])
    has(run.err, "rows: 1 changed after the plan was made, carried out as planned: " .. ids[5])
    has(run.err, "rows: 1 gone after the plan was made")
    assert.equal("x5", emulator:ask("accounts/" .. ids[5]).alias)
  end)

  it("is resumed where it was started, whatever the directory now", function()
    host.shell(("mkdir %s/deep"):format(place.path))
    write("deep/names.csv", { 1, 2, 3 })
    place:script(SCRIPT, "deep/job.lua")
    between = proxy.start(emulator, { "method=PATCH,hit=2,when=request,at=0,do=stall" })
    place.env.COMPOSIO_BASE_URL = between.url
    local process = place:start(
      { "-c", "cd deep && exec " .. host.program .. " ./job.lua --apply --concurrency 1" },
      { program = "/bin/sh" }
    )
    wait_until(function()
      return job.writes(emulator) >= 1 and intents() >= 2
    end)
    process:signal "KILL"
    process:wait()
    local run = resume()
    assert.equal(0, run.code, run.err)
    assert.same(first(3), named())
    assert.equal(0, run.summary.exit) -- the summary is where this command was typed
  end)

  it("gets its secrets from the file again; one that differs is told and not sent", function()
    place.secrets = { place.secrets[1], "sk_canary_again_a", "sk_canary_again_b" }
    place.secrets[4] = "sk_canary_other_c"
    ids = job.ids(emulator, { auth_config_ids = { "ac_StripeApiKey" }, statuses = { "ACTIVE" } }, 3)
    local script = [[
      composio.job { may = "irreversible" }
      local rows = composio.csv("keys.secret", { "id", "alias" }, { secret = { "alias" } })
      composio.bulk(rows, function(row)
        accounts.update(row.id, {
          credentials = composio.auth_scheme.api_key { api_key = row.alias },
        })
      end)
    ]]
    write("keys.secret", { 1, 2, 3 }, { "sk_canary_again_a", "sk_canary_again_b", "kkkkkkkk" })
    kill_at("PATCH", 2, "request", script, "--confirm=3")
    local now = { "sk_canary_again_a", "sk_canary_again_b", "sk_canary_other_c" }
    write("keys.secret", { 3, 2, 1 }, now)
    emulator:forget()
    local run = resume()
    -- all three intents were on disk, so the third may have left: nobody knows
    assert.equal(8, run.code, run.err)
    has(run.err, ids[3] .. ": the update was not sent, because its credentials are not those of")
    assert.same({ done = 2, unknown = 1 }, run.summary.operations.update)
    for _, request in ipairs(emulator:requests()) do
      lacks(tostring(request.body), "sk_canary_other_c")
    end
    assert.equal(2, job.writes(emulator))
  end)
end)

describe("what a run left", function()
  it("when it was stopped early is done by resume", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 8)
    emulator:faults {
      { method = "PATCH", nth = 3, times = 1, action = "reply", status = 400,
        body = { error = { message = "no", code = 1 } } },
    }
    local run = place:run(
      { "job.lua", "--apply", "--stop-on=failed=1", "--concurrency=1", "--summary=summary.json" },
      { script = bulk_of(ids, "account:disable()") }
    )
    assert.equal(7, run.code)
    run = resume()
    assert.equal(3, run.code, run.err) -- the failed one stays so
    assert.same({ done = 7, failed = 1 }, run.summary.operations.disable)
    assert.equal(5, run.summary.this_time.done)
    has(run.summary.next, "--failed")
    run = resume()
    assert.equal(3, run.code)
    assert.same({ done = 7, failed = 1 }, run.summary.operations.disable)
    assert.equal(0, run.summary.this_time.done)
    has(run.err, "is finished (exit 3): there is nothing to resume")
    has(run.err, "there is nothing to resume; --failed retries its 1 failed item")
    emulator:forget()
    run = resume "--failed"
    assert.equal(0, run.code, run.err)
    assert.same({ disable = { done = 8 } }, run.summary.operations)
    assert.equal(1, job.writes(emulator))
    each_once("disable", 8)
  end)

  it("that is nothing is said, and nothing is asked", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 2)
    place:run({ "job.lua", "--apply" }, { script = bulk_of(ids, "account:disable()") })
    emulator:forget()
    for _, extra in ipairs { "--failed", "--apply" } do
      local run = resume(extra)
      assert.equal(0, run.code, run.err)
      has(run.err, "is finished (exit 0): there is nothing to resume")
      assert.equal(0, job.writes(emulator))
    end
    assert.same({ { "1" } }, place:ledger "SELECT count(*) FROM part")
  end)

  it("after a signal is done by resume, which a signal ends in order as well", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 9)
    emulator:faults { { method = "PATCH", nth = 3, times = 100, action = "delay", delay_ms = 300 } }
    local process = place:start(
      { "job.lua", "--apply", "--concurrency=1" },
      { script = bulk_of(ids, "account:disable()") }
    )
    wait_until(function()
      return job.writes(emulator) >= 3
    end)
    process:signal "INT"
    assert.equal(130, process:wait().code)
    local so_far = #emulator:changes()
    assert.is_true(so_far < 9)
    process = place:start { "resume", run_name(), "--concurrency=1" }
    wait_until(function()
      return job.writes(emulator) >= so_far + 1
    end)
    process:signal "TERM"
    assert.equal(143, process:wait().code)
    emulator:faults()
    local run = resume()
    assert.equal(0, run.code, run.err)
    each_once("disable", 9)
    local parts = place:ledger "SELECT number, exit_code FROM part ORDER BY number"
    assert.same({ { "1", "130" }, { "2", "143" }, { "3", "0" } }, parts)
  end)

  it("of a straight-line script is done, and what it read is told again", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 4)
    local script = ([[
      for place, id in ipairs(%s) do
        local result = accounts.disable(id)
        print(place, result.success, result.earlier)
      end
      print(accounts.link("new one", "ac_GmailManaged").status)
    ]]):format(job.quoted(ids))
    kill_at("PATCH", 3, "reply", script)
    local run = resume()
    assert.equal(0, run.code, run.err)
    local told = "1\ttrue\ttrue\n2\ttrue\ttrue\n3\ttrue\ttrue\n4\ttrue\tnil\nINITIATED\n"
    assert.equal(told, run.out)
    each_once("disable", 4)
    each_once("link", 1)
    assert.same({ disable = { done = 4 }, link = { done = 1 } }, run.summary.operations)
  end)

  it("of a run without --confirm needs none: it was given", function()
    local ids = job.ids(emulator, { statuses = { "EXPIRED" } }, 3)
    local script = 'composio.job { may = "irreversible" }\n' .. bulk_of(ids, "account:delete()")
    kill_at("DELETE", 2, "request", script, "--confirm=3", "--max-changes=3", "--max-percent=2")
    local run = resume()
    assert.equal(0, run.code, run.err)
    each_once("delete", 3)
  end)

  it("is not done to whom --protect names by now", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 4)
    kill_at("PATCH", 2, "request", bulk_of(ids, "account:disable()"))
    place:write("never", ids[4] .. "\n")
    local run = resume "--protect=never"
    assert.equal(0, run.code, run.err)
    assert.same({ done = 3, skipped = 1 }, run.summary.operations.disable)
    each_once("disable", 3)
    lacks(table.concat(job.changes(emulator), " "), ids[4])
  end)
end)

describe("a saved plan that was killed", function()
  local function kill_plan(script)
    between = proxy.start(emulator, { "method=PATCH,hit=2,when=request,at=0,do=stall" })
    place.env.COMPOSIO_BASE_URL = between.url
    local saved = place:run({ "job.lua", "--save-plan=plan.json" }, { script = script })
    assert.equal(0, saved.code, saved.err)
    local process = place:start { "apply", "plan.json", "--concurrency=1" }
    wait_until(function()
      return job.writes(emulator) >= 1 and intents() >= 2
    end)
    process:signal "KILL"
    process:wait()
    os.remove(place.path .. "/plan.json") -- all of it is in the ledger
  end

  it("is finished as it was planned", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 4)
    kill_plan(bulk_of(ids, 'account:update { alias = "x " .. account.id } account:disable()'))
    local run = resume()
    assert.equal(0, run.code, run.err)
    assert.same({ update = { done = 4 }, disable = { done = 4 } }, run.summary.operations)
    each_once("alias", 4)
    each_once("disable", 4)
  end)

  it("still does nothing that it does not hold", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 4)
    kill_plan(([[
      composio.bulk("one", { %q, %q }, function(account) account:disable() end)
      if accounts.get(%q).status ~= "ACTIVE" then
        accounts.disable(%q)
      end
    ]]):format(ids[1], ids[2], ids[1], ids[3]))
    local run = resume()
    assert.equal(7, run.code, run.err) -- refused after the killed run had written
    has(run.err, ("refused: disable %s is not in the plan"):format(ids[3]))
    each_once("disable", 2)
  end)
end)

describe("resume is refused", function()
  local function killed(script)
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 3)
    kill_at("PATCH", 2, "request", script or bulk_of(ids, "account:disable()"))
    emulator:forget()
  end

  it("when the script is another one by now", function()
    killed()
    local text = place:read "job.lua"
    place:write("job.lua", text .. "-- changed\n")
    local run = resume()
    assert.equal(2, run.code)
    has(run.err, "is not the one that run " .. run_name() .. " was made with")
    os.remove(place.path .. "/job.lua")
    has(resume().err, "cannot be read")
    assert.equal(0, #emulator:requests())
    place:write("job.lua", text)
    assert.equal(0, resume().code)
    each_once("disable", 3)
  end)

  it("for another project or key", function()
    killed()
    local run = place:run({ "resume", run_name() }, { env = { COMPOSIO_BASE_URL = emulator.url } })
    assert.equal(2, run.code)
    has(run.err, "was made for " .. between.url)
    run = place:run({ "resume", run_name() }, { env = { COMPOSIO_API_KEY = "ak_other" } })
    assert.equal(2, run.code)
    has(run.err, "was made with another API key")
    assert.equal(0, job.writes(emulator))
  end)

  it("with parameters of its own", function()
    killed()
    local run = resume "--days=3"
    assert.equal(2, run.code)
    assert.equal(0, #emulator:requests())
  end)

  it("of a preview", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)
    place:run({ "job.lua" }, { script = bulk_of(ids, "account:disable()") })
    local run = resume()
    assert.equal(2, run.code)
    has(run.err, "was a preview: it changed nothing")
    has(run.err, "--apply")
  end)

  it("for a name that is none, or of several", function()
    local run = place:run { "resume", "2026" }
    assert.equal(2, run.code)
    has(run.err, "there are no runs in ")
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 2)
    for _ = 1, 2 do
      place:run({ "job.lua", "--apply" }, { script = bulk_of(ids, "account:disable()") })
    end
    local names = place:ledger "SELECT name FROM run ORDER BY id"
    run = place:run { "resume", "20" }
    assert.equal(2, run.code)
    has(run.err, names[1][1])
    has(run.err, names[2][1])
    run = place:run { "resume", "1999-01-01T0000-job-abc" }
    assert.equal(2, run.code)
    has(run.err, "1999-01-01T0000-job-abc")
    run = place:run { "resume", "" }
    assert.equal(2, run.code)
    assert.equal(2, place:run({ "resume" }).code)
    run = place:run { "resume", "last" }
    assert.equal(0, run.code, run.err)
    has(run.err, names[2][1] .. " is finished")
    has(place:run({ "resume", names[1][1]:sub(1, -2) }).err, "is finished")
  end)
end)
