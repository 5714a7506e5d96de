-- Every guard just below, at and above its limit, over random plans. Beyond the limit the
-- run must exit with 4 and send no request that writes; at the limit it must write. Both
-- the script with --apply and its saved plan are run. Protected accounts are never changed.
-- Usage: lua5.4 spec/prove/guards.lua [short | seed=N]
-- Must not know: how the program computes limits.
package.path = (arg[0]:match "^(.*)/spec/prove/[^/]*$" or ".") .. "/?.lua;" .. package.path
local cjson = require "cjson"
local generate = require "spec.prove.generate"
local planned = require "spec.prove.planned"
local stage = require "spec.prove.stage"

local TRIALS = 150 -- in full mode, of some twelve runs each
local FEW = 2

stage.begin_random("guards", 2, "runs")
local state, script = stage.dir .. "/state", stage.dir .. "/chance.lua"
local path, list = stage.dir .. "/plan.jsonl", stage.dir .. "/protect"
local emulator, plan, how

local function number(value)
  return ("%d"):format(value)
end

-- Returns options that stay within every limit, some of them replaced.
local function words(other)
  local all = {
    ["--max-changes"] = number(plan.last.changes),
    ["--max-percent"] = "100",
    ["--confirm"] = plan.last.irreversible > 0 and number(plan.last.irreversible) or nil,
  }
  for name, value in pairs(other) do
    all[name] = value or nil
  end
  local line = { "--retries", "0" }
  for name, value in pairs(all) do
    line[#line + 1] = name
    line[#line + 1] = value
  end
  return line
end

local function carry_out(verb, more)
  stage.wipe(state)
  emulator:reset()
  return stage.shell(stage.command {
    verb = verb,
    operand = verb == "run" and script or path,
    state = state,
    url = emulator.url,
    more = stage.join(verb == "run" and { "--apply" } or {}, more),
  })
end

-- Counts the accounts that were ACTIVE when they were deleted.
local function count_deleted_active()
  local count = 0
  for _, change in ipairs(stage.changes(emulator)) do
    count = count + (change.op == "delete" and change.before == "ACTIVE" and 1 or 0)
  end
  return count
end

-- Runs both verbs with these options: is each refused as expected?
local function try(name, refused, other, delete_active)
  for _, verb in ipairs { "run", "apply" } do
    local more = words(other)
    if delete_active ~= false then
      more[#more + 1] = "--delete-active"
    end
    local output, code = carry_out(verb, more)
    local writes, problems = stage.writes(emulator), {}
    if refused and (code ~= 4 or #writes > 0) then
      problems[1] = ("to be refused: exit %d, %d sent\n%s"):format(code, #writes, output)
    elseif refused and not output:find "refused" then
      problems[1] = "refused, and does not say so\n" .. output
    elseif delete_active == false and count_deleted_active() > 0 then
      problems[1] = "without --delete-active, ACTIVE accounts were deleted\n" .. output
    elseif not refused and ((code ~= 0 and code ~= 3) or #writes == 0) then
      problems[1] = ("within its limits: exit %d, %d sent\n%s"):format(code, #writes, output)
    end
    stage.note(refused and "refused" or "allowed", 1)
    stage.point(problems, ("%s, %s, %s"):format(how, verb, name))
  end
end

local function percent_of(count, total, step)
  return ("%.4f"):format(count * 100 / total + step)
end

-- Returns the accounts that the lines of a protect file match.
local function protects(lines, item)
  for _, line in ipairs(lines) do
    local user, toolkit = line:match "^user:(.*)", line:match "^toolkit:(.*)"
    if line == item.account or user == item.user or (toolkit and toolkit == item.toolkit) then
      return true
    end
  end
  return false
end

local function try_protect(random, ids_only)
  local lines = {}
  for _, item in ipairs(plan.items) do
    if item.account and random(1, 3) == 1 then
      local kind = ids_only and 1 or random(1, 3)
      lines[#lines + 1] = kind == 1 and item.account
        or kind == 2 and "user:" .. item.user
        or "toolkit:" .. item.toolkit
    end
  end
  local safe, left = {}, 0
  for _, item in ipairs(plan.items) do
    if item.account and protects(lines, item) then
      safe[item.account] = true
    else
      for _, change in ipairs(item.changes) do
        left = left + (change.class == "irreversible" and 1 or 0)
      end
    end
  end
  stage.write(list, table.concat(lines, "\n") .. "\n")
  for _, verb in ipairs { "run", "apply" } do
    local count = verb == "run" and left or plan.last.irreversible
    local confirm = count > 0 and number(count) or false
    local more = words { ["--protect"] = list, ["--confirm"] = confirm }
    more[#more + 1] = "--delete-active"
    local output, code = carry_out(verb, more)
    local problems = {}
    for _, request in ipairs(stage.writes(emulator)) do
      local id = request.path:match "/(ca_[^/?]+)"
      if safe[id] then
        problems[#problems + 1] = "protected, but sent: " .. request.text
      end
    end
    if code ~= 0 and code ~= 3 and code ~= 4 then
      problems[#problems + 1] = ("exit %d\n%s"):format(code, output)
    elseif verb == "run" and code == 4 then
      problems[#problems + 1] = "protected accounts are left out of a plan, not refused\n" .. output
    end
    stage.note("protected", 1)
    stage.point(problems, ("%s, %s, protect %d"):format(how, verb, #lines))
  end
end

local function some_ids()
  local _, text = stage.api(emulator, "GET", "/connected_accounts?limit=60&account_type=ALL")
  local ids = {}
  for place, account in ipairs(cjson.decode(text).items) do
    ids[place] = account.id
  end
  return ids
end

-- Only one bulk: with several, the first is carried out before the next is planned.
local function make_plan(random, seed, may)
  local text
  text = generate.script(random, { bulks = 1, ids = some_ids(), may = may, secret = stage.SECRET })
  stage.write(script, text)
  stage.wipe(state)
  stage.shell(stage.command {
    script = script,
    state = state,
    url = emulator.url,
    more = stage.join({ "--save-plan", path, "--delete-active" }, stage.OPEN),
  })
  how = ("seed=%d"):format(seed)
  return planned.read(path)
end

-- A script that declares a lower class than it plans.
local function try_may(random)
  local text = stage.read(script)
  local less = plan.last.irreversible > 0 and ({ "read", "reversible" })[random(1, 2)] or "read"
  stage.write(script, (text:gsub('may = "%a+"', ('may = "%s"'):format(less))))
  local output, code = carry_out("run", stage.join(words {}, { "--delete-active" }))
  local writes = stage.writes(emulator)
  local problems = {}
  if code ~= 4 or #writes > 0 then
    problems[1] = ("may = %s: exit %d, %d sent\n%s"):format(less, code, #writes, output)
  end
  stage.note("refused", 1)
  stage.point(problems, how .. ", may")
  stage.write(script, text)
end

local function count_active_deletes()
  local count = 0
  for _, item in ipairs(plan.items) do
    local status = item.status
    for _, change in ipairs(item.changes) do
      if change.operation == "disable" and not change.fallback and status == "ACTIVE" then
        status = "INACTIVE"
      elseif change.operation == "enable" and status == "INACTIVE" then
        status = "ACTIVE" -- the sent change may be a fallback
      elseif change.operation == "revoke" then
        status = "REVOKED"
      elseif change.operation == "delete" and status == "ACTIVE" then
        count = count + 1
      end
    end
  end
  return count
end

local function trial(seed)
  local random = stage.random(seed)
  local total = random(60, 300)
  emulator = stage.emulator { "--accounts", number(total), "--seed", number(random(1, 1 << 30)) }
  plan = make_plan(random, seed)
  if plan.last.changes > 1 then
    local changes, irreversible = plan.last.changes, plan.last.irreversible
    try("within all", false, {})
    try("max-changes - 1", true, { ["--max-changes"] = number(changes - 1) })
    try("max-changes + 1", false, { ["--max-changes"] = number(changes + 1) })
    if changes < total then
      try("percent below", true, { ["--max-percent"] = percent_of(changes, total, -0.001) })
      try("percent above", false, { ["--max-percent"] = percent_of(changes, total, 0.001) })
    end
    if irreversible > 0 then
      try("confirm - 1", true, { ["--confirm"] = number(irreversible - 1) })
      try("confirm + 1", true, { ["--confirm"] = number(irreversible + 1) })
      try("confirm missing", true, { ["--confirm"] = false })
    end
    if count_active_deletes() > 0 then
      try("no --delete-active", true, {}, false)
    elseif irreversible > 0 then
      try("nothing ACTIVE to delete", false, {}, false)
    end
    try_protect(random, seed % 2 == 0)
    try_may(random)
  end
  emulator:stop()
end

stage.each_seed(FEW, TRIALS, trial)
stage.finish "runs"
