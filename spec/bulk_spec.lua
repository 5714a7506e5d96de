-- composio.bulk and straight-line changes: what is planned, what is carried out, and
-- what the ledger records.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local has = job.has
local emulator, place

scene.of_host({ "--accounts", "230" }, function(...)
  emulator, place = ...
end)

local function apply(script, ...)
  local words = { "job.lua", "--apply", "--summary", "summary.json", ... }
  return place:run(host.unlimited(words), { script = script })
end

local function preview(script, ...)
  local words = { "job.lua", "--summary", "summary.json", ... }
  return place:run(host.unlimited(words), { script = script })
end

local DISABLE = [[
  local counts = composio.bulk(accounts.each { statuses = { "ACTIVE" } }, function(account)
    account:disable { reason = "spec" }
  end)
  print(counts.selected, counts.planned, counts.done)
]]

describe("a bulk", function()
  it("changes nothing in a preview", function()
    local run = preview(DISABLE)
    assert.equal(0, run.code)
    local selected, planned = run.out:match "\n(%d+)\t(%d+)\tnil\n$"
    assert.equal(selected, planned)
    assert.equal(0, job.writes(emulator))
    assert.same({}, job.changes(emulator))
    assert.same({ { "preview", planned } }, place:ledger [[
      SELECT mode, (SELECT count(*) FROM change) FROM run
    ]])
  end)

  it("carries out with --apply exactly what the preview named", function()
    local planned = tonumber(preview(DISABLE).out:match "\n%d+\t(%d+)")
    assert.same({}, job.changes(emulator))
    local run = apply(DISABLE)
    assert.equal(0, run.code, run.err)
    assert.equal(planned, run.summary.outcomes.done)
    assert.equal(planned, job.writes(emulator))
    local done = {}
    for _, change in ipairs(emulator:changes()) do
      assert.equal("disable", change.op)
      assert.equal("ACTIVE", change.before)
      assert.is_nil(done[change.account_id])
      done[change.account_id] = true
    end
    local rows = place:ledger [[
      SELECT i.key, o.outcome, c.reason, c.status_before, o.status_after, o.attempts, c.line
      FROM change c JOIN item i ON i.id = c.id >> 15 JOIN outcome o ON o.id = c.id
    ]]
    assert.equal(planned, #rows)
    for _, row in ipairs(rows) do
      assert.is_true(done[row[1]])
      assert.same({ "3", "spec", "ACTIVE", "INACTIVE", "1", "job.lua:4" }, { table.unpack(row, 2) })
    end
  end)

  it("does not send what is already so", function()
    local run = apply [[
      local ids = {}
      for account in accounts.each { statuses = { "INACTIVE" }, account_type = "ALL" } do
        ids[#ids + 1] = account.id
      end
      local counts = composio.bulk({ name = "same", after = function(account, results)
        print("after", account.status, results.disable.same, results[1].success)
      end }, ids, function(account) account:disable() end)
      print(counts.same == #ids, counts.done, counts.operations.disable.same == #ids)
      local account = accounts.each { statuses = { "ACTIVE" } }:walk()()
      composio.bulk("alias", { account.id }, function(one)
        one:update { alias = one.alias or "" }
      end)
    ]]
    assert.equal(0, run.code, run.err)
    has(run.out, "after\tINACTIVE\ttrue\ttrue\n")
    has(run.out, "true\tnil\ttrue\n")
    assert.equal(0, job.writes(emulator))
    assert.is_true(run.summary.outcomes.same > 1)
  end)

  it("sends it when the same item changed the account before", function()
    local run = apply [[
      composio.bulk({ accounts.each { statuses = { "INACTIVE" } }:walk()().id }, function(account)
        account:enable()
        account:disable()
      end)
    ]]
    assert.equal(0, run.code, run.err)
    local made = job.changes(emulator)
    assert.same({ "enable", "disable" }, { made[1]:match "^%a+", made[2]:match "^%a+" })
  end)

  it("lists items whose action raises, and goes on", function()
    local run = apply [[
      local n = 0
      local counts = composio.bulk(accounts.each { statuses = { "ACTIVE" } }, function(account)
        n = n + 1
        account:disable()
        if n == 2 then error "this one not" end
        if n == 3 then account:update { allias = "x" } end
      end)
      print(counts.failed, counts.done == counts.selected - 2)
    ]]
    assert.equal(3, run.code)
    assert.equal("2\ttrue\n", run.out)
    has(run.err, "job.lua:7: this one not")
    has(run.err, "did you mean 'alias'?")
    assert.equal(run.summary.outcomes.done, job.writes(emulator))
    assert.equal(2, run.summary.outcomes.failed)
    assert.equal(2, run.summary.operations.disable.skipped)
  end)

  it("tells apart what failed, with its request", function()
    emulator:faults { job.refusal { method = "PATCH", nth = 3 } }
    local run = apply(DISABLE)
    assert.equal(3, run.code)
    assert.equal(1, run.summary.outcomes.failed)
    has(run.err, "not this one (HTTP 400 X) (request ")
    has(run.err, "failed  disable  ca_")
    assert.equal(("composio-lua resume %s --failed"):format(run.summary.run), run.summary.next)
  end)

  it("does not repeat what must not be when its reply is lost, but looks it up", function()
    emulator:faults {
      { method = "POST", path = "*/refresh*", nth = 2, action = "apply_then_close" },
    }
    local run = apply [[
      composio.bulk(accounts.each { statuses = { "EXPIRED" }, toolkit_slugs = { "gmail" } },
        function(account) account:refresh() end)
    ]]
    assert.equal(0, run.code)
    has(run.err, "checked 1 unknown: 1 happened")
    local refreshed = 0
    for _, request in ipairs(emulator:requests()) do
      refreshed = refreshed + (request.method == "POST" and 1 or 0)
    end
    assert.equal(run.summary.outcomes.done, refreshed)
  end)

  it("stops at a rejected key, exit 6", function()
    emulator:faults {
      { method = "PATCH", nth = 2, times = 1000, action = "reply", status = 401,
        body = { error = { message = "Invalid API key", code = 1, slug = "H", status = 401 } } },
    }
    local run = apply(DISABLE, "--concurrency", "1")
    assert.equal(6, run.code)
    assert.equal(1, run.summary.outcomes.done)
    assert.is_true(job.writes(emulator) < 5)
    has(run.err, "the API key was rejected")
  end)

  it("does the changes of an item in order, many items at once", function()
    local run = apply([[
      composio.bulk(accounts.each { statuses = { "ACTIVE" } }, function(account)
        account:update { alias = "first " .. account.id }
        account:disable()
        account:update { alias = "last " .. account.id }
      end)
    ]], "--concurrency=16")
    assert.equal(0, run.code, run.err)
    local order = {}
    for _, change in ipairs(emulator:changes()) do
      order[change.account_id] = (order[change.account_id] or "") .. change.op .. " "
    end
    for _, ops in pairs(order) do
      assert.equal("alias disable alias ", ops)
    end
  end)

  it("lets actions look things up, many at once", function()
    emulator:faults { { path = "*/ca_*", delay_ms = 100, action = "delay" } }
    local run = preview([[
      composio.bulk(accounts.each { statuses = { "ACTIVE" } }, function(account)
        if accounts.get(account.id).status == "ACTIVE" then account:disable() end
      end)
    ]], "--concurrency=32")
    assert.equal(0, run.code, run.err)
    assert.is_true(run.summary.outcomes.planned > 50)
    local one_by_one = 0.1 * run.summary.outcomes.planned
    assert.is_true(run.summary.seconds < one_by_one / 4, run.summary.seconds)
  end)

  it("takes only the first items with --limit-items", function()
    local run = apply(DISABLE, "--limit-items=7")
    assert.equal(0, run.code, run.err)
    assert.equal(7, job.writes(emulator))
    assert.equal("7\tnil\t7\n", run.out)
  end)
end)

describe("planned changes", function()
  it("say that they are, and nothing else", function()
    local run = preview [[
      composio.bulk(accounts.each { statuses = { "ACTIVE" }, toolkit_slugs = { "slack" } },
        function(account)
          local change = account:disable()
          print(change.planned, change.operation, change.account_id == account.id, change)
          print(pcall(function() return change.success end))
        end)
    ]]
    has(run.out, "true\tdisable\ttrue\tplanned disable of ca_")
    has(run.out, "job.lua:7: 'success' of this disable is not known while planning")
    has(run.out, "read it in the bulk's `after`")
    assert.equal(0, run.code)
  end)

  it("of links and creates keep user and auth config", function()
    place.secrets[2] = "sk_canary_create"
    local run = apply [[
      composio.bulk({ { id = "row 1" }, { id = "row 2" } }, function(row)
        if row.id == "row 1" then
          accounts.link("someone", "ac_GmailManaged")
        else
          local config = composio.auth_scheme.api_key { api_key = "sk_canary_create" }
          accounts.initiate("other", "ac_StripeApiKey", { config = config })
        end
      end)
    ]]
    assert.equal(0, run.code, run.err)
    assert.same({
      { "connected_accounts.link", "someone", "ac_GmailManaged", "0" },
      { "connected_accounts.initiate", "other", "ac_StripeApiKey", "1" },
    }, place:ledger [[
      SELECT o.name, c.user, c.config, c.fingerprint IS NOT NULL
      FROM change c JOIN operation o ON o.id = c.operation ORDER BY c.id
    ]])
    assert.equal(2, #job.changes(emulator))
  end)

  it("with secrets are carried out, and their secrets kept nowhere", function()
    place.secrets[2] = "sk_canary_rotation"
    local script = [[
      composio.job { may = "irreversible" }
      local new = { authScheme = "API_KEY", val = { api_key = "sk_canary_rotation" } }
      composio.bulk({ accounts.each { auth_config_ids = { "ac_StripeApiKey" },
        statuses = { "ACTIVE" } }:walk()().id }, function(account)
        account:update { credentials = new }
      end)
      accounts.update(accounts.list({ auth_config_ids = { "ac_SendgridKey_" },
        statuses = { "ACTIVE" } }).items[1], { credentials = new })
    ]]
    assert.equal(0, preview(script).code)
    assert.same({}, job.changes(emulator))
    local run = apply(script, "-vv", "--log", "run.log", "--confirm", "1,1")
    assert.equal(0, run.code, run.err)
    assert.equal(2, #job.changes(emulator))
    local bodies = 0
    for _, request in ipairs(emulator:requests()) do
      bodies = bodies + (tostring(request.body):find("sk_canary_rotation", 1, true) and 1 or 0)
    end
    assert.equal(2, bodies)
    local prints = place:ledger "SELECT DISTINCT length(fingerprint) >= 32 FROM change"
    assert.same({ { "1" } }, prints)
  end)
end)

describe("selections", function()
  it("of ids get their accounts by lists of a hundred", function()
    local run = apply [[
      local ids = {}
      for account in accounts.each { account_type = "ALL" } do ids[#ids + 1] = account.id end
      table.insert(ids, 150, "ca_nobodyknows")
      local counts = composio.bulk(ids, function(account)
        if account.status == "ACTIVE" then account:disable() end
      end)
      print(counts.selected, counts.failed)
    ]]
    assert.equal(3, run.code)
    assert.equal("231\t1\n", run.out)
    has(run.err, "failed  action  ca_nobodyknows: not found")
    local asked = 0
    for _, request in ipairs(emulator:requests()) do
      asked = asked + (request.path:find("connected_account_ids=", 1, true) and 1 or 0)
    end
    assert.equal(3, asked)
  end)

  it("of ids refuse doubles and what is no id", function()
    local run = preview [[composio.bulk({ "ca_a", "ca_b", "ca_a" }, function() end)]]
    assert.equal(1, run.code)
    has(run.err, "ca_a is in the list twice, at 1 and 3")
    run = preview [[composio.bulk({ "ca_a", "" }, function() end)]]
    assert.equal(1, run.code)
    has(run.err, "element 2")
  end)

  it("of rows need a key, which is theirs alone", function()
    local run = preview [[
      composio.bulk({ key = function(row) return row.user .. "/" .. row.config end },
        { { user = "u", config = "ac_GmailManaged" }, { user = "v", config = "ac_GmailManaged" } },
        function(row) accounts.link(row.user, row.config) end)
    ]]
    assert.equal(0, run.code, run.err)
    assert.same({ { "u/ac_GmailManaged", '{"config":"ac_GmailManaged","user":"u"}' },
      { "v/ac_GmailManaged", '{"config":"ac_GmailManaged","user":"v"}' } },
      place:ledger "SELECT key, row FROM item ORDER BY id")
    run = preview [[composio.bulk({ { user = "u" } }, function() end)]]
    assert.equal(1, run.code)
    has(run.err, "row 1 has no key")
    run = preview [[
      composio.bulk({ { id = "a" }, { id = "a" } }, function() accounts.disable "ca_x" end)
    ]]
    assert.equal(1, run.code)
    has(run.err, 'the key "a" is in the selection twice')
  end)

  it("of a CSV file come row by row, secrets kept apart", function()
    place:write("keys.secret", "user,config,key\nu1,ac_StripeApiKey,sk_canary_csv\n")
    place.secrets[2] = "sk_canary_csv"
    local run = apply [[
      local rows = composio.csv("keys.secret", { "user", "config", "key" }, { secret = { "key" } })
      composio.bulk({
        key = function(row) return row.user end,
        after = function(row, results) print(row.user, row.key, results.initiate.status) end,
      }, rows, function(row)
        accounts.initiate(row.user, row.config,
          { config = composio.auth_scheme.api_key { api_key = row.key } })
      end)
    ]]
    assert.equal(0, run.code, run.err)
    assert.equal("u1\tnil\tACTIVE\n", run.out)
    local rows = place:ledger "SELECT row FROM item"
    assert.same({ { '{"config":"ac_StripeApiKey","user":"u1"}' } }, rows)
  end)

  it("that are incomplete are told, and not acted on", function()
    emulator:faults { { path = "*order_by*", action = "total_items" } }
    local run = preview(DISABLE)
    assert.equal(0, run.code)
    has(run.out, "the listing is incomplete")
    assert.is_false(run.summary.listing.complete)
    run = apply(DISABLE)
    assert.equal(4, run.code)
    has(run.err, "the listing is incomplete")
    has(run.err, "allow_incomplete")
    assert.equal(0, job.writes(emulator))
    local anyway = DISABLE:gsub("composio.bulk%(", "composio.bulk({ allow_incomplete = true }, ")
    run = apply(anyway)
    assert.equal(0, run.code, run.err)
    assert.is_true(job.writes(emulator) > 50)
  end)

  it("whose page fails are incomplete, too", function()
    emulator:faults { { path = "*cursor=*", action = "reply", status = 400, body = "no" } }
    local all = DISABLE:gsub('statuses = { "ACTIVE" }', 'account_type = "ALL"')
    local run = preview(all)
    assert.equal(0, run.code)
    has(run.out, "the listing is incomplete")
    run = apply(all)
    assert.equal(4, run.code)
    assert.equal(0, job.writes(emulator))
  end)
end)

describe("after", function()
  it("gets the account as it was planned and what the service answered", function()
    local run = apply [[
      composio.bulk({ after = function(account, results)
        print(account.status, account.toolkit.slug, type(account.user_id))
        print(account.status_reason ~= nil, account.auth_config.auth_scheme)
        print(account.updated_at:match "Z$", results[1] == results.refresh)
        print(results.refresh.status, accounts.get(account.id).status, type(account.disable))
      end }, accounts.each { statuses = { "EXPIRED" }, toolkit_slugs = { "gmail" } },
        function(account) account:refresh() end)
    ]]
    assert.equal(0, run.code, run.err)
    has(run.out, "EXPIRED\tgmail\tstring\ntrue\tOAUTH2\nZ\ttrue\nINITIATED\t")
  end)

  it("is run once per item that ended well, and not in a preview", function()
    local script = [[
      local n = 0
      local counts = composio.bulk({ after = function() n = n + 1 end },
        accounts.each { statuses = { "ACTIVE" } }, function(account) account:disable() end)
      print(n == counts.done, n)
    ]]
    emulator:faults {
      { method = "PATCH", nth = 3, action = "reply", status = 400,
        body = { error = { message = "no", code = 1 } } },
    }
    local run = apply(script)
    assert.equal(3, run.code)
    has(run.out, "true\t")
    run = preview(script)
    has(run.out, "\t0\n")
  end)

  it("cannot write, which makes the item failed", function()
    local run = apply [[
      composio.bulk({ after = function(account) account:enable() end },
        accounts.each { statuses = { "ACTIVE" }, toolkit_slugs = { "slack" } },
        function(account) account:disable() end)
    ]]
    assert.equal(3, run.code)
    has(run.err, "a bulk's `after` cannot change anything")
    for _, change in ipairs(job.changes(emulator)) do
      assert.matches("^disable", change)
    end
  end)

  it("that raises fails its item; that waits too long leaves it pending, exit 9", function()
    local script = [[
      composio.bulk({ after = function(account, results)
        results.link:wait_for_connection { timeout = 0.2, interval = 0.05 }
      end }, { { id = "a" }, { id = "b" } }, function(row)
        accounts.link("user " .. row.id, "ac_GmailManaged")
      end)
    ]]
    local run = apply(script)
    assert.equal(9, run.code, run.err)
    assert.equal(2, run.summary.outcomes.pending)
    has(run.err, "2 items waiting for a person")
    script = script:gsub("results.link:wait[^\n]+", "error 'no'"):gsub("user ", "other ")
    run = apply(script)
    assert.equal(3, run.code)
    assert.equal(2, run.summary.outcomes.failed)
    assert.equal(2, run.summary.operations.link.done)
  end)
end)

describe("several bulks", function()
  it("run one after the other, under names of their own", function()
    local run = apply [[
      composio.bulk("off", accounts.each { statuses = { "ACTIVE" }, limit = 50 }, function(account)
        account:disable()
      end)
      local inactive = accounts.each { statuses = { "INACTIVE" } }
      local counts = composio.bulk("on", inactive, function(account) account:enable() end)
      print(counts.operations.enable.done, counts.operations.disable)
    ]]
    assert.equal(0, run.code, run.err)
    assert.is_true(run.summary.operations.enable.done >= run.summary.operations.disable.done)
    assert.equal(("%d\tnil\n"):format(run.summary.operations.enable.done), run.out)
  end)

  it("need names, and different ones", function()
    local run = preview [[composio.bulk({ "ca_a" }, print) composio.bulk({ "ca_a" }, print)]]
    assert.equal(1, run.code)
    has(run.err, "a script with several bulks must name them")
    run = preview [[composio.bulk("x", { "ca_a" }, print) composio.bulk("x", { "ca_a" }, print)]]
    assert.equal(1, run.code)
    has(run.err, "is already called 'x'")
  end)

  it("do not run inside each other, nor where a task cannot wait", function()
    local run = preview [[
      composio.bulk("out", { { id = "a" } }, function()
        composio.bulk("in", { "ca_a" }, print)
      end)
    ]]
    assert.equal(3, run.code)
    has(run.err, "another bulk is running")
    run = preview [[coroutine.wrap(function() composio.bulk({ "ca_a" }, print) end)()]]
    assert.equal(1, run.code)
    has(run.err, "not in a coroutine")
  end)
end)

describe("arguments of a bulk", function()
  it("that are wrong are named", function()
    for text, call in pairs {
      ["unknown option 'afterr' (did you mean 'after'?)"] = "({ afterr = print }, {}, print)",
      ["concurrency: expected a whole number from 1 to 512"] = "({ concurrency = 0 }, {}, print)",
      ["after: expected a function, got string"] = "({ after = 'x' }, {}, print)",
      ["expected a function as action, got nil"] = "({}, nil)",
      ["expected accounts.each { … }, ids or rows, got number"] = "(5, print)",
      ["got a page: pass its items"] = "({ items = {}, total_items = 0 }, print)",
      ["the selection: 'ids' is not a list index"] = "({ ids = { 'ca_x' } }, print)",
      ["got one account or row: pass { it }"] = "({ id = 'ca_x' }, print)",
      ["expected (selection, action)"] = "(print)",
      ["expected a name or options, got number"] = "(1, {}, print)",
    } do
      local run = preview("composio.bulk" .. call)
      assert.equal(1, run.code, text)
      has(run.err, text)
      has(run.err, "job.lua:3:")
    end
  end)
end)

describe("straight-line changes", function()
  local SCRIPT = [[
    local account = accounts.list({ statuses = { "ACTIVE" } }).items[1]
    local change = accounts.disable(account.id, { reason = "by hand" })
    print("before", change.planned)
    pcall(function() pcall(function() print(change.success) end) print "caught" end)
    while true do local ok = pcall(function() print "still" end) if ok then break end end
  ]]

  it("are listed in a preview, which ends where a result is read", function()
    local run = preview(SCRIPT)
    assert.equal(0, run.code, run.err)
    assert.equal("before\ttrue\n", run.out:sub(1, 12))
    has(run.err, "job.lua:6: the preview ends here: 'success' of this disable")
    has(run.out, "disable  ca_")
    has(run.out, "by hand")
    assert.equal(0, job.writes(emulator))
    assert.equal(1, run.summary.outcomes.planned)
  end)

  it("are carried out at once with --apply, and answer", function()
    local run = apply(SCRIPT)
    assert.equal(0, run.code, run.err)
    assert.equal("before\tnil\ntrue\ncaught\nstill\n", run.out)
    assert.equal(1, #job.changes(emulator))
    assert.same({ { "0", "3", "by hand" } }, place:ledger [[
      SELECT i.bulk, o.outcome, c.reason FROM change c
      JOIN item i ON i.id = c.id >> 15 JOIN outcome o ON o.id = c.id
    ]])
  end)

  it("return what calls return", function()
    local run = apply [[
      local request = accounts.link("someone", "ac_GmailManaged", { alias = "work" })
      print(request.status, request.redirect_url:match "^http", request.expires_at:match "Z$")
      local account = accounts.get(request.id)
      print(account.alias, accounts.update(account, { alias = "home" }).success)
      print(accounts.get(request.id).alias)
      print(accounts.disable(accounts.list({ statuses = { "INACTIVE" } }).items[1]).same)
    ]]
    assert.equal(0, run.code, run.err)
    assert.equal("INITIATED\thttp\tZ\nwork\ttrue\nhome\ntrue\n", run.out)
  end)

  it("that fail raise, and are failures of the run also when caught", function()
    local run = apply [[
      local ok, err = pcall(accounts.enable, "ca_nobodyknows")
      print(ok, err.name, err.outcome)
    ]]
    assert.equal(3, run.code)
    assert.equal("false\tComposioConnectedAccountNotFoundError\tfailed\n", run.out)
    assert.equal(1, run.summary.outcomes.failed)
    emulator:faults { { method = "POST", action = "apply_then_close" } }
    run = apply [[
      local ok, err = pcall(accounts.link, "someone", "ac_GmailManaged")
      print(ok, err.outcome)
    ]]
    assert.equal(0, run.code) -- it was looked up: there is one
    has(run.err, "checked 1 unknown: 1 happened")
    assert.equal("false\tunknown\n", run.out)
  end)

  it("run side by side in tasks", function()
    local run = apply [[
      local tasks = {}
      for place, account in ipairs(accounts.list({ statuses = { "ACTIVE" } }).items) do
        tasks[place] = composio.spawn(account.disable, account)
      end
      local done = 0
      for _, task in ipairs(tasks) do done = done + (task:join().success and 1 or 0) end
      print(done)
    ]]
    assert.equal(0, run.code, run.err)
    assert.equal(20, #job.changes(emulator))
    assert.equal("20\n", run.out)
  end)

  it("that are under way when the script fails are waited for", function()
    emulator:faults { { method = "PATCH", action = "delay", delay_ms = 500 } }
    local run = apply [[
      for _, account in ipairs(accounts.list({ statuses = { "ACTIVE" }, limit = 5 }).items) do
        composio.spawn(account.disable, account)
      end
      composio.sleep(0.2)
      error "in the midst"
    ]]
    assert.equal(1, run.code)
    assert.equal(5, #job.changes(emulator))
    assert.same({ disable = { done = 5 } }, run.summary.operations)
  end)

  it("while a bulk plans belong to its items", function()
    local run = preview [[
      local id = accounts.list({ statuses = { "ACTIVE" } }).items[1].id
      local other = composio.spawn(function()
        composio.sleep(0.05)
        print(pcall(accounts.disable, id))
      end)
      composio.bulk({ { id = "a" } }, function() composio.sleep(0.2) end)
      other:join()
    ]]
    has(run.out, "only its action may make changes")
    assert.equal(0, run.code)
  end)

  it("go through the default client alone", function()
    local run = apply [[
      local client = composio.client { timeout = 5 }
      print(#client.connected_accounts.list({ limit = 1 }).items)
      print(pcall(client.connected_accounts.disable, "ca_x"))
    ]]
    has(run.out, "1\nfalse\t")
    has(run.out, "the default client")
    assert.equal(0, job.writes(emulator))
  end)
end)

describe("intents", function()
  it("are on disk before the request of their change leaves", function()
    if host.shell "command -v strace" == "" then
      io.write "bulk_spec: no strace, so the order of sync and send is not looked at\n"
      return
    end
    local trace = place.path .. "/trace.secret"
    local run = place:run(host.unlimited { "job.lua", "--apply", "--concurrency", "8" }, {
      script = DISABLE,
      env = { ASAN_OPTIONS = "detect_leaks=0" },
      prefix = "strace -f -o " .. trace .. " -s 400 -e trace=fdatasync,fsync,sendto,write,pwrite64",
    })
    assert.equal(0, run.code, run.err)
    -- Every change's intent is one row; its request may only be seen after a
    -- sync that returned since the rows before it were written.
    local synced, sent, dirty = 0, 0, false
    for line in io.lines(trace) do
      if line:find "pwrite64%(" then
        dirty = true
      elseif line:find "fdatasync.*= 0" or line:find "fsync.*= 0" then
        synced, dirty = synced + 1, false
      elseif line:find("PATCH /api/v3.1/connected_accounts/", 1, true) then
        sent = sent + 1
        assert.is_true(synced > 0, "a change left before any sync")
        assert.is_false(dirty, "a change left, but what was written before was not synced")
      end
    end
    assert.is_true(sent > 50)
    assert.is_true(synced > 1)
  end)
end)
