-- Requests whose reply is lost and that the service carries out late, up to twice the
-- timeout after they were sent; and clients whose wall clock is stepped by -1 h to +2 y
-- between sending and resuming. The run ends by itself or is killed; then each command
-- that is printed after `next:` is typed. In the end nothing may be doubled, and no verdict
-- may contradict the emulator's record.
-- Usage: spec/lua spec/prove/arrivals.lua [short | seed=N]
-- Must not know: what is in a ledger, how the program waits or looks changes up.
package.path = (arg[0]:match "^(.*)/spec/prove/[^/]*$" or ".") .. "/?.lua;" .. package.path
local cjson = require "cjson"
local oracle = require "spec.prove.oracle"
local stage = require "spec.prove.stage"

local TRIALS = 32 -- in full mode; in each, every operation has a turn
local HOUR, YEAR = 3600, 365 * 86400
local ITEMS = 6
local STEPS = 6 -- as many commands are typed at most

local OPERATIONS = {
  { name = "link", method = "POST", path = "*/link" },
  { name = "initiate", method = "POST", path = "*/connected_accounts" },
  { name = "refresh", method = "POST", path = "*/refresh*" },
  { name = "delete", method = "DELETE", path = "*" },
  { name = "disable", method = "PATCH", path = "*" },
}
-- Creates are what doubles; each other operation has a turn in the full sweep.
local FEW = { OPERATIONS[1], OPERATIONS[3] }

stage.begin_random("arrivals", 8, "changes")
local emulator = stage.emulator()
local state, summary = stage.dir .. "/state", stage.dir .. "/summary.json"
local out, code_file = stage.dir .. "/out", stage.dir .. "/code"
local key = ("x-api-key: %s\r\n"):format(stage.API_KEY)

local function sleep(seconds)
  os.execute(("sleep %.3f"):format(seconds))
end

local function now()
  local file = assert(io.open "/proc/uptime")
  local seconds = file:read "n"
  file:close()
  return seconds
end

-- ---- a program in the background ----

-- Starts the words of a command line with the wall clock `ahead` seconds ahead.
local function start(words, ahead)
  local shim = { "LD_PRELOAD=" .. stage.server.build .. "/composio-shim.so" }
  shim[2] = ("COMPOSIO_SHIM_CLOCK=%d"):format(ahead)
  shim[3] = "ASAN_OPTIONS=verify_asan_link_order=0"
  local quoted = {}
  for place, word in ipairs(words) do
    quoted[place] = stage.quote(word)
  end
  local command = ("exec env COMPOSIO_BASE_URL=%s COMPOSIO_API_KEY=%s COMPOSIO_PARAM_TOKEN=%s ")
    :format(emulator.url, stage.API_KEY, stage.SECRET)
  command = ("%s timeout -k 5 120 env %s %s"):format(
    command, table.concat(shim, " "), table.concat(quoted, " "))
  os.remove(code_file)
  local whole = "{ sh -c %s >%s 2>&1; echo $? >%s.new; mv %s.new %s; } 2>/dev/null & echo"
  local pipe = assert(io.popen(whole:format(stage.quote("echo $$ >" .. out .. ".pid; " .. command),
    out, code_file, code_file, code_file), "r"))
  pipe:read "l"
  pipe:close()
end

local function exit_code()
  return tonumber(stage.read(code_file):match "%d+")
end

local function kill()
  -- timeout leads a group of its own
  os.execute(("kill -KILL -- -%s 2>/dev/null"):format(stage.read(out .. ".pid"):match "%d+"))
end

-- ---- lost requests ----

-- The first `lose` requests of a kind are lost; the client sees its connection closed, or
-- nothing until its timeout.
local function lose(operation, count, silent_ms)
  emulator:faults {
    { path = "*late=1", action = "delay", delay_ms = 0 },
    {
      method = operation.method, path = operation.path, times = count,
      action = silent_ms and "reply" or "close", delay_ms = silent_ms,
      status = silent_ms and 504 or nil, body = silent_ms and "" or nil,
    },
  }
end

-- Looks for requests that were lost since the last look, and carries out those whose time
-- has come. Returns how many are still to come.
local function deliver(turn)
  for _, request in ipairs(stage.server.json_lines(
    emulator:control("GET", ("requests?since=%d"):format(turn.seq)))) do
    turn.seq = math.max(turn.seq, request.seq)
    if request.method ~= "GET" and not request.path:find "late=1" then
      turn.sent = turn.sent + 1
      if turn.sent <= turn.lose then
        local late = turn.random(0, 2000) / 1000 * turn.timeout
        table.insert(turn.coming, { at = now() + late, request = request })
      end
    end
  end
  for place = #turn.coming, 1, -1 do
    local one = turn.coming[place]
    if one.at <= now() then
      local path, body = one.request.path, one.request.body
      path = path .. (path:find "?" and "&" or "?") .. "late=1"
      stage.server.http(emulator.port, one.request.method, path,
        type(body) == "string" and body or "", key)
      table.remove(turn.coming, place)
      stage.note("arrived late", 1)
    end
  end
  return #turn.coming
end

-- Waits for the end of the program, while requests arrive. killed: kill it so many seconds
-- after its first change was sent.
local function wait_for_end(turn, killed)
  local first
  repeat
    deliver(turn)
    sleep(0.02)
    first = first or turn.sent > 0 and now()
    if killed and first and now() >= first + killed then
      kill()
      killed = nil
      stage.note("killed", 1)
    end
  until exit_code()
end

local function wait_for_all(turn)
  while deliver(turn) > 0 do
    sleep(0.05)
  end
end

-- ---- one turn ----

local function clock(random)
  local kind = random(1, 4)
  return kind == 1 and 0 or kind == 2 and random(-HOUR, 0) or kind == 3 and random(0, HOUR)
    or random(0, 2 * YEAR)
end

local function first_words(operation, random, turn)
  local words = {
    stage.server.build .. "/composio-lua", "run",
    stage.root .. "/spec/prove/jobs/" .. operation.name .. ".lua", "--apply",
    "--state-dir", state, "--summary", summary, "--limit-items", tostring(ITEMS),
    "--timeout", turn.timeout .. "s", "--retries", tostring(random(0, 1)),
  }
  if operation.name == "delete" then
    table.move({ "--confirm", tostring(ITEMS) }, 1, 2, #words + 1, words)
  end
  if stage.short or random(1, 2) == 1 then
    local wait = stage.short and 0 or random(0, 20)
    table.move({ "--settle-wait", wait .. "s" }, 1, 2, #words + 1, words)
  end
  return stage.join(words, stage.OPEN)
end

-- Returns the words of the next command, or nil. A killed run has no summary: what its
-- kind of end leaves is known.
local function next_words(was_killed)
  local text = stage.read(summary)
  os.remove(summary)
  local words = {}
  if was_killed then
    words = { "composio-lua", "resume", stage.newest_run(state), "--state-dir", state }
  else
    local command = text ~= "" and cjson.decode(text).next
    if type(command) ~= "string" then
      return nil
    end
    local pipe = assert(io.popen("for word in " .. command .. "; do echo \"$word\"; done", "r"))
    for word in pipe:lines() do
      words[#words + 1] = word
    end
    pipe:close()
  end
  words[1] = stage.server.build .. "/composio-lua"
  if not table.concat(words, " "):find "%-%-summary" then
    table.move({ "--summary", summary }, 1, 2, #words + 1, words)
  end
  return words
end

-- After everything has arrived the service's own time may pass, too.
local function let_time_pass(random)
  local seconds = ({ 700, HOUR, 2 * YEAR })[random(1, 3)]
  emulator:tell("clock/advance", { seconds = seconds })
end

local function verdicts(problems, count, output, code)
  local said, ledger = oracle.check {
    state = state,
    changes = stage.changes(emulator),
    exit = code,
    finished = true,
  }
  table.move(said, 1, #said, #problems + 1, problems)
  if ledger and #ledger.changes ~= count then
    problems[#problems + 1] = ("%d changes in the ledger"):format(#ledger.changes)
  end
  for word, number in pairs(ledger and oracle.counts(ledger) or {}) do
    stage.note(word, number)
  end
  if #problems > 0 then
    problems[#problems + 1] = output:sub(1, 4000)
  end
end

local function one(operation, random, how)
  local turn = { random = random, seq = 0, sent = 0, coming = {} }
  turn.timeout = stage.short and 1 or random(1, 8) == 1 and 6 or random(1, 2)
  turn.lose = random(2, ITEMS)
  stage.wipe(state)
  emulator:reset()
  emulator:forget()
  lose(operation, turn.lose, random(1, 2) == 1 and turn.timeout * 1000 + 400 or nil)
  local killed = random(1, 2) == 1 and random(0, 900) / 1000
  local output, problems, steps = "", {}, 0
  local words = first_words(operation, random, turn)
  local code, typed
  repeat
    typed, steps = table.concat(words, " "), steps + 1
    start(words, clock(random))
    wait_for_end(turn, steps == 1 and killed)
    code = exit_code()
    output = output .. ("---- step %d, exit %d\n"):format(steps, code) .. stage.read(out)
    -- one that does not wait itself can tell by the service's clock alone
    if stage.short or code == 8 or random(1, 3) == 1 then
      wait_for_all(turn)
      let_time_pass(random)
    end
    words = next_words(code == 137)
    -- what the service refuses is offered again for as long as it refuses
  until not words or steps == STEPS or code == 3 and table.concat(words, " ") == typed
  wait_for_all(turn)
  if words and code ~= 3 then
    problems[1] = ("after %d commands there is still a next one"):format(steps)
  end
  verdicts(problems, ITEMS, output, code)
  stage.count = stage.count + ITEMS - 1
  stage.point(problems, ("%s, %s"):format(how, operation.name))
end

local function trial(seed)
  local random = stage.random(seed)
  for _, operation in ipairs(stage.short and FEW or OPERATIONS) do
    one(operation, random, "seed=" .. seed)
  end
end

stage.each_seed(2, TRIALS, trial)
emulator:stop()
stage.finish "changes"
