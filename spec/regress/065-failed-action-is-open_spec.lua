-- After a run in which an action had failed, `next:` said to run the script again: the
-- accounts that the run had made were made a second time. `resume --failed` found nothing
-- to do.
local host = require "spec.support.host"
local job = require "spec.support.job"
local server = require "spec.support.server"

-- Links users; the action looks each one up first.
local LINK = [[
  composio.bulk({ key = function(row) return row.user end }, composio.csv "users.csv",
    function(row)
      accounts.list { user_ids = { row.user } }
      accounts.link(row.user, "%s", { allow_multiple = true })
    end)
]]
local USERS = "user\nnew 1\nnew 2\nnew 3\nnew 4\n"

local function each(emulator, body)
  local place = host.place(emulator)
  place:write("users.csv", USERS)
  local config = emulator:client().auth_configs.list { toolkit_slugs = { "github" } }.items[1].id
  body(place, LINK:format(config))
  place:remove()
end

local function of(run, ...)
  local outcomes = {}
  for _, word in ipairs { ... } do
    outcomes[word] = run.summary.outcomes[word]
  end
  return outcomes
end

local FAULT = { method = "GET", path = "*user_ids=*", action = "reply", status = 400,
  body = { error = { message = "not this look-up" } }, nth = 2 }

describe("a row whose action failed", function()
  local emulator
  setup(function()
    emulator = server.emulator { "--accounts", "60" }
  end)
  teardown(function()
    emulator:stop()
  end)
  after_each(function()
    emulator:faults()
  end)

  it("is open: resume --failed plans it, and nothing is made twice", function()
    each(emulator, function(place, script)
      emulator:reset()
      emulator:faults { FAULT }
      local words = host.unlimited { "job.lua", "--apply", "--summary", "summary.json" }
      local run = place:run(words, { script = script })
      assert.equal(3, run.code, run.err)
      assert.same({ done = 3, failed = 1 }, of(run, "done", "failed"))
      local next_line = ("composio-lua resume %s --failed"):format(run.summary.run)
      assert.equal(next_line, run.summary.next)
      emulator:faults()
      local again = place:run { "resume", run.summary.run, "--summary", "summary.json" }
      assert.equal(3, again.code, again.err)
      assert.same({ done = 3, failed = 1 }, of(again, "done", "failed"))
      assert.equal(next_line, again.summary.next)
      job.has(again.err, "--failed retries its 1 failed item")
      again = place:run { "resume", run.summary.run, "--failed", "--summary", "summary.json" }
      assert.equal(0, again.code, again.err)
      job.has(again.err, "1 change for 1 item")
      assert.same({ done = 4, failed = 0 }, of(again, "done", "failed"))
      assert.equal(4, job.sent(emulator, "/link"))
      job.lacks(again.err, "next:")
    end)
  end)

  it("is not sent when a limit counts it on top of what the run did", function()
    each(emulator, function(place, script)
      emulator:reset()
      emulator:faults { FAULT }
      local words = host.unlimited { "job.lua", "--apply", "--summary", "summary.json" }
      local id = place:run(words, { script = script }).summary.run
      emulator:faults()
      local again = place:run { "resume", id, "--failed", "--max-changes", "3", "--summary",
        "summary.json" }
      assert.equal(7, again.code, again.err)
      again = place:run { "resume", id, "--summary", "summary.json" }
      assert.same({ done = 3, failed = 1 }, of(again, "done", "failed"))
      assert.equal(3, job.sent(emulator, "/link"))
      again = place:run { "resume", id, "--failed", "--summary", "summary.json" }
      assert.equal(0, again.code, again.err)
      assert.same({ done = 4, failed = 0 }, of(again, "done", "failed"))
      assert.equal(4, job.sent(emulator, "/link"))
    end)
  end)

  it("is confirmed by its own number when it is irreversible", function()
    local place = host.place(emulator)
    emulator:reset()
    local ids = job.ids(emulator, { statuses = { "EXPIRED" } }, 3)
    local script = ([[
      composio.job { may = "irreversible" }
      composio.bulk(%s, function(account)
        composio.auth_configs.get(account.auth_config.id)
        account:delete()
      end)
    ]]):format(job.quoted(ids))
    emulator:faults { { method = "GET", path = "*/auth_configs/*", action = "reply", status = 400,
      body = { error = { message = "not this look-up" } }, nth = 2 } }
    local words = host.unlimited { "job.lua", "--apply", "--confirm", "2", "--summary",
      "summary.json" }
    local run = place:run(words, { script = script })
    assert.equal(3, run.code, run.err)
    local id = run.summary.run
    emulator:faults()
    local again = place:run { "resume", id, "--failed", "--summary", "summary.json" }
    assert.equal(7, again.code, again.err)
    job.has(again.err, "--confirm 1")
    again = place:run { "resume", id, "--failed", "--confirm", "1", "--summary", "summary.json" }
    assert.equal(0, again.code, again.err)
    assert.same({ done = 3, failed = 0 }, of(again, "done", "failed"))
    assert.equal(3, job.writes(emulator))
    place:remove()
  end)

  it("that fails again stays open, and its half of a plan is never sent", function()
    local place = host.place(emulator)
    emulator:reset()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 2)
    local script = ([[
      composio.bulk(%s, function(account)
        account:update { alias = "x" }
        composio.auth_configs.get(account.auth_config.id)
        account:disable()
      end)
    ]]):format(job.quoted(ids))
    local lookup = { method = "GET", path = "*/auth_configs/*", action = "reply", status = 400,
      body = { error = { message = "not this look-up" } } }
    emulator:faults { lookup }
    local words = host.unlimited { "job.lua", "--apply", "--summary", "summary.json" }
    local run = place:run(words, { script = script })
    assert.equal(3, run.code, run.err)
    local again = { "resume", run.summary.run, "--failed", "--summary", "summary.json" }
    run = place:run(again)
    assert.equal(3, run.code, run.err)
    assert.same({ done = 0, failed = 2 }, of(run, "done", "failed"))
    assert.equal(0, job.writes(emulator))
    assert.equal(("composio-lua resume %s --failed"):format(run.summary.run), run.summary.next)
    emulator:faults()
    run = place:run(again)
    assert.equal(0, run.code, run.err)
    assert.same({ done = 2, failed = 0 }, of(run, "done", "failed"))
    assert.equal(4, job.writes(emulator))
    place:remove()
  end)
end)
