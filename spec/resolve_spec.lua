-- resolve RUN CHANGE done|failed: a person gives an unknown change its outcome. The ledger
-- keeps who, when and why, and resume goes on with the item.
local cjson = require "cjson"
local host = require "spec.support.host"
local job = require "spec.support.job"
local proxy = require "spec.support.proxy"
local scene = require "spec.support.scene"

local has = job.has
local emulator, place, between

scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)
after_each(function()
  if between then
    between:finish()
    between = nil
  end
end)

-- Runs a bulk over these accounts, through a proxy that carries out the first change, does
-- not answer and is gone for three seconds: the change stays unknown. Returns the run's id.
local function unknown_run(ids, call, rule)
  between = proxy.start(emulator, {
    rule or "method=PATCH,hit=1,when=reply,at=0,do=down,ms=3000",
  })
  place.env.COMPOSIO_BASE_URL = between.url
  local run = place:run(
    { "job.lua", "--apply", "--retries=0", "--summary=summary.json", "--timeout=2",
      "--concurrency=1" },
    { script = ("composio.bulk(%s, function(account) %s end)"):format(job.quoted(ids), call) }
  )
  assert.equal(8, run.code, run.err)
  return run.summary.run
end

-- Without key and service, as verbs that look back.
local function resolve(...)
  return place:run({ "resolve", ... }, {
    env = { COMPOSIO_API_KEY = false, COMPOSIO_BASE_URL = false },
  })
end

-- When the service is back.
local function resume(run, ...)
  host.shell "sleep 3"
  return place:run { "resume", run, "--summary=summary.json", ... }
end

local function changes_of(run)
  local list = {}
  for line in place:run({ "show", run, "--json" }).out:gmatch "[^\n]+" do
    local row = cjson.decode(line)
    list[#list + 1] = row.kind == "change" and row or nil
  end
  return list
end

local function write_ledger(sql)
  host.shell(("sqlite3 %s/.local/state/composio-lua/ledger.db %q"):format(place.path, sql))
end

local function number_of(change)
  return ("%d"):format(change.number)
end

local function active(count)
  return job.ids(emulator, { statuses = { "ACTIVE" } }, count)
end

describe("an unknown change", function()
  it("that is resolved as done is, and resume makes the next one of its item", function()
    local id = active(1)[1]
    local run = unknown_run({ id }, "account:update { alias = 'x' } account:disable()")
    local done = resolve(run, id, "done", "--reason", "seen in the console")
    assert.equal(0, done.code, done.err)
    has(done.out, ("update of %s: unknown, now done ("):format(id))
    has(done.out, "seen in the console)")
    has(done.out, "next: composio-lua resume " .. run)
    local rest = resume(run)
    assert.equal(0, rest.code, rest.err)
    assert.same({ update = { done = 1 }, disable = { done = 1 } }, rest.summary.operations)
    assert.equal(1, rest.summary.outcomes.done)
    assert.equal("INACTIVE", emulator:ask("accounts/" .. id).status)
  end)

  it("that is resolved as failed is, and resume makes its otherwise", function()
    local id = active(1)[1]
    local run = unknown_run({ id },
      "account:refresh { even_if_active = true, otherwise = 'disable' }",
      "method=POST,hit=1,when=request,at=0,do=down,ms=3000")
    local done = resolve(run, id, "failed", "--reason", "the vendor says no")
    assert.equal(0, done.code, done.err)
    has(done.out, "now failed")
    has(done.out, "next: composio-lua resume " .. run)
    local rest = resume(run)
    assert.equal(0, rest.code, rest.err)
    assert.same({ refresh = { failed = 1 }, disable = { done = 1 } }, rest.summary.operations)
    assert.equal(1, rest.summary.outcomes.done)
    assert.equal(0, rest.summary.outcomes.failed)
  end)

  it("that is resolved as failed ends its item, and is sent again by resume --failed", function()
    local id = active(1)[1]
    local run = unknown_run({ id }, "account:update { alias = 'x' } account:disable()")
    local done = resolve(run, id, "failed", "--reason", "no alias in the console")
    assert.equal(0, done.code, done.err)
    local rest = resume(run)
    assert.equal(3, rest.code, rest.err)
    assert.equal(1, rest.summary.outcomes.failed)
    has(rest.summary.next, "--failed")
    rest = resume(run, "--failed")
    assert.equal(0, rest.code, rest.err)
    assert.same({ update = { done = 1 }, disable = { done = 1 } }, rest.summary.operations)
    assert.equal(cjson.null, changes_of(run)[1].resolution)
  end)

  it("may be the only open one: then resume ends the run", function()
    local ids = active(1)
    local run = unknown_run(ids, "account:disable()")
    local done = resolve(run, number_of(changes_of(run)[1]), "done", "--reason", "seen")
    assert.equal(0, done.code, done.err)
    has(done.out, "next: composio-lua resume " .. run)
    local row = cjson.decode(place:run({ "runs", "--json", "--limit", "1" }).out)
    assert.same({ done = 1 }, row.changes)
    local rest = resume(run)
    assert.equal(0, rest.code, rest.err)
    assert.equal(1, rest.summary.outcomes.done)
  end)

  it("outside a bulk is resolved, too, and resume goes on with the script", function()
    local id = active(1)[1]
    between = proxy.start(emulator, { "method=PATCH,hit=1,when=reply,at=0,do=down,ms=3000" })
    place.env.COMPOSIO_BASE_URL = between.url
    local text = 'accounts.update("%s", { alias = "x" }) accounts.disable("%s")'
    local run = place:run(
      { "job.lua", "--apply", "--retries=0", "--summary=summary.json", "--timeout=2" },
      { script = text:format(id, id) }
    )
    assert.equal(7, run.code, run.err)
    local done = resolve(run.summary.run, id, "done", "--reason", "seen")
    assert.equal(0, done.code, done.err)
    has(done.out, "next: composio-lua resume " .. run.summary.run)
    local rest = resume(run.summary.run)
    assert.equal(0, rest.code, rest.err)
    assert.same({ update = { done = 1 }, disable = { done = 1 } }, rest.summary.operations)
  end)
end)

describe("a change of a run that died", function()
  it("is intended, which nobody knows more of: it can be resolved, too", function()
    local ids = active(1)
    local run = unknown_run(ids, "account:update { alias = 'x' } account:disable()")
    write_ledger("DELETE FROM outcome; UPDATE run SET ended_ms = NULL, exit_code = NULL, "
      .. "counts = NULL")
    assert.equal("intended", changes_of(run)[1].outcome)
    local done = resolve(run, ids[1], "done", "--reason", "seen")
    assert.equal(0, done.code, done.err)
    has(done.out, "intended, now done")
    has(done.out, "next: composio-lua resume " .. run)
    local rest = resume(run)
    assert.equal(0, rest.code, rest.err)
    assert.same({ update = { done = 1 }, disable = { done = 1 } }, rest.summary.operations)
  end)
end)

describe("who resolved a change, when and why", function()
  it("stands in show, history and composio.history", function()
    local id = active(1)[1]
    local run = unknown_run({ id }, "account:disable { reason = 'idle' }")
    local before = changes_of(run)[1]
    assert.equal("unknown", before.outcome)
    assert.equal(cjson.null, before.resolved)
    local user = host.shell("id -un"):match "%S+"
    assert.equal(0, resolve(run, id, "done", "--reason", "asked Kim").code)
    local line = ("resolved by %s@%%S+: asked Kim"):format(user)
    assert.is_truthy(place:run({ "show", run }).out:find(line))
    local history = place:run({ "history", id }).out
    assert.is_truthy(history:find(line), history)
    local after = changes_of(run)[1]
    assert.equal("done", after.outcome)
    assert.equal("asked Kim", after.resolution)
    assert.is_truthy(after.resolved_by:find("^" .. user .. "@"))
    assert.is_truthy(after.resolved:find "^%d%d%d%d%-.*Z$")
    assert.equal("idle", after.reason)
    local script = place:run({ "job.lua" }, { script = ([[
      composio.job { may = "read" }
      for change in composio.history { account = %q, outcome = "done" } do
        print(change.outcome, change.resolution, change.resolved_by, change.resolved_at)
      end
    ]]):format(id) })
    assert.is_truthy(script.out:find("done	asked Kim	" .. user .. "@%S+	%d%d%d%d%-"), script.out)
  end)
end)

describe("resolve refuses", function()
  local run, ids

  local function refused(code, text, ...)
    local result = resolve(...)
    assert.equal(code, result.code, result.err .. result.out)
    has(result.err, text)
    assert.equal("", result.out)
  end

  it("wrong words: exit 2", function()
    ids = active(2)
    run = unknown_run(ids, "account:update { alias = 'a' } account:disable()")
    refused(2, "needs a run, a change and its outcome", run)
    refused(2, "needs a run, a change and its outcome", run, ids[1])
    refused(2, "resolve needs a reason", run, ids[1], "done")
    refused(2, "resolve needs a reason", run, ids[1], "done", "--reason", " ")
    refused(2, "'unknown' is not an outcome that resolve can give", run, ids[1], "unknown",
      "--reason", "x")
    refused(2, "takes 3 operands, not also 'more'", run, ids[1], "done", "more", "--reason", "x")
    refused(2, "there is no run \"nothing\"", "nothing", ids[1], "done", "--reason", "x")
    refused(2, "has no change of 'ca_none'", run, "ca_none", "done", "--reason", "x")
    refused(2, "has no change of '7'", run, "7", "done", "--reason", "x")
    local other = place:run { "show", run, "--reason", "x" }
    assert.equal(2, other.code)
    has(other.err, "show takes no --reason; it belongs to resolve")
  end)

  it("a change that is not unknown: exit 2", function()
    ids = active(1)
    run = unknown_run(ids, "account:update { alias = 'a' } account:disable()")
    local disable = changes_of(run)[2]
    local number = number_of(disable)
    assert.equal("not_tried", disable.outcome)
    refused(2, ("'%s' means %s (disable: not tried)"):format(number, number), run, number, "done",
      "--reason", "x")
    assert.equal(0, resolve(run, ids[1], "done", "--reason", "x").code)
    refused(2, "only an unknown change can be resolved", run, ids[1], "done", "--reason", "x")
  end)

  it("a word that means several unknown changes: exit 2", function()
    local id = active(1)[1]
    run = unknown_run({ id }, [[
      account:update { alias = "a" }
      account:update { alias = "b" }
    ]])
    write_ledger "UPDATE outcome SET outcome = 7 WHERE outcome = 2"
    local first, second = number_of(changes_of(run)[1]), number_of(changes_of(run)[2])
    refused(2, ("'%s' means several unknown changes: %s (update: unknown), %s (update: unknown)")
      :format(id, first, second), run, id, "done", "--reason", "x")
    assert.equal(0, resolve(run, second, "failed", "--reason", "x").code)
    assert.equal(0, resolve(run, id, "done", "--reason", "x").code)
  end)

  it("a change of a preview: exit 2", function()
    local preview = place:run({ "job.lua", "--summary=summary.json" }, {
      script = ("composio.bulk(%s, function(account) account:disable() end)"):format(
        job.quoted(active(1))),
    })
    refused(2, "was a preview: it changed nothing", preview.summary.run, "1", "done", "--reason",
      "x")
  end)

  it("while a run holds the lock: exit 75, and nothing is written", function()
    ids = active(1)
    run = unknown_run(ids, "account:disable()")
    local lock = host.shell(("ls %s/.local/state/composio-lua/lock-*"):format(place.path))
    local holder = assert(io.popen(("exec flock %s cat"):format(lock:match "%S+"), "w"))
    host.shell "sleep 0.3"
    local result = resolve(run, ids[1], "done", "--reason", "x")
    holder:close()
    assert.equal(75, result.code, result.err)
    has(result.err, "holds the lock")
    assert.equal("unknown", changes_of(run)[1].outcome)
    assert.equal(0, resolve(run, ids[1], "done", "--reason", "x").code)
  end)
end)
