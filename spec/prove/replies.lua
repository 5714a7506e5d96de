-- Every changing operation and forty replies: JSON of other shapes, empty, text, HTML, a
-- wrong type, truncated, 2xx, 3xx, 4xx in and out of the service's envelope; to the first
-- attempt, and after one that was lost; to calls of the module, and to bulks of the host that
-- are then resumed. What the call or the ledger says must agree with what the emulator did:
-- "done" only if it was done, "failed" only if it was not.
-- Usage: composio-spec spec/prove/replies.lua [short]
-- Must not know: what proves a change.
package.path = (arg[0]:match "^(.*)/spec/prove/[^/]*$" or ".") .. "/?.lua;" .. package.path
local composio = require "composio"
local oracle = require "spec.prove.oracle"
local stage = require "spec.prove.stage"

local RENEWABLE = { OAUTH2 = true, OAUTH1 = true, DCR_OAUTH = true }
local CONFIG = "ac_GithubManage"

stage.begin "replies"
stage.program = stage.server.build .. "/composio-spec"
stage.spread(10, "verdicts") -- a call waits before it is repeated
local emulator = stage.emulator { "--accounts", stage.short and "600" or "2500" }

-- ---- the replies -------------------------------------------------------

local function own(code, message)
  return ('{"error":{"message":"%s","code":%d,"slug":"X","status":400}}'):format(message, code)
end

-- own: the service's own word, which a change that was carried out never gets.
-- gone: its word that the account does not exist.
local REPLIES = {}
local OTHER = '{"id":"ca_other"}' -- of another account; but of a new one, for initiate
local function add(status, body, more)
  local reply = { status = status, body = body, content_type = "application/json" }
  for key, value in pairs(more or {}) do
    reply[key] = value
  end
  REPLIES[#REPLIES + 1] = reply
end

local HTML = { content_type = "text/html" }
for _, body in ipairs {
  "", "{}", OTHER, "[]", "null", "true", '"done"', "0", '{"success":false}', '{"success":"true"}',
  '{"success":1}', '{"success":null}', '{"data":{"success":true}}', '{"message":"maintenance"}',
  '{"success":tr', '{"error":null}', '{"id":""}', '{"status":"ACTIVE"}',
  '{"error":{"message":"no","code":1}}', '{"connected_account":{}}', "ok",
} do
  add(200, body)
end
add(200, "<html>Sign in to the wifi</html>", HTML)
add(200, "success: true", { content_type = "text/plain" })
add(201, "{}")
add(202, '{"status":"queued"}')
add(206, '{"suc')
for _, status in ipairs { 301, 302, 304, 307 } do
  add(status, "", { headers = { Location = "https://elsewhere.example/" } })
end
for _, status in ipairs { 400, 403, 404, 409, 410, 413, 422 } do
  add(status, "")
  add(status, "<html>refused</html>", HTML)
  add(status, '{"message":"refused"}')
  add(status, own(1, "refused"), { own = true })
end
add(404, '{"error":{"message":"Route not found","code":10404}}', { own = true })
add(404, '{"error":"not found"}')
for _, status in ipairs { 408, 500, 501, 502, 503, 504 } do
  add(status, "<html>not now</html>", HTML)
end
assert(#REPLIES >= 40)

-- ---- the operations ----------------------------------------------------

local OPERATIONS = {
  { name = "disable", from = "ACTIVE" },
  { name = "enable", from = "INACTIVE" },
  { name = "delete", from = "EXPIRED" },
  { name = "revoke", from = "ACTIVE" },
  { name = "refresh", from = "EXPIRED" },
  { name = "update", from = "ACTIVE" },
  { name = "link" },
  { name = "initiate" },
  { name = "disable", config = "ac_TwilioBasic_", back = "enable" },
  { name = "enable", config = "ac_TwilioBasic_", back = "disable" },
  { name = "update", config = "ac_TwilioBasic_" },
}
local METHODS = { delete = "DELETE", refresh = "POST", revoke = "POST" }
local SECRET = { api_key = stage.SECRET }

-- Changes an auth config, or an account; number tells this call from others.
local function call(client, operation, id, number)
  local name, accounts = operation.name, client.connected_accounts
  if operation.config then
    local options = name == "update"
      and { type = "custom", credentials = { extra = "reply " .. number } } or nil
    return client.auth_configs[name](operation.config, options)
  elseif name == "link" then
    return accounts.link("reply " .. number, CONFIG, { allow_multiple = true })
  elseif name == "initiate" then
    local config = composio.auth_scheme.api_key(SECRET)
    return accounts.initiate("reply " .. number, "ac_StripeApiKey",
      { allow_multiple = true, config = config })
  elseif name == "update" then
    return accounts.update(id, { alias = "reply " .. number })
  end
  return accounts[name](id)
end

-- The accounts that an operation may be tried on.
local function ids_of(operation, count)
  local ids = {}
  local filter = { statuses = { operation.from }, account_type = "ALL" }
  for account in emulator:client().connected_accounts.each(filter) do
    if operation.name ~= "refresh" or RENEWABLE[account.auth_config.auth_scheme] then
      ids[#ids + 1] = account.id
    end
    if #ids == count then
      break
    end
  end
  assert(#ids == count, operation.name .. ": too few accounts")
  emulator:forget()
  return ids
end

-- ---- the ways ----------------------------------------------------------

-- What happens to the attempts: actions of the fault rules. truly: the service itself
-- answers after them, and no other reply.
local WAYS = {
  { name = "first", "reply" },
  { name = "carried out", "apply_then_reply" },
  { name = "after a lost one", "close", "reply" },
  { name = "after a lost one that was carried out", "apply_then_close", "reply" },
  { name = "lost, then as the service answers", "close", truly = true },
  { name = "carried out, then as the service answers", "apply_then_close", truly = true },
}

-- A reply that lies about what was done is not the service's; it proves nothing here.
local function is_fair(operation, way, reply)
  return not (reply.own and way[1] == "apply_then_reply")
    and not (operation.name == "initiate" and reply.body == OTHER)
    and not (way.truly and reply ~= REPLIES[1])
end

local function rules_of(operation, way, reply, id)
  local rules = {}
  local is_patch = id or operation.config
  for place, action in ipairs(way) do
    local rule = { method = is_patch and (METHODS[operation.name] or "PATCH") or "POST" }
    rule.path = id and "*/" .. id .. "*" or nil
    rule.action = action
    rule.times = (place < #way or way.truly) and 1 or nil
    if action:find "reply" then
      rule.status, rule.body = reply.status, reply.body
      rule.content_type, rule.headers = reply.content_type, reply.headers
    end
    rules[place] = rule
  end
  return rules
end

local function outcome_of(operation, id, number)
  local client = emulator:client { retries = 1 }
  local ok, err = pcall(call, client, operation, id, number)
  client:close()
  if not ok and type(err) ~= "table" then
    error(err, 0)
  end
  return ok and "done" or err.outcome
end

-- count: how often it happened.
local function judge(operation, way, reply, said, count)
  local problems, happened = {}, count > 0
  if said == "done" and not happened then
    problems[1] = "called done, but nothing happened"
  elseif said == "failed" and happened then
    problems[1] = "called failed, but it happened"
  elseif count > 1 and not (operation.from or operation.config) then
    problems[1] = ("made %d accounts"):format(count)
  end
  stage.note(said, 1)
  local how = way.truly and "" or (": %d %s"):format(reply.status, reply.body)
  local what = operation.config and "auth_configs." .. operation.name or operation.name
  stage.point(problems, ("%s, %s%s"):format(what, way.name, how))
end

-- ---- the sweep ---------------------------------------------------------

local function chosen(operation, way)
  local list = {}
  for place, reply in ipairs(REPLIES) do
    if is_fair(operation, way, reply) and (not stage.short or place % 9 == 1) then
      list[#list + 1] = reply
    end
  end
  return list
end

-- Operations on an account: all replies at once, each to an account of its own.
local function on_accounts(operation, way)
  local replies = chosen(operation, way)
  emulator:reset()
  local ids, rules, said = ids_of(operation, #replies), {}, {}
  for place, reply in ipairs(replies) do
    local more = rules_of(operation, way, reply, ids[place])
    table.move(more, 1, #more, #rules + 1, rules)
  end
  emulator:faults(rules)
  composio.run(function()
    for place in ipairs(replies) do
      composio.spawn(function()
        said[place] = outcome_of(operation, ids[place], place)
      end)
    end
  end)
  local changed = {}
  for _, change in ipairs(stage.changes(emulator)) do
    changed[change.account_id] = true
  end
  for place, reply in ipairs(replies) do
    judge(operation, way, reply, said[place], changed[ids[place]] and 1 or 0)
  end
end

-- Creates, one after the other: a request does not say which reply it is to get.
local function create(operation, way, reply, number)
  emulator:faults(rules_of(operation, way, reply))
  local before = #stage.changes(emulator)
  local said = outcome_of(operation, nil, number)
  judge(operation, way, reply, said, #stage.changes(emulator) - before)
end

-- Changes of one auth config, one after the other. It is first put into the state that the
-- operation changes.
local function change_config(operation, way, reply, number)
  emulator:faults()
  if operation.back then
    local state = operation.back == "enable" and "ENABLED" or "DISABLED"
    stage.api(emulator, "PATCH", ("/auth_configs/%s/%s"):format(operation.config, state))
  end
  create(operation, way, reply, number)
end

local function one_by_one(operation, way)
  for number, reply in ipairs(chosen(operation, way)) do
    if stage.mine() then
      (operation.config and change_config or create)(operation, way, reply, number)
    end
  end
end

-- ---- bulks of the host -------------------------------------------------

local state, script = stage.dir .. "/state", stage.dir .. "/job.lua"

-- The first row is answered truly: of an operation that has never succeeded, a missing route
-- would end the run.
local JOB = [[
local composio = require "composio"
local accounts = composio.connected_accounts
local params = { token = { type = "secret", required = true } }
local job = composio.job { may = "irreversible", params = params }
local config = composio.auth_scheme.api_key { api_key = job.params.token }
local rows = {}
for id in ("%s"):gmatch "%%S+" do rows[#rows + 1] = { id = id } end
local function change(row)
  accounts.%s
end
composio.bulk("first", { table.remove(rows, 1) }, change)
composio.bulk("others", rows, change)
]]
local CALLS = {
  link = ('link(row.id, "%s", { allow_multiple = true })'):format(CONFIG),
  initiate = 'initiate(row.id, "ac_StripeApiKey", { allow_multiple = true, config = config })',
  update = "update(row.id, { alias = row.id:sub(-6) })",
}

-- Puts replies that the service gives itself between the others: after many strange ones in a
-- row the service counts as down.
local function mixed(replies)
  local owned, others, all = {}, {}, {}
  for _, reply in ipairs(replies) do
    table.insert(reply.own and owned or others, reply)
  end
  for place, reply in ipairs(others) do
    all[#all + 1] = reply
    all[#all + 1] = place % 6 == 0 and table.remove(owned) or nil
  end
  return table.move(owned, 1, #owned, #all + 1, all)
end

-- The rules of all rows but the first. Creates go one after the other, so that each gets the
-- next rule; those that were lost get theirs when they are sent again.
local function rules_of_bulk(operation, way, replies, ids)
  local rules, first = {}, {}
  for place, reply in ipairs(replies) do
    local more = rules_of(operation, way, reply, operation.from and ids[place + 1])
    for number, rule in ipairs(more) do
      rule.times = not operation.from and 1 or rule.times
      local is_lost = not operation.from and number < #more
      table.insert(is_lost and first or rules, rule)
    end
  end
  rules = table.move(rules, 1, #rules, #first + 1, first)
  if not operation.from then
    table.insert(rules, 1, { method = "POST", action = "delay", delay_ms = 0, times = 1 })
  end
  return rules
end

-- Setting an alias to its present value adds a line to the log and does no harm.
local function changes_of(service)
  local list, seen = {}, {}
  for _, change in ipairs(stage.changes(service)) do
    local is_repeat = change.op == "alias" and seen[change.account_id]
    seen[change.account_id] = true
    list[#list + 1] = not is_repeat and change or nil
  end
  return list
end

-- Runs the host, and compares its ledger with the record. finished: nothing may be left open.
local function step(words, how, rows, finished)
  words.state, words.url = state, emulator.url
  local output, code = stage.shell(stage.command(words))
  local was_finished = output:find("is finished", 1, true) ~= nil
  local problems, ledger = oracle.check {
    state = state,
    changes = changes_of(emulator),
    exit = not was_finished and code or nil,
    finished = finished and not was_finished,
    secrets = { stage.API_KEY, stage.SECRET },
  }
  if ledger and #ledger.changes ~= rows then
    problems[#problems + 1] = ("%d changes in the ledger"):format(#ledger.changes)
  end
  for word, number in pairs(finished and ledger and oracle.counts(ledger) or {}) do
    stage.note(word .. " in bulks", number)
  end
  if #problems > 0 then
    problems[#problems + 1] = ("exit %d\n%s"):format(code, output:sub(1, 4000))
  end
  stage.count = stage.count + rows - 1
  stage.point(problems, how)
end

local function bulk(operation, way)
  local replies = mixed(chosen(operation, way))
  local rows, ids = #replies + 1, {}
  stage.wipe(state)
  emulator:reset()
  if operation.from then
    ids = ids_of(operation, rows)
  else
    for place = 1, rows do
      ids[place] = "user_" .. place
    end
  end
  local change = CALLS[operation.name] or operation.name .. "(row.id)"
  stage.write(script, JOB:format(table.concat(ids, " "), change))
  emulator:faults(rules_of_bulk(operation, way, replies, ids))
  local how = ("a bulk of %s, %s"):format(operation.name, way.name)
  local irreversible = (operation.name == "delete" or operation.name == "revoke")
    and { "--confirm", ("1,%d"):format(rows - 1) }
  local more = { "--retries", "1", "--timeout", "2s", "--settle-wait", "0" }
  step({
    script = script,
    more = stage.join({ "--apply" }, more, stage.OPEN, irreversible or {},
      { "--concurrency", operation.from and "32" or "1" }),
  }, how, rows)
  for time = 1, 2 do -- the first time what is left of the rules is played
    emulator:tell("clock/advance", { seconds = 700 })
    if time == 2 then
      emulator:faults()
    end
    step({ verb = "resume", operand = "last", more = more },
      ("%s, resumed %d times"):format(how, time), rows, time == 2)
  end
end

for _, operation in ipairs(OPERATIONS) do
  for place, way in ipairs(WAYS) do
    if not operation.from then
      one_by_one(operation, way)
    elseif stage.mine() then
      on_accounts(operation, way)
    end
    if not operation.config and (not stage.short or place == 1) and stage.mine() then
      bulk(operation, way)
    end
  end
end
emulator:stop()
stage.finish "verdicts"
