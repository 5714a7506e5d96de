-- Kills a run of 40 changes at every system call that writes, syncs, sends or receives,
-- and checks with the oracle each time; then again with the ledger as after a power
-- failure, without unsynced data. Then resumes the run, sometimes killing the resume as
-- well, and checks again: nothing may be left open or done twice. One more resume must do
-- nothing.
-- Usage: lua5.4 spec/prove/kill.lua OPERATION [short]   (a job in jobs/)
-- Must not know: what is in a ledger.
package.path = (arg[0]:match "^(.*)/spec/prove/[^/]*$" or ".") .. "/?.lua;" .. package.path
local oracle = require "spec.prove.oracle"
local resumed = require "spec.prove.resumed"
local stage = require "spec.prove.stage"

local CALLS = { "write", "pwrite64", "ftruncate", "unlink", "fsync", "fdatasync" }
table.move({ "sendto", "recvfrom", "poll" }, 1, 3, #CALLS + 1, CALLS)
local PAIRS = 60 -- points at which the resume is killed as well, in full mode
local FRESH = 40 -- one in so many points is resumed at once
local LATER = 60 -- how many seconds later the others are

-- These operations are not repeated until it is certain that they did not happen.
local WAITS = { link = true, initiate = true, refresh = true }
local FEW = WAITS[arg[1]] and 1 or 3 -- of each call, in short mode

local operation = arg[1] or "disable"
stage.begin("kill " .. operation)
stage.spread(2, "points")
local emulator = stage.emulator()
local state, log = stage.dir .. "/state", stage.dir .. "/calls"
local expected = operation == "refresh" and 3 or 0 -- 3: some accounts cannot be refreshed
local confirm = operation == "delete" and { "--confirm", "40" } or {}

local function run(inject)
  stage.wipe(state)
  local before = stage.strace(log, CALLS, inject)
  local words = { "--apply", "--limit-items", "40", "--retries", "0", "--timeout", "1s" }
  return stage.shell(stage.command {
    before = before,
    script = stage.root .. "/spec/prove/jobs/" .. operation .. ".lua",
    state = state,
    url = emulator.url,
    more = stage.join(words, stage.OPEN, confirm),
  })
end

local function count_calls()
  local counts = {}
  for name in stage.read(log):gmatch "%f[^\n\0]%d+ +(%w+)%(" do
    counts[name] = (counts[name] or 0) + 1
  end
  return counts
end

local secrets = { stage.API_KEY, stage.SECRET }

-- Checks a copy of what the killed run left: opening a ledger recovers its log, which the
-- resume must do itself. Returns whether the sweep continues with the ledger as after a
-- power cut.
local function look(how, code, n)
  local killed = code >= 128
  local changes = stage.changes(emulator)
  local cut = killed and stage.power_cut(state, log)
  local copy = stage.dir .. "/copy"
  stage.copy(state, copy)
  local problems = oracle.check {
    state = copy,
    changes = changes,
    secrets = secrets,
    exit = not killed and code or nil,
  }
  stage.point(problems, how)
  if cut then
    local other = stage.dir .. "/cut"
    stage.copy(cut, other)
    stage.point(oracle.check { state = cut, changes = changes }, how .. ", power cut")
    if n % 2 == 0 then
      stage.wipe(state)
      os.rename(other, state)
    end
  end
  return #changes
end

-- Operators usually resume minutes later, sometimes at once: then a resume waits until it is
-- certain that what must not be repeated did not happen.
local function finish(how, n, inject)
  if n % FRESH > 0 then
    emulator:tell("clock/advance", { seconds = LATER })
  end
  local problems = resumed.check {
    emulator = emulator,
    state = state,
    expected = expected,
    secrets = secrets,
    inject = inject,
  }
  stage.point(problems, how .. ", resumed")
end

-- A run without faults must work, and its system calls are the points of the sweep. The
-- accounts that cannot be refreshed fail, so that the oracle sees failures, too.
local output, code = run()
local made = look("not killed", code, 1)
if code ~= expected or (expected == 0 and made ~= 40) or made < 20 then
  stage.point({ ("%d changes, exit %d\n%s"):format(made, code, output) }, "not killed")
end
if not stage.read(log):find("ledger.db-wal", 1, true) then
  stage.point({ "strace does not tell the names of files: run it as root" }, "not killed")
end
local counts = count_calls()
finish("not killed", 1)

local tries, kills, number = 0, 0, 0

local function one(call, nth, inject)
  local how = call .. " " .. nth
  number = number + 1
  emulator:reset()
  output, code = run(("%s:signal=SIGKILL:when=%d"):format(call, nth))
  tries = tries + 1
  kills = kills + (code == 137 and 1 or 0)
  if code ~= 137 and code ~= expected then
    stage.point({ ("exit %d\n%s"):format(code, output) }, how)
  end
  look(how, code, number)
  finish(inject and how .. ", resume killed at " .. inject or how, number, inject)
end

for _, call in ipairs(CALLS) do
  -- the number of calls varies: beyond the last one the run ends normally
  for nth in stage.points(1, counts[call] or 0, FEW) do
    if stage.mine() then
      one(call, nth)
    end
  end
end

-- Pairs: mostly kills the run in its second half, where there is something to resume.
local random = stage.random(#operation * 7919)
for _ = 1, stage.short and 2 or PAIRS do
  local call = CALLS[random(7, 8)] -- sendto, recvfrom
  local nth = random((counts[call] or 4) // 8, counts[call] or 4)
  local other = CALLS[random(1, #CALLS)]
  local inject = ("%s:signal=SIGKILL:when=%d"):format(other, random(1, 40))
  if stage.mine() then
    one(call, math.max(1, nth), inject)
  end
end
emulator:stop()
if kills < tries * 0.8 then
  stage.point({ ("only %d of %d runs were killed"):format(kills, tries) }, "all")
end
stage.finish "points"
