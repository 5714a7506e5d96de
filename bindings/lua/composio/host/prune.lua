-- The verb runs --prune: shows which old runs can be removed from the ledger, and with
-- --apply removes them.
-- Must not know: SQL, locks, files.

local next_command = require "composio.host.next_command"

local DAY_MS = 86400000
local YEAR_MS = 365 * DAY_MS -- how long a run that can be undone stays

-- can_be_undone(run, counts) → whether undo finds anything in the run.
-- Returns the runs to remove, newest first, and how many old ones stay because they are
-- open, or can be undone.
local function choose(ledger, host, can_be_undone)
  local chosen, open, undoable = {}, 0, 0
  local undone = {} -- runs that an open undo refers to, or an open run that redoes them
  for run in ledger:runs {} do
    next_command.complete(run, host)
    local age = host.now() - (run.ended_ms ~= 0 and run.ended_ms or run.began_ms)
    local is_needed = run.open or run.waits or run.state == "running" or undone[run.run]
    if is_needed then
      undone[run.undoes or run.redoes or ""] = true
    end
    if age < host.prune_ms then -- luacheck: ignore 542
    elseif is_needed then
      open = open + 1
    elseif age < YEAR_MS and not host.force and can_be_undone(run, ledger:counts(run.run)) then
      undoable = undoable + 1
    else
      chosen[#chosen + 1] = run
    end
    if host.is_over() then
      break
    end
  end
  return chosen, open, undoable
end

-- Returns the verb: prune(ledger, remove_run). host: the host table; show_runs(list) prints
-- runs as the verb runs does.
return function(host, can_be_undone, show_runs)
  local function counted(count, noun)
    return ("%s %s%s"):format(host.number(count), noun, count == 1 and "" or "s")
  end

  -- Says which old runs stay.
  local function log_left(open, undoable)
    if open > 0 then
      host.log(("left: %s with something open; resume finishes them"):format(counted(open, "run")))
    end
    if undoable > 0 then
      host.log(("left: %s that can be undone: removed after a year, or with --force"):format(
        counted(undoable, "run")))
    end
  end

  -- Returns how many runs, changes and files are gone.
  local function remove(chosen, remove_run)
    local gone, changes, files = 0, 0, 0
    for place = #chosen, 1, -1 do -- the oldest first
      local had, of_reports = remove_run(chosen[place])
      if had then
        gone, changes, files = gone + 1, changes + had, files + of_reports
      end
      if host.is_over() then
        break
      end
    end
    return gone, changes, files
  end

  return function(ledger, remove_run)
    local chosen, open, undoable = choose(ledger, host, can_be_undone)
    show_runs(chosen)
    log_left(open, undoable)
    if #chosen == 0 then
      host.log(("no run that ended more than %g days ago can be removed"):format(
        host.prune_ms / DAY_MS))
    elseif not host.apply then
      host.log(("nothing was removed; --apply removes %s"):format(counted(#chosen, "run")))
    else
      local gone, changes, files = remove(chosen, remove_run)
      host.log(("removed: %s with %s%s"):format(counted(gone, "run"), counted(changes, "change"),
        files > 0 and ", " .. counted(files, "partial report") or ""))
    end
    return 0
  end
end
