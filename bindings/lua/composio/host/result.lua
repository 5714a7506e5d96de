-- The result of a run for people: why it stopped, what became of its changes, what to
-- type next. summary.lua makes the one for programs.
-- Must not know: the ledger, terminals, how the exit code is decided.

local json_line = require "composio.host.json_line"
local next_command = require "composio.host.next_command"

local FIRST_LINES = 10

return function(core, host)
  local preview = require "composio.host.preview"(core, host)
  local number = host.number

  local function counted(count, noun)
    return ("%s %s%s"):format(number(count), noun, count == 1 and "" or "s")
  end

  -- Returns counts by outcome, from the first-th outcome on, as "done 6 · failed 1".
  local function list_outcomes(counts, first)
    local list = {}
    for place = first, #json_line.outcomes do
      local outcome = json_line.outcomes[place]
      if counts[outcome] > 0 then
        list[#list + 1] = outcome:gsub("_", " ") .. " " .. number(counts[outcome])
      end
    end
    return table.concat(list, " · ")
  end

  -- Prints why the run ended before the script did.
  local function show_stop(facts)
    if facts.stop == "signal" then
      host.warn("interrupted by SIG" .. facts.signal)
    elseif facts.stop == "preview" then
      host.log(facts.end_text)
    elseif facts.stop == "reason" then
      host.complain(facts.end_text)
    elseif facts.raised and not facts.stop then
      host.complain(facts.raised)
    end
    local raised = facts.raised
    local function complain_of_caught(why) -- the script caught the error
      if why and not (raised and raised:find(why, 1, true)) then
        host.complain(why)
      end
    end
    complain_of_caught(facts.refusal)
    complain_of_caught(facts.bulk_raised)
  end

  -- Prints which lines of --protect matched nothing, because a misspelled line protects
  -- nobody.
  local function show_idle_protection(facts)
    local count = facts.idle_count
    if count == 0 then
      return
    end
    host.log(("%d line%s of --protect matched no account of this run: %s%s"):format(count,
      count == 1 and "" or "s", facts.idle_first, count > 3 and ", …" or ""))
  end

  -- Prints how many items have each tag of the run: "tags: healed 28".
  local function show_tags(facts)
    local list = {}
    for place = 1, #facts.tags, 2 do
      list[#list + 1] = facts.tags[place] .. " " .. number(facts.tags[place + 1])
    end
    if list[1] then
      host.log("tags: " .. table.concat(list, " · "))
    end
  end

  local function show_failures(facts)
    local more = facts.items.failed + facts.items.unknown - #facts.failures
    for _, failure in ipairs(facts.failures) do
      host.warn(("  %s  %s  %s: %s%s"):format(failure.outcome, failure.operation, failure.key,
        failure.text, failure.request and (" (request %s)"):format(failure.request) or ""))
    end
    if more > 0 then
      host.warn(("  … and %s more (composio-lua show %s)"):format(number(more), facts.run))
    end
  end

  -- Returns what --apply would do.
  local function forecast(facts)
    local planned, within, early = facts.changes.planned, facts.within, facts.stop == "preview"
    if facts.why_incomplete and not (early and planned > 0) then
      return ("nothing was changed; %s, so it is not known what --apply would change"):format(
        facts.why_incomplete)
    elseif planned == 0 then
      return "nothing would be changed"
    elseif facts.exit == 4 and within > 0 then
      return ("nothing was changed; --apply makes %s and refuses what follows"):format(
        counted(within, "change"))
    end
    return ("nothing was changed; --apply %s %s%s"):format(
      facts.exit == 4 and "would refuse these" or early and "makes at least" or "makes",
      counted(planned, "change"), early and ": what follows was not seen" or "")
  end

  -- Prints the number of items with this outcome, if there are any.
  local function show_items(facts, outcome, text)
    local count = facts.items[outcome]
    if count > 0 then
      host.warn(counted(count, "item") .. " " .. text)
    end
  end

  -- Prints how many items are unknown, and when resume can settle them. For changes that
  -- must not be repeated, the quiet time counts from the start of resume.
  local function show_unknown(facts)
    show_items(facts, "unknown",
      "may or may not have been changed; nothing is sent again until that is known")
    local when, seconds = "at once", math.ceil(facts.quiet_ms / 1000)
    for _, operation in ipairs(facts.operations) do
      if operation.changes.unknown > 0 and not operation.repeats then
        when = ("within %d s of its start"):format(seconds)
      end
    end
    if facts.items.unknown > 0 then
      host.warn("resume can settle that " .. when)
    end
  end

  -- Prints the first stale changes and their reasons from the ledger.
  local function show_stale(facts)
    local shown = 0
    for operation, account, _, _, _, _, why in facts.each_change(-1, "stale") do
      host.warn(("  stale  %s  %s: %s"):format(operation, account,
        why or "the account differs from what the plan saw"))
      shown = shown + 1
      if shown == FIRST_LINES then
        break
      end
    end
  end

  -- Returns the function that prints what to go on with: -q leaves it out after exit 0 alone.
  -- --cron prints these lines in a place of their own.
  local function logger(facts)
    return facts.exit ~= 0 and not facts.cron and host.warn or host.log
  end

  local function show_outcomes(facts)
    for _, operation in ipairs(facts.operations) do
      host.log(("%s: %s"):format(operation.name, list_outcomes(operation.changes, 1)))
    end
    if facts.counts_unknown and facts.written then -- only the outcomes that this process has seen
      local seen = list_outcomes(facts.seen, json_line.first_final)
      host.log(("changes that were sent: %s; some of these outcomes may be missing from the "
        .. "ledger: resume asks the service about them"):format(
        seen ~= "" and seen or "no outcome is known"))
    elseif not facts.operations[1] then
      local failed = facts.items.failed
      host.log((facts.raised or facts.stop) and "nothing was changed"
        or failed > 0 and ("nothing was changed: %s failed"):format(counted(failed, "item"))
        or "there was nothing to change")
    end
    show_failures(facts)
    if facts.reads_only and facts.exit == 6 then
      host.complain("the key was accepted for reading: it may lack the permission "
        .. '"connected accounts: write"')
    end
    if facts.items.stale > 0 then
      local good, why = pcall(show_stale, facts)
      if not good then
        host.complain(why)
      end
    end
    show_items(facts, "stale", "left alone: changed after the plan was made")
    show_items(facts, "not_tried", "not tried")
    show_unknown(facts)
    show_items(facts, "pending", "waiting for a person")
    local log = logger(facts)
    if facts.profile then
      log("profile: " .. facts.profile)
    end
    log("run: " .. facts.run)
  end

  local function show_next(facts)
    local command, note = next_command.after(facts)
    local log = logger(facts)
    if command then
      log("next: " .. command)
    end
    if note then
      log(note)
    end
  end

  -- Prints the result. facts: what the host knows about the run.
  local function show(facts)
    show_stop(facts)
    if not facts.has_ledger then
      return show_next(facts)
    end
    if facts.planned > 0 and facts.bulks == 0 and not facts.apply and not host.is_quiet then
      preview.show { planned = facts.planned, skipped = 0, bulk = 0, changes = facts.each_change }
    end
    show_idle_protection(facts)
    show_tags(facts)
    if facts.apply then
      show_outcomes(facts)
    else
      show_failures(facts)
      host.log("preview: " .. forecast(facts))
    end
    show_next(facts)
    local lost = facts.links_lost or 0
    if lost > 0 then
      host.warn(lost == 1 and "1 link was not received: mint a new one"
        or lost .. " links were not received: mint new ones")
    end
  end

  return { show = show }
end
