-- Bulks whose items have two or three changes, in all orders of six operations, some with
-- an `otherwise`; each reply is right, a refusal, lost, or a 5xx, and what was lost may have
-- been carried out. After the run, after each command that is printed after `next:`, and
-- after an undo: the verdicts, what is shown and the accounts agree with the emulator's
-- record, and a fallback is carried out only after its change failed.
-- Usage: spec/lua spec/prove/fallbacks.lua [short | seed=N]
-- Must not know: how the program decides on a verdict.
package.path = (arg[0]:match "^(.*)/spec/prove/[^/]*$" or ".") .. "/?.lua;" .. package.path
local cjson = require "cjson"
local stage = require "spec.prove.stage"

local TRIALS = 12 -- in full mode; each has every order once
local ITEMS = 36 -- of one run
local STEPS = 8

local OPERATIONS = { "disable", "enable", "revoke", "delete", "update", "refresh" }
local FALLBACKS = { "disable", "enable", "revoke", "delete", "refresh" } -- need only an id
local REQUESTS = {
  disable = { "PATCH", "*/%s/status*" }, enable = { "PATCH", "*/%s/status*" },
  update = { "PATCH", "*/%s" }, refresh = { "POST", "*/%s/refresh*" },
  revoke = { "POST", "*/%s/revoke*" }, delete = { "DELETE", "*/%s" },
}
local LOGGED = { update = "alias" }
local BECOMES = { disable = "INACTIVE", enable = "ACTIVE", revoke = "REVOKED" }

stage.begin_random("fallbacks", 2, "items")
local emulator = stage.emulator()
local state, summary = stage.dir .. "/state", stage.dir .. "/summary.json"
local script = stage.dir .. "/fallbacks.lua"

-- ---- what is planned, and what happens to it ----

local function orders()
  local all = {}
  for _, first in ipairs(OPERATIONS) do
    for _, second in ipairs(OPERATIONS) do
      all[#all + 1] = { first, second }
      for _, third in ipairs(OPERATIONS) do
        all[#all + 1] = { first, second, third }
      end
    end
  end
  return all
end

local function shuffle(random, list)
  for last = #list, 2, -1 do
    local place = random(1, last)
    list[place], list[last] = list[last], list[place]
  end
  return list
end

-- Returns an item's steps: { operation, fallback or nil } each.
local function steps_of(random, order)
  local steps = {}
  for place, operation in ipairs(order) do
    local fallback = random(1, 3) > 1 and FALLBACKS[random(1, #FALLBACKS)] or nil
    steps[place] = { operation, fallback ~= operation and fallback or nil }
  end
  return steps
end

local REFUSAL = { error = { message = "not this one", code = 600, slug = "X", status = 400 } }

local function rule_of(random, operation, id)
  local method, path = table.unpack(REQUESTS[operation])
  local rule = { method = method, path = path:format(id), times = 1 }
  local kind = random(1, 10)
  if kind <= 3 then
    rule.action, rule.delay_ms = "delay", 0
  elseif kind <= 6 then
    rule.action, rule.status, rule.body = "reply", 400, REFUSAL
  elseif kind <= 8 then
    rule.action = kind == 7 and "close" or "apply_then_close"
  else
    rule.action, rule.status = kind == 9 and "reply" or "apply_then_reply", random(500, 504)
    rule.body = "<html>not now</html>"
  end
  return rule
end

local function rules_of(random, plan)
  local rules = {}
  for id, steps in pairs(plan) do
    for _, step in ipairs(steps) do
      rules[#rules + 1] = rule_of(random, step[1], id)
      rules[#rules + 1] = step[2] and rule_of(random, step[2], id) or nil
    end
  end
  return rules
end

local function script_of(ids, plan)
  local lines = {}
  for _, id in ipairs(ids) do
    local words = {}
    for place, step in ipairs(plan[id]) do
      words[place] = ("{ %q, %s }"):format(step[1], step[2] and ("%q"):format(step[2]) or "nil")
    end
    lines[#lines + 1] = ("  [%q] = { %s },"):format(id, table.concat(words, ", "))
  end
  local quoted = {}
  for place, id in ipairs(ids) do
    quoted[place] = ("%q"):format(id)
  end
  return ([==[
local composio = require "composio"
composio.job { may = "irreversible" }
local plan = {
%s
}
composio.bulk("all", { %s }, function(account)
  for place, step in ipairs(plan[account.id]) do
    local options = { otherwise = step[2] }
    if step[1] == "update" then
      options.alias = "a" .. place .. account.id:sub(-8)
    elseif step[1] == "refresh" then
      options.even_if_active = true
    end
    account[step[1]](account, options)
  end
end)
]==]):format(table.concat(lines, "\n"), table.concat(quoted, ", "))
end

-- ---- what the record says ----

-- The service's changes of each account after one another, from its change `from` on.
local function records(from)
  local of = {}
  for _, change in ipairs(stage.changes(emulator)) do
    local operation = change.op == "alias" and "update" or change.op
    if change.seq >= from and change.account_id and REQUESTS[operation] then
      of[change.account_id] = of[change.account_id] or {}
      table.insert(of[change.account_id], change)
    end
  end
  return of
end

local NEVER = { failed = true, skipped = true, same = true, stale = true, ["not tried"] = true,
  planned = true }

local function text_of(row)
  return ("%s %s %s"):format(row.word, row.fallback and "otherwise " .. row.operation
    or row.operation, row.account)
end

local function count_of(record, from, op)
  local count = 0
  for place = from, #record do
    count = count + (record[place].op == op and 1 or 0)
  end
  return count
end

-- Takes from the record what this row did; says when the two disagree.
local function take(row, record, is, later, say)
  local op = LOGGED[row.operation] or row.operation
  local found = record[is.at] and record[is.at].op == op
  if NEVER[row.word] then
    return
  elseif row.word == "done" and not found then
    local is_so = BECOMES[row.operation] == is.status
      or row.operation == "delete" and not is.status
    if not is_so then
      say("called done, but not carried out: " .. text_of(row))
    end
  elseif found then
    row.happened = true
    repeat -- what does no harm may have been sent again after a lost reply
      is.status = record[is.at].after ~= cjson.null and record[is.at].after or nil
      is.at = is.at + 1
      local spare = count_of(record, is.at, op) > later
      local harmless = op == "alias" or op == "revoke"
    until not (harmless and spare and record[is.at] and record[is.at].op == op)
  end
end

-- How many changes of the operation may have been carried out after this one.
local function count_later(rows, place)
  local count = 0
  for later = place + 1, #rows do
    local row = rows[later]
    if row.operation == rows[place].operation and not NEVER[row.word] then
      count = count + 1
    end
  end
  return count
end

-- The worst of an item's changes; a fallback that was tried counts instead of its change.
local RANK = { same = 1, done = 2, skipped = 3, planned = 4, ["not tried"] = 5, stale = 7,
  failed = 8, intended = 9, unknown = 10 }

local function verdict_of(rows)
  local words, tried = {}, { planned = false, ["not tried"] = false, skipped = false }
  for _, row in ipairs(rows) do
    if not row.fallback then
      words[#words + 1] = row.word
    elseif words[#words] == "failed" and tried[row.word] == nil then
      words[#words] = row.word
    end
  end
  local worst = words[1]
  for _, word in ipairs(words) do
    worst = RANK[word] > RANK[worst] and word or worst
  end
  return worst
end

-- One account's changes in order: the states that the plan supposes, and who may be sent.
local function check_item(rows, record, say)
  local is, before, ended = { at = 1, status = rows[1].was }, nil, false
  for place, row in ipairs(rows) do
    local due = not row.fallback or before.word == "failed"
    local wanted = BECOMES[row.operation]
    if row.word == "same" and due and not ended and wanted and wanted ~= is.status then
      say(("called the same, but the account is %s: %s"):format(is.status, text_of(row)))
    end
    take(row, record, is, count_later(rows, place), say)
    if row.happened and row.fallback and before.word ~= "failed" then
      say(("carried out, though its change is %s: %s"):format(before.word, text_of(row)))
    elseif row.happened and ended then
      say("carried out, though its item had ended: " .. text_of(row))
    elseif not row.fallback and before and before.word ~= "done" and before.word ~= "same" then
      ended = true
    end
    -- a fallback that was tried stands for its change
    if not row.fallback or due and row.word ~= "not tried" and row.word ~= "planned" then
      before = row
    end
  end
  if record[is.at] then
    say(("carried out, but called otherwise: %s %s"):format(record[is.at].op, rows[1].account))
  end
end

-- ---- what the program says ----

local function show(name)
  local output = stage.shell(stage.command {
    verb = "show", operand = name, state = state, url = emulator.url, more = { "--json" },
  })
  local rows, items = {}, {}
  for line in output:gmatch "[^\n]+" do
    local object = line:find "^{" and cjson.decode(line) or {}
    if object.kind == "change" then
      object.word = object.outcome:gsub("_", " ")
      object.was = object.before ~= cjson.null and object.before or nil
      rows[object.key] = rows[object.key] or {}
      table.insert(rows[object.key], object)
    elseif object.kind == "items" then
      items[object.outcome:gsub("_", " ")] = object.count
    end
  end
  return rows, items, output
end

-- What leads to a contradiction: the item's changes, and the service's record.
local function history_of(rows, record)
  local words = {}
  for _, row in ipairs(rows) do
    words[#words + 1] = text_of(row):gsub(" ca_%S+", "")
  end
  local ops = {}
  for place, change in ipairs(record) do
    ops[place] = ("%s → %s"):format(change.op, change.after)
  end
  return (" (was %s: %s; the service: %s)"):format(rows[1].was, table.concat(words, ", "),
    table.concat(ops, ", "))
end

-- Do the changes of a run agree with the record from `seen` on? Returns the run's rows.
local function check_run(name, of, said, say)
  local rows, items = show(name)
  local counts = {}
  for id, list in pairs(rows) do
    check_item(list, of[id] or {}, function(text)
      say(text .. history_of(list, of[id] or {}))
    end)
    local word = verdict_of(list)
    counts[word] = (counts[word] or 0) + 1
    for _, row in ipairs(list) do
      stage.note(row.word, 1)
    end
  end
  for word in pairs(RANK) do
    local shown, counted = items[word] or 0, counts[word] or 0
    if shown ~= counted then
      say(("show: %d items %s, and by their changes %d"):format(shown, word, counted))
    end
    local outcome = said and said.outcomes[word]
    if outcome and outcome ~= counted then
      say(("summary: %d items %s, and by their changes %d"):format(outcome, word, counted))
    end
  end
  return rows
end

-- ---- the sweep ----

-- Types a command as it was printed, but does not let it settle for the default five
-- minutes. Returns its summary, its output and its exit code.
local function type_command(line)
  os.remove(summary)
  local words = line:gsub("^composio%-lua ", "")
  if not words:find("--summary", 1, true) then
    words = words .. " --summary " .. stage.quote(summary)
  end
  if not words:find("--settle-wait", 1, true) then
    words = words .. " --settle-wait 1s"
  end
  local output, code = stage.shell(("COMPOSIO_BASE_URL=%s COMPOSIO_API_KEY=%s %s %s"):format(
    emulator.url, stage.API_KEY, stage.quote(stage.server.build .. "/composio-lua"), words))
  local text = stage.read(summary)
  return text ~= "" and cjson.decode(text) or {}, output, code
end

-- Types what is printed after `next:`, and compares after each command; `from`: the number
-- of the service's first change that the run can have made. Returns the run's name.
local function follow(said, from, problems)
  local steps, typed, name = 0, nil, nil
  while type(said.next) == "string" and steps < STEPS and said.next ~= typed do
    typed, steps = said.next, steps + 1
    emulator:tell("clock/advance", { seconds = 700 })
    local output, code
    said, output, code = type_command(typed)
    local list = {}
    if said.mode == "apply" then
      name = said.run
      check_run(name, records(from), said, function(text)
        list[#list + 1] = text
      end)
    end
    if #list > 0 then
      list[#list + 1] = ("step %d, exit %d: %s\n%s"):format(steps, code, typed, output:sub(1, 3000))
    end
    table.move(list, 1, #list, #problems + 1, problems)
  end
  return name
end

local function undo(name, problems)
  local changes = stage.changes(emulator)
  local from = changes[1] and changes[#changes].seq + 1 or 0
  local said = type_command(("composio-lua undo %s --state-dir %s --settle-wait 0s %s")
    :format(name, stage.quote(state), table.concat(stage.OPEN, " ")))
  stage.note("undone", follow(said, from, problems) and 1 or 0)
end

local function run_items(random, some, how)
  emulator:faults()
  emulator:reset()
  local ids, plan = {}, {}
  for place, account in ipairs(shuffle(random, stage.accounts(emulator))) do
    ids[place] = account.id
  end
  for place, order in ipairs(some) do
    plan[ids[place]] = steps_of(random, order)
  end
  ids = table.move(ids, 1, #some, 1, {})
  stage.wipe(state)
  stage.write(script, script_of(ids, plan))
  local wait = random(0, 1)
  local said, output = type_command(table.concat({
    "composio-lua run", stage.quote(script), "--state-dir", stage.quote(state), "--delete-active",
    "--retries", tostring(random(0, 1)), "--timeout 2s --settle-wait", wait .. "s",
    table.concat(stage.OPEN, " "),
  }, " "))
  local problems = {}
  emulator:faults(rules_of(random, plan))
  local name = follow(said, 0, problems)
  if not name then
    problems[1] = "it did not run: " .. output
  elseif random(1, 2) == 1 then
    undo(name, problems)
  end
  stage.count = stage.count + #some - 1
  stage.point(problems, how)
end

local function trial(seed)
  local random = stage.random(seed)
  local list = shuffle(random, orders())
  local last = stage.short and 2 * ITEMS or #list
  for first = 1, last, ITEMS do
    local some = table.move(list, first, math.min(first + ITEMS - 1, #list), 1, {})
    run_items(random, some, ("seed=%d, orders from %d"):format(seed, first))
  end
end

stage.each_seed(1, TRIALS, trial)
emulator:stop()
stage.finish "items"
