-- --resume-first: the next run of a job first finishes one of its kind that was interrupted.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

-- Links each user of the file who has no account yet.
local LINK = [[
  composio.job { params = { mark = { type = "string", default = "a" } } }
  composio.bulk({ key = function(row) return row.user end }, composio.csv "users.csv",
    function(row)
      if not accounts.list({ user_ids = { row.user } }).items[1] then
        accounts.link(row.user, "ac_GmailManaged")
      end
    end)
]]

local function words(...)
  return host.unlimited { "job.lua", "--apply", "--concurrency=2", "--timeout=1s",
    "--summary=summary.json", ... }
end

local function links()
  return job.sent(emulator, "/link")
end

local function write_users(count)
  local users = { "user" }
  for number = 1, count do
    users[#users + 1] = "new" .. number
  end
  place:write("users.csv", table.concat(users, "\n") .. "\n")
end

-- Ends a run of the script when some links are made, by a kill or in good order.
local function stop(signal, script, ...)
  emulator:faults { { method = "POST", action = "delay", delay_ms = 60 } }
  local process = place:start(words(...), { script = script })
  host.wait_until(function()
    return links() >= 4
  end)
  process:signal(signal)
  process:wait()
  emulator:faults()
  if signal == "KILL" then -- nobody knows what became of the last ones: let time pass
    emulator:tell("clock/advance", { seconds = 700 })
  end
end

-- How many runs the ledger holds, previews aside.
local function runs()
  return #place:ledger "SELECT id FROM run WHERE mode = 'apply'"
end

describe("--resume-first", function()
  it("finishes an interrupted run that makes accounts, and runs the next night", function()
    write_users(12)
    stop("KILL", LINK)
    write_users(14) -- two more since
    local run = place:run(words "--resume-first")
    assert.equal(0, run.code, run.err)
    job.has(run.err, "was interrupted: it is finished first")
    assert.equal(12, links())
    assert.equal(1, runs())
    run = place:run(words "--resume-first")
    assert.equal(0, run.code, run.err)
    assert.equal(14, links())
    assert.equal(2, run.summary.outcomes.done)
    local all = place:ledger "SELECT exit_code FROM run"
    assert.same({ { "0" }, { "0" } }, all)
  end)

  it("makes no second link where the script would ask for one", function()
    write_users(12)
    local script = LINK:gsub("if not.-then", "if row.user ~= '' then")
      :gsub('"ac_GmailManaged"', '%0, { allow_multiple = true }')
    stop("TERM", script)
    local run = place:run(words "--resume-first")
    assert.equal(0, run.code, run.err)
    assert.equal(12, links())
  end)

  it("runs at once when none was interrupted, or one with other parameters", function()
    write_users(14)
    stop("TERM", LINK, "--mark=b")
    local run = place:run(words "--resume-first")
    assert.equal(0, run.code, run.err)
    job.lacks(run.err, "finished first")
    assert.equal(2, runs())
    run = place:run(words("--resume-first", "--mark=b"))
    job.has(run.err, "finished first")
    assert.equal(2, runs())
  end)

  it("works for a script without composio.job", function()
    write_users(14)
    stop("TERM", (LINK:gsub("composio.job[^\n]+", "")))
    local run = place:run(words "--resume-first")
    assert.equal(0, run.code, run.err)
    assert.equal(14, links())
    assert.equal(1, runs())
  end)

  it("in a preview only tells", function()
    write_users(14)
    stop("TERM", LINK)
    local before = links()
    local run = place:run { "job.lua", "--resume-first", "--max-percent=100" }
    assert.equal(0, run.code, run.err)
    job.has(run.err, "was interrupted; --apply finishes it first")
    assert.equal(before, links())
  end)

  it("does not run when the resumed run leaves something open, and exits with its code", function()
    write_users(12)
    stop("TERM", LINK)
    emulator:faults { { method = "POST", path = "*/link*", action = "close", times = 1 } }
    local run = place:run(words("--resume-first", "--retries=0", "--settle-wait=0"))
    assert.equal(8, run.code, run.err)
    assert.equal(1, runs())
    emulator:tell("clock/advance", { seconds = 700 })
    emulator:faults { { method = "GET", action = "close", times = 100000 } }
    run = place:run(words("--resume-first", "--retries=0", "--settle-wait=0"))
    assert.is_true(run.code == 7 or run.code == 8, run.err)
    assert.equal(1, runs())
    emulator:faults()
    place:script(LINK .. "\n-- edited")
    run = place:run(words "--resume-first")
    assert.equal(2, run.code, run.err)
    job.has(run.err, "is not the one that run")
    assert.equal(1, runs())
  end)

  it("runs after failed changes, and exits with the worse code", function()
    local disable = [[
      composio.bulk(accounts.each { account_type = "ALL", statuses = { "ACTIVE" } },
        function(account) account:disable() end)
    ]]
    emulator:faults { { method = "PATCH", action = "delay", delay_ms = 60 } }
    local process = place:start(words "--max-percent=100", { script = disable })
    host.wait_until(function()
      return #job.changes(emulator) >= 2
    end)
    process:signal "TERM"
    process:wait()
    emulator:faults { job.refusal { method = "PATCH" } }
    local run = place:run(words("--resume-first", "--max-percent=100"))
    assert.equal(3, run.code, run.err)
    assert.equal(2, runs())
    assert.equal(0, run.summary.exit)
    assert.equal(1, run.summary.outcomes.done)
  end)

  it("counts people that the resumed run waits for as finished", function()
    local wait = LINK:gsub("{ key =", "{ after = function(_, results)"
      .. " if results.link then results.link:wait_for_connection { timeout = 0.1 } end end, key =")
    write_users(14)
    stop("TERM", wait)
    local run = place:run(words "--resume-first")
    assert.equal(9, run.code, run.err)
    assert.equal(1, runs())
    assert.equal(14, links())
  end)

  it("goes on with the command line's profile, and is not combined with --anew", function()
    local run = place:run { "job.lua", "--apply", "--resume-first", "--anew" }
    assert.equal(2, run.code, run.err)
    job.has(run.err, "give either --resume-first or --anew")
    run = place:run { "resume", "last", "--resume-first" }
    assert.equal(2, run.code, run.err)
    job.has(run.err, "resume takes no --resume-first; it belongs to run")
  end)

  it("is not implied by --cron; with it, a good night is silent", function()
    write_users(14)
    stop("TERM", LINK)
    local run = place:run(words "--cron")
    assert.equal(4, run.code, run.err)
    run = place:run(words("--cron", "--resume-first"))
    assert.equal(0, run.code, run.err)
    assert.equal("", run.err .. run.out)
    assert.equal(14, links())
  end)
end)
