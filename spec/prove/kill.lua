-- Kills a run of 40 changes at every system call that writes, syncs, sends or
-- receives, and asks the oracle each time; then once more with the ledger as
-- it would be had the power failed, too: what was not synced is cut off.
-- Usage: lua5.4 spec/prove/kill.lua OPERATION [short]   (a job in jobs/)
-- Must not know: what is in a ledger.
package.path = (arg[0]:match "^(.*)/spec/prove/[^/]*$" or ".") .. "/?.lua;" .. package.path
local oracle = require "spec.prove.oracle"
local stage = require "spec.prove.stage"

local CALLS = { "write", "pwrite64", "ftruncate", "unlink", "fsync", "fdatasync" }
table.move({ "sendto", "recvfrom", "poll" }, 1, 3, #CALLS + 1, CALLS)
local FEW = 3 -- of each call, in short mode

local operation = arg[1] or "disable"
stage.begin("kill " .. operation)
local emulator = stage.emulator()
local state, log = stage.dir .. "/state", stage.dir .. "/calls"

local function run(inject)
  stage.wipe(state)
  local before = ("strace -f -qq -y -s 0 -o %s -e trace=%s %s"):format(
    stage.quote(log),
    table.concat(CALLS, ","),
    inject and "-e inject=" .. inject or ""
  )
  return stage.shell(stage.command {
    before = before,
    script = stage.root .. "/spec/prove/jobs/" .. operation .. ".lua",
    state = state,
    url = emulator.url,
    more = { "--apply", "--limit-items", "40", "--retries", "0", "--", stage.SECRET },
  })
end

local function look(how, code)
  local killed = code >= 128
  local changes = stage.changes(emulator)
  local secrets = { stage.API_KEY, stage.SECRET }
  local cut = stage.power_cut(state, log) -- before the oracle opens, and so mends, the ledger
  local problems = oracle.check {
    state = state,
    changes = changes,
    secrets = secrets,
    exit = not killed and code or nil,
  }
  stage.point(problems, how)
  if killed and cut then
    stage.point(oracle.check { state = cut, changes = changes }, how .. ", power cut")
  end
  return #changes
end

-- A plain run: it has to work, and its calls are the points. What cannot be
-- refreshed fails, which the oracle shall see too.
local output, code = run()
local made = look("not killed", code)
local expected = operation == "refresh" and 3 or 0
if code ~= expected or (expected == 0 and made ~= 40) or made < 20 then
  stage.point({ ("%d changes, exit %d\n%s"):format(made, code, output) }, "not killed")
end
local seen = stage.read(log)
if not seen:find("ledger.db-wal", 1, true) then
  stage.point({ "strace does not tell the names of files: run it as root" }, "not killed")
end
local counts = {}
for name in seen:gmatch "%f[^\n\0]%d+ +(%w+)%(" do
  counts[name] = (counts[name] or 0) + 1
end

local tries, kills = 0, 0
for _, call in ipairs(CALLS) do
  -- calls come a few more or less each time: past the last the run just ends
  for nth in stage.points(1, counts[call] or 0, FEW) do
    emulator:reset()
    output, code = run(("%s:signal=SIGKILL:when=%d"):format(call, nth))
    tries = tries + 1
    kills = kills + (code == 137 and 1 or 0)
    if code ~= 137 and code ~= expected then
      stage.point({ ("exit %d\n%s"):format(code, output) }, call .. " " .. nth)
    end
    look(("%s %d"):format(call, nth), code)
  end
end
emulator:stop()
if kills < tries * 0.8 then
  stage.point({ ("only %d of %d runs were killed"):format(kills, tries) }, "all")
end
stage.finish "points"
