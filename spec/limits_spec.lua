-- What a run may change: how many accounts, which class of changes, whose accounts, and
-- when it stops early. A refused run writes nothing.
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

local function apply(script, ...)
  return place:run({ "job.lua", "--apply", "--summary", "summary.json", ... }, { script = script })
end

local function preview(script, ...)
  return place:run({ "job.lua", "--summary", "summary.json", ... }, { script = script })
end

-- Refused as it should be: exit 4, that text, nothing sent, nothing planned for.
local function refused(run, text)
  assert.equal(4, run.code, run.err)
  has(run.err, text)
  assert.equal(0, job.writes(emulator))
  assert.equal(4, run.summary.exit)
  assert.equal(0, run.summary.outcomes.done)
  assert.equal(cjson.null, run.summary.next)
end

-- A bulk that disables the first accounts that are ACTIVE.
local function disable(count, name)
  local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, count)
  local text = "composio.bulk(%q, %s, function(account) account:disable() end)\n"
  return text:format(name or "off", job.quoted(ids))
end

describe("--max-changes", function()
  it("lets as many through, and not one more", function()
    local run = apply(disable(5), "--max-changes=5")
    assert.equal(0, run.code, run.err)
    assert.equal(5, job.writes(emulator))
    emulator:reset()
    emulator:forget()
    local run_above = apply(disable(5), "--max-changes=4")
    refused(run_above, "refused: 5 changes are more than --max-changes 4")
  end)

  it("is told in a preview, which exits 4 and goes on", function()
    local run = preview(disable(5) .. "print 'and on'", "--max-changes=4")
    refused(run, "refused: 5 changes are more than --max-changes 4")
    has(run.out, "and on\n")
    assert.equal(5, run.summary.outcomes.planned)
    run = preview(disable(5), "--max-changes=4", "--detailed-exitcode")
    assert.equal(4, run.code)
  end)

  it("counts the whole run: the second bulk starts where the first ended", function()
    local both = disable(3, "one")
      .. [[composio.bulk("two", accounts.each { statuses = { "INACTIVE" } }, function(account)
        account:enable()
      end)]]
    local run = preview(both, "--max-changes=3")
    assert.equal(4, run.code)
    run = apply(both, "--max-changes=3")
    assert.equal(7, run.code, run.err)
    has(run.err, "more than --max-changes 3")
    assert.equal(3, job.writes(emulator)) -- the first was carried out before
    for _, change in ipairs(job.changes(emulator)) do
      assert.matches("^disable", change)
    end
  end)

  it("does not count what is so already, nor what is protected", function()
    local ids = job.ids(emulator, { statuses = { "INACTIVE" } }, 3)
    local script = ("composio.bulk(%s, function(account) account:disable() end)"):format(
      job.quoted(ids)
    )
    assert.equal(0, apply(script, "--max-changes=0").code)
    local path = place:write("never", "toolkit:gmail\n")
    local gmail = job.ids(emulator, { statuses = { "ACTIVE" }, toolkit_slugs = { "gmail" } }, 2)
    script = ("composio.bulk(%s, function(account) account:disable() end)"):format(
      job.quoted(gmail)
    )
    assert.equal(0, apply(script, "--max-changes=0", "--protect", path).code)
    refused(apply(script, "--max-changes=0"), "--max-changes 0")
  end)

  it("counts an `otherwise`, which may be sent", function()
    local ids = job.ids(emulator, { statuses = { "INACTIVE" } }, 2)
    local script = ([[
      composio.job { may = "irreversible" }
      composio.bulk(%s, function(account)
        account:enable { otherwise = "refresh" }
      end)
    ]]):format(job.quoted(ids))
    refused(apply(script, "--max-changes=3"), "4 changes are more than --max-changes 3")
  end)

  it("is looked at before each straight-line change: it raises, and the run exits 7", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 3)
    local script = ([[
      for _, id in ipairs(%s) do
        local ok, err = pcall(accounts.disable, id)
        print(ok, ok or tostring(err))
      end
    ]]):format(job.quoted(ids))
    local run = apply(script, "--max-changes=2")
    assert.equal(7, run.code, run.err)
    assert.equal(2, job.writes(emulator))
    local _, count = run.out:gsub("true\ttrue\n", "")
    assert.equal(2, count)
    has(run.out, "false\t")
    has(run.out, "refused: 3 changes are more than --max-changes 2")
    has(run.err, "composio-lua: refused: 3 changes are more than --max-changes 2")
    lacks(run.err, "--show all")
    emulator:reset()
    emulator:forget()
    run = preview(script, "--max-changes=2")
    refused(run, "refused: 3 changes are more than --max-changes 2")
    has(run.out, "refused: 3 changes")
  end)

  it("is 500 when nobody says", function()
    local many = server.emulator { "--accounts", "2100", "--seed", "5" }
    local there = host.place(many)
    local script = [[
      local n = 0
      composio.bulk(accounts.each { account_type = "ALL" }, function(account)
        if account.status == "ACTIVE" then
          account:disable()
        end
      end)
    ]]
    -- alias changes fit any status, so that the number is exact
    script = script:gsub("if account.+end%s+end%)", 'account:update { alias = "x" } end)')
    local at = there:run({ "job.lua", "--limit-items=500" }, { script = script })
    local above = there:run { "job.lua", "--limit-items=501" }
    there:remove()
    many:stop()
    assert.equal(0, at.code, at.err)
    assert.equal(4, above.code)
    has(above.err, "501 changes are more than --max-changes 500")
  end)
end)

describe("--max-percent", function()
  it("is 25 when nobody says, of all accounts", function()
    local total = emulator:stats().accounts
    assert.equal(200, total)
    local run = preview(disable(50))
    assert.equal(0, run.code, run.err)
    refused(apply(disable(51)), "25.5 % of the project's 200 accounts, more than --max-percent 25")
  end)

  it("takes another number, and 100 asks nobody", function()
    refused(apply(disable(3), "--max-percent=1"), "more than --max-percent 1")
    emulator:forget()
    local run = apply(disable(3), "--max-percent=1.5%")
    assert.equal(0, run.code, run.err)
    local function asked()
      local count = 0
      for _, line in ipairs(emulator:lines()) do
        count = count + (line:find "limit=1&" and 1 or line:find "limit=1$" and 1 or 0)
      end
      return count
    end
    assert.equal(1, asked())
    emulator:reset()
    run = apply(disable(60), "--max-percent=100")
    assert.equal(0, run.code, run.err)
    assert.equal(60, job.writes(emulator))
    assert.equal(0, asked())
  end)

  it("refuses when it cannot be known", function()
    local script = disable(1)
    local rules = {}
    for number, path in ipairs { "*limit=1&*", "*limit=1" } do
      rules[number] = {
        path = path,
        action = "reply",
        status = 200,
        body = '{"items":[],"next_cursor":null}',
        content_type = "application/json",
      }
    end
    emulator:faults(rules)
    refused(apply(script), "the number of accounts in the project is not known")
  end)

  it("counts straight-line changes one by one", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 3)
    local run = apply(("for _, id in ipairs(%s) do pcall(accounts.disable, id) end"):format(
      job.quoted(ids)
    ), "--max-percent=1")
    assert.equal(7, run.code)
    assert.equal(2, job.writes(emulator))
  end)
end)

describe("an auth config that is disabled", function()
  local SCRIPT = [[
    composio.bulk({ { id = "ac_GmailManaged" } }, function(row)
      composio.auth_configs.disable(row.id)
    end)
  ]]

  local function connections()
    local client = emulator:client()
    local count = client.auth_configs.get("ac_GmailManaged").no_of_connections
    client:close()
    emulator:forget()
    return count
  end

  it("counts all its connections", function()
    local count = connections()
    assert.is_true(count > 2)
    local most = tostring(count)
    refused(apply(SCRIPT, "--max-changes", tostring(count - 1)), count .. " changes are more than")
    local run = apply(SCRIPT, "--max-changes", most)
    assert.equal(0, run.code, run.err)
    assert.equal(1, job.writes(emulator))
  end)

  it("counts them outside of a bulk, too", function()
    local count = connections()
    local script = 'composio.auth_configs.disable "ac_GmailManaged"'
    local run = apply(script, "--max-changes", tostring(count - 1))
    assert.equal(4, run.code)
    has(run.err, count .. " changes are more than")
    assert.equal(0, job.writes(emulator))
    assert.equal(0, apply(script, "--max-changes", tostring(count)).code)
  end)
end)

describe("--delete-active", function()
  local function delete(ids, before)
    local text = [[
      composio.job { may = "irreversible" }
      composio.bulk(%s, function(account) %s account:delete() end)
    ]]
    return text:format(job.quoted(ids), before or "")
  end

  it("is needed for accounts that are ACTIVE", function()
    local script = delete(job.ids(emulator, { statuses = { "ACTIVE" } }, 2))
    refused(apply(script, "--confirm=2"), "2 ACTIVE accounts would be deleted; --delete-active")
    refused(preview(script), "2 ACTIVE accounts would be deleted")
    assert.equal(0, preview(script, "--delete-active").code)
    local run = apply(script, "--confirm=2", "--delete-active")
    assert.equal(0, run.code, run.err)
    assert.equal(2, job.writes(emulator))
  end)

  it("is not needed for others, nor for what the item disables first", function()
    local run = apply(delete(job.ids(emulator, { statuses = { "EXPIRED" } }, 2)), "--confirm=2")
    assert.equal(0, run.code, run.err)
    local active = job.ids(emulator, { statuses = { "ACTIVE" } }, 2)
    run = apply(delete(active, "account:disable()"), "--confirm=2")
    assert.equal(0, run.code, run.err)
    local last = job.changes(emulator)
    assert.matches("^delete", last[#last])
  end)

  it("is asked about before a straight-line delete", function()
    local id = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1]
    local script = 'composio.job { may = "irreversible" }\n'
      .. ("print(pcall(accounts.delete, %q))"):format(id)
    local run = apply(script, "--confirm=1")
    assert.equal(4, run.code)
    has(run.out, "1 ACTIVE account would be deleted")
    assert.equal(0, job.writes(emulator))
    assert.equal(0, apply(script, "--confirm=1", "--delete-active").code)
  end)
end)

describe("may", function()
  local id

  before_each(function()
    id = job.ids(emulator, { statuses = { "EXPIRED" } }, 1)[1]
  end)

  local function bulk(class, call)
    local declared = class and ("composio.job { may = %q }\n"):format(class) or ""
    return declared .. ("composio.bulk({ %q }, function(account) %s end)"):format(id, call)
  end

  it("is reversible when a script says nothing", function()
    refused(apply(bulk(nil, "account:delete()"), "--confirm=1"), "irreversible")
    refused(apply(bulk(nil, "account:revoke()"), "--confirm=1"), "irreversible")
    assert.equal(0, preview(bulk(nil, 'account:update { alias = "x" }')).code)
  end)

  it("refuses what is above it, in a preview as well", function()
    for _, case in ipairs {
      { "read", 'account:update { alias = "x" }' },
      { "read", "account:refresh()" },
      { "reversible", "account:delete()" },
      { "reversible", "account:update { credentials = { authScheme = 'X', val = { a = 'b' } } }" },
    } do
      refused(apply(bulk(case[1], case[2]), "--confirm=1"), "may = ")
      refused(preview(bulk(case[1], case[2])), "may = ")
    end
  end)

  it("refuses straight-line calls, also when they are caught", function()
    local script = ("composio.job { may = 'read' } print(pcall(accounts.disable, %q))"):format(id)
    local run = apply(script)
    assert.equal(4, run.code)
    has(run.out, "false\t")
    assert.equal(0, job.writes(emulator))
  end)
end)

describe("--confirm", function()
  local function delete(name, count, skip)
    local ids = job.ids(emulator, { statuses = { "EXPIRED" } }, count + (skip or 0))
    ids = table.move(ids, 1 + (skip or 0), #ids, 1, {})
    return ("composio.bulk(%q, %s, function(account) account:delete() end)\n"):format(
      name,
      job.quoted(ids)
    )
  end
  local MAY = 'composio.job { may = "irreversible" }\n'

  it("is needed without a terminal, and says the number", function()
    refused(apply(MAY .. delete("a", 3)), "refused: 3 irreversible changes need --confirm 3")
  end)

  it("must be the number of the plan, neither more nor less", function()
    local script = MAY .. delete("a", 3)
    refused(apply(script, "--confirm=2"), "need --confirm 3 (--confirm 2 was given)")
    refused(apply(script, "--confirm=4"), "need --confirm 3 (--confirm 4 was given)")
    local run = apply(script, "--confirm=3")
    assert.equal(0, run.code, run.err)
    assert.equal(3, run.summary.operations.delete.done)
  end)

  it("is not needed in a preview, whose next command has it", function()
    local run = preview(MAY .. delete("a", 3))
    assert.equal(0, run.code, run.err)
    local next = "composio-lua PLACE/job.lua --summary PLACE/summary.json --apply --confirm 3"
    assert.equal((next:gsub("PLACE", place.path)), run.summary.next)
  end)

  it("takes a number for each bulk", function()
    local script = MAY .. delete("a", 2) .. delete("b", 1, 2)
    local run = preview(script)
    has(run.summary.next, "--confirm 2,1")
    run = apply(script, "--confirm=2")
    assert.equal(7, run.code)
    has(run.err, "needs --confirm 2,1")
    assert.equal(2, job.writes(emulator)) -- the first bulk was confirmed
    emulator:reset()
    emulator:forget()
    run = apply(script, "--confirm=2,1")
    assert.equal(0, run.code, run.err)
    assert.equal(3, job.writes(emulator))
  end)

  it("is offered in the order in which it is asked for", function()
    local first = job.ids(emulator, { statuses = { "EXPIRED" } }, 5)[5]
    local straight = ("accounts.delete(%q)\n"):format(first)
    local run = preview(MAY .. straight .. delete("a", 3))
    has(run.summary.next, "--confirm 1,3")
    run = apply(MAY .. straight .. delete("a", 3), "--confirm=1,3")
    assert.equal(0, run.code, run.err)
    assert.equal(4, job.writes(emulator))
    emulator:reset()
    run = preview(MAY .. delete("a", 3) .. straight)
    has(run.summary.next, "--confirm 3,1")
  end)

  it("outside of bulks is the most that may happen", function()
    local ids = job.ids(emulator, { statuses = { "EXPIRED" } }, 3)
    local script = MAY
      .. ("for _, id in ipairs(%s) do "):format(job.quoted(ids))
      .. "print(pcall(accounts.delete, id)) end"
    local run = apply(script)
    assert.equal(4, run.code)
    assert.equal(0, job.writes(emulator))
    has(run.out, "needs --confirm 1 or more")
    run = apply(script, "--confirm=2")
    assert.equal(7, run.code)
    assert.equal(2, job.writes(emulator))
    has(run.out, "3 irreversible changes need --confirm 3 or more (--confirm 2 was given)")
    emulator:reset()
    emulator:forget()
    run = apply(script, "--confirm=10")
    assert.equal(0, run.code, run.err)
    assert.equal(3, job.writes(emulator))
  end)
end)

describe("--stop-on", function()
  -- Refused changes: every one from the nth on.
  local function refuse_from(nth)
    emulator:faults {
      { method = "PATCH", nth = nth, times = 1000, action = "reply", status = 400,
        body = { error = { message = "not now", code = 1, slug = "X", status = 400 } } },
    }
  end

  local function counted(run, done, failed, not_tried)
    assert.equal(7, run.code, run.err)
    local counts = run.summary.operations.disable
    assert.same({ done, failed, not_tried }, { counts.done, counts.failed, counts.not_tried })
    has(run.err, ("%d items not tried"):format(not_tried))
    has(run.summary.next, "composio-lua resume " .. run.summary.run)
  end

  it("ends the run when so many failed; what is left was not tried", function()
    local script = disable(20) .. "print 'not reached'"
    refuse_from(5)
    local run = apply(script, "--stop-on=failed=3", "--concurrency=1")
    counted(run, 4, 3, 13)
    has(run.err, "stopped: 3 failed, and stop_on allows less than 3")
    assert.equal("", run.out)
    assert.equal(7, job.writes(emulator))
  end)

  it("takes per cent of what is carried out", function()
    local script = disable(20)
    refuse_from(1)
    counted(apply(script, "--stop-on=failed=10%", "--concurrency=1"), nil, 2, 18)
  end)

  it("is what the job says, unless the command line says something else", function()
    local script = "composio.job { stop_on = { failed = 2 } }\n" .. disable(10)
    refuse_from(3)
    counted(apply(script, "--concurrency=1"), 2, 2, 6)
    emulator:reset()
    refuse_from(3)
    counted(apply(script, "--concurrency=1", "--stop-on", "failed=50%"), 2, 5, 3)
    emulator:reset()
    refuse_from(3)
    counted(apply((script:gsub("failed = 2", 'failed = "40%%"')), "--concurrency=1"), 2, 4, 4)
  end)

  it("counts what nobody knows, and what is stale", function()
    local ids = job.ids(emulator, { statuses = { "EXPIRED" }, toolkit_slugs = { "gmail" } }, 2)
    local script = ("composio.bulk(%s, function(account) account:refresh() end)"):format(
      job.quoted(ids)
    )
    emulator:faults { { method = "POST", path = "*/refresh*", action = "apply_then_close" } }
    local run = apply(script, "--concurrency=1", "--stop-on=unknown=1", "--retries=0")
    assert.equal(1, job.writes(emulator))
    assert.equal(1, run.summary.operations.refresh.not_tried)
    has(run.err, "stopped: 1 unknown")
  end)

  it("leaves alone what was under way, and lets it end", function()
    local script = disable(20)
    refuse_from(1)
    local run = apply(script, "--stop-on=failed=1", "--concurrency=4")
    assert.equal(7, run.code)
    local disable_counts = run.summary.operations.disable
    assert.equal(disable_counts.failed, job.writes(emulator))
    assert.is_true(disable_counts.failed <= 8)
    assert.equal(20, disable_counts.failed + disable_counts.not_tried)
  end)

  it("that is no limit is refused before anything", function()
    for _, word in ipairs { "failed", "failed=0", "failed=x", "broken=3", "failed=101%", "" } do
      local run = apply(disable(1), "--stop-on=" .. word)
      assert.equal(2, run.code, word)
      assert.equal(0, job.writes(emulator))
    end
    local run = apply "composio.job { stop_on = { failed = 'many' } }"
    assert.equal(1, run.code)
    has(run.err, "stop_on.failed: expected a number such as 5")
    run = apply "composio.job { stop_on = { fialed = 3 } }"
    has(run.err, "did you mean 'failed'?")
  end)
end)

describe("--detailed-exitcode", function()
  it("is 5 when a preview has changes, 0 when it has none", function()
    assert.equal(5, preview(disable(2), "--detailed-exitcode").code)
    assert.equal(0, preview(disable(2)).code)
    local ids = job.ids(emulator, { statuses = { "INACTIVE" } }, 1)
    local same = ("composio.bulk(%s, function(account) account:disable() end)"):format(
      job.quoted(ids)
    )
    assert.equal(0, preview(same, "--detailed-exitcode").code)
    assert.equal(0, apply(disable(2), "--detailed-exitcode").code)
  end)

  it("is 5 for straight-line changes, too", function()
    local id = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1]
    assert.equal(5, preview(("accounts.disable(%q)"):format(id), "--detailed-exitcode").code)
  end)
end)
