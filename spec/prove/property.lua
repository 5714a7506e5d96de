-- Plan = apply: random projects and scripts, with up to three accounts in ten changed by
-- somebody else between preview and apply. The requests sent must be exactly the planned
-- changes without those reported stale. An account whose precondition was broken must not
-- be changed, and no other may be called stale. A preview sends no request that writes.
-- Every second trial runs the script again with --apply, without changes by others.
-- Usage: lua5.4 spec/prove/property.lua [short | seed=N]
-- Must not know: how a plan is carried out.
package.path = (arg[0]:match "^(.*)/spec/prove/[^/]*$" or ".") .. "/?.lua;" .. package.path
local cjson = require "cjson"
local generate = require "spec.prove.generate"
local oracle = require "spec.prove.oracle"
local planned = require "spec.prove.planned"
local stage = require "spec.prove.stage"

local TRIALS = 1000 -- in full mode
local FEW = 8
local STATUSES = { "ACTIVE", "INACTIVE", "EXPIRED", "FAILED", "REVOKED" }

stage.begin_random("property", 2, "runs")
local state, script = stage.dir .. "/state", stage.dir .. "/chance.lua"
local path = stage.dir .. "/plan.jsonl"

local function run(emulator, verb, operand, more)
  return stage.shell(stage.command {
    verb = verb,
    operand = operand,
    state = state,
    url = emulator.url,
    more = stage.join({ "--retries", "0", "--delete-active" }, stage.OPEN, more),
  })
end

-- Changes one account; returns how much that matters to a plan for it.
local function touch(emulator, random, item)
  local id = item.account
  local before = emulator:ask("accounts/" .. id)
  local kind = random(1, 4)
  if kind == 1 then
    emulator:tell("accounts/" .. id .. "/set", { status = STATUSES[random(1, #STATUSES)] })
  elseif kind == 2 then
    stage.api(emulator, "DELETE", "/connected_accounts/" .. id)
  elseif kind == 3 then
    local body = { alias = "meanwhile " .. random(1, 1000000) }
    stage.api(emulator, "PATCH", "/connected_accounts/" .. id, body)
  else
    emulator:tell("accounts/" .. id .. "/set", { updated_at = "2026-01-02T03:04:05Z" })
  end
  local after = emulator:ask("accounts/" .. id)
  if after.deleted or before.status ~= after.status or before.is_disabled ~= after.is_disabled then
    return "much"
  end
  return before.alias ~= after.alias and "alias" or "little"
end

local function touch_some(emulator, random, plan)
  local touched, percent = {}, random(0, 3) * 10
  for _, item in ipairs(plan.items) do
    if item.account and not touched[item.account] and random(1, 100) <= percent then
      touched[item.account] = touch(emulator, random, item)
      stage.note("accounts touched", 1)
    end
  end
  return touched
end

local function some_ids(emulator)
  local _, text = stage.api(emulator, "GET", "/connected_accounts?limit=60&account_type=ALL")
  local ids = {}
  for place, account in ipairs(cjson.decode(text).items) do
    ids[place] = account.id
  end
  return ids
end

-- Returns the rows of the run that wrote, each with its verdict.
local function rows_of_apply()
  local rows = {}
  local ledger = oracle.read(state .. "/ledger.db")
  for _, row in ipairs(ledger and ledger.changes or {}) do
    if row.mode == "apply" then
      row.word = oracle.verdict(row)
      rows[#rows + 1] = row
    end
  end
  return rows
end

local function expected_exit(plan)
  local worst = 0
  for _, change in ipairs(plan.changes) do
    local after = change.item.changes
    local made_good
    for place, other in ipairs(after) do
      if other == change and after[place + 1] and after[place + 1].fallback then
        made_good = after[place + 1].word == "done" or after[place + 1].word == "same"
      end
    end
    if change.word == "stale" or (change.word == "failed" and not made_good) then
      worst = 3
    end
  end
  return worst
end

local function preview(emulator, problems)
  local output, code = run(emulator, "run", script, { "--save-plan", path })
  if #stage.changes(emulator) > 0 or #stage.writes(emulator) > 0 then
    problems[#problems + 1] = "the preview has written"
  end
  if code ~= 0 and code ~= 3 then
    problems[#problems + 1] = ("preview: exit %d\n%s"):format(code, output:sub(1, 2000))
    return nil
  end
  return planned.read(path), output, code
end

local function trial(seed)
  local random = stage.random(seed)
  local count = tostring(random(30, 260))
  local emulator = stage.emulator { "--accounts", count, "--seed", tostring(random(1, 1 << 30)) }
  local again = random(1, 2) == 1 -- the script, not the plan
  local problems = {}
  stage.wipe(state)
  stage.write(
    script,
    generate.script(random, {
      disjoint = again or random(1, 2) == 1,
      straight = true,
      creates = not again, -- a later bulk would select what an earlier one made
      ids = some_ids(emulator),
      secret = stage.SECRET,
    })
  )
  emulator:forget()
  local plan, _, preview_code = preview(emulator, problems)
  if plan and #plan.changes > 0 then
    local touched = again and {} or touch_some(emulator, random, plan)
    local confirm = { "--confirm", ("%d"):format(plan.last.irreversible) }
    stage.changes(emulator)
    emulator:forget()
    local output, code
    if again then
      confirm = { "--confirm", plan.confirm }
      output, code = run(emulator, "run", script, stage.join({ "--apply" }, confirm))
    else
      output, code = run(emulator, "apply", path, confirm)
    end
    local writes, fits = stage.writes(emulator), 0
    if plan.last.changes > 0 or again then
      local said = planned.compare(plan, writes, rows_of_apply(), touched)
      table.move(said, 1, #said, #problems + 1, problems)
      fits = math.max(expected_exit(plan), again and preview_code or 0)
      if again and output:find "failed  action" then
        fits = 3 -- an id that an earlier bulk of the script has deleted
      end
    elseif #writes > 0 then -- an empty plan: there is no run to compare
      problems[#problems + 1] = "nothing to do, but it has written"
    end
    if code ~= fits then
      problems[#problems + 1] = ("exit %d, where %d fits"):format(code, fits)
    end
    if #problems > 0 then
      problems[#problems + 1] = output:sub(1, 3000)
    end
    stage.note("changes planned", #plan.changes)
    for _, change in ipairs(plan.changes) do
      stage.note(change.word or "nothing to do", 1)
    end
  elseif plan then
    stage.note("empty plans", 1)
  end
  emulator:stop()
  stage.point(problems, ("seed=%d, %s"):format(seed, again and "run" or "apply"))
end

stage.each_seed(FEW, TRIALS, trial)
stage.finish "runs"
