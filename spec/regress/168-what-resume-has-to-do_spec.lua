-- A run whose report could not be written named `resume`, which wrote it; but `show` and doctor
-- said that nothing was left, and `runs --prune` removed the only copy of its rows.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"
local server = require "spec.support.server"

local emulator, place
scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

local LEDGER = ".local/state/composio-lua/ledger.db"
local BULK = 'composio.bulk(%saccounts.each { statuses = { "ACTIVE" } }, '
  .. 'function(account) account:disable() end)\n'
local PLAIN = BULK:format ""
local REPORT = 'local report = composio.report("r.csv", { "id" })\n'
  .. BULK:format "{ after = function(account) report:add { id = account.id } end }, "

local function age()
  place:write("age.sql", "UPDATE run SET began_ms = began_ms - 7948800000, "
    .. "ended_ms = ended_ms - 7948800000;")
  host.shell(("cd %s && sqlite3 %s < age.sql"):format(server.quote(place.path), LEDGER))
end

local ENDS = {
  { "a report that cannot be written", 1, true, script = REPORT .. 'os.execute "mkdir r.csv"',
    mend = function()
      host.shell("rmdir " .. server.quote(place.path .. "/r.csv"))
    end, partial = true },
  { "a script that raises", 1, false, script = PLAIN .. "error 'no'", again = true },
  { "a stop rule", 7, true, script = PLAIN, fault = true,
    options = { "--stop-on=failed=1", "--concurrency=1" } },
  { "failed changes", 3, false, failed = true, script = PLAIN, fault = true },
  { "a good end", 0, false, script = REPORT },
  { "a good exit of its own", 65, false, script = REPORT .. "os.exit(65)" },
}

for _, case in ipairs(ENDS) do
  it("is the same for every verb after " .. case[1], function()
    if case.fault then
      emulator:faults { job.refusal { method = "PATCH", nth = 1 } }
    end
    local words = host.unlimited {
      "job.lua", "--apply", "--allow=os", table.unpack(case.options or {}),
    }
    local run = place:run(words, { script = case.script })
    emulator:faults()
    assert.equal(case[2], run.code, run.err)
    local id, is_open = run.err:match "run: (%S+)", case[3]
    local next_line = run.err:match "next: ([^\n]+)"
    local shown = place:run({ "show", id }).out:match "next: ([^\n]+)"
    assert.equal(next_line and next_line:match "resume %S+", shown and shown:match "resume %S+")
    assert.equal(is_open or case.failed or nil, next_line and true)
    assert.equal(tostring(is_open), place:run({ "runs", "--json" }).out:match '"open":(%l+)')
    job.has(place:run({ "doctor" }).out, is_open and "1 to be resumed"
      or "no run is left to be resumed")
    age()
    local pruned = place:run { "runs", "--prune=90d", "--force" }
    job.has(pruned.err, is_open and "left: 1 run with something open" or "--apply removes 1 run")
    assert.equal(case.partial, place:read "r.csv.partial" and true)
    if case.mend then
      case.mend()
    end
    local resumed = place:run { "resume", "last" }
    job[(is_open or case.again) and "lacks" or "has"](resumed.err, "there is nothing to resume")
    if case.mend then
      assert.equal(0, resumed.code, resumed.err)
      job.has(resumed.err, "12 rows")
    end
  end)
end
