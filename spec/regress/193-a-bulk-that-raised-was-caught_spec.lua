-- A bulk whose selection raised, caught by the script, ended with exit 0; the run then refused
-- every other bulk and change, because it took itself to be planning still.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place, ids
scene.of_host({ "--accounts", "20" }, function(...)
  emulator, place = ...
  ids = ids or job.ids(emulator, { statuses = { "ACTIVE" } }, 3)
end)

-- One row is planned before the second one raises: a cell of it is empty.
local CAUGHT = [[
  pcall(composio.bulk, "staff", composio.csv("bad.csv", { "id", "go" }),
    function(row) accounts.disable(row.id) end)
]]

local function run_with(script, ...)
  place:write("bad.csv", ("id,go\n%s,yes\n%s,\n"):format(ids[1], ids[2]))
  return place:run({ "job.lua", "--max-percent=100", "--summary=summary.json", ... }, {
    script = CAUGHT .. script:gsub("ID", ids[3]),
  })
end

it("the run exits 1 and says why, and its planned rows are taken back", function()
  local run = run_with("", "--apply", "--cron")
  assert.equal(1, run.code, run.err)
  job.has(run.err, "column 'go' is empty")
  assert.same({}, emulator:changes())
  assert.equal(1, run.summary.outcomes.skipped)
  assert.equal(0, run.summary.open)
  job.has(place:ledger("SELECT error FROM outcome")[1][1], "column 'go' is empty")
end)

it("a preview says it, too, and saves no plan", function()
  local run = run_with("", "--save-plan=plan")
  assert.equal(1, run.code, run.err)
  job.has(run.err, "column 'go' is empty")
  job.has(run.err, "a bulk failed while it was planned")
  job.lacks(run.err, "a listing is incomplete")
end)

it("later calls and bulks are carried out, within limits that do not count it", function()
  local run = run_with([[
    accounts.update("ID", { alias = "x" })
    composio.bulk("other", { "ID" }, function(account) account:disable() end)
  ]], "--apply", "--max-changes=2")
  assert.equal(1, run.code, run.err)
  assert.equal(2, #emulator:changes())
  assert.equal(2, run.summary.outcomes.done)
  assert.equal(1, run.summary.outcomes.skipped)
end)

it("resume plans it anew when the file is good", function()
  local run = run_with(
    [[composio.bulk("other", { "ID" }, function(account) account:disable() end)]], "--apply"
  )
  assert.equal(1, run.code, run.err)
  place:write("bad.csv", ("id,go\n%s,yes\n%s,yes\n"):format(ids[1], ids[2]))
  local resumed = place:run { "resume", "last", "--max-percent=100" }
  assert.equal(0, resumed.code, resumed.err)
  assert.equal(3, #emulator:changes())
end)
