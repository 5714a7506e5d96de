-- After a guard had stopped a later bulk or call, nothing named the command that goes on:
-- `next:` was missing, `show` and `doctor` named a resume that was refused again.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

local BULKS = [[
  composio.job { may = "irreversible" }
  composio.bulk("one", %s, function(account) account:update { alias = "x" .. account.id } end)
  composio.bulk("two", %s, function(account) account:delete() end)
]]

local function script()
  local ids = job.ids(emulator, { statuses = { "EXPIRED" } }, 5)
  return BULKS:format(job.quoted(table.move(ids, 1, 2, 1, {})),
    job.quoted(table.move(ids, 3, 5, 1, {})))
end

-- Types a printed command.
local function type_it(command)
  local words = {}
  for word in assert(command, "no command"):gmatch "%S+" do
    words[#words + 1] = (word:gsub("^'(.*)'$", "%1"))
  end
  assert.equal("composio-lua", table.remove(words, 1))
  return place:run(words)
end

-- Returns the command of the run's end, which show and doctor name, too.
local function next_of(run)
  local command = run.err:match "\nnext: ([^\n]+)\n"
  assert(command, run.err)
  assert.equal(command, place:run({ "show", "last" }).out:match "\nnext: ([^\n]+)")
  job.has(place:run({ "doctor" }).out, command)
  return command
end

local LIMITS = {
  ["--max-changes"] = { "--max-changes=3", "--max-percent=100", "--confirm=3" },
  ["--max-percent"] = { "--max-percent=5", "--confirm=3" },
  ["--confirm"] = { "--max-percent=100", "--confirm=2" },
}

for limit, options in pairs(LIMITS) do
  it("the command after a later bulk was refused goes on: " .. limit, function()
    local run = place:run({ "job.lua", "--apply", table.unpack(options) }, { script = script() })
    assert.equal(7, run.code, run.err)
    local command = next_of(run)
    job.has(command, limit .. " ")
    run = type_it(command)
    assert.equal(0, run.code, run.err)
    job.lacks(run.err, "next:")
    assert.equal(5, job.writes(emulator))
  end)
end

it("the command after a later call was refused goes on", function()
  local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 3)
  local text = ("for _, id in ipairs(%s) do accounts.disable(id) end"):format(job.quoted(ids))
  local run = place:run({ "job.lua", "--apply", "--max-changes=1" }, { script = text })
  assert.equal(7, run.code, run.err)
  local command = next_of(run)
  job.has(command, "--max-changes 2")
  run = type_it(command)
  assert.equal(2, job.writes(emulator))
  run = type_it(next_of(run))
  assert.equal(0, run.code, run.err)
  assert.equal(3, job.writes(emulator))
end)

it("a refusal that no option lifts has no command", function()
  local ids = job.ids(emulator, { statuses = { "EXPIRED" } }, 2)
  local run = place:run({ "job.lua", "--apply", "--max-percent=100" }, { script = ([[
    composio.bulk("one", { %q }, function(account) account:update { alias = "x" } end)
    composio.bulk("two", { %q }, function(account) account:delete() end)
  ]]):format(ids[1], ids[2]) })
  assert.equal(7, run.code, run.err)
  job.lacks(run.err, "next:")
  job.lacks(place:run({ "show", "last" }).out, "next:")
  job.has(place:run({ "doctor" }).out, "no run is left to be resumed")
end)

it("a run that a signal ended between its bulks is resumed", function()
  local text = script():gsub('composio.bulk%("two"', 'composio.sleep(tonumber(arg[1]))\n%0')
  local process = place:start(host.unlimited { "job.lua", "--apply", "--confirm=3", "--", "20" },
    { script = text })
  host.wait_until(function()
    return job.writes(emulator) == 2
  end)
  process:signal "TERM"
  local run = process:wait()
  assert.equal(143, run.code, run.err)
  run = type_it(next_of(run) .. " --confirm 3 -- 0")
  assert.equal(0, run.code, run.err)
  assert.equal(5, job.writes(emulator))
end)

it("a run that is refused because of an interrupted one names that", function()
  local link = [[
    composio.bulk({ key = function(row) return row.user end },
      { { user = "a" }, { user = "b" } },
      function(row) accounts.link(row.user, "ac_GmailManaged") end)
  ]]
  emulator:faults { { method = "POST", action = "delay", delay_ms = 20000 } }
  local process = place:start(host.unlimited { "job.lua", "--apply", "--concurrency=1",
    "--timeout=1s" }, { script = link })
  host.wait_until(function()
    return job.writes(emulator) > 0
  end)
  process:signal "KILL"
  process:wait()
  emulator:faults()
  emulator:tell("clock/advance", { seconds = 60 })
  for _, option in ipairs { "--apply", "--show=all" } do
    local run = place:run(host.unlimited { "job.lua", option, "--timeout=1s" })
    assert.equal(4, run.code, run.err)
    assert.matches("\nnext: composio%-lua resume 2%S+ %-%-timeout 1s", run.err)
  end
  local run = place:run(host.unlimited { "job.lua", "--apply", "--timeout=1s" })
  run = type_it(run.err:match "\nnext: ([^\n]+)\n")
  assert.equal(0, run.code, run.err)
  run = place:run(host.unlimited { "job.lua", "--apply", "--anew" })
  assert.equal(0, run.code, run.err)
end)
