-- Disk failures: ENOSPC and EIO at every write and sync of the ledger, a real full file
-- system, a state directory without write permission. No request that writes may be sent
-- before its intent is on disk. The run must report an error that names the ledger and
-- exit with a matching code. When the disk works again, resume finishes the run, or says
-- truthfully that nothing was written.
-- Usage: lua5.4 spec/prove/disk.lua [short]
-- Must not know: what is in a ledger.
package.path = (arg[0]:match "^(.*)/spec/prove/[^/]*$" or ".") .. "/?.lua;" .. package.path
local oracle = require "spec.prove.oracle"
local resumed = require "spec.prove.resumed"
local stage = require "spec.prove.stage"

local CALLS = { "pwrite64", "fdatasync", "fsync", "ftruncate", "write" }
local ERRORS = { "ENOSPC", "EIO" }
local FEW = 2 -- of each call and error, in short mode
-- 2: nothing was written; 1, 7, 8: something was
local FAILED = { [1] = true, [2] = true, [7] = true, [8] = true }

stage.begin "disk"
local emulator = stage.emulator()
local state, log = stage.dir .. "/state", stage.dir .. "/calls"

-- inject: an expression for strace's inject option; nil only counts the calls.
local function run(inject)
  local before = stage.strace(log, CALLS, inject)
  return stage.shell(stage.command {
    before = before,
    script = stage.root .. "/spec/prove/jobs/disable.lua",
    state = state,
    url = emulator.url,
    more = { "--apply", "--limit-items", "40", "--concurrency", "4", "--retries", "0" },
  })
end

-- Did the injected failure hit a file of the ledger?
local function struck_ledger()
  for line in stage.read(log):gmatch "[^\n]+" do
    if line:find("INJECTED", 1, true) and line:find "ledger%.db" then
      return true
    end
  end
  return false
end

local function look(how, output, code, may_fail)
  local changes = stage.changes(emulator)
  local hurt = struck_ledger()
  local cut = stage.power_cut(state, log)
  -- a ledger that could not be written lacks outcomes, so its exit code and verdicts are
  -- compared only where it could be written
  local problems = oracle.check {
    state = state,
    changes = changes,
    secrets = { stage.API_KEY },
    exit = code == 0 and 0 or nil,
  }
  local function say(text)
    problems[#problems + 1] = text .. "\n" .. output:sub(1, 2000)
  end
  if code ~= 0 and not (may_fail and FAILED[code]) then
    say(("exit %d"):format(code))
  elseif code == 0 and #changes ~= 40 then
    say(("exit 0, but %d changes"):format(#changes))
  elseif code == 2 and #changes > 0 then
    say(("exit 2, but %d changes"):format(#changes))
  elseif code ~= 0 and hurt and not output:find("ledger", 1, true) then
    say(("exit %d, and no word of the ledger"):format(code))
  end
  local lost = cut and oracle.check { state = cut, changes = changes, kept = true } or {}
  for _, text in ipairs(lost) do
    -- the last outcomes may be lost, and a run without its end; no intent may
    if text:find "intent" or text:find "plan" then
      say("after a power cut: " .. text)
    end
  end
  stage.point(problems, how)
  stage.point(resumed.check { emulator = emulator, state = state }, how .. ", resumed")
end

local function sweep()
  local output, code = run()
  look("no fault", output, code, false)
  local counts = {}
  for name in stage.read(log):gmatch "%f[^\n\0]%d+ +(%w+)%(" do
    counts[name] = (counts[name] or 0) + 1
  end
  for _, call in ipairs(CALLS) do
    for _, name in ipairs(ERRORS) do
      for nth in stage.points(1, counts[call] or 0, FEW) do
        -- fails once, or from then on always
        for _, when in ipairs { nth, nth .. "+" } do
          stage.wipe(state)
          emulator:reset()
          output, code = run(("%s:error=%s:when=%s"):format(call, name, when))
          look(("%s %s %s"):format(call, when, name), output, code, true)
        end
      end
    end
  end
end

-- Runs on a separate file system that is gone after the run; its files are copied out for
-- the oracle. root ignores permissions, so only a read-only file system gives root a
-- directory that cannot be written.
local function on_file_system(how, options, words)
  local copy = stage.dir .. "/copy"
  stage.wipe(state)
  stage.wipe(copy)
  emulator:reset()
  local inner = stage.command {
    script = stage.root .. "/spec/prove/jobs/disable.lua",
    state = state,
    url = emulator.url,
    more = { "--apply", "--limit-items", "40" },
  }
  local whole = ("mkdir -p %s %s; mount -t tmpfs -o mode=700,%s none %s; %s; r=$?; "):format(
    stage.quote(state),
    stage.quote(copy),
    options,
    stage.quote(state),
    inner
  ) .. ("cp -r %s/. %s; exit $r"):format(stage.quote(state), stage.quote(copy))
  local output, code = stage.shell("unshare -m sh -c " .. stage.quote(whole))
  local changes = stage.changes(emulator)
  local problems = oracle.check {
    state = copy,
    changes = changes,
    exit = code == 0 and 0 or nil,
  }
  local problem
  if code ~= 0 and not FAILED[code] then
    problem = "exit " .. code
  elseif code == 2 and #changes > 0 or code == 0 and #changes ~= 40 then
    problem = ("exit %d, but %d changes"):format(code, #changes)
  elseif code ~= 0 and not output:find(words) then
    problem = ("no word of it, exit %d"):format(code)
  end
  problems[#problems + 1] = problem and problem .. "\n" .. output:sub(1, 2000)
  stage.point(problems, how)
  stage.point(resumed.check { emulator = emulator, state = copy }, how .. ", resumed")
end

sweep()
local _, cannot = stage.shell "unshare -m sh -c 'mount -t tmpfs -o size=64k none /mnt'"
if cannot == 0 then
  on_file_system("read-only", "ro", "lock file .*: Read%-only")
  -- from no free space to more than enough
  for size in stage.points(1, 60, 5) do
    on_file_system(size * 4 .. " KB", ("size=%dk"):format(size * 4), "ledger.*space")
  end
else
  io.stderr:write "disk: no mounts here: read-only and full file systems are left out\n"
end
emulator:stop()
stage.finish "points"
