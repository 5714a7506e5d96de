-- Resumes a run that a sweep has damaged and checks the result: nothing may be left open,
-- done twice or reported wrongly, and one more resume must do nothing.
--
--   local problems = resumed.check { emulator = E, state = DIR, … }
--     url            of the service when it is not the emulator itself
--     expected       exit code of a run that nothing happened to (0)
--     count          changes that the plan has (40)
--     inject         strace's expression: hurts a first resume
--     secrets        texts that must not be in the ledger
--     more           words of the command line
-- Must not know: what is in a ledger, which fault hit the run.
local oracle = require "spec.prove.oracle"
local stage = require "spec.prove.stage"

local resumed = {}

local function say_all(problems, more)
  table.move(more, 1, #more, #problems + 1, problems)
end

local function resume(what, name, inject)
  return stage.shell(stage.command {
    verb = "resume",
    operand = name,
    before = inject and stage.strace("/dev/null", { inject:match "^%w+" }, inject) or "",
    state = what.state,
    url = what.url or what.emulator.url,
    more = stage.join({ "--retries", "0", "--timeout", "1s" }, what.more or {}),
  })
end

-- Must this request not be sent twice? True for creates and for refreshes that happened.
local function never_twice(text, refreshed)
  local account = text:match "/(ca_[^/ ]+)/refresh"
  return text:find "^POST" and (not account or refreshed[account])
end

-- Finds changes that were sent more than once. That is harmless when the operation can be
-- repeated and its reply was lost, but never for a create. A refused refresh did not
-- happen.
function resumed.check_repeats(emulator, changes, problems)
  local times, refreshed = {}, {}
  for _, request in ipairs(stage.writes(emulator)) do
    times[request.text] = (times[request.text] or 0) + 1
  end
  for _, change in ipairs(changes) do
    if change.op == "refresh" then
      refreshed[change.account_id] = true
    end
  end
  for text, count in pairs(times) do
    if count > 1 and never_twice(text, refreshed) then
      problems[#problems + 1] = ("sent %d times: %s"):format(count, text)
    elseif count > 1 then
      stage.note("harmless repeats", count - 1)
    end
  end
end

local function ledger_text(state)
  return stage.sql(state, ".dump outcome") .. stage.sql(state, ".dump part")
end

-- Resumes a finished run: it must say so, send nothing and leave the ledger unchanged.
local function check_again(what, name, code, problems)
  local before = ledger_text(what.state)
  what.emulator:forget()
  local output, again = resume(what, name)
  local sent = stage.writes(what.emulator)
  if #sent > 0 then
    problems[#problems + 1] = "resumed when finished: it sent " .. sent[1].text
  end
  if code == 8 then -- unknown outcomes are probed again
    return
  elseif not output:find "is finished" or (again ~= 0 and again ~= code) then
    problems[#problems + 1] = ("resumed when finished: exit %d\n%s"):format(again, output)
  elseif ledger_text(what.state) ~= before then
    problems[#problems + 1] = "resumed when finished: the ledger is another one"
  end
end

local function check_nothing_stood(what, output, changes, problems)
  stage.note("plans that did not stand", 1)
  if #changes > 0 or #stage.writes(what.emulator) > 0 then
    problems[#problems + 1] = "nothing to resume, but something was sent\n" .. output
  elseif not output:find "nothing was changed" then
    problems[#problems + 1] = "exit 2, and does not say that nothing was changed\n" .. output
  end
end

local function check_end(what, name, output, code, changes, problems)
  local expected = what.expected or 0
  local before = #problems
  local was_finished = output:find "is finished" ~= nil
  resumed.check_repeats(what.emulator, changes, problems)
  local said, ledger = oracle.check {
    state = what.state,
    changes = changes,
    secrets = what.secrets,
    exit = was_finished and expected or code,
    finished = true,
  }
  say_all(problems, said)
  if ledger and #ledger.changes ~= (what.count or 40) then
    problems[#problems + 1] = ("%d changes in the ledger"):format(#ledger.changes)
  end
  if code == 8 then
    stage.note("left unknown", 1)
  elseif code ~= expected and not was_finished then
    problems[#problems + 1] = ("resume: exit %d"):format(code)
  end
  if #problems > before then
    problems[#problems + 1] = output:sub(1, 3000)
  end
  check_again(what, name, was_finished and expected or code, problems)
end

-- Resumes until the run ends by itself. Returns what is wrong, and what was printed.
function resumed.check(what)
  local problems, name = {}, stage.newest_run(what.state)
  if not name then
    if #stage.changes(what.emulator) > 0 then
      problems[1] = "changes, but no run in the ledger"
    end
    return problems, ""
  end
  local output, code
  if what.inject then
    output, code = resume(what, name, what.inject)
    stage.note("resumes killed", code == 137 and 1 or 0)
  end
  if not what.inject or code == 137 then
    output, code = resume(what, name)
  end
  local changes = stage.changes(what.emulator)
  if code == 2 then
    check_nothing_stood(what, output, changes, problems)
  else
    check_end(what, name, output, code, changes, problems)
  end
  return problems, output, code
end

return resumed
