-- A run that makes accounts was started while one of the whole job, or of another slicing,
-- stood interrupted: --shard walked round the guard against doubled creates.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

local LINK = [[
  local rows = {}
  for number = 1, 12 do rows[number] = { user = "new" .. number } end
  composio.bulk({ key = function(row) return row.user end }, rows, function(row)
    accounts.link(row.user, "ac_GmailManaged")
  end)
]]

local function words(shard, ...)
  local all = host.unlimited { "job.lua", "--apply", "--concurrency=1", "--timeout=1s", ... }
  if shard then
    all[#all + 1] = "--shard=" .. shard
  end
  return all
end

local function links()
  return job.sent(emulator, "/link")
end

-- Kills a run when two of its links are made.
local function kill(shard)
  emulator:forget()
  host.shell("rm -rf " .. place.path .. "/.local")
  emulator:faults { { method = "POST", action = "delay", delay_ms = 60 } }
  local process = place:start(words(shard), { script = LINK })
  host.wait_until(function()
    return links() >= 2
  end)
  process:signal "KILL"
  process:wait()
  emulator:faults()
  emulator:tell("clock/advance", { seconds = 700 })
end

-- Finishes the first run that acted; each of the twelve users has one link then.
local function resume()
  local first = place:ledger("SELECT name FROM run WHERE exit_code <> 0 OR exit_code IS NULL")
  local run = place:run { "resume", first[1][1], "--timeout=1s" }
  assert.equal(0, run.code, run.err)
  assert.equal(12, links())
end

local function code_of(...)
  local run = place:run(words(...))
  if run.code == 4 then
    job.has(run.err, "was interrupted: this run would make again what that one has made")
  end
  return run.code
end

describe("an interrupted run", function()
  it("of the whole job is met by each of its slices", function()
    kill(nil)
    local before = links()
    assert.equal(4, code_of(nil))
    assert.equal(4, code_of "1/2")
    assert.equal(4, code_of "2/2")
    assert.equal(4, code_of "1/1")
    assert.equal(before, links())
    resume()
  end)

  it("of a slice is met by the job and by other slicings, not by its fellows", function()
    kill "1/2"
    local before = links()
    assert.equal(4, code_of "1/2")
    assert.equal(4, code_of(nil))
    assert.equal(4, code_of "1/3")
    assert.equal(before, links())
    assert.equal(0, code_of "2/2")
    resume()
  end)

  it("is finished whole by a slice with --resume-first", function()
    kill(nil)
    local run = place:run(words("1/2", "--resume-first"))
    job.has(run.err, "was interrupted: it is finished first")
    assert.equal(0, run.code, run.err)
    assert.is_nil(run.err:find("gone after the plan", 1, true))
    assert.equal(12, links()) -- the whole job, and not the slice anew
  end)
end)
