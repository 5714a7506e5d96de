-- What --cron prints about a run that did not end with 0: at most forty lines, which
-- must be enough without the log.
-- Must not know: files, how the run was carried out.

local json_line = require "composio.host.json_line"
local next_command = require "composio.host.next_command"
local summary = require "composio.host.summary"

local OPERATIONS, REASONS, REPORTED, PRINTED = 6, 6, 11, 5

local MEANING = {
  [2] = "wrong usage or configuration",
  [3] = "some items failed or were stale", [4] = "refused by a guard, nothing was changed",
  [5] = "the preview has changes", [6] = "the API key was rejected",
  [7] = "stopped early, or the service cannot be reached", [8] = "unknown outcomes remain",
  [9] = "people still have to act", [75] = "another run holds the lock",
}

-- Kinds of end of one exit code, the first that applies: a word for it, and whether it does.
local KINDS = {
  [1] = {
    { "the script hit a limit", function(facts) return facts.limit_hit end },
    { "the script raised an error", function(facts) return facts.script_raised end },
    { "a bulk failed while it was planned", function(facts) return facts.bulk_raised end },
    { "a file could not be written", function(facts) return facts.file_failed end },
    { "wrong usage, after a change was made", function() return true end },
  },
  [2] = {
    { "the ledger cannot be used, nothing was changed", function(facts) return facts.lost end },
  },
  [3] = {
    { "links were not received", function(facts)
      return facts.links_lost > 0 and facts.items.failed + facts.items.stale == 0
    end },
  },
  [4] = {
    { "an interrupted run like it has to be finished first, nothing was changed",
      function(facts) return facts.like end },
    { "a listing is incomplete, so nothing was changed",
      function(facts) return facts.listing_refused end },
  },
  [7] = {
    { "the ledger cannot be used", function(facts) return facts.lost end },
    { "a listing is incomplete", function(facts) return facts.listing_refused end },
    { "a guard refused some changes, others were made",
      function(facts) return facts.refused and facts.written end },
  },
  [75] = {
    { "another run writes the same report", function(facts) return facts.report_busy end },
  },
}

-- Returns what the exit code means.
local function meaning(facts)
  local code = facts.exit
  for _, kind in ipairs(KINDS[code] or {}) do
    if kind[2](facts) then
      return kind[1]
    end
  end
  return MEANING[code] or code > 128 and "a signal ended it" or "the script's own code"
end

-- Splits a text into lines. Returns the first (or last) few lines, and how many others
-- there are.
local function some_lines(text, count, from_end)
  local all = {}
  for line in text:gmatch "[^\n]+" do
    all[#all + 1] = line:gsub("\t", " ")
  end
  local first = from_end and math.max(#all - count, 0) + 1 or 1
  return table.move(all, first, math.min(first + count - 1, #all), 1, {}), #all - count
end

-- Returns a change's reason without ids, so that texts that differ only in them are
-- counted as one.
local function reason_of(row)
  local text = row.error or "no reason is known"
  return (text:gsub("%f[%w]([ac][ac]_)[%w_-]+", "%1…"))
end

-- Returns the reasons of failed, unknown and stale changes, the most frequent first.
local function reasons(facts)
  local ledger = facts.run and facts.ledger()
  local list, counts = {}, {}
  for _, outcome in ipairs(ledger and { "failed", "unknown", "stale" } or {}) do
    for row in ledger:changes { run = facts.run, outcome = outcome, previews = 1 } do
      local reason = ("%s %s: %s"):format(row.operation, outcome, reason_of(row))
      if not counts[reason] then
        counts[reason] = 0
        list[#list + 1] = reason
      end
      counts[reason] = counts[reason] + 1
    end
  end
  table.sort(list, function(one, other)
    if counts[one] ~= counts[other] then
      return counts[one] > counts[other]
    end
    return one < other
  end)
  return list, counts
end

-- "done 6, failed 1"
local function counted(facts, changes)
  local parts = {}
  for _, outcome in ipairs(json_line.outcomes) do
    if changes[outcome] > 0 then
      parts[#parts + 1] = ("%s %s"):format(outcome:gsub("_", " "), facts.number(changes[outcome]))
    end
  end
  return table.concat(parts, ", ")
end

-- facts: what the host knows about the run. `reported` and `printed` hold what -q has
-- held back of the host's lines and of the script's.
local function show(facts)
  local put = facts.print_error

  local function put_some(lines, left)
    for _, line in ipairs(lines) do
      put(line)
    end
    if left > 0 then
      put(("  … and %d more"):format(left))
    end
  end

  put(("composio-lua: %s%s ended with %d: %s"):format(summary.job_name(facts),
    facts.profile and (" (profile %s)"):format(facts.profile) or "", facts.exit, meaning(facts)))
  if facts.run then
    put("run: " .. facts.run)
  end
  local lines = {}
  for _, operation in ipairs(facts.operations) do
    lines[#lines + 1] = ("%s: %s"):format(operation.name, counted(facts, operation.changes))
  end
  put_some(table.move(lines, 1, OPERATIONS, 1, {}), #lines - OPERATIONS)
  local list, counts = reasons(facts)
  for place, reason in ipairs(list) do
    list[place] = ("  %s × %s"):format(facts.number(counts[reason]), reason)
  end
  put_some(table.move(list, 1, REASONS, 1, {}), #list - REASONS)
  put_some(some_lines(facts.reported, REPORTED))
  local printed = some_lines(facts.printed, PRINTED, true)
  if printed[1] then
    put "the script's last lines:"
    put_some(printed, 0)
  end
  local next, note = next_command.after(facts)
  if next then
    put("next: " .. next)
  end
  if note then
    put(note)
  end
end

return { show = show }
