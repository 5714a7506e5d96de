-- Random files of --protect against random selections: filters, ids, and tables that lie
-- about user, toolkit and status. By the service's own record nothing protected is ever
-- changed; a line of a wrong kind refuses the file before any request; and the lines that
-- matched no account of the run are counted at its end.
-- Usage: spec/lua spec/prove/protect.lua [short | seed=N]
-- Must not know: how lines are parsed, how the program looks accounts up.
package.path = (arg[0]:match "^(.*)/spec/prove/[^/]*$" or ".") .. "/?.lua;" .. package.path
local stage = require "spec.prove.stage"

local TRIALS = 100 -- in full mode, of a hundred runs each
local FEW = 1
local RUNS = 100

stage.begin_random("protect", 4, "runs")
local state, script = stage.dir .. "/state", stage.dir .. "/protect.lua"
local list = stage.dir .. "/never"

local WRONG = {
  "ops@example.com", "user_123", "id,user", 'user:"%s"', "user:%s # note", "toolkit:", "user: ",
  'toolkit:"slack"', "ca_abc;", "User:%s", "user=%s", "slack", "ca_\u{200B}abc", "id:%s", "-",
}
local BLANK = { "", "  ", "# a comment", "#", "# user:nobody" }
local NOBODY = { "user:nobody at all", "toolkit:no-such-tool", "ca_NoSuchAccount", "id:ca_None" }
local CALLS = {
  "account:disable()",
  'account:update { alias = "a" .. account.id:sub(-6) }',
  'account:update({ alias = "b" .. account.id:sub(-6), otherwise = "disable" })',
  "account:delete()",
  "accounts.disable(account)",
  "accounts.delete(account.id)",
}
local STATUSES = { "ACTIVE", "EXPIRED", "FAILED", "INACTIVE" }

local function pick(random, choices)
  return choices[random(1, #choices)]
end

-- A line, and what it protects: id, user or toolkit; or "wrong".
local function make_line(random, all)
  local account, kind = pick(random, all), random(1, 40)
  if kind == 1 then
    return pick(random, WRONG):gsub("%%s", (account.user_id:gsub("%%", "%%%%"))), { wrong = true }
  elseif kind <= 6 then
    return pick(random, BLANK), {}
  elseif kind <= 9 then
    return pick(random, NOBODY), { idle = true }
  elseif kind <= 20 then
    return pick(random, { "", "id:", "  " }) .. account.id, { id = account.id }
  elseif kind <= 32 then
    return "user:" .. account.user_id, { user = account.user_id }
  end
  local slug = account.toolkit.slug
  return pick(random, { "toolkit:", "toolkit: " }) .. pick(random, { slug, slug:upper() }),
    { toolkit = slug }
end

local function make_file(random, all)
  local lines, rules, wrong = {}, {}, false
  for place = 1, random(1, 8) do
    lines[place], rules[place] = make_line(random, all)
    wrong = wrong or rules[place].wrong
  end
  local ending = pick(random, { "\n", "\r\n" })
  local bom = random(1, 8) == 1 and "\u{FEFF}" or ""
  return bom .. table.concat(lines, ending) .. ending, rules, wrong
end

local function is_protected(rules, account)
  for _, rule in ipairs(rules) do
    if rule.id == account.id or rule.user == account.user_id
      or rule.toolkit == account.toolkit.slug then
      return true
    end
  end
  return false
end

-- Returns the text of a selection, and whether it is rows, which are no accounts.
local function make_source(random, all)
  local kind = random(1, 4)
  if kind == 1 then
    return ("accounts.each { statuses = { %q }, account_type = 'ALL' }"):format(
      pick(random, STATUSES))
  elseif kind == 2 then
    return ("accounts.each { toolkit_slugs = { %q } }"):format(pick(random, all).toolkit.slug)
  end
  local words, seen = {}, {}
  for _ = 1, random(1, 12) do
    local id = pick(random, all).id
    if not seen[id] then
      words[#words + 1] = kind == 3 and ("%q"):format(id)
        or ("{ id = %q, user_id = 'nobody', status = 'INACTIVE', toolkit = { slug = 'none' } }")
          :format(id)
    end
    seen[id] = true
  end
  return "{ " .. table.concat(words, ", ") .. " }", kind == 4
end

local function make_script(random, all)
  local source, is_rows = make_source(random, all)
  local call = pick(random, CALLS)
  if is_rows then -- a table of the script's has no methods
    call = pick(random, { "accounts.disable(account)", "accounts.delete(account)",
      "accounts.update(account, { alias = 'c' .. account.id:sub(-6) })" })
  end
  return ([[
    local composio = require "composio"
    local accounts = composio.connected_accounts
    composio.job { may = "irreversible" }
    composio.bulk("all", %s, function(account) %s end)
  ]]):format(source, call)
end

local function look(emulator, by_id, rules, wrong, output, code)
  local problems = {}
  if wrong and (code ~= 2 or #emulator:requests() > 0) then
    problems[1] = ("a wrong line was taken: exit %d\n%s"):format(code, output)
  elseif not wrong and code == 2 then
    problems[1] = "a good file was refused\n" .. output
  end
  for _, change in ipairs(stage.changes(emulator)) do
    local account = change.account_id and by_id[change.account_id]
    if account and is_protected(rules, account) then
      problems[#problems + 1] = ("protected, and changed: %s %s"):format(change.op, account.id)
    end
    stage.note("changes", 1)
  end
  if output:find("protected by", 1, true) then
    stage.note("protected", 1)
  end
  return problems
end

-- Some line that names nobody must be told, wherever items were planned.
local function look_at_idle(rules, output, problems)
  local told = output:match "(%d+) lines? of %-%-protect matched no account"
  for _, rule in ipairs(rules) do
    if rule.idle and not told and output:find("\nplan all: ", 1, true)
      and not output:find("for 0 items", 1, true) then
      problems[#problems + 1] = "an idle line was not told\n" .. output
    end
  end
  stage.note("idle", told and 1 or 0)
end

local function trial(seed)
  local random = stage.random(seed)
  local total = ("%d"):format(random(20, 90))
  local emulator = stage.emulator { "--accounts", total, "--seed", tostring(seed) }
  local all, by_id = stage.accounts(emulator), {}
  for _, account in ipairs(all) do
    by_id[account.id] = account
  end
  for number = 1, stage.short and 12 or RUNS do
    local text, rules, wrong = make_file(random, all)
    stage.write(list, text)
    stage.write(script, make_script(random, all))
    stage.wipe(state)
    emulator:reset()
    local more = { "--apply", "--protect", list, "--delete-active", "--retries", "0" }
    local output, code = stage.shell(stage.command {
      script = script,
      state = state,
      url = emulator.url,
      more = stage.join(more, { "--confirm", ("%d"):format(random(1, 12)) }, stage.OPEN),
    })
    local problems = look(emulator, by_id, rules, wrong, output, code)
    if not wrong then
      look_at_idle(rules, "\n" .. output, problems)
    end
    stage.point(problems, ("seed=%d, run %d\n%s"):format(seed, number, text))
  end
  emulator:stop()
end

stage.each_seed(FEW, TRIALS, trial)
stage.finish "runs"
