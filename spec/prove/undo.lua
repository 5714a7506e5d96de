-- Undo: random runs of changes, most of which can be undone; then another client changes
-- some of the accounts. What undo reports as restored must be as before the run, what
-- others changed must be left alone and reported, and a second undo must plan nothing.
-- A preview of undo writes nothing.
-- Usage: lua5.4 spec/prove/undo.lua [short | seed=N]
-- Must not know: how an undo is planned.
package.path = (arg[0]:match "^(.*)/spec/prove/[^/]*$" or ".") .. "/?.lua;" .. package.path
local cjson = require "cjson"
local generate = require "spec.prove.generate"
local oracle = require "spec.prove.oracle"
local planned = require "spec.prove.planned"
local stage = require "spec.prove.stage"

local TRIALS = 800 -- in full mode
local FEW = 6

stage.begin_random("undo", 2, "runs")
local state, script = stage.dir .. "/state", stage.dir .. "/chance.lua"
local path = stage.dir .. "/plan.jsonl"

local function run(emulator, verb, operand, more)
  return stage.shell(stage.command {
    verb = verb,
    operand = operand,
    state = state,
    url = emulator.url,
    more = stage.join({ "--retries", "0" }, stage.OPEN, more),
  })
end

local function acl_text(acl)
  local words = { tostring(acl.allow_all_users or false) }
  for _, name in ipairs { "allowed_user_ids", "not_allowed_user_ids" } do
    local ids = type(acl[name]) == "table" and acl[name] or {}
    table.sort(ids)
    words[#words + 1] = table.concat(ids, ",")
  end
  return table.concat(words, ";")
end

-- Returns all fields of all accounts that undo might have to restore.
local function picture(emulator)
  local accounts, cursor = {}, ""
  repeat
    local _, text = stage.api(
      emulator,
      "GET",
      "/connected_accounts?account_type=ALL&limit=100" .. cursor
    )
    local page = cjson.decode(text)
    for _, account in ipairs(page.items) do
      local experimental = account.experimental
      accounts[account.id] = {
        status = account.status,
        is_disabled = account.is_disabled,
        alias = account.alias ~= cjson.null and account.alias or "",
        acl = acl_text(experimental.acl_config_for_shared or {}),
      }
    end
    cursor = page.next_cursor ~= cjson.null and "&cursor=" .. page.next_cursor
  until not cursor
  return accounts
end

local ALL = { "status", "is_disabled", "alias", "acl" }

-- Returns true when the fields are equal, otherwise false and the name of one that differs.
local function same(one, other, fields)
  if not one or not other then
    return one == other, "existence"
  end
  for _, name in ipairs(fields or ALL) do
    if other[name] ~= one[name] then
      return false, name
    end
  end
  return true
end

-- Returns the accounts that the run really changed, and how.
local function done_of(mode)
  local done = {}
  local ledger = oracle.read(state .. "/ledger.db")
  for _, row in ipairs(ledger and ledger.changes or {}) do
    if row.mode == mode and row.account ~= "" and oracle.verdict(row) == "done" then
      local list = done[row.account] or {}
      done[row.account] = list
      list[#list + 1] = row.operation:match "[%w_]+$"
    end
  end
  return done
end

-- Another client changes some of them, and those must not be undone. A changed alias
-- matters only where the run changed the alias.
local function touch_some(emulator, random, done)
  local touched, percent, ids = {}, random(0, 20), {}
  for id in pairs(done) do
    ids[#ids + 1] = id
  end
  table.sort(ids)
  for _, id in ipairs(ids) do
    local account = emulator:ask("accounts/" .. id)
    if random(1, 100) <= percent and not account.deleted then
      if random(1, 2) == 1 then
        stage.api(emulator, "PATCH", "/connected_accounts/" .. id, { alias = "others " .. id })
        touched[id] = "alias"
      else
        local other = account.status == "EXPIRED" and "FAILED" or "EXPIRED"
        emulator:tell("accounts/" .. id .. "/set", { status = other })
        touched[id] = "status"
      end
      stage.note("accounts touched", 1)
    end
  end
  return touched
end

-- Returns the fields that each account's planned changes restore.
local function put_back(plan)
  local back = {}
  for _, change in ipairs(plan.changes) do
    local fields = back[change.account] or {}
    back[change.account] = fields
    if change.operation == "update" then
      fields[#fields + 1] = change.body.alias and "alias"
      fields[#fields + 1] = change.body.experimental and "acl"
    else
      table.move({ "status", "is_disabled" }, 1, 2, #fields + 1, fields)
    end
  end
  return back
end

local PLAIN = { enable = true, disable = true, update = true }
local BY_US = { ACTIVE = true, INACTIVE = true }

local function is_plain(operations)
  for _, operation in ipairs(operations or {}) do
    if not PLAIN[operation] then
      return false
    end
  end
  return true
end

-- Returns the fields that undo must restore. An account that the run created has no state
-- before it; where the run refreshed or revoked, undo restores a status in between.
local function fields_to_compare(id, fields, done, before)
  local kept, plain = {}, is_plain(done[id])
  for _, name in ipairs(before[id] and fields or {}) do
    if plain or name == "alias" or name == "acl" then
      kept[#kept + 1] = name
    end
  end
  return kept
end

local function check_undo(done, back, before, touched, after_touch, after, problems)
  for id, account in pairs(after) do
    local good, what
    if back[id] then
      local fields = fields_to_compare(id, back[id], done, before)
      good, what = same(before[id] or account, account, fields)
      if not good then
        problems[#problems + 1] = ("%s: undo left its %s other than before"):format(id, what)
      end
    else
      good, what = same(after_touch[id], account)
      if not good then
        problems[#problems + 1] = ("%s: undo did not plan it, but its %s changed"):format(id, what)
      end
    end
    if back[id] and touched[id] then
      good, what = same(after_touch[id], account, { touched[id] })
      if not good then
        problems[#problems + 1] = ("%s: others have changed its %s, undo too"):format(id, what)
      end
    end
  end
end

-- Accounts with only undoable changes, not touched by others since, must be as before. The
-- status is not compared where no operation can restore the one before.
local function check_missed(done, before, after, touched, problems)
  for id, operations in pairs(done) do
    local plain = not touched[id] and before[id] and is_plain(operations)
    local fields = plain and BY_US[before[id].status] and ALL or { "alias", "acl" }
    local good, what = same(before[id], after[id], fields)
    if plain and not good then
      local text = "%s: its %s is not as before (%s)"
      problems[#problems + 1] = text:format(id, what, table.concat(operations, " "))
    end
  end
end

-- Undo must report each status that the run and then another client changed, unless it is
-- back to what it was before the run.
local function check_told(done, touched, back, output, problems)
  local due, told = 0, math.tointeger(output:match "already as before the run: (%d+)" or 0)
  for reason, number in output:gmatch "not undone, (.-): (%d+) " do
    if reason:find "after the run" or reason:find "the run left it" then
      told = told + math.tointeger(number)
    end
  end
  for id, what in pairs(touched) do
    local ours = false
    for _, operation in ipairs(done[id]) do
      ours = ours or (what == "status" and (operation == "enable" or operation == "disable"))
    end
    due = due + (ours and not back[id] and 1 or 0)
  end
  if told < due then
    problems[#problems + 1] = ("others changed %d, told are %d\n%s"):format(due, told, output)
  end
  stage.note("told of", due)
end

local function trial(seed)
  local random = stage.random(seed)
  local count = tostring(random(30, 200))
  local emulator = stage.emulator { "--accounts", count, "--seed", tostring(random(1, 1 << 30)) }
  local problems = {}
  local function say(text, output)
    problems[#problems + 1] = text .. (output and "\n" .. output:sub(1, 2500) or "")
  end
  stage.wipe(state)
  local before, ids = picture(emulator), {}
  for id in pairs(before) do
    ids[#ids + 1] = id
  end
  table.sort(ids)
  stage.write(
    script,
    generate.script(random, {
      reversible = random(1, 3) > 1,
      straight = true,
      creates = random(1, 3) == 1,
      ids = ids,
      secret = stage.SECRET,
    })
  )
  run(emulator, "run", script, { "--save-plan", path, "--delete-active" })
  local plan = planned.read(path)
  run(emulator, "run", script, { "--apply", "--delete-active", "--confirm", plan.confirm })
  local name = stage.newest_run(state)
  local done = done_of "apply"
  local touched = touch_some(emulator, random, done)
  local after_touch = picture(emulator)
  emulator:forget()

  local output, code = run(emulator, "undo", name, { "--save-plan", path })
  if #stage.writes(emulator) > 0 then
    say("the preview of the undo has written", output)
  elseif code ~= 0 then
    say(("preview of undo: exit %d"):format(code), output)
  end
  plan = planned.read(path)
  stage.note("put back", #plan.changes)
  output, code = run(emulator, "undo", name, { "--apply" })
  if code ~= 0 then
    say(("undo: exit %d"):format(code), output)
  end
  if #stage.writes(emulator) ~= plan.last.changes then
    say(("undo planned %d, sent %d"):format(plan.last.changes, #stage.writes(emulator)), output)
  end
  local after = picture(emulator)
  check_undo(done, put_back(plan), before, touched, after_touch, after, problems)
  check_missed(done, before, after, touched, problems)
  check_told(done, touched, put_back(plan), output, problems)
  emulator:forget()
  output, code = run(emulator, "undo", name, { "--apply" })
  if #stage.writes(emulator) > 0 or code ~= 0 then
    say(("undone twice: exit %d, %d sent"):format(code, #stage.writes(emulator)), output)
  end
  emulator:stop()
  stage.point(problems, ("seed=%d"):format(seed))
end

stage.each_seed(FEW, TRIALS, trial)
stage.finish "runs"
