-- `runs` called a run interrupted that had changed nothing, and for which doctor and resume had
-- nothing to do; and it did not tell which of the ended runs resume goes on with. The command
-- that resume gave for a refused run was refused again.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

local DISABLE = [[
  composio.bulk(accounts.each { statuses = { "ACTIVE" } }, function(account)
    account:disable()
    if arg[1] then composio.sleep(tonumber(arg[1])) end
  end)
]]

-- Returns what `runs` says of the newest run, and whether it is open.
local function said()
  local table_line = place:run({ "runs" }).out:match "^[^\n]+"
  return table_line:match "^%S+%s+(.-)%s%s", place:run({ "runs", "--json" }).out:match
    '^[^\n]+"open":(%l+)'
end

local function doctor()
  return place:run({ "doctor" }).out:match "runs +(.-)\n"
end

local NOTHING = "ok    no run is left to be resumed"

-- Kills a run while it plans.
local function kill_planning(...)
  local process = place:start(host.unlimited { "job.lua", ..., "--", "20" }, { script = DISABLE })
  host.wait_until(function()
    return place:read ".local/state/composio-lua/ledger.db" and place:run({ "runs" }).out ~= ""
  end)
  process:signal "KILL"
  process:wait()
end

for word, options in pairs { preview = { "--show=all" }, run = { "--apply" } } do
  it("a " .. word .. " that was killed while it planned has merely not ended", function()
    kill_planning(table.unpack(options))
    assert.same({ "not ended", "false" }, { said() })
    assert.equal(NOTHING, doctor())
    assert.equal(2, place:run({ "resume", "last" }).code)
  end)
end

it("a refused run, and a refused run of a plan, have a command that passes", function()
  place:run({ "job.lua", "--save-plan=plan", "--max-percent=100" }, { script = DISABLE })
  for _, words in ipairs { { "job.lua", "--apply" }, { "apply", "plan" } } do
    table.move({ "--max-changes=2", "--max-percent=100" }, 1, 2, #words + 1, words)
    local run = place:run(words)
    assert.equal(4, run.code, run.err)
    assert.same({ "exit 4", "false" }, { said() })
    assert.equal(NOTHING, doctor())
    local refused = place:run { "resume", run.err:match "run: (%S+)" }
    assert.equal(2, refused.code, refused.err)
    job.has(refused.err, "was refused by a guard")
    local command = refused.err:match "run it again: composio%-lua ([^\n]+)"
    local again = {}
    for word in command:gmatch "%S+" do
      again[#again + 1] = word
    end
    run = place:run(again)
    assert.equal(0, run.code, run.err)
    assert.same({ "done", "false" }, { said() })
    emulator:reset()
  end
end)

it("an ended run that resume goes on with is open, for doctor, too", function()
  emulator:faults { job.refusal { method = "PATCH" } }
  local run = place:run(host.unlimited { "job.lua", "--apply", "--stop-on=failed=1",
    "--concurrency=1" }, { script = DISABLE })
  emulator:faults()
  assert.equal(7, run.code, run.err)
  assert.same({ "exit 7, open", "true" }, { said() })
  job.has(doctor(), "1 to be resumed")
  assert.equal(3, place:run({ "resume", "last", "--stop-on=failed=9" }).code)
  assert.same({ "exit 3", "false" }, { said() })
  assert.equal(NOTHING, doctor())
end)
