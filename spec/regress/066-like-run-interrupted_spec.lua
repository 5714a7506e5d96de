-- After a kill the same command again, as cron types it, made what the killed run had made a
-- second time, though the ledger held the interrupted run. And the words after -- did not
-- come back with a resumed run.
local host = require "spec.support.host"
local job = require "spec.support.job"
local server = require "spec.support.server"
local wait_until = host.wait_until

local LINK = [[
  composio.job { params = { mark = { type = "string", default = "a" } } }
  composio.bulk({ key = function(row) return row.user end }, composio.csv "users.csv",
    function(row) accounts.link(row.user, "%s", { alias = arg[1] }) end)
]]

describe("a run whose like was interrupted", function()
  local emulator, place, script
  setup(function()
    emulator = server.emulator { "--accounts", "60" }
  end)
  teardown(function()
    emulator:stop()
  end)
  before_each(function()
    emulator:reset()
    place = host.place(emulator)
    local users = { "user" }
    for number = 1, 40 do
      users[#users + 1] = "new " .. number
    end
    place:write("users.csv", table.concat(users, "\n") .. "\n")
    local config = emulator:client().auth_configs.list { toolkit_slugs = { "github" } }.items[1].id
    script = LINK:format(config)
  end)
  after_each(function()
    emulator:faults()
    place:remove()
  end)

  local function links()
    return job.sent(emulator, "/link")
  end

  local function words(...)
    return host.unlimited { "job.lua", "--concurrency", "2", "--timeout", "2s", "--summary",
      "summary.json", ... }
  end

  -- Kills a run when some links are made.
  local function kill(...)
    emulator:faults { { method = "POST", action = "delay", delay_ms = 40 } }
    local process = place:start(words("--apply", ...), { script = script })
    wait_until(function()
      return links() >= 6
    end)
    process:signal "KILL"
    process:wait()
    emulator:faults()
  end

  it("is refused when it makes accounts, names the run to resume, and takes --anew", function()
    kill()
    local before = links()
    for _, option in ipairs { "--apply", "--show=all" } do
      local run = place:run(words(option), { script = script })
      assert.equal(4, run.code, run.err)
      job.has(run.err, "was interrupted")
      job.has(run.err, "composio-lua resume 2")
      assert.equal(before, links())
    end
    local run = place:run(words("--apply", "--mark", "b", "--limit-items", "1"),
      { script = script })
    assert.equal(0, run.code, run.err)
    assert.equal(before + 1, links())
    run = place:run(words("--apply", "--anew", "--limit-items", "1"), { script = script })
    assert.equal(0, run.code, run.err)
    assert.equal(before + 2, links())
  end)

  it("starts when the interrupted run was finished", function()
    kill()
    local run = place:run { "resume", "last", "--timeout", "2s", "--summary", "summary.json" }
    assert.equal(0, run.code, run.err)
    run = place:run(words("--apply", "--limit-items", "1"), { script = script })
    assert.equal(0, run.code, run.err)
  end)

  it("starts when it makes no accounts, and says so after its plan", function()
    script = [[
      composio.bulk(accounts.each { statuses = { "ACTIVE" }, limit = 1 }, function(account)
        account:disable()
      end)
    ]]
    emulator:faults { { method = "PATCH", action = "delay", delay_ms = 40 } }
    local process = place:start(words "--apply", { script = script })
    wait_until(function()
      return job.writes(emulator) >= 3
    end)
    process:signal "KILL"
    process:wait()
    emulator:faults()
    local run = place:run(words "--apply", { script = script })
    assert.equal(0, run.code, run.err)
    local said = "plan: [^\n]*\n.-\nrun %S+ of this script and parameters was interrupted"
    assert.matches(said, run.err)
  end)

  it("counts as like only with the same words, which come back with it", function()
    kill("--", "first")
    local run = place:run(words("--apply", "--limit-items", "1", "--", "other"),
      { script = script })
    assert.equal(0, run.code, run.err)
    run = place:run(words("--apply", "--", "first"), { script = script })
    assert.equal(4, run.code, run.err)
    local id = run.err:match "resume ([^%s`]+)"
    run = place:run { "resume", id, "--timeout", "2s", "--summary", "summary.json" }
    assert.equal(0, run.code, run.err)
    assert.equal(40, run.summary.outcomes.done)
  end)
end)
