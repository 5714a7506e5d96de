-- Requests that arrive late: a proxy is stopped while a run sends through it, the run is
-- killed, and a resume starts at once without the proxy. Then the proxy continues and
-- forwards what the dead process had sent. A resume that concluded too early that nothing
-- had happened would send the change again.
-- Usage: lua5.4 spec/prove/late.lua [short]
-- Must not know: what is in a ledger.
package.path = (arg[0]:match "^(.*)/spec/prove/[^/]*$" or ".") .. "/?.lua;" .. package.path
local oracle = require "spec.prove.oracle"
local proxy = require "spec.support.proxy"
local resumed = require "spec.prove.resumed"
local stage = require "spec.prove.stage"

local OPERATIONS = { "link", "initiate", "refresh", "disable", "update", "delete" }
local TIMES = 16 -- of each operation, in full mode

stage.begin "late"
stage.spread(4, "points")
local emulator = stage.emulator()
local between = proxy.start(emulator, {})
local state = stage.dir .. "/state"

-- The run sends 20 requests a second. The proxy is stopped after `still` s, and the run
-- is killed after `dead` s.
local function killed_run(operation, still, dead)
  local confirm = operation == "delete" and { "--confirm", "40" } or {}
  local words = { "--apply", "--limit-items", "40", "--retries", "0", "--rate", "20/s" }
  local command = stage.command {
    before = ("timeout -s KILL %.2f"):format(dead),
    script = stage.root .. "/spec/prove/jobs/" .. operation .. ".lua",
    state = state,
    url = between.url,
    more = stage.join(words, stage.OPEN, confirm),
  }
  local stop = ("(sleep %.2f; kill -STOP %s) & "):format(still, between.program.pid)
  return stage.shell(stop .. command .. "; wait")
end

-- The base URL belongs to the run, but this resume must use another one.
local direct = stage.dir .. "/direct"
stage.shell(stage.command {
  script = stage.root .. "/spec/prove/jobs/link.lua",
  state = direct,
  url = emulator.url,
})
local project = stage.sql(direct, "SELECT project FROM run;"):match "%x+"

local function resume(name, wake)
  local move = "UPDATE run SET base_url = '%s', project = '%s';"
  stage.sql(state, move:format(emulator.url, project))
  local go_on = ("(sleep %.2f; kill -CONT %s) & "):format(wake, between.program.pid)
  return stage.shell(go_on .. stage.command {
    verb = "resume",
    operand = name,
    state = state,
    url = emulator.url,
    more = { "--retries", "0" },
  } .. "; r=$?; wait; (exit $r)")
end

-- Setting an alias to its present value adds a line to the log and does no harm: the late
-- request and the resume's count as one.
local function without_repeats(changes)
  local list, seen = {}, {}
  for _, change in ipairs(changes) do
    if change.op ~= "alias" or not seen[change.account_id] then
      list[#list + 1] = change
      seen[change.account_id] = true
    end
  end
  return list
end

local function one(operation)
  local random = stage.random(stage.seen)
  local still = random(60, 140) / 100
  local how = ("%s, still after %.2f s"):format(operation, still)
  stage.wipe(state)
  emulator:reset()
  killed_run(operation, still, still + random(20, 60) / 100)
  local name = stage.newest_run(state)
  local output, code = resume(name, random(0, 300) / 100)
  local changes = stage.changes(emulator)
  local expected = operation == "refresh" and 3 or 0
  local problems = oracle.check {
    state = state,
    changes = without_repeats(changes),
    exit = code,
    finished = true,
  }
  resumed.check_repeats(emulator, changes, problems)
  if code == 8 then
    stage.note("left unknown", 1)
  elseif code ~= expected then
    problems[#problems + 1] = ("exit %d"):format(code)
  end
  local checked, happened = output:match "checked (%d+) unknown: (%d+) happened"
  if not checked then
    problems[#problems + 1] = "nothing was unknown"
  else
    stage.note("unknowns", math.tointeger(checked))
    stage.note("of them happened", math.tointeger(happened))
  end
  if #problems > 0 then
    problems[#problems + 1] = output:sub(1, 4000)
  end
  stage.point(problems, how)
end

for _, operation in ipairs(stage.short and { "link", "refresh" } or OPERATIONS) do
  for _ = 1, stage.short and 1 or TIMES do
    if stage.mine() then
      one(operation)
    end
  end
end
between:finish()
emulator:stop()
stage.finish "points"
