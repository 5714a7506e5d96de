-- Eight writing processes start together on one state directory; some wait for the lock,
-- some do not, some are killed while they hold it, and previews run at the same time. No
-- two may write at once: each run's requests are contiguous in the service's log and in
-- the ledger's intents. A process that does not get the lock exits with 75 and writes
-- nothing; a process that waits gets the lock.
-- Usage: lua5.4 spec/prove/lock.lua [short | seed=N]
-- Must not know: how the lock is made.
package.path = (arg[0]:match "^(.*)/spec/prove/[^/]*$" or ".") .. "/?.lua;" .. package.path
local stage = require "spec.prove.stage"

local TRIALS = 250 -- in full mode, of eight processes each
local FEW = 3
local PROCESSES = 8
local ITEMS = 8

stage.begin_random("lock", 2, "processes")
local state, script = stage.dir .. "/state", stage.dir .. "/job.lua"
-- the service acts at once and replies late, which makes runs last longer
local emulator = stage.emulator { "--accounts", "60", "--latency-ms", "5" }

-- Each process puts its name into what it writes, so that the log tells them apart.
stage.write(
  script,
  ([[
local composio = require "composio"
local accounts = composio.connected_accounts
local job = composio.job { summary = "Names.", params = { me = { type = "string" } } }
local n = 0
composio.bulk("all", accounts.each { statuses = { "ACTIVE" } }, function(account)
  n = n + 1
  if n <= %d then
    account:update { alias = job.params.me .. " " .. account.id }
  end
end)
]]):format(ITEMS)
)

local function make_process(random, number)
  local process = { number = number, wait = random(1, 2) == 1, name = "p" .. number }
  local dice = random(1, 8)
  local before = ""
  local more = { "--apply", "--retries", "0", "--concurrency", "2", "--me", process.name }
  if dice == 1 then
    process.preview = true
    table.remove(more, 1)
  elseif dice == 2 then
    process.killed = true
    before = ("timeout -s KILL %.3f"):format(random(20, 120) / 1000)
  end
  if process.wait then
    more = stage.join(more, { "--lock-wait", "60s" })
  end
  process.command = stage.command {
    before = before,
    script = script,
    state = state,
    url = emulator.url,
    more = stage.join(stage.OPEN, more),
  }
  return process
end

-- Starts all processes at once, by a lock of its own; returns each one's output and exit
-- code.
local function start_all(processes)
  local go = stage.quote(stage.dir .. "/go")
  local words = { "exec 9>" .. go .. "; flock -x 9;" }
  for _, process in ipairs(processes) do
    local out = stage.quote(stage.dir .. "/out." .. process.number)
    words[#words + 1] = ("(exec 9>&-; flock -s %s true; %s; echo $?) > %s 2>&1 &"):format(
      go,
      process.command,
      out
    )
  end
  words[#words + 1] = "sleep 0.1; flock -u 9; wait"
  stage.shell("bash -c " .. stage.quote(table.concat(words, "\n")))
  for _, process in ipairs(processes) do
    local text = stage.read(stage.dir .. "/out." .. process.number)
    local output, code = text:match "^(.*)%f[^\n\0](%d+)\n$"
    process.output, process.code = output or text, math.tointeger(code)
  end
end

-- Checks that each run's requests are contiguous.
local function check_order(whose, what, say)
  local seen, last = {}, nil
  for _, name in ipairs(whose) do
    if name ~= last and seen[name] then
      say(("%s: %s writes after %s had begun"):format(what, name, last))
    end
    seen[name], last = true, name
  end
  return seen
end

local function check_ledger(say)
  local text = stage.sql(
    state,
    "SELECT json_extract(run.params,'$.me') FROM intent"
      .. " JOIN run ON run.id = intent.id >> 41 ORDER BY sent_ms, run.id;"
  )
  local whose = {}
  for name in (text or ""):gmatch "[^\n]+" do
    whose[#whose + 1] = name
  end
  check_order(whose, "intents", say)
end

local function check_process(process, wrote, say)
  local function wrong(text)
    say(("%s: %s, exit %s\n%s"):format(process.name, text, process.code, process.output))
  end
  if process.preview then
    if process.code ~= 0 or wrote > 0 then
      wrong "the preview was held up, or has written"
    end
  elseif process.code == 137 and process.killed then
    stage.note("killed", 1)
  elseif process.code == 75 then
    stage.note("refused", 1)
    if wrote > 0 or process.wait then
      wrong "no lock"
    elseif not process.output:find "another run holds the lock" then
      wrong "no word of the lock"
    end
  elseif process.code ~= 0 or wrote ~= ITEMS then
    wrong(("%d written"):format(wrote))
  else
    stage.note("carried out", 1)
  end
end

local function trial(seed)
  local random = stage.random(seed)
  local processes, whose, count, problems = {}, {}, {}, {}
  local function say(text)
    problems[#problems + 1] = text
  end
  stage.wipe(state)
  emulator:reset()
  for number = 1, PROCESSES do
    processes[number] = make_process(random, number)
  end
  start_all(processes)
  stage.changes(emulator)
  for _, request in ipairs(stage.writes(emulator)) do
    local name = request.body.alias:match "^p%d+"
    whose[#whose + 1] = name
    count[name] = (count[name] or 0) + 1
  end
  check_order(whose, "requests", say)
  check_ledger(say)
  for _, process in ipairs(processes) do
    check_process(process, count[process.name] or 0, say)
  end
  stage.count = stage.count + PROCESSES - 1
  stage.point(problems, ("seed=%d"):format(seed))
end

stage.each_seed(FEW, TRIALS, trial)
emulator:stop()
stage.finish "processes"
