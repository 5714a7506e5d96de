-- Rows whose action failed in a run of a saved plan: `resume RUN --failed --save-plan FILE`
-- plans them, and nothing else; `apply FILE` takes them over from that run.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

-- A call outside of bulks, then one link for each user, who is looked up first.
local LINK = [[
  local first = accounts.link("first", "ac_GmailManaged", { allow_multiple = true })
  composio.bulk({ key = function(row) return row.user end }, composio.csv "users.csv",
    function(row)
      accounts.list { user_ids = { row.user } }
      accounts.link(row.user, "ac_GmailManaged", { allow_multiple = true, alias = row.alias })
    end)
  composio.bulk("last", accounts.each { statuses = { "EXPIRED" } }, function(account)
    account:update { alias = "x" .. account.id }
  end)
]]
local NO_LOOK_UP = { method = "GET", path = "*user_ids=*", action = "reply", status = 400,
  body = { error = { message = "not this look-up" } }, nth = 2, times = 2 }

local function links()
  return job.sent(emulator, "/link")
end

local function unlimited(verb, ...)
  return place:run { verb, "--max-percent=100", "--summary=summary.json", ... }
end

-- Types a printed command.
local function type_it(command)
  local words = {}
  for word in assert(command, "no command"):gmatch "%S+" do
    words[#words + 1] = word
  end
  assert.equal("composio-lua", table.remove(words, 1))
  if not command:find "--summary" then
    words[#words + 1] = "--summary=summary.json"
  end
  return place:run(words)
end

-- Saves a plan in which the actions of two of five users failed, and carries it out. Returns
-- that run.
local function first_run(script)
  place:write("users.csv", "user,alias\nu1,a\nu2,b\nu3,c\nu4,d\nu5,e\n")
  emulator:faults { NO_LOOK_UP }
  local preview = place:run({ "job.lua", "--save-plan=plan", "--max-percent=100" },
    { script = script or LINK })
  assert.equal(3, preview.code, preview.err)
  emulator:faults()
  local run = unlimited("apply", "plan")
  assert.equal(3, run.code, run.err)
  assert.equal(2, run.summary.outcomes.failed)
  return run
end

local function items(run)
  return place:ledger(([[SELECT key, outcome, coalesce(detail, '') FROM item WHERE bulk = 1
    AND id >> 26 = (SELECT id FROM run WHERE name = '%s') AND outcome <> 0]]):format(run))
end

describe("rows whose action failed in a run of a plan", function()
  it("are planned by the command of next:, which sends nothing, and then made once", function()
    local first = first_run()
    local before = links()
    assert.equal(4, before) -- the call outside, and three users
    local id = first.summary.run
    assert.equal(("composio-lua resume %s --failed --save-plan %s/%s.plan"):format(id,
      place.path, id), first.summary.next)
    assert.equal(first.summary.next, place:run({ "show", id }).out:match "\nnext: ([^\n]+)")
    local planned = type_it(first.summary.next)
    assert.equal(0, planned.code, planned.err)
    assert.equal("preview", planned.summary.mode)
    assert.equal(before, links())
    local _, count = place:read(id .. ".plan"):gsub('{"change":"link"', "")
    assert.equal(2, count)
    assert.equal(2, #items(id), "the rows stay open until the plan is applied")
    local second = type_it(planned.summary.next)
    assert.equal(0, second.code, second.err)
    assert.equal(2, second.summary.outcomes.done)
    assert.equal(before + 2, links())
    assert.is_nil(second.err:find "rows:", second.err)
    local taken = "taken over by run " .. second.summary.run
    assert.same({ { "u2", "6", taken }, { "u3", "6", taken } }, items(id))
    job.lacks(place:run({ "show", id }).out, "next:")
    job.has(place:run({ "show", second.summary.run }).out, "redoes     " .. id)
    local again = place:run { "resume", id, "--failed" }
    assert.equal(3, again.code, again.err)
    job.has(again.err, "there is nothing to resume")
    assert.equal(before + 2, links())
  end)

  it("are carried out by one of two plans, also when the other was saved first", function()
    local id = first_run().summary.run
    for _, name in ipairs { "one", "two" } do
      assert.equal(0, unlimited("resume", id, "--failed", "--save-plan", name).code)
    end
    local good = unlimited("apply", "two")
    assert.equal(0, good.code, good.err)
    local before = links()
    local bad = unlimited("apply", "one")
    assert.equal(4, bad.code, bad.err)
    job.has(bad.err, "taken over by run " .. good.summary.run)
    bad = unlimited("apply", "two")
    assert.equal(4, bad.code, bad.err)
    assert.equal(before, links())
  end)

  it("stay open when a guard refuses their plan, or its file is lost", function()
    local id = first_run().summary.run
    assert.equal(0, unlimited("resume", id, "--failed", "--save-plan", "one").code)
    local refused = place:run { "apply", "one", "--max-changes=1", "--max-percent=100" }
    assert.equal(4, refused.code, refused.err)
    assert.equal("5", items(id)[1][2])
    os.remove(place.path .. "/one") -- a lost file costs nothing
    assert.equal(0, unlimited("resume", id, "--failed", "--save-plan", "two").code)
    local good = unlimited("apply", "two")
    assert.equal(0, good.code, good.err)
    assert.equal("6", items(id)[1][2])
  end)

  it("that fail again stay open in the first run", function()
    local id = first_run().summary.run
    emulator:faults { { method = "GET", path = "*user_ids=u2*", action = "reply", status = 400,
      body = { error = { message = "not this look-up" } } } }
    local planned = unlimited("resume", id, "--failed", "--save-plan", "one")
    emulator:faults()
    assert.equal(3, planned.code, planned.err)
    local second = unlimited("apply", "one")
    assert.equal(0, second.code, second.err)
    assert.equal(1, second.summary.outcomes.done)
    assert.equal("u2", items(id)[1][1])
    assert.equal("5", items(id)[1][2])
    job.has(place:run({ "show", id }).out, "--save-plan")
  end)

  it("of ids, too; a run that was interrupted goes on", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 12)
    local script = ([[
      composio.bulk(%s, function(account)
        composio.auth_configs.get(account.auth_config.id)
        account:disable()
      end)
    ]]):format(job.quoted(ids))
    emulator:faults { { method = "GET", path = "*/auth_configs/*", action = "reply", status = 400,
      body = { error = { message = "not this look-up" } }, nth = 3, times = 100 } }
    place:run({ "job.lua", "--save-plan=plan", "--max-percent=100", "--concurrency=1" },
      { script = script })
    emulator:faults()
    local first = unlimited("apply", "plan")
    assert.equal(3, first.code, first.err)
    local failed = first.summary.outcomes.failed
    local planned = type_it(first.summary.next)
    assert.equal(0, planned.code, planned.err)
    emulator:faults { { method = "PATCH", action = "delay", delay_ms = 60 } }
    local sent = job.writes(emulator)
    local process = place:start { "apply", first.summary.run .. ".plan", "--concurrency=1",
      "--max-percent=100" }
    host.wait_until(function()
      return job.writes(emulator) > sent
    end)
    process:signal "KILL"
    process:wait()
    emulator:faults()
    local resumed = place:run { "resume", "last", "--summary=summary.json" }
    assert.equal(0, resumed.code, resumed.err)
    assert.equal(failed, resumed.summary.outcomes.done)
  end)

  it("are a plan of the ledger that made it, and of runs of a plan that are finished", function()
    local id = first_run().summary.run
    assert.equal(0, unlimited("resume", id, "--failed", "--save-plan", "one").code)
    local before = links()
    for _, option in ipairs { "--show=all", "--anew" } do
      local other = unlimited("apply", "one", "--state-dir=other", option)
      assert.equal(4, other.code, other.err)
      job.has(other.err, "takes over rows of run " .. id)
    end
    assert.equal(before, links())
    local run = place:run { "resume", id, "--save-plan", "two" }
    assert.equal(2, run.code, run.err)
    job.has(run.err, "--save-plan needs --failed")
    run = place:run { "resume", id, "--failed", "--save-plan", "two", "--apply" }
    assert.equal(2, run.code, run.err)
    emulator:faults { NO_LOOK_UP }
    local straight = place:run(host.unlimited { "job.lua", "--apply", "--summary=summary.json" })
    emulator:faults()
    assert.equal(3, straight.code, straight.err)
    run = place:run { "resume", straight.summary.run, "--failed", "--save-plan", "two" }
    assert.equal(2, run.code, run.err)
    job.has(run.err, "does not carry out a saved plan")
    assert.is_nil(place:read "two")
  end)

  it("are reported beside the report of the first run, whose links nobody else has", function()
    local script = [[
      local report = composio.report("n.csv", { "user", "redirect_url" })
      composio.bulk({ key = function(row) return row.user end, after = function(row, results)
        report:add { user = row.user, redirect_url = results.link.redirect_url }
      end }, composio.csv "users.csv", function(row)
        accounts.list { user_ids = { row.user } }
        accounts.link(row.user, "ac_GmailManaged", { allow_multiple = true })
      end)
    ]]
    local first = first_run(script)
    local report = place:read "n.csv"
    assert.equal(4, select(2, report:gsub("\n", "")))
    local planned = type_it(first.summary.next)
    local run = type_it(planned.summary.next)
    assert.equal(0, run.code, run.err)
    job.has(run.err, "n.csv has the rows of an earlier run, so it was left")
    assert.equal(report, place:read "n.csv")
    local own = place:read(("n.%s.csv"):format(run.summary.run))
    assert.equal(3, select(2, own:gsub("\n", "")))
  end)

  it("are not asked for when only changes failed, or an after", function()
    local script = [[
      composio.bulk({ after = function(_, results) error "no" end },
        accounts.each { statuses = { "EXPIRED" }, limit = 5 }, function(account)
          account:update { alias = "y" .. account.id }
        end)
    ]]
    place:run({ "job.lua", "--save-plan=plan", "--max-percent=100" }, { script = script })
    local run = unlimited("apply", "plan")
    assert.equal(3, run.code, run.err)
    job.lacks(run.err, "next:")
  end)
end)
