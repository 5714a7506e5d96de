-- The command to type next: after a run, from `show RUN`, and for a run that has to be
-- started again. Every `next:` is made here.
-- Must not know: the ledger, terminals, how runs are carried out.

-- ---- words of a command line ----

local function quoted(word)
  if word ~= "" and not word:find "[^%w%-_=./:%%+@,]" then
    return word
  end
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

local function line(words)
  local list = {}
  for place, word in ipairs(words) do
    list[place] = quoted(word)
  end
  return table.concat(list, " ")
end

local function add(words, ...)
  for _, word in ipairs { ... } do
    words[#words + 1] = word
  end
end

-- Adds an option; true stands for one without a value. The next word would be taken for an
-- option if it begins with a hyphen.
local function add_option(words, name, value)
  if value == true then
    add(words, "--" .. name)
  elseif value:sub(1, 1) == "-" then
    add(words, "--" .. name .. "=" .. value)
  else
    add(words, "--" .. name, value)
  end
end

-- Adds the arguments after "--", which the script needs again; a run keeps its own.
local function add_rest(words, rest)
  if rest then
    add(words, "--", table.unpack(rest))
  end
end

-- ---- a verb with a run or a plan ----

-- Adds the options of this command line that the verb needs, too. carried: a list in which
-- names and values alternate; true stands for an option without one.
local function add_carried(words, carried)
  for place = 1, #carried, 2 do
    add_option(words, carried[place], carried[place + 1])
  end
end

local function verb_words(verb, operand, carried, ...)
  local words = { "composio-lua", verb, operand }
  add_carried(words, carried)
  add(words, ...)
  return words
end

-- Returns the options that a verb with this earlier run needs: those of this command line,
-- and those that the run was given and that do not come back with it, such as the key's file.
-- run: a row of ledger:runs.
local function of_earlier(run, host)
  local good, given = pcall(require "composio.core".json_decode, run.options or "")
  local all, seen = table.move(host.carried, 1, #host.carried, 1, {}), {}
  given = good and type(given) == "table" and given or {}
  for place = 1, #host.carried, 2 do
    seen[host.carried[place]] = true
  end
  for _, option in ipairs(host.options) do
    local value = given[option.name]
    if option.is_needed and type(value) == "string" and not seen[option.name] then
      local is_relative = option.is_path and value:sub(1, 1) ~= "/" and run.cwd
      add(all, option.name, is_relative and run.cwd .. "/" .. value or value)
    end
  end
  return all
end

-- Returns the carried options without --settle-wait.
local function without_wait(carried)
  local rest = {}
  for place = 1, #carried, 2 do
    if carried[place] ~= "settle-wait" then
      add(rest, carried[place], carried[place + 1])
    end
  end
  return rest
end

-- Can an earlier run be resumed or undone at all?
local function has_changes(run)
  return run.mode == "apply" and run.state ~= "running" and run.sealed
end

-- Returns the command that resumes a run, or nil. counts: the ledger's counts; those
-- without an operation count items. stopped: the run has not ended, whatever the counts
-- say.
local function of_run(run, counts, carried, stopped)
  if not has_changes(run) then
    return nil
  end
  local failed_change, failed, left = false, false, stopped or run.state == "interrupted"
  for _, count in ipairs(counts) do
    if count.operation then
      failed_change = failed_change or count.outcome == "failed"
      if count.outcome == "unknown" or count.outcome == "intended" then
        carried = without_wait(carried) -- it may have been too short to settle them
      end
    else
      failed = failed or count.outcome == "failed"
      left = left or count.outcome == "not_tried" or count.outcome == "unknown"
    end
  end
  -- resume does not plan for a saved plan
  if failed and (failed_change or not run.of_plan) then
    return line(verb_words("resume", run.run, carried, "--failed"))
  elseif left then
    return line(verb_words("resume", run.run, carried))
  end
end

-- ---- the same command again ----

local function is_option(word, name)
  return word == "--" .. name or word:find("--" .. name .. "=", 1, true) == 1
end

-- Repeats the command line without --apply, and without --confirm if `confirmed`: it then
-- gets another one.
local function same_words(facts, confirmed)
  local words, skipped = { "composio-lua" }, false
  for _, word in ipairs(facts.argv) do
    if word == "--" then
      break
    elseif skipped then
      skipped = false
    elseif is_option(word, "confirm") and confirmed then
      skipped = word == "--confirm"
    elseif not is_option(word, "apply") then
      -- "last" would then name another run
      add(words, word == facts.operand and facts.undoes or word)
    end
  end
  return words
end

-- Returns the numbers that --confirm will need, in the order of asking, or nil.
local function confirmation(facts)
  local numbers = table.move(facts.irreversible, 1, #facts.irreversible, 1, {})
  if facts.irreversible_straight > 0 then
    table.insert(numbers, facts.irreversible_straight_at + 1, facts.irreversible_straight)
  end
  if facts.save_plan and numbers[1] then -- a saved plan is confirmed as a whole
    local sum = 0
    for _, number in ipairs(numbers) do
      sum = sum + number
    end
    numbers = { sum }
  end
  return numbers[1] and table.concat(numbers, ",")
end

-- ---- after a run ----

-- Did the run stop before it had planned anything? Then the same command starts it
-- again.
local function planned_nothing(facts)
  if facts.exit ~= 7 or facts.written or facts.verb ~= "run" and facts.verb ~= "undo" then
    return false
  end
  for _, count in pairs(facts.changes) do
    if count > 0 then
      return false
    end
  end
  return true
end

local function after_preview(facts)
  if facts.changes.planned == 0 or facts.incomplete or facts.exit == 4 then
    return nil
  elseif facts.save_plan and not facts.plan_saved then
    return nil
  end
  local confirmed = confirmation(facts)
  local words
  if facts.save_plan then
    words = verb_words("apply", facts.save_plan, facts.carried)
  else
    words = same_words(facts, confirmed)
    add(words, "--apply")
  end
  if confirmed then
    add(words, "--confirm", confirmed)
  end
  return words
end

-- Was --settle-wait too short for changes that must not be repeated to be looked for?
local function waited_too_little(facts)
  for _, operation in ipairs(facts.operations) do
    if operation.changes.unknown > 0 and not operation.repeats then
      return facts.settle_wait_ms < facts.quiet_ms
    end
  end
  return false
end

-- Returns the carried options with a --settle-wait that lets the resumed run settle: none,
-- or the quiet time where that is longer than the default.
local function with_longer_wait(facts)
  local carried = without_wait(facts.carried)
  if facts.quiet_ms > facts.settle_wait_default_ms then
    add(carried, "settle-wait", ("%ds"):format(math.ceil(facts.quiet_ms / 1000)))
  end
  return carried
end

-- Open changes can be resumed. An item whose action failed is open, too: a new run would
-- repeat what this one has done.
local function after_apply(facts)
  local trouble = facts.items.failed > 0 or facts.items.unknown > 0
  local carried = waited_too_little(facts) and with_longer_wait(facts) or facts.carried
  local function resume(...)
    return verb_words("resume", facts.run, carried, ...)
  end
  if facts.exit == 4 or facts.refused and not trouble then
    return nil -- a guard refused the plan, and would again
  elseif facts.lost then
    return resume()
  elseif facts.items.failed > 0 and (facts.changes.failed > 0 or not facts.of_plan) then
    return resume "--failed"
  elseif facts.items.not_tried > 0 or facts.items.unknown > 0
    or facts.stop == "reason" and facts.exit == 7 and facts.written then
    return resume() -- perhaps of bulks that were not planned yet
  end
end

-- Returns the command to type after this run, or nil. facts: what the host knows of it.
local function after(facts)
  if facts.emulator then -- it has ended before anybody can type this
    return nil
  end
  -- the disk was full while the plan was made, or nothing could be planned
  local starts_over = facts.lost and not facts.written or planned_nothing(facts)
  local words
  if starts_over then
    words = same_words(facts)
    if facts.apply and (facts.verb == "run" or facts.verb == "undo") then
      add(words, "--apply")
    end
  elseif facts.apply then
    words = after_apply(facts)
  else
    words = after_preview(facts)
  end
  if words and (starts_over or not facts.apply) then
    add_rest(words, facts.rest)
  end
  return words and line(words)
end

-- ---- a run that stopped before its plan was complete ----

-- Adds "--name value" for each member; true stands for an option without a value.
local function add_members(words, members)
  local names = {}
  for name in pairs(members) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local value, option = members[name], name:gsub("_", "-")
    if type(value) == "table" and value.fingerprint then -- a secret
      value, option = value.file, option .. "-file"
    end
    for _, one in ipairs(type(value) == "table" and value or { value }) do
      if type(one) == "boolean" then
        add_option(words, (one and "" or "no-") .. option, true)
      else
        add_option(words, option, tostring(one))
      end
    end
  end
end

-- Returns the command that starts a run again. run: its word, parameters and `saved`
-- options in the ledger. The options `carried` of this command line replace the saved
-- ones.
local function restart(run)
  local core = require "composio.core"
  local words, options = { "composio-lua" }, core.json_decode(run.saved or "{}")
  if not run.saved then -- the run is that of a plan, which was saved under this name
    options["save-plan"] = run.operand
  end
  for place = 1, #run.carried, 2 do
    options[run.carried[place]] = nil
  end
  if options.plan then
    add(words, "apply", options.plan)
    options.plan = nil
  else
    add(words, run.undoes and "undo" or "run", run.undoes or run.word)
    add_members(words, core.json_decode(run.params))
  end
  local rest = options.words
  options.words = nil
  add_members(words, options)
  add_carried(words, run.carried)
  add_rest(words, rest)
  return line(words)
end

-- Returns the command that resumes a run. facts: run, carried, failed.
local function resume(facts)
  return line(verb_words("resume", facts.run, facts.carried, facts.failed and "--failed" or nil))
end

return {
  after = after,
  has_changes = has_changes,
  of_earlier = of_earlier,
  of_run = of_run,
  restart = restart,
  resume = resume,
  verb = function(...)
    return line(verb_words(...))
  end,
}
