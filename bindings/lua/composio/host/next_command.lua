-- Whether a run has something left for `resume`, and the command to type next: after a run,
-- from `show RUN`, and for a run that has to be started again. Every `next:` is made here.
-- Must not know: SQL, terminals, how runs are carried out.

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

-- Returns the path as it is named in every directory. cwd: where it was given. In a pattern,
-- %% is a percent sign.
local function absolute(path, cwd, is_pattern)
  if not cwd or path == "" or path == "-" or path:sub(1, 1) == "/" then
    return path
  elseif is_pattern then
    cwd = cwd:gsub("%%", "%%%%")
  end
  return cwd:gsub("/$", "") .. "/" .. path:gsub("^%./+", "")
end

-- Is the word for a script a path?
local function is_file(word)
  return word:find "/" or word:find "%.lua$"
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
-- names and values alternate; true stands for an option without one. Paths are absolute.
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
      add(all, option.name, option.is_path and absolute(value, run.cwd) or value)
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

-- ---- what `resume` has to do ----

-- Adds its state to a row of ledger:runs, whose `open` (has plain `resume` something to do?) is
-- then that of a run that nobody carries out at this moment. Returns the row.
local function complete(run, host)
  run.state = host.state(run)
  run.open = run.open and run.state ~= "running"
  return run
end

-- Returns the newest run that `resume` has something to do for, or nil, and their number.
local function newest_open(ledger, host)
  local newest, count = nil, 0
  for run in ledger:runs { mode = "apply" } do
    if complete(run, host).open then
      newest, count = newest or run, count + 1
    end
  end
  return newest, count
end

-- Has the run rows whose action failed?
local function has_unplanned(id, host)
  local ledger <close> = host.ledger()
  return ledger:has_unplanned(id)
end

-- Returns the words that take up what a run has left, or nil. left: run (its id), of_plan,
-- is_open, failed and failed_changes (whether there are failed items and changes), needs
-- (options without which a guard would refuse again, as the ledger keeps them), carried.
local function take_up(left, host)
  local words
  if left.failed and (left.failed_changes or not left.of_plan) then
    words = verb_words("resume", left.run, left.carried, "--failed")
  elseif left.is_open then
    words = verb_words("resume", left.run, left.carried)
  elseif left.failed and has_unplanned(left.run, host) then -- resume plans nothing for a plan
    words = verb_words("resume", left.run, left.carried, "--failed", "--save-plan",
      absolute(left.run .. ".plan", host.here))
  end
  if words and left.needs and left.needs ~= "false" then
    add_carried(words, require "composio.core".json_decode(left.needs))
  end
  return words
end

-- Returns the command that takes up an earlier run, or nil. run: a row of ledger:runs, with
-- its state; counts: the ledger's counts, of which those without an operation count items.
local function of_run(run, counts, host)
  if not has_changes(run) then
    return nil
  end
  local left = {
    run = run.run, of_plan = run.of_plan, is_open = run.open, needs = run.needs,
    carried = of_earlier(run, host),
  }
  for _, count in ipairs(counts) do
    if count.outcome == "failed" then
      left[count.operation and "failed_changes" or "failed"] = true
    elseif count.operation and (count.outcome == "unknown" or count.outcome == "intended") then
      left.carried = without_wait(left.carried) -- it may have been too short to settle them
    end
  end
  local words = take_up(left, host)
  return words and line(words)
end

-- Returns the command that takes up the run with this id, or nil.
local function of_id(id, host)
  local ledger <close> = host.ledger()
  local run = complete(ledger:runs({ run = id })(), host)
  return of_run(run, ledger:counts(id), host)
end

-- ---- the same command again ----

-- Does the URL of --ping hold a password? Then no command repeats it.
local function has_password(url)
  return url:find "^%a+://[^/?#]*@"
end

-- Returns the options that have a value, and what it is: "path", "pattern" or "value".
local function kinds_of(facts)
  local kinds = {}
  for _, option in ipairs(facts.options) do
    if option.value and not option.is_optional then
      kinds["--" .. option.name] = option.is_pattern and "pattern" or option.is_path and "path"
        or "value"
    end
  end
  for option in (facts.path_options or ""):gmatch "%S+" do
    kinds[option] = "path"
  end
  return kinds
end

-- Returns the operand of a command line, as every directory names it.
local function operand_of(facts)
  local operand = facts.operand
  if facts.undoes then
    return facts.undoes -- "last" would then name another run
  elseif facts.verb == "apply" or facts.verb == "run" and is_file(operand) then
    return absolute(operand, facts.here)
  end
  return operand
end

local PING = "the command leaves out --ping, because its URL holds a password"

-- Repeats the command line without --apply, with absolute paths, and without --confirm if
-- `confirmed`: it then gets another one. Also returns what else was left out, a line.
local function same_words(facts, confirmed)
  local words, kinds, operand = { "composio-lua" }, kinds_of(facts), facts.operand
  local place, argv, note = 1, facts.argv, nil
  while argv[place] and argv[place] ~= "--" do
    local word = argv[place]
    local option, value = word:match "^(%-%-[^=]+)=?(.*)$"
    local kind = kinds[option]
    local follows = kind and not word:find("=", 1, true)
    if follows then
      place = place + 1
      value = argv[place] or ""
    end
    if kind == "path" or kind == "pattern" then
      value = absolute(value, facts.here, kind == "pattern")
    end
    local hides = option == "--ping" and has_password(value)
    local is_out = hides or option == "--apply" or option == "--confirm" and confirmed
    note = hides and PING or note
    if kind and not is_out then
      add(words, follows and option or option .. "=" .. value, follows and value or nil)
    elseif word == operand then
      add(words, operand_of(facts))
      operand = nil
    elseif not kind and not is_out then
      add(words, word)
    end
    place = place + 1
  end
  return words, note
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

-- Did the run stop before one of its plans was complete, for a cause that passes? Then the same
-- command starts it again.
local function planned_nothing(facts)
  local passes = facts.exit == 7 or facts.exit == 4 and facts.listing_refused == "unread"
  return passes and not facts.written and not facts.sealed
    and (facts.verb == "run" or facts.verb == "undo")
end

local function after_preview(facts)
  if facts.changes.planned == 0 or facts.incomplete or facts.exit == 4 then
    return nil
  elseif facts.save_plan and not facts.plan_saved then
    return nil
  end
  local confirmed = confirmation(facts)
  local words, note
  if facts.save_plan then
    words = verb_words("apply", absolute(facts.save_plan, facts.here), facts.carried)
  else
    words, note = same_words(facts, confirmed)
    add(words, "--apply")
  end
  if confirmed then
    add(words, "--confirm", confirmed)
  end
  return words, note
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

-- Returns the lowest percentage of --max-percent that the refused changes are within.
local function percent_of(over)
  if over.project <= 0 then
    return 100
  end
  return math.min(math.ceil(over.changes * 100 / over.project), 100)
end

-- Returns the options with which the guard would have let pass what it refused, as the ledger
-- keeps them: a list in which names and values alternate, "false" when no option helps, nil
-- when nothing was refused.
local function needs(facts)
  local over, limits, list = facts.over, facts.limits, {}
  if not over then
    local is_final = facts.refused and not facts.like
      and not (facts.listing and not facts.listing.complete)
    return is_final and "false" or nil
  end
  if over.changes > limits.max_changes then
    add(list, "max-changes", ("%d"):format(over.changes))
  end
  if limits.max_percent < 100 and percent_of(over) > limits.max_percent then
    add(list, "max-percent", ("%d"):format(percent_of(over)))
  end
  if over.active_deletes > 0 and not limits.delete_active then
    add(list, "delete-active", true)
  end
  if over.irreversible > 0 then
    add(list, "confirm", ("%d"):format(over.irreversible))
  end
  return list[1] and require "composio.core".json_encode(list, "needs")
end

-- An item whose action failed is open, too: a new run would repeat what this one has done.
local function after_apply(facts)
  local needed = needs(facts)
  -- a run that stopped while it planned has nothing that resume could go on with
  local has_plan = facts.sealed or facts.written or facts.verb ~= "run" and facts.verb ~= "undo"
  local left = {
    run = facts.run, of_plan = facts.of_plan, needs = needed,
    is_open = facts.lost or facts.open and needed ~= "false",
    failed = has_plan and facts.items.failed > 0, failed_changes = facts.changes.failed > 0,
    carried = waited_too_little(facts) and with_longer_wait(facts) or facts.carried,
  }
  return facts.exit ~= 4 and take_up(left, facts) or nil -- a guard would refuse again
end

-- Returns the command to type after this run, or nil, and a line about what it leaves out, or
-- nil. facts: what the host knows of the run.
local function after(facts)
  local refused_early = facts.exit == 2 and not facts.lost
    and (facts.verb == "resume" or facts.verb == "apply") -- for a secret, and would be again
  if facts.emulator or refused_early then -- the emulator has ended before anybody can type this
    return nil
  end
  -- the disk was full while the plan was made, or nothing could be planned
  local starts_over = facts.lost and not facts.written or planned_nothing(facts)
  local words, note
  if facts.like then -- an interrupted run, for which this one was refused
    return of_id(facts.like, facts)
  elseif starts_over then
    words, note = same_words(facts)
    if facts.apply and (facts.verb == "run" or facts.verb == "undo") then
      add(words, "--apply")
    end
  elseif facts.apply then
    words = after_apply(facts)
  else
    words, note = after_preview(facts)
  end
  if words and (starts_over or not facts.apply) then
    add_rest(words, facts.rest)
  end
  return words and line(words), note
end

-- ---- a run that stopped before its plan was complete ----

-- Adds "--name value" for each member; true stands for an option without a value. paths:
-- whether a member is a path (true or "pattern"), by name, or nil; cwd: where it was given.
local function add_members(words, members, paths, cwd)
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
        local kind = paths and paths[option]
        add_option(words, option, kind and absolute(one, cwd, kind == "pattern") or tostring(one))
      end
    end
  end
end

-- Does a parameter name a file from the directory of the run, which is not this one?
local function needs_cwd(run, params)
  for _, value in pairs(run.cwd and run.cwd ~= run.here and params or {}) do
    if type(value) == "string" and value:sub(1, 1) ~= "/"
      and not run.unreadable(run.cwd .. "/" .. value) then
      return true
    end
  end
  return false
end

-- Returns the command that starts a run again. run: its word, parameters, directory and
-- `saved` options in the ledger. The options `carried` of this command line replace the
-- saved ones.
local function restart(run)
  local core = require "composio.core"
  local words, options = { "composio-lua" }, core.json_decode(run.saved or "{}")
  local params, paths, prefix = core.json_decode(run.params), {}, ""
  for _, option in ipairs(run.options) do
    paths[option.name] = option.is_pattern and "pattern" or option.is_path
  end
  if not run.saved then -- the run is that of a plan, which was saved under this name
    options["save-plan"] = absolute(run.operand, run.here)
  end
  for place = 1, #run.carried, 2 do
    options[run.carried[place]] = nil
  end
  local needed = run.needs and core.json_decode(run.needs) or {}
  for place = 1, needed and #needed or 0, 2 do -- a guard would refuse it again without them
    options[needed[place]] = needed[place + 1]
  end
  if options.plan then
    add(words, "apply", options.plan)
    options.plan = nil
  elseif run.redoes then
    add(words, "resume", run.redoes)
  else
    local word = is_file(run.word) and absolute(run.word, run.cwd) or run.word
    add(words, run.undoes and "undo" or "run", run.undoes or word)
    add_members(words, params)
    prefix = needs_cwd(run, params) and ("cd %s && "):format(quoted(run.cwd)) or prefix
  end
  local rest = options.words
  options.words = nil
  if options.ping and has_password(options.ping) then -- kept by a former version
    options.ping = nil
  end
  add_members(words, options, paths, run.cwd)
  add_carried(words, run.carried)
  add_rest(words, rest)
  return prefix .. line(words)
end

-- ---- for the host ----

-- Returns the command that takes up facts.run, or that starts it again if it has changed
-- nothing, or nil.
local function take_up_earlier(facts)
  local ledger <close> = facts.ledger()
  local run = complete(ledger:runs({ run = facts.run })(), facts)
  if run.sealed then
    return of_run(run, ledger:counts(run.run), facts)
  end
  run.saved, run.options = run.options, facts.options
  return restart(setmetatable(run, { __index = facts }))
end

-- Returns the command that takes up the newest run that `resume` has something to do for, after
-- the run's id, or nil.
local function take_up_newest(facts)
  local ledger <close> = facts.ledger()
  local run = newest_open(ledger, facts)
  return run and ("run %s is not: %s"):format(run.run, of_run(run, ledger:counts(run.run), facts))
end

return {
  after = after,
  complete = complete,
  has_changes = has_changes,
  needs = needs,
  newest_open = newest_open,
  of_earlier = of_earlier,
  of_run = of_run,
  restart = restart,
  take_up_earlier = take_up_earlier,
  take_up_newest = take_up_newest,
  verb = function(...)
    return line(verb_words(...))
  end,
}
