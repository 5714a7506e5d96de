-- --if-older took a run that had left out items, or that undo has taken back, for the job.
-- With --save-plan it left an older plan in place, and ended with 0.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

local SCRIPT = [[
composio.bulk({ "ca_github_u123A", "ca_slack_u123_B" }, function(account)
  account:disable()
end)
]]

local function run_of(...)
  local run = place:run(host.unlimited { "job.lua", "--apply", ... })
  assert.equal(0, run.code, run.err)
  return run
end

local function runs()
  return #place:ledger "SELECT id FROM run WHERE mode = 'apply'"
end

-- Does --if-older take the runs so far for this one?
local function is_recent(...)
  local before = runs()
  run_of("--if-older", "20h", "--cron", ...)
  return runs() == before
end

describe("--if-older counts no run", function()
  before_each(function()
    host.shell("rm -rf " .. place.path .. "/.local")
    place:script(SCRIPT)
  end)

  it("of the first items only, except for the same number of them", function()
    run_of("--limit-items", "1")
    assert.is_true(is_recent("--limit-items", "1"))
    assert.is_false(is_recent("--limit-items", "2"))
    assert.is_false(is_recent())
    assert.is_true(is_recent())
    assert.is_true(is_recent("--limit-items", "1"))
  end)

  it("that left out what another --protect lists", function()
    place:write("protect.txt", "ca_github_u123A\n")
    run_of("--protect", "protect.txt")
    assert.is_true(is_recent("--protect", "protect.txt"))
    assert.is_false(is_recent())
    assert.is_true(is_recent("--protect", "protect.txt"))
  end)

  it("of a slice for the job; one of the job counts for each slice", function()
    run_of("--shard", "1/2")
    assert.is_true(is_recent("--shard", "1/2"))
    assert.is_false(is_recent("--shard", "1/3"))
    assert.is_false(is_recent("--shard", "2/2"))
    assert.is_false(is_recent())
    assert.is_true(is_recent("--shard", "2/3"))
  end)

  it("that undo has taken back", function()
    run_of()
    assert.is_true(is_recent())
    local undo = place:run(host.unlimited { "undo", "last" })
    assert.equal(0, undo.code, undo.err)
    assert.is_true(is_recent()) -- that was a preview
    undo = place:run(host.unlimited { "undo", "last", "--apply" })
    assert.equal(0, undo.code, undo.err)
    assert.is_false(is_recent())
    assert.is_true(is_recent())
  end)
end)

describe("--if-older with --save-plan", function()
  it("is refused", function()
    place:write("p.plan", "yesterday's")
    local run = place:run { "job.lua", "--if-older", "20h", "--save-plan", "p.plan" }
    assert.equal(2, run.code, run.err)
    job.has(run.err, "--save-plan cannot be combined with --if-older")
    assert.equal(0, job.writes(emulator))
  end)
end)
