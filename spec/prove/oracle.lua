-- Compares what a ledger says with what the service did, and reports contradictions.
--
--   local problems = oracle.check { state = DIR, changes = LIST, … }
--   lua5.4 spec/prove/oracle.lua STATE_DIR CHANGES     the same by hand;
--     CHANGES is the emulator's /_emulator/changes in a file
--
--   1 whatever was applied was planned, and not more often than planned
--   2 whatever was applied has an intent
--   3 what the ledger calls done was applied; what it calls failed, same,
--     stale, skipped or not tried was not
--   4 a run that ended itself left nothing without a verdict, and its exit
--     code fits its verdicts
--   5 the ledger can be read and is whole; no secret is in it
--   6 a run that is said to be finished left nothing open: what is neither
--     applied nor failed, stale or the like is unknown, and its exit code says so
-- Must not know: which fault hit the run, or the program's own code; it reads the tables
-- with the sqlite3 command.
local root = arg[0]:match "^(.*)/spec/prove/[^/]*$" or "."
package.path = root .. "/?.lua;" .. package.path
local cjson = require "cjson"

local oracle = {}

-- Outcomes by their number in the ledger's tables; 0 means none yet.
local OUTCOMES = {
  [0] = "planned",
  "intended",
  "not tried",
  "done",
  "same",
  "failed",
  "skipped",
  "unknown",
  "stale",
  "pending",
}

-- Operations that have another name in the change log.
local LOGGED = { initiate = { "create" }, update = { "alias", "credentials", "acl", "update" } }

-- Changes that people, providers or time make, not a client.
local OTHERS = {}
for op in ("open complete deny expire break set"):gmatch "%a+" do
  OTHERS[op] = true
end

local CHANGES = [[
SELECT operation.name AS operation, change.outcome AS planned,
 coalesce(change.account, item.account, item.key) AS account,
 coalesce(change.user, item.user) AS user, change.config AS config,
 intent.id IS NOT NULL AS intended, outcome.outcome AS outcome,
 run.ended_ms AS ended, run.exit_code AS exit, run.mode AS mode
FROM change
LEFT JOIN item ON item.id = change.id >> 15
JOIN run ON run.id = change.id >> 41
JOIN operation ON operation.id = change.operation
LEFT JOIN intent ON intent.id = change.id
LEFT JOIN outcome ON outcome.id = change.id
ORDER BY change.id;]]

local function exists(path)
  local file = io.open(path, "rb")
  if file then
    file:close()
  end
  return file ~= nil
end

local function rows_of(text)
  local list, none = {}, text:match "^%s*$"
  for _, row in ipairs(none and {} or cjson.decode(text)) do
    for key, value in pairs(row) do
      row[key] = value ~= cjson.null and value or nil
    end
    list[#list + 1] = row
  end
  return list
end

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- Returns { changes, runs, whole } of a ledger, or nil and why it cannot be read. A
-- ledger whose run was killed before it had tables is empty.
local function read(path)
  local script = ".mode json\nSELECT count(*) AS n FROM sqlite_schema WHERE name='change';\n"
  local function ask(sql)
    local command = "printf %s " .. quote(sql) .. " | sqlite3 -batch " .. quote(path) .. " 2>&1"
    local pipe = assert(io.popen(command, "r"))
    local text = pipe:read "a"
    return pipe:close() and text or nil, text
  end
  local text, why = ask(script)
  if not text then
    return nil, why
  end
  if rows_of(text)[1].n == 0 then
    return { changes = {}, runs = {} }
  end
  text, why = ask(
    ".mode json\n"
      .. CHANGES
      .. "\n.print ----\nSELECT * FROM run;\n.print ----\nPRAGMA integrity_check;\n"
  )
  if not text then
    return nil, why
  end
  local changes, runs, check = text:match "^(.-)%-%-%-%-\n(.-)%-%-%-%-\n(.*)$"
  if not check then
    return nil, text
  end
  local whole = rows_of(check)[1].integrity_check
  if whole ~= "ok" then
    return nil, "integrity_check: " .. tostring(whole)
  end
  return { changes = rows_of(changes), runs = rows_of(runs) }
end
oracle.read = read

local function is_create(operation)
  return operation == "link" or operation == "initiate"
end

-- Returns a key that identifies a change on both sides: creates by user and auth config,
-- because their account is not known beforehand.
local function planned_keys(row)
  local operation = row.operation:match "([%w_]+)$"
  local whom = row.account
  if is_create(operation) then
    whom = row.user .. " " .. row.config
  end
  local keys = {}
  for _, op in ipairs(LOGGED[operation] or { operation }) do
    keys[#keys + 1] = op .. " " .. whom
  end
  return keys
end

local function applied_key(change)
  if change.op == "link" or change.op == "create" then
    return ("%s %s %s"):format(change.op, change.user_id, change.auth_config_id)
  end
  return ("%s %s"):format(change.op, change.account_id)
end

local function verdict(row)
  if row.outcome then
    return OUTCOMES[row.outcome]
  end
  return row.intended == 1 and "intended" or OUTCOMES[row.planned]
end

oracle.verdict = verdict

local MAY_BE_APPLIED = { intended = true, done = true, unknown = true }
local ENDED_WITH = { [3] = { "failed", "stale" }, [8] = { "unknown" } }

-- Matches each applied change with a planned one that it could be.
local function match(rows, changes, say)
  local open = {}
  for _, row in ipairs(rows) do
    for _, key in ipairs(planned_keys(row)) do
      open[key] = open[key] or {}
      table.insert(open[key], row)
    end
  end
  for _, change in ipairs(changes) do
    if not OTHERS[change.op] then
      local key = applied_key(change)
      local row
      for place, candidate in ipairs(open[key] or {}) do
        if not candidate.applied then
          row = table.remove(open[key], place)
          break
        end
      end
      if row then
        row.applied = key
      elseif open[key] then
        say("applied twice: " .. key)
      else
        say("applied, but not in the plan: " .. key)
      end
    end
  end
end

local function check_verdicts(rows, may_be_undone, say)
  for _, row in ipairs(rows) do
    local word = verdict(row)
    local name = row.applied or planned_keys(row)[1]
    if row.applied and row.intended ~= 1 then
      say(("applied without an intent: %s (%s)"):format(name, word))
    elseif row.applied and not MAY_BE_APPLIED[word] then
      say(("applied, but called %s: %s"):format(word, name))
    elseif not row.applied and word == "done" and not may_be_undone then
      say("called done, but not applied: " .. name)
    end
  end
end

local function check_end(rows, runs, exit_code, say)
  local counts = {}
  for _, row in ipairs(rows) do
    local word = verdict(row)
    counts[word] = (counts[word] or 0) + 1
    if row.mode == "apply" and row.ended and (word == "intended" or word == "planned") then
      say("the run ended, but left " .. word .. ": " .. planned_keys(row)[1])
    end
  end
  local last = runs[#runs]
  if exit_code and last and last.exit_code and last.exit_code ~= exit_code then
    say(("the ledger has exit code %s, the process %s"):format(last.exit_code, exit_code))
  end
  if exit_code == 0 and ((counts.failed or 0) > 0 or (counts.unknown or 0) > 0) then
    say "exit code 0, but changes failed or are unknown"
  end
  local words = ENDED_WITH[exit_code] or {}
  if words[1] and not (counts[words[1]] or counts[words[2]]) then
    say(("exit code %d, but nothing is %s"):format(exit_code, table.concat(words, " or ")))
  end
end

-- Returns the exit code that follows from a finished run's verdicts.
local function code_of(counts)
  if (counts.unknown or 0) > 0 then
    return 8
  end
  return ((counts.failed or 0) > 0 or (counts.stale or 0) > 0) and 3 or 0
end

local OPEN = { planned = true, intended = true, ["not tried"] = true }

local function check_finished(rows, exit_code, say)
  local counts = {}
  for _, row in ipairs(rows) do
    local word = verdict(row)
    counts[word] = (counts[word] or 0) + 1
    if OPEN[word] then
      say(("finished, but left %s: %s"):format(word, planned_keys(row)[1]))
    end
  end
  if exit_code ~= code_of(counts) then
    say(("finished with exit code %s, where %d fits"):format(exit_code, code_of(counts)))
  end
end

local function check_secrets(state, secrets, say)
  for _, secret in ipairs(secrets) do
    local pipe = assert(io.popen("grep -rlF -- " .. quote(secret) .. " " .. quote(state), "r"))
    for path in pipe:lines() do
      say(("a secret is in %s"):format(path))
    end
    pipe:close()
  end
end

-- what.state: the state directory; what.changes: the change log; what.exit:
-- the exit code when the run ended itself; what.secrets: texts that must not
-- be in the directory; what.kept: changes that were not logged count as done
-- (they changed nothing); what.finished: the run came to its end, so nothing may
-- be left open. Returns a list of texts, empty when all is well.
function oracle.check(what)
  local problems = {}
  local function say(text)
    problems[#problems + 1] = text
  end
  local path = what.state .. "/ledger.db"
  local ledger, why = { changes = {}, runs = {} }, nil
  check_secrets(what.state, what.secrets or {}, say)
  if exists(path) then
    ledger, why = read(path)
  end
  if not ledger then
    say("the ledger cannot be read: " .. why)
    return problems
  end
  match(ledger.changes, what.changes, say)
  check_verdicts(ledger.changes, what.kept, say)
  check_end(ledger.changes, ledger.runs, what.exit, say)
  if what.finished then
    check_finished(ledger.changes, what.exit, say)
  end
  return problems, ledger
end

-- Counts a ledger's changes by verdict.
function oracle.counts(ledger)
  local counts = {}
  for _, row in ipairs(ledger.changes) do
    counts[verdict(row)] = (counts[verdict(row)] or 0) + 1
  end
  return counts
end

if arg[0]:match "oracle%.lua$" then
  if #arg ~= 2 then
    io.stderr:write "usage: oracle.lua STATE_DIR CHANGES\n"
    os.exit(2)
  end
  local changes = {}
  for line in io.lines(arg[2]) do
    local change = cjson.decode(line)
    for key, value in pairs(change) do
      change[key] = value ~= cjson.null and value or nil
    end
    changes[#changes + 1] = change
  end
  local problems = oracle.check { state = arg[1], changes = changes }
  for _, problem in ipairs(problems) do
    print(problem)
  end
  print(("oracle: %d changes, %d contradictions"):format(#changes, #problems))
  os.exit(#problems == 0)
end

return oracle
