-- The verb resolve RUN CHANGE done|failed --reason TEXT: gives a change of unknown outcome
-- the one that a person knows.
-- Must not know: SQL, locks, terminals.

local next_command = require "composio.host.next_command"

local USAGE = "composio-lua resolve RUN CHANGE done|failed --reason TEXT"

local function fail(text, ...)
  error(text:format(...), 0)
end

-- The changes that the word means: the one with that number, or those of an account or of
-- an item with that key.
local function meant(ledger, run, word)
  local number, by_name = word:find "^%d+$" and math.tointeger(tonumber(word)), {}
  for row in ledger:changes { run = run, previews = 1 } do
    if row.number == number then
      return { row }
    elseif word == row.account or word == row.key or word == row.made then
      by_name[#by_name + 1] = row
    end
  end
  return by_name
end

-- "32769 (disable: done), 32770 (enable: unknown)"
local function listed(rows)
  local list = {}
  for place, row in ipairs(rows) do
    list[place] = ("%d (%s: %s)"):format(row.number, row.operation, row.outcome:gsub("_", " "), nil)
  end
  return table.concat(list, ", ", 1, math.min(#list, 5)) .. (list[6] and ", …" or "")
end

-- Nobody knows more of an intended change of a run that died.
local function is_unknown(row)
  return row.outcome == "unknown" or row.outcome == "intended"
end

-- Returns the only unknown change that is meant.
local function find_change(ledger, run, word)
  local all, unknown = meant(ledger, run, word), {}
  for _, row in ipairs(all) do
    if is_unknown(row) then
      unknown[#unknown + 1] = row
    end
  end
  if not all[1] then
    fail("run %s has no change of '%s'; composio-lua show %s lists its changes", run, word, run)
  elseif not unknown[1] then
    fail("only an unknown change can be resolved; '%s' means %s", word, listed(all))
  elseif unknown[2] then
    fail("'%s' means several unknown changes: %s; give the number of one", word, listed(unknown))
  end
  return unknown[1]
end

local function check_words(host)
  if not host.change or not host.outcome then
    fail("resolve needs a run, a change and its outcome: %s", USAGE)
  elseif host.outcome ~= "done" and host.outcome ~= "failed" then
    fail("'%s' is not an outcome that resolve can give: %s", host.outcome, USAGE)
  elseif not (host.reason and host.reason:find "%S") then
    fail("resolve needs a reason, which the ledger keeps: %s", USAGE)
  end
end

return function(host)
  local function print_next(name)
    local ledger <close> = host.ledger()
    local run = next_command.complete(ledger:runs({ run = name })(), host)
    local command = next_command.of_run(run, ledger:counts(name), host)
    if command then
      host.print("next: " .. command)
    end
  end

  return function(ledger, resolve)
    check_words(host)
    local run = ledger:runs({ run = ledger:find(host.operand) })()
    if run.mode ~= "apply" then
      fail("run %s was a preview: it changed nothing, so there is nothing to resolve", run.run)
    end
    local row = find_change(ledger, run.run, host.change)
    local who = resolve(run, row.number, host.outcome, host.reason)
    host.print(("%s of %s: %s, now %s (%s: %s)"):format(row.operation, row.account or row.key,
      row.outcome, host.outcome, who, host.reason))
    print_next(run.run)
    return 0
  end
end
