-- The first line that --cron prints called a report of another run a held lock, a listing that
-- broke off a guard, and a caught bulk wrong usage; a run under -q that stopped early, and one
-- whose actions all failed, said too little or the wrong thing.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "230" }, function(...)
  emulator, place = ...
end)

local function run(script, ...)
  return place:run({ "job.lua", "--max-percent=100", "--concurrency=2", "--apply",
    "--summary=summary.json", ... }, { script = script })
end

local DISABLE = [[
  composio.bulk(accounts.each { statuses = { "ACTIVE" } }, function(account)
    account:disable()
  end)
]]

it("a report that another run writes", function()
  place:script([[
    composio.job { may = "read" }
    composio.report("same.csv", { "a" })
    print "ready"
    while not io.open("go") do composio.sleep(0.02) end
  ]], "holds.lua")
  local process = place:start { "holds.lua", "--allow", "io" }
  process:wait_for "ready"
  local busy = run([[composio.report("same.csv", { "a" })]], "--cron")
  place:write("go", "")
  process:wait()
  assert.equal(75, busy.code, busy.err)
  job.has(busy.err, "job ended with 75: another run writes the same report\n")
end)

it("a service that is gone after something was planned: next: starts it again", function()
  emulator:faults { { method = "GET", path = "*/connected_accounts?*cursor=*", action = "close",
    times = 1000 } }
  local gone = run(DISABLE, "--cron", "--retries=0")
  assert.equal(4, gone.code, gone.err)
  job.has(gone.err, "job ended with 4: a listing is incomplete, so nothing was changed\n")
  emulator:faults()
  assert.matches("next: composio%-lua ", gone.err)
  local words = {}
  for word in gone.summary.next:gmatch "%S+" do
    words[#words + 1] = word
  end
  table.remove(words, 1)
  local again = place:run(words)
  assert.equal(0, again.code, again.err)
  assert.is_true(#emulator:changes() > 0)
end)

it("a listing whose sum does not come out has no next: it would be refused again", function()
  emulator:faults { { path = "*/connected_accounts?*", action = "total_items", add = 1 } }
  local incomplete = run(DISABLE, "--cron")
  assert.equal(4, incomplete.code, incomplete.err)
  job.has(incomplete.err, "job ended with 4: a listing is incomplete, so nothing was changed\n")
  job.lacks(incomplete.err, "next:")
end)

it("a bulk that failed while it was planned, and was caught", function()
  place:write("bad.csv", "id,go\nca_1,\n")
  local caught = run([[
    pcall(composio.bulk, composio.csv("bad.csv", { "id", "go" }), function() end)
  ]], "--cron")
  assert.equal(1, caught.code, caught.err)
  job.has(caught.err, "job ended with 1: a bulk failed while it was planned\n")
end)

it("a full disk is no wrong usage", function()
  local full = place:run({ "job.lua", "--apply", "--max-percent=100", "--cron" },
    { script = DISABLE, prefix = "prlimit --fsize=40000" })
  assert.equal(2, full.code, full.err)
  job.has(full.err, "job ended with 2: the ledger cannot be used, nothing was changed\n")
end)

it("a ledger that cannot be read was not to be written", function()
  place:write("ledger.db", ("no ledger\n"):rep(500))
  local damaged = run(DISABLE, "--cron", "--state-dir=.")
  assert.equal(2, damaged.code, damaged.err)
  job.has(damaged.err, "job ended with 2: the ledger cannot be used, nothing was changed\n")
end)

it("a listing that is incomplete after changes were made is no guard", function()
  emulator:faults { { path = "*statuses=EXPIRED*", action = "total_items", add = 1 } }
  local later = run(([[
    composio.bulk("first", { "%s" }, function(account) account:disable() end)
    composio.bulk("later", accounts.each { statuses = { "EXPIRED" } }, function(account)
      account:disable()
    end)
  ]]):format(job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1]), "--cron")
  assert.equal(7, later.code, later.err)
  job.has(later.err, "job ended with 7: a listing is incomplete\n")
end)

it("a guard that refused a later bulk", function()
  local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 3)
  local over = run(([[
    composio.bulk("first", { "%s" }, function(account) account:disable() end)
    composio.bulk("later", { "%s", "%s" }, function(account) account:disable() end)
  ]]):format(ids[1], ids[2], ids[3]), "--cron", "--max-changes=2")
  assert.equal(7, over.code, over.err)
  job.has(over.err, "job ended with 7: a guard refused some changes, others were made\n")
end)

it("-q names the run and the next command when it stopped early", function()
  emulator:faults { { method = "PATCH", action = "close", times = 1000 } }
  local gone = run(DISABLE, "-q", "--retries=0", "--timeout=1s")
  assert.equal(7, gone.code, gone.err)
  job.has(gone.err, "run: " .. gone.summary.run)
  job.has(gone.err, "next: " .. gone.summary.next)
end)

it("items that all failed are something to change, also those that are not found", function()
  local failed = run [[
    composio.bulk({ "ca_a", "ca_b", "ca_c" }, function() end)
  ]]
  assert.equal(3, failed.code, failed.err)
  job.lacks(failed.err, "there was nothing to change")
  job.has(failed.err, "nothing was changed: 3 items failed\n")
end)

it("the plan of rows whose action failed has a path that holds everywhere", function()
  local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)
  local script = ([[
    composio.bulk({ "%s", "ca_a" }, function(account) accounts.disable(account.id) end)
  ]]):format(ids[1])
  local words = { "job.lua", "--max-percent=100", "--save-plan=first.plan" }
  assert.equal(3, place:run(words, { script = script }).code)
  local applied = place:run { "apply", "first.plan", "--max-percent=100" }
  assert.matches("next: composio%-lua resume [^\n]* %-%-failed %-%-save%-plan /[^\n]*%.plan\n",
    applied.err)
end)
