-- A CSV file is edited between a kill and the resume: rows are added, removed, moved or
-- changed, with and without a secret column. No planned row may be carried out twice or
-- skipped, and no other row may be carried out; the resume reports how many rows are new,
-- changed or gone. A row whose secret is missing is not sent until the file is restored;
-- a row whose secret was replaced is left to a new run.
-- Usage: lua5.4 spec/prove/csv.lua [short | seed=N]
-- Must not know: how rows are matched.
package.path = (arg[0]:match "^(.*)/spec/prove/[^/]*$" or ".") .. "/?.lua;" .. package.path
local cjson = require "cjson"
local oracle = require "spec.prove.oracle"
local stage = require "spec.prove.stage"

local TRIALS = 400 -- in full mode
local FEW = 6
local CALLS = { "sendto", "sendto", "recvfrom", "fdatasync" }

stage.begin_random("csv", 8, "edits")
local state, script = stage.dir .. "/state", stage.dir .. "/rows.lua"
local file = stage.dir .. "/rows.csv"
local emulator

local HEAD = [[
local composio = require "composio"
local accounts = composio.connected_accounts
composio.job { summary = "Rows." }
]]
local KINDS = {
  link = HEAD .. [[
composio.bulk("rows", composio.csv(%q, { "id", "user" }), function(row)
  accounts.link(row.user, "ac_GithubManage", { allow_multiple = true })
end)]],
  secret = HEAD .. [[
local rows = composio.csv(%q, { "id", "user", "secret" }, { secret = { "secret" } })
composio.bulk("rows", rows, function(row)
  local config = composio.auth_scheme.api_key { api_key = row.secret }
  accounts.initiate(row.user, "ac_StripeApiKey", { config = config, allow_multiple = true })
end)]],
}

local function row(number, version)
  return {
    id = "row " .. number,
    user = ("csv %d.%d"):format(number, version or 0),
    secret = ("sk_row_%d_%d"):format(number, version or 0),
  }
end

local function write_rows(kind, rows)
  local lines = { kind == "secret" and "id,user,secret" or "id,user" }
  for _, one in ipairs(rows) do
    local line = one.id .. "," .. one.user
    lines[#lines + 1] = kind == "secret" and line .. "," .. one.secret or line
  end
  stage.write(file, table.concat(lines, "\n") .. "\n")
end

local function copy(rows)
  local list = {}
  for place, one in ipairs(rows) do
    list[place] = { id = one.id, user = one.user, secret = one.secret }
  end
  return list
end

-- Edits the rows as a person might; returns the rows and what was done.
local function edit(random, rows, kind)
  local list, edits = copy(rows), { new = 0, changed = 0, gone = 0, lost = {}, rotated = {} }
  for place = #list, 1, -1 do
    local one, dice = list[place], random(1, 12)
    if dice == 1 then
      table.remove(list, place)
      edits.gone = edits.gone + 1
      edits.lost[one.user] = true
    elseif dice == 2 then
      edits.changed = edits.changed + 1
      edits.lost[one.user] = true
      one.user = one.user .. " changed"
    elseif dice == 3 and kind == "secret" then
      edits.lost[one.user], edits.rotated[one.user] = true, true
      one.secret = one.secret .. "_rotated"
    end
  end
  for i = 1, random(0, 4) do
    table.insert(list, random(1, #list + 1), row(1000 + i))
    edits.new = edits.new + 1
  end
  if random(1, 2) == 1 then
    for place = #list, 2, -1 do
      local other = random(1, place)
      list[place], list[other] = list[other], list[place]
    end
  end
  return list, edits
end

-- Mostly kills the run while it sends: planning takes few calls, each row one request.
local function start(random, count)
  local call = CALLS[random(1, #CALLS)]
  local nth = call == "fdatasync" and random(4, 12) or random(1, count)
  local inject = ("%s:signal=SIGKILL:when=%d"):format(call, nth)
  return stage.shell(stage.command {
    before = stage.strace("/dev/null", { inject:match "^%w+" }, inject),
    script = script,
    state = state,
    url = emulator.url,
    more = stage.join({ "--apply", "--retries", "0", "--timeout", "1s", "--concurrency", "6" },
      stage.OPEN),
  })
end

local function resume(name, more)
  emulator:tell("clock/advance", { seconds = 60 }) -- what was lost has been quiet for so long
  return stage.shell(stage.command {
    verb = "resume",
    operand = name,
    state = state,
    url = emulator.url,
    more = stage.join({ "--retries", "0", "--timeout", "1s" }, more or {}),
  })
end

-- Counts the accounts that each user got.
local function made()
  local count = {}
  for _, change in ipairs(stage.changes(emulator)) do
    if change.op == "create" or change.op == "link" then
      count[change.user_id] = (count[change.user_id] or 0) + 1
    end
  end
  return count
end

local function told(output, words)
  return math.tointeger(output:match("rows: (%d+) " .. words) or 0)
end

local function check_told(output, edits, say)
  local new, changed = told(output, "added after"), told(output, "changed after")
  local gone = told(output, "gone after")
  if new ~= edits.new or changed ~= edits.changed or gone ~= edits.gone then
    local text = "new %d, changed %d, gone %d; told are %d, %d, %d"
    say(text:format(edits.new, edits.changed, edits.gone, new, changed, gone), output)
  end
end

-- The sent body must be the planned one, including the secret.
local function check_secrets(rows, say, output)
  local planned = {}
  for _, one in ipairs(rows) do
    planned[one.user] = one.secret
  end
  for _, request in ipairs(stage.writes(emulator)) do
    local user = request.body.connection and request.body.connection.user_id
    local text = cjson.encode(request.body)
    if user and planned[user] and not text:find('"' .. planned[user] .. '"', 1, true) then
      say("sent with another secret than planned: " .. user, output)
    end
  end
end

-- Each row must be sent once; rows whose secret was lost may still be open.
local function check_made(rows, lost, say, output)
  local count, due = made(), 0
  for _, one in ipairs(rows) do
    local times = count[one.user] or 0
    if times > 1 or (times == 0 and not lost[one.user]) then
      say(("%s was made %d times"):format(one.user, times), output)
    end
    due = due + (times == 0 and 1 or 0)
    count[one.user] = nil
  end
  for user in pairs(count) do
    say("made, but not planned: " .. user, output)
  end
  check_secrets(rows, say, output)
  return due
end

local function check_oracle(rows, code, finished, say, output)
  local secrets = { stage.API_KEY }
  for _, one in ipairs(rows) do
    secrets[#secrets + 1] = one.secret
  end
  local said = oracle.check {
    state = state,
    changes = stage.changes(emulator),
    exit = code,
    finished = finished,
    secrets = secrets,
  }
  for _, text in ipairs(said) do
    say(text, output)
  end
end

local function trial(seed)
  local random = stage.random(seed)
  local kind = random(1, 2) == 1 and "link" or "secret"
  local rows, problems = {}, {}
  local function say(text, output)
    problems[#problems + 1] = text
    problems.output = output
  end
  for i = 1, random(10, 40) do
    rows[i] = row(i)
  end
  stage.wipe(state)
  emulator:reset()
  write_rows(kind, rows)
  stage.write(script, KINDS[kind]:format(file))
  local _, code = start(random, #rows)
  local was_killed, output = code == 137, nil
  local list, edits = edit(random, rows, kind)
  write_rows(kind, list)
  local name = stage.newest_run(state)
  code = nil
  if name then
    output, code = resume(name)
  end
  if not name or code == 2 then
    stage.note("plans that did not stand", 1)
    if next(made()) then
      say("nothing stood, but something was made", output)
    end
  elseif output:find "is finished" or not was_killed then
    stage.note("finished before", 1)
    check_made(rows, {}, say, output)
  else
    local lost = kind == "secret" and edits.lost or {}
    check_told(output, edits, say)
    local due = check_made(rows, lost, say, output)
    check_oracle(rows, code, due == 0, say, output)
    if due > 0 then
      stage.note("rows without their secret", due)
      if code == 0 then
        say(("exit 0, but %d rows are not done"):format(due), output)
      end
      write_rows(kind, rows)
      local before = code
      output, code = resume(name, { "--failed" })
      code = output:find "is finished" and before or code
      due = check_made(rows, edits.rotated, say, output)
      check_oracle(rows, code, true, say, output)
      stage.note("rows left to a new run", due)
    end
  end
  problems[#problems + 1] = problems.output and problems.output:sub(1, 3000)
  stage.point(problems, ("seed=%d, %s"):format(seed, kind))
end

emulator = stage.emulator { "--accounts", "30" }
stage.each_seed(FEW, TRIALS, trial)
emulator:stop()
stage.finish "edits"
