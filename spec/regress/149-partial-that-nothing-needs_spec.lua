-- FILE.partial stayed after a run whose changes were stale, although no resume goes on in it.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "20" }, function(...)
  emulator, place = ...
end)

local SCRIPT = [[
  local report = composio.report("r.csv", { "id" })
  composio.bulk({ after = function(account) report:add { id = account.id } end },
    accounts.each { statuses = { "ACTIVE" } }, function(account) account:disable() end)
]]

it("goes after stale changes, and stays after failed ones for resume --failed", function()
  local preview = place:run(host.unlimited { "job.lua", "--save-plan", "plan" },
    { script = SCRIPT })
  assert.equal(0, preview.code, preview.err)
  local id = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1]
  place:script(("accounts.disable %q"):format(id), "other.lua")
  assert.equal(0, place:run({ "other.lua", "--apply" }).code)
  local stale = place:run { "apply", "plan" }
  assert.equal(3, stale.code, stale.err)
  job.has(place:run({ "resume", "last", "--failed" }).err, "there is nothing to resume")
  assert.is_string(place:read "r.csv")
  assert.is_nil(place:read "r.csv.partial")

  emulator:reset()
  emulator:faults { job.refusal { method = "PATCH" } }
  local failed = place:run(host.unlimited { "job.lua", "--apply" }, { script = SCRIPT })
  assert.equal(3, failed.code, failed.err)
  assert.is_string(place:read "r.csv.partial")
  assert.equal(0, place:run({ "resume", "last", "--failed" }).code)
  assert.is_nil(place:read "r.csv.partial")
  local _, rows = place:read("r.csv"):gsub("ca_", "")
  assert.equal(#job.changes(emulator), rows)
end)
