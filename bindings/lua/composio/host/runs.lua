-- The verbs runs, show RUN and history ACCOUNT: tables and lines for people,
-- JSON lines for programs. resolve.lua has the verb resolve, prune.lua what runs --prune
-- removes.
-- Must not know: SQL, how rows are read ahead, terminals, signals.

local columns = require "composio.host.columns"
local json_line = require "composio.host.json_line"
local next_command = require "composio.host.next_command"
local prune = require "composio.host.prune"
local changes_of = require "composio.pruned"
local resolve = require "composio.host.resolve"

local FIRST_CHANGES = 50
local PLACE_BITS = 15 -- low bits of a change's number; the others are its item's number

-- Members of the JSON lines, in output order.
local RUN = {
  "run", "mode", "state", "exit", "began", "ended", "parts", "script", "word", "script_sha256",
  "cwd", "undoes", "redoes", "params", "options", "who", "host", "project", "base_url", "version",
  "changes", "refusal", "open",
}
local SESSION = { "kind", "began", "ended", "exit", "who", "host" }
local COUNT = { "kind", "operation", "outcome", "count" }
local ITEM_COUNT = { "kind", "outcome", "count" }
local TAG = { "kind", "tag", "items" }
local ITEM = { "kind", "number", "key", "account", "user", "toolkit", "status", "reason" }
local CHANGE = {
  "number", "key", "operation", "account", "made", "auth_config", "outcome", "fallback", "class",
  "before", "after", "image", "query", "body", "fingerprint", "reason", "line", "error",
  "request_id", "sent", "user", "toolkit", "alias", "resolved", "resolved_by", "resolution",
}

local function joined(before, list, ...)
  local all = table.move(list, 1, #list, #before + 1, before)
  for _, name in ipairs { ... } do
    all[#all + 1] = name
  end
  return all
end

local SHOWN_RUN = joined({ "kind" }, RUN, "next", "undo")
local SHOWN_CHANGE = joined({ "kind" }, CHANGE)
local HISTORY_CHANGE = joined({ "at", "run", "mode", "pruned", "script", "who", "host" }, CHANGE)

-- ---- texts ----

-- "2026-11-22T06:00:01Z"
local function time(text)
  return text and text:gsub("%.%d+Z$", "Z") or "-"
end

-- "3.2s", "2m05s", "1h02m", "2d03h"
local function duration(ms)
  local seconds = ms // 1000
  if ms < 0 then
    return "-"
  elseif seconds < 60 then
    return ("%d.%ds"):format(seconds, ms % 1000 // 100)
  elseif seconds < 3600 then
    return ("%dm%02ds"):format(seconds // 60, seconds % 60)
  elseif seconds < 86400 then
    return ("%dh%02dm"):format(seconds // 3600, seconds // 60 % 60)
  end
  return ("%dd%02dh"):format(seconds // 86400, seconds // 3600 % 24)
end

local function known(text)
  return text and text ~= "" and text or "?"
end

-- "root@machine"
local function by(row)
  return known(row.who) .. "@" .. known(row.host)
end

-- "apply", "preview", "undo", "undo preview"
local function kind(run)
  if run.undoes then
    return run.mode == "apply" and "undo" or "undo preview"
  end
  return run.mode == "apply" and "apply" or "preview"
end

-- "done", "exit 3", "exit 7, open", "interrupted", … A run that stopped before it could
-- change anything, like a preview, has merely not ended.
local function verdict(run)
  if run.state == "open" or run.state == "interrupted" and not run.sealed then
    return "not ended"
  elseif run.state ~= "ended" then
    return run.state
  end
  local text = run.exit == 0 and "done" or ("exit %d"):format(run.exit or -1)
  return run.open and text .. ", open" or text
end

local function outcome(word)
  return (word:gsub("_", " "))
end

-- Returns the script's reason, the error and what a person found out, joined.
local function why(row)
  local list = {}
  for _, text in ipairs {
    row.reason or "", row.error or "",
    row.resolution and ("resolved by %s: %s"):format(row.resolved_by, row.resolution) or "",
  } do
    if text ~= "" then
      list[#list + 1] = text
    end
  end
  return table.concat(list, "; ")
end

return function(core, host)
  require "composio.operations"(core)

  -- Begins a table on stdout, of columns given as title, least width, title, …
  local function columns_of(list)
    local all = {}
    for at = 1, #list, 2 do
      all[#all + 1] = { title = list[at], least = list[at + 1] > 0 and list[at + 1] or nil }
    end
    return columns(host, { columns = all, dashes = true })
  end

  local function print_json(names, row)
    host.print(json_line.object(core, names, row), true)
  end

  local function decoded(text)
    local good, value = pcall(core.json_decode, text or "")
    return good and type(value) == "table" and value or {}
  end

  -- Describes an update by the first text field that it sets: old and new value.
  local function update_move(row)
    local body, image = decoded(row.body), decoded(row.image)
    if row.fingerprint then
      return "credentials replaced"
    end
    for _, field in ipairs(core.row(row.resource, row.name).shown) do
      local after = core.value_at(body, field.wire)
      if type(after) == "string" then
        local before = image[field.name] or field.item_keeps and row[field.name] or ""
        before = before ~= "" and ("'%s' "):format(before) or ""
        return ("%s %s→ '%s'"):format(field.title, before, after)
      end
    end
    return ("%s → %s"):format(row.image or "-", row.body or "-")
  end

  -- Describes a change: "ACTIVE → INACTIVE", "alias 'a' → 'b'", "→ ca_new"
  local function move(row)
    if row.updates then
      return update_move(row)
    elseif row.creates then
      return "→ " .. (row.made or "a new account")
    end
    local after = row.after or (row.deletes and "deleted" or row.becomes)
    return (row.before or "?") .. (after and " → " .. after or "")
  end

  -- "40 done, 2 failed"
  local function counts_text(changes)
    local list = {}
    for _, word in ipairs(changes and json_line.outcomes or {}) do
      if changes[word] then
        list[#list + 1] = host.number(changes[word]) .. " " .. outcome(word)
      end
    end
    return list[1] and table.concat(list, ", ")
  end

  -- Can undo restore anything that the run did?
  local function can_be_undone(run, counts)
    if not next_command.has_changes(run) then
      return false
    end
    local undone = {}
    for _, row in ipairs(core.operations()) do
      local is_account = row.resource == "connected_accounts"
      undone[is_account and row.name or row.resource .. "." .. row.name] = row.undo ~= nil
    end
    for _, count in ipairs(counts) do
      if count.outcome == "done" and undone[count.operation] then
        return true
      end
    end
    return false
  end

  -- ---- runs ----

  -- Converts a completed row for print_json.
  local function for_programs(run)
    run.changes, run.parts = run.changes and json_line.counts(run.changes), run.sessions
    run.params, run.options = json_line.raw(run.params), json_line.raw(run.options)
    return run
  end

  local function add_run(list, run)
    local took
    if run.ended or run.state == "running" then
      took = duration((run.ended and run.ended_ms or host.now()) - run.began_ms)
    end
    list:add(run.run, verdict(run), kind(run), counts_text(run.changes), took, by(run),
      time(run.began))
  end

  -- Returns the counts of a run that died before it could store them.
  local function counted(ledger, run)
    local changes = {}
    for _, count in ipairs(ledger:counts(run)) do
      if count.operation then
        changes[count.outcome] = (changes[count.outcome] or 0) + count.count
      end
    end
    return changes
  end

  local RUN_COLUMNS = {
    "run", 0, "state", 11, "what", 7, "changes", 12, "took", 6, "by", 8, "began", 20,
  }

  local function show_runs(rows)
    local list = columns_of(RUN_COLUMNS)
    for _, run in ipairs(rows) do
      if host.wants_json then
        print_json(RUN, for_programs(run))
      else
        add_run(list, run)
      end
    end
    list:finish()
  end

  local prune_runs = prune(host, can_be_undone, show_runs)

  local function runs(ledger, given)
    if host.prune_ms > 0 then
      return prune_runs(ledger, given.prune_run)
    end
    local list = columns_of(RUN_COLUMNS)
    local shown = 0
    for run in ledger:runs {} do
      next_command.complete(run, host)
      if run.state == "interrupted" and not run.changes then
        run.changes = counted(ledger, run.run)
      end
      if host.wants_json then
        print_json(RUN, for_programs(run))
      else
        add_run(list, run)
      end
      shown = shown + 1
      if shown == host.limit or host.is_over() then
        break
      end
    end
    list:finish()
    return 0
  end

  -- ---- show ----

  local function print_field(name, text)
    if text and text ~= "" and text ~= "{}" then
      host.print(("%-10s %s"):format(name, text))
    end
  end

  local function show_head(run)
    print_field("run", run.run)
    print_field("what", kind(run))
    print_field("profile", decoded(run.options).profile)
    print_field("undoes", run.undoes)
    print_field("redoes", run.redoes)
    print_field("script", run.script)
    print_field("sha-256", run.script_sha256)
    print_field("parameters", run.params)
    print_field("options", run.options)
    print_field("began", time(run.began) .. " by " .. by(run))
    if run.ended then
      print_field("ended", time(run.ended) .. ", after " .. duration(run.ended_ms - run.began_ms))
    end
    print_field("state", verdict(run))
    print_field("refused", run.refusal)
    print_field("project", ("%s at %s"):format(known(run.project), known(run.base_url)))
    print_field("program", "composio-lua " .. known(run.version))
    if run.mode == "apply" and not run.sealed then
      print_field("plan", run.exit == 4 and "a guard refused the run: nothing was changed"
        or "the run stopped while it was still planning: nothing was changed")
    end
  end

  -- The first session is the run itself; each later one resumed it.
  local function show_sessions(list)
    for place, session in ipairs(list) do
      local began, who = time(session.began), by(session)
      if host.wants_json then
        session.kind = "part"
        print_json(SESSION, session)
      elseif place > 1 and session.ended then
        print_field("resumed", ("%s to %s by %s, exit %d"):format(began, time(session.ended), who,
          session.exit or -1))
      elseif place > 1 then
        print_field("resumed", ("%s by %s, did not end"):format(began, who))
      end
    end
  end

  -- Sorts the counts: operations in their order, each one's outcomes in theirs, items last.
  local function in_order(counts)
    local ranks, next_rank = {}, 0
    for _, count in ipairs(counts) do
      if count.operation and not ranks[count.operation] then
        next_rank = next_rank + 1
        ranks[count.operation] = next_rank
      end
    end
    for _, count in ipairs(counts) do
      count.rank = count.operation and ranks[count.operation] or next_rank + 1
    end
    table.sort(counts, function(one, other)
      if one.rank ~= other.rank then
        return one.rank < other.rank
      end
      return one.place < other.place
    end)
    return counts, next_rank > 0
  end

  local function show_counts(counts)
    local list = columns_of { "operation", 10, "outcome", 0, "changes", 0 }
    for _, count in ipairs(counts) do
      if host.wants_json then
        count.kind = count.operation and "changes" or "items"
        print_json(count.operation and COUNT or ITEM_COUNT, count)
      else
        list:add(count.operation or "items", outcome(count.outcome), host.number(count.count))
      end
    end
    list:finish()
  end

  local function for_json(row)
    row.image, row.body = json_line.raw(row.image), json_line.raw(row.body)
    return row
  end

  local function add_change(list, row)
    list:add((row.fallback and "otherwise " or "") .. row.operation, row.account or row.key,
      outcome(row.outcome), move(row), why(row), row.user, row.toolkit, row.line, row.request_id)
  end

  -- Shows how many items have each tag. Returns whether one of them is the tag that was
  -- asked for.
  local function show_tags(tags)
    local found = not host.tag
    local list = columns_of { "tag", 10, "items", 0 }
    for _, row in ipairs(tags) do
      found = found or row.tag == host.tag
      if host.wants_json then
        row.kind = "tag"
        print_json(TAG, row)
      else
        list:add(row.tag, host.number(row.items))
      end
    end
    list:finish()
    return found
  end

  -- Shows the items with the tag. Returns the set of their numbers.
  local function show_tagged(ledger, name)
    local shown, last = {}, 0
    local items
    local list = columns_of { "account", 0, "user", 6, "toolkit", 6, "status", 6, "why", 8 }
    repeat
      items = ledger:tagged(name, host.tag, last)
      for _, item in ipairs(items) do
        last = item.number
        shown[last] = true
        if host.wants_json then
          item.kind = "item"
          print_json(ITEM, item)
        else
          list:add(item.account or item.key, item.user, item.toolkit, item.status, item.reason)
        end
      end
    until #items == 0 or host.is_over()
    list:finish()
    return shown
  end

  -- items: the numbers of the items whose changes are shown; nil: all
  local function show_changes(ledger, name, items)
    local all = host.show_all or host.wants_json
    local list = columns_of {
      "operation", 9, "account", 0, "outcome", 9, "from and to", 17, "why", 8, "user", 6,
      "toolkit", 6, "line", 8, "request", 8,
    }
    local shown, more = 0, false
    for row in ledger:changes { run = name, previews = 1 } do
      local is_shown = not items or items[row.number >> PLACE_BITS]
      more = is_shown and not all and shown == FIRST_CHANGES
      if more or host.is_over() then
        break
      end
      shown = shown + (is_shown and 1 or 0)
      row.user = row.user or row.item_user
      if is_shown and host.wants_json then
        row.kind = "change"
        print_json(SHOWN_CHANGE, for_json(row))
      elseif is_shown then
        add_change(list, row)
      end
    end
    list:finish()
    if more then
      host.print "… and more (--show all)"
    end
  end

  local function show(ledger)
    local name = ledger:find(host.operand)
    local counts, has_changes = in_order(ledger:counts(name))
    local run = ledger:runs({ run = name })()
    if not run then
      error("the run is gone: " .. name, 0)
    end
    next_command.complete(run, host)
    local next_line = next_command.of_run(run, counts, host)
    local undo = can_be_undone(run, counts)
      and next_command.verb("undo", run.run, next_command.of_earlier(run, host))
      or nil
    if host.wants_json then
      run.kind, run.next, run.undo = "run", next_line, undo
      print_json(SHOWN_RUN, for_programs(run))
    else
      show_head(run)
    end
    show_sessions(ledger:sessions(name))
    if not host.wants_json then
      host.print ""
    end
    show_counts(counts)
    local tags, items = ledger:tags(name), nil
    if #tags > 0 and not host.wants_json then
      host.print ""
    end
    if not show_tags(tags) then
      error(("no item of run %s has the tag %s"):format(name, host.tag), 0)
    end
    if host.tag then
      if not host.wants_json then
        host.print ""
      end
      items = show_tagged(ledger, name)
    end
    if has_changes and not host.wants_json then
      host.print ""
    end
    show_changes(ledger, name, items)
    if host.wants_json or not (next_line or undo) then
      return 0
    end
    host.print ""
    if next_line then
      host.print("next: " .. next_line)
    end
    if undo then
      host.print("undo: " .. undo)
    end
    return 0
  end

  -- ---- history ----

  -- Logs why the table is empty.
  local function log_nothing_known(previews)
    if previews > 0 then
      host.log(("no run has changed %s; %s preview%s would have (--show all)"):format(host.operand,
        host.number(previews), previews == 1 and "" or "s"))
    else
      host.log(("no run in %s has changed %s"):format(host.state_dir, host.operand))
    end
  end

  local function history(ledger)
    local list = columns_of {
      "when", 0, "operation", 9, "from and to", 17, "outcome", 9, "why", 8, "by", 6, "line", 8,
      "run", 12,
    }
    local shown, previews = 0, 0
    ledger:gather(host.operand)
    for row in changes_of(ledger, { account = host.operand, previews = 1 }) do
      if row.mode == "preview" and not host.show_all then
        previews = previews + 1
      else
        shown = shown + 1
        row.user = row.item_user or row.user
        if host.wants_json then
          print_json(HISTORY_CHANGE, for_json(row))
        else
          list:add(time(row.at), row.operation, move(row), outcome(row.outcome), why(row),
            row.run and by(row), row.line, row.run or "(pruned)")
        end
      end
      if host.is_over() then
        break
      end
    end
    list:finish()
    if shown == 0 and not host.wants_json then
      log_nothing_known(previews)
    end
    return 0
  end

  -- ---- profiles ----

  -- Prints the options of the configuration file, one per line.
  local function profiles(given)
    local lines, path = given.profiles()
    local list = columns_of { "profile", 0, "option", 12, "value", 0 }
    for _, line in ipairs(lines) do
      if host.wants_json then
        print_json({ "profile", "name", "value" }, line)
      else
        list:add(line.profile, line.name, line.value)
      end
    end
    list:finish()
    if not lines[1] then
      host.log("no profiles: " .. (path == "" and "no home directory" or path .. " has none"))
    end
    return 0
  end

  -- Returns a verb that opens the ledger and shows something. Without a ledger the verb
  -- returns the exit code `code_without`.
  local function verb(show_it, code_without)
    return function(given)
      local ledger <close> = host.ledger()
      if not ledger then
        host.complain("no runs yet in " .. host.state_dir)
        return code_without
      end
      return show_it(ledger, given)
    end
  end

  local decide = resolve(host)
  return {
    profiles = profiles,
    runs = verb(runs, 0),
    show = verb(show, 2),
    history = verb(history, 0),
    resolve = verb(function(ledger, given)
      return decide(ledger, given.resolve)
    end, 2),
  }
end
