-- A service that was gone while a plan was made stopped the run only when five items had felt
-- it: fewer were told as failed. A Retry-After beyond --max-wait to a look-up stopped nothing.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

local ACTION = [[function(row)
  accounts.get(row.id)
  accounts.disable(row.id)
end)]]

-- Plans three rows, or accounts, under a fault of all look-ups.
local function plan(selection, fault)
  local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 3)
  fault.method, fault.path = "GET", "*/connected_accounts/ca_*"
  emulator:faults { fault }
  return place:run({ "job.lua", "--apply", "--retries=0", "--summary=summary.json" }, {
    script = ("composio.bulk(%s, %s"):format(selection:format(table.unpack(ids)), ACTION),
  })
end

local function stops(run, why)
  assert.equal(7, run.code, run.err)
  job.has(run.err, "stopped while planning: " .. why)
  job.has(run.err, "/job.lua --retries=0") -- the same command
  assert.same({}, job.changes(emulator))
end

local ROWS = '{ { id = "%s" }, { id = "%s" }, { id = "%s" } }'

it("three rows are all that are left, and nothing has succeeded", function()
  stops(plan(ROWS, { action = "close" }), "3 attempts in a row had no answer")
end)

it("after a listing three attempts are too few", function()
  local run = plan('{ "%s", "%s", "%s" }', { action = "close" })
  assert.equal(3, run.code, run.err)
end)

it("one that succeeds begins the count anew", function()
  local run = plan(ROWS, { action = "close", nth = 1, times = 2 })
  assert.equal(3, run.code, run.err)
  assert.equal(1, #job.changes(emulator))
end)

it("a Retry-After beyond --max-wait is enough once", function()
  local run = plan('{ "%s", "%s", "%s" }',
    { action = "reply", status = 429, headers = { ["Retry-After"] = "600" }, nth = 2 })
  stops(run, "the service asks to wait longer than --max-wait")
end)
