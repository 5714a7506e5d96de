-- undo RUN: restores what a run changed. An undo is planned, guarded and recorded like
-- any run, and lists by reason what it cannot restore.
local cjson = require "cjson"
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"
local server = require "spec.support.server"

local has, lacks = job.has, job.lacks
local emulator, place

scene.of_host({ "--accounts", "200" }, function(...)
  emulator, place = ...
end)

local function act(script, ...)
  local run = place:run(
    { "job.lua", "--apply", "--summary=summary.json", ... },
    { script = script }
  )
  assert.equal(0, run.code, run.err)
  emulator:forget()
  return run.summary.run
end

local function undo(run, ...)
  return place:run { "undo", run, "--summary=summary.json", ... }
end

local function bulk_of(ids, call)
  return ("composio.bulk(%s, function(account) %s end)\n"):format(job.quoted(ids), call)
end

-- What an undo could put back, of all accounts and auth configs.
local function world()
  local client = emulator:client()
  local list = {}
  for account in client.connected_accounts.each { account_type = "ALL" } do
    local experimental = account.experimental or {}
    local acl = experimental.acl_config_for_shared
    list[account.id] = {
      account.status, account.alias or "",
      acl and acl.allow_all_users or false,
      acl and table.concat(acl.allowed_user_ids or {}, " ") or "",
      acl and table.concat(acl.not_allowed_user_ids or {}, " ") or "",
    }
  end
  for _, config in ipairs(client.auth_configs.list({ limit = 200 }).items) do
    list[config.id] = config.status
  end
  client:close()
  emulator:forget()
  return list
end

local function shared()
  return job.ids(emulator, { account_type = "SHARED", statuses = { "ACTIVE" } }, 1)[1]
end

describe("undo", function()
  it("puts back status, alias, access list and auth config: all is as before", function()
    local active = job.ids(emulator, { statuses = { "ACTIVE" } }, 3)
    local inactive = job.ids(emulator, { statuses = { "INACTIVE" } }, 2)
    local before = world()
    local run = act(([[
      composio.bulk("off", %s, function(account)
        account:update { alias = "was " .. account.id }
        account:disable()
      end)
      composio.bulk("on", %s, function(account) account:enable() end)
      composio.bulk("shared", { %q }, function(account)
        account:update { acl = { allow_all_users = false, allowed_user_ids = { "me", "you" } } }
      end)
      composio.bulk("config", { { id = "ac_LinearManage" } }, function(row)
        composio.auth_configs.disable(row.id)
      end)
      accounts.update("ca_github_u123A", { alias = "by hand" })
    ]]):format(job.quoted(active), job.quoted(inactive), shared()), "--max-percent=100")
    assert.is_not.same(before, world())
    local back = undo(run, "--apply", "--max-percent=100")
    assert.equal(0, back.code, back.err)
    assert.same(before, world())
    local outcomes = back.summary.operations
    assert.same({ { done = 3 }, { done = 2 }, { done = 5 }, { done = 1 } }, {
      outcomes.enable, outcomes.disable, outcomes.update, outcomes["auth_configs.enable"],
    })
  end)

  it("previews unless told to apply", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 3)
    local run = act(bulk_of(ids, "account:disable()"))
    local look = undo(run)
    assert.equal(0, look.code, look.err)
    assert.equal(0, job.writes(emulator))
    assert.same({ planned = 3 }, look.summary.operations.enable)
    has(look.out, "undo of " .. run)
    assert.equal("preview", look.summary.mode)
    has(look.summary.next, "composio-lua undo " .. run)
    has(look.summary.next, "--apply")
    assert.equal(5, undo(run, "--detailed-exitcode").code)
  end)

  it("is kept like any run, and says what it undoes", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)
    local run = act(bulk_of(ids, "account:disable()"))
    local back = undo(run, "--apply")
    assert.equal(0, back.code, back.err)
    assert.same({ { back.summary.run, run, "apply" } },
      place:ledger "SELECT name, undoes, mode FROM run WHERE undoes IS NOT NULL")
    assert.is_not.equal(run, back.summary.run)
  end)

  it("of 'last' is that of the last run that wrote, and its name is in what to type", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)
    local run = act(bulk_of(ids, "account:disable()"))
    local look = undo "last"
    assert.equal(0, look.code, look.err)
    has(look.summary.next, "undo " .. run)
    local back = undo("last", "--apply") -- not of that preview
    assert.same({ enable = { done = 1 } }, back.summary.operations)
    has(look.err, "last: run " .. run .. " of ")
    emulator:forget()
    local again = undo("last", "--apply") -- the same run, not its undo
    assert.equal(0, again.code, again.err)
    has(again.err, "last: run " .. run .. " of ")
    assert.equal(0, job.writes(emulator))
    local forth = undo(back.summary.run, "--apply") -- which has to be named
    assert.same({ disable = { done = 1 } }, forth.summary.operations)
  end)

  it("of 'last' needs a run that is no undo itself and has changed something", function()
    local none = undo "last"
    assert.equal(2, none.code, none.err)
    local ids = job.ids(emulator, { statuses = { "INACTIVE" } }, 1)
    act(bulk_of(ids, "account:disable()"))
    none = undo "last"
    assert.equal(2, none.code, none.err)
    has(none.err, "there is nothing to undo")
  end)

  it("twice does nothing the second time", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 3)
    local run = act(bulk_of(ids, 'account:update { alias = "x " .. account.id }'))
    assert.equal(0, undo(run, "--apply").code)
    emulator:forget()
    local again = undo(run, "--apply")
    assert.equal(0, again.code, again.err)
    assert.equal(0, job.writes(emulator))
    has(again.err, "already as before the run: 3")
    has(again.err, "there was nothing to change")
  end)

  it("of an undo does it again", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 2)
    local call = 'account:update { alias = "new " .. account.id } account:disable()'
    local run = act(bulk_of(ids, call))
    local after = world()
    local back = undo(run, "--apply").summary.run
    local again = undo(back, "--apply")
    assert.equal(0, again.code, again.err)
    assert.same(after, world())
  end)

  it("of several changes of one account goes back to before the first", function()
    local before = world()
    local id = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1]
    local run = act(([[
      composio.bulk("one", { %q }, function(account)
        account:disable() account:update { alias = "a" }
      end)
      composio.bulk("two", { %q }, function(account)
        account:enable() account:update { alias = "b" }
      end)
      accounts.disable(%q)
    ]]):format(id, id, id))
    local back = undo(run, "--apply")
    assert.equal(0, back.code, back.err)
    assert.equal(2, job.sent(emulator, id)) -- one alias, one status
    assert.same(before, world())
  end)
end)

describe("what cannot be undone", function()
  it("is listed by reason, and the rest is done", function()
    local expired = job.ids(emulator, { statuses = { "EXPIRED" }, toolkit_slugs = { "gmail" } }, 3)
    local keys = { auth_config_ids = { "ac_StripeApiKey" }, statuses = { "ACTIVE" } }
    local stripe = job.ids(emulator, keys, 1)[1]
    local github = { auth_config_ids = { "ac_GithubManage" }, statuses = { "ACTIVE" } }
    local active = job.ids(emulator, github, 2)
    local run = act(([[
      composio.job { may = "irreversible" }
      composio.bulk("all", { %q, %q, %q, %q }, function(account)
        if account.id == %q then account:delete()
        elseif account.id == %q then account:refresh()
        elseif account.id == %q then
          account:update {
            credentials = composio.auth_scheme.api_key { api_key = "a new key" },
          }
        else
          account:disable()
        end
      end)
      accounts.link("somebody new", "ac_SlackManaged")
    ]]):format(expired[1], expired[2], stripe, active[1], expired[1], expired[2], stripe),
      "--confirm=2")
    local back = undo(run, "--apply")
    assert.equal(0, back.code, back.err)
    assert.same({ enable = { done = 1 } }, back.summary.operations)
    assert.equal(1, job.writes(emulator))
    has(back.err, ("not undone, delete has no inverse: 1 (%s)"):format(expired[1]))
    has(back.err, ("not undone, refresh has no inverse: 1 (%s)"):format(expired[2]))
    has(back.err, ("not undone, credentials cannot be read back: 1 (%s)"):format(stripe))
    has(back.err, "not undone, link made a new account, which may already be in use: 1 (ca_")
  end)

  it("is what somebody changed since: told, and left alone", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 5)
    local everybodys = shared()
    local run = act(([[
      composio.bulk("off", { %q, %q }, function(account) account:disable() end)
      composio.bulk("names", { %q, %q, %q }, function(account)
        account:update { alias = "x " .. account.id }
      end)
      composio.bulk("shared", { %q }, function(account)
        account:update { acl = { allow_all_users = false, allowed_user_ids = { "me" } } }
      end)
    ]]):format(ids[1], ids[2], ids[3], ids[4], ids[5], everybodys))
    local client = emulator:client()
    client.connected_accounts.delete(ids[2])
    emulator:tell("accounts/" .. ids[1] .. "/set", { status = "EXPIRED" })
    client.connected_accounts.update(ids[3], { alias = "mine" })
    client.connected_accounts.delete(ids[4])
    client.connected_accounts.update(everybodys, { acl = { allowed_user_ids = { "other" } } })
    client:close()
    emulator:forget()
    local back = undo(run, "--apply")
    assert.equal(0, back.code, back.err)
    assert.equal(1, job.writes(emulator))
    assert.equal(1, job.sent(emulator, ids[5]))
    local text = "not undone, it is EXPIRED now, but the run left it INACTIVE: 1 (%s)"
    has(back.err, text:format(ids[1]))
    has(back.err, ("not undone, its alias changed after the run: 1 (%s)"):format(ids[3]))
    has(back.err, ("not undone, its ACL changed after the run: 1 (%s)"):format(everybodys))
    has(back.err, "not undone, it no longer exists: 2 (")
  end)

  it("is a status that no operation brings back", function()
    -- the emulator disables from any status when told to be of January 2026
    local old = server.emulator { "--accounts", "100", "--legacy" }
    local there = host.place(old)
    local id = job.ids(old, { statuses = { "EXPIRED" } }, 1)[1]
    local run = there:run(
      { "job.lua", "--apply", "--summary=summary.json" },
      { script = bulk_of({ id }, "account:disable()") }
    )
    local back = there:run { "undo", run.summary.run, "--apply" }
    there:remove()
    old:stop()
    assert.equal(0, run.code, run.err)
    assert.equal(0, back.code, back.err)
    has(back.err, "not undone, its status was EXPIRED, which no operation can restore: 1 (" .. id)
  end)

  it("is what may not have happened at all", function()
    local id = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1]
    emulator:faults {
      { method = "PATCH", action = "apply_then_close" },
      { method = "GET", path = "*/" .. id, action = "close" },
    }
    local run = place:run(
      { "job.lua", "--apply", "--retries=0", "--summary=summary.json" },
      { script = bulk_of({ id }, "account:disable()") }
    )
    assert.equal(8, run.code, run.err)
    emulator:faults()
    emulator:forget()
    local back = undo(run.summary.run, "--apply")
    assert.equal(0, job.writes(emulator))
    has(back.err, "the outcome is unknown: resume the run first: 1 (" .. id)
  end)

  it("is what a killed run may have sent last, until it is resumed", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 3)
    emulator:faults { { method = "PATCH", nth = 2, action = "delay", delay_ms = 60000 } }
    local process = place:start(
      { "job.lua", "--apply", "--concurrency=1" },
      { script = bulk_of(ids, "account:disable()") }
    )
    host.wait_until(function()
      return job.writes(emulator) >= 2
    end, "the second change")
    host.shell "sleep 1.2" -- what ended is on disk by then
    process:signal "KILL"
    process:wait()
    emulator:faults()
    emulator:forget()
    local run = place:ledger("SELECT name FROM run")[1][1]
    local back = undo(run, "--apply")
    assert.equal(0, back.code, back.err)
    assert.equal(1, job.writes(emulator))
    assert.equal(1, job.sent(emulator, ids[1]))
    has(back.err, "the outcome is unknown: resume the run first: 2 (" .. ids[2])
  end)

  it("is what failed, was the same or was never tried: that is not even named", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 3)
    emulator:faults {
      { method = "PATCH", nth = 2, action = "reply", status = 400,
        body = { error = { message = "no", code = 1 } } },
    }
    local run = place:run(
      { "job.lua", "--apply", "--concurrency=1", "--stop-on=failed=1", "--summary=summary.json" },
      { script = bulk_of(ids, "account:disable()") }
    )
    assert.equal(7, run.code)
    emulator:faults()
    emulator:forget()
    local back = undo(run.summary.run, "--apply")
    assert.equal(0, back.code, back.err)
    assert.same({ enable = { done = 1 } }, back.summary.operations)
    lacks(back.err, "not undone")
  end)
end)

describe("the guard", function()
  local ids, run

  before_each(function()
    ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 3)
    run = act(bulk_of(ids, "account:disable()"))
  end)

  it("holds for an undo", function()
    local back = undo(run, "--apply", "--max-changes=2")
    assert.equal(4, back.code)
    has(back.err, "3 changes are more than --max-changes 2")
    back = undo(run, "--apply", "--max-percent=1")
    assert.equal(4, back.code)
    assert.equal(0, job.writes(emulator))
    assert.equal(cjson.null, back.summary.next)
  end)

  it("leaves out whom --protect names", function()
    place:write("never", ids[2] .. "\n")
    local back = undo(run, "--apply", "--protect=never")
    assert.equal(0, back.code, back.err)
    assert.same({ done = 2, skipped = 1 }, back.summary.operations.enable)
    assert.equal("INACTIVE", emulator:ask("accounts/" .. ids[2]).status)
  end)

  it("takes a plan, saved and applied later", function()
    local saved = undo(run, "--save-plan=back.json")
    assert.equal(0, saved.code, saved.err)
    assert.equal("600", place:mode "back.json")
    local done = place:run { "apply", "back.json", "--summary=summary.json" }
    assert.equal(0, done.code, done.err)
    assert.same({ enable = { done = 3 } }, done.summary.operations)
    has(place:ledger("SELECT undoes FROM run ORDER BY id DESC LIMIT 1")[1][1], run)
  end)
end)

describe("undo is refused", function()
  it("of a preview, of nothing, and for another project", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)
    local back = undo "2026"
    assert.equal(2, back.code)
    has(back.err, "there are no runs in ")
    local script = bulk_of(ids, "account:disable()")
    local run = place:run({ "job.lua", "--summary=summary.json" }, { script = script }).summary.run
    back = undo(run, "--apply")
    assert.equal(2, back.code)
    has(back.err, "was a preview: it changed nothing")
    run = act(script)
    back = place:run({ "undo", run, "--apply" }, { env = { COMPOSIO_API_KEY = "ak_other" } })
    assert.equal(2, back.code)
    has(back.err, "was made with another API key")
    assert.equal(2, undo("1999").code)
    assert.equal(0, job.writes(emulator))
  end)
end)

describe("an undo that was killed", function()
  it("is resumed like any run", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 5)
    local before = world()
    local run = act(bulk_of(ids, "account:disable()"))
    emulator:faults { { method = "PATCH", nth = 3, times = 1, action = "delay", delay_ms = 60000 } }
    local process = place:start { "undo", run, "--apply", "--concurrency=1" }
    host.wait_until(function()
      return job.writes(emulator) >= 3
    end, "the third change")
    process:signal "KILL"
    assert.equal("signal", process:wait().kind)
    emulator:faults()
    local name = place:ledger("SELECT name FROM run ORDER BY id DESC LIMIT 1")[1][1]
    local rest = place:run { "resume", name, "--summary=summary.json" }
    assert.equal(0, rest.code, rest.err)
    assert.same({ enable = { done = 5 } }, rest.summary.operations)
    assert.same(before, world())
    -- and the job itself is as it was: nothing is left to undo
    local again = undo(run)
    has(again.err, "already as before the run: 5")
  end)
end)
