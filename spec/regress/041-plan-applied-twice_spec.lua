-- The same plan was carried out twice, and made each link twice.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

local LINKS = [[local rows = {}
for at = 1, 9 do rows[at] = { id = tostring(at) } end
composio.bulk("new", rows, function(row)
  accounts.link("user " .. row.id, "ac_GmailManaged", { allow_multiple = true })
end)]]

local function save()
  assert.equal(0, place:run({ "job.lua", "--save-plan=a plan" }, { script = LINKS }).code)
end

local function refused(text, ...)
  local before = job.writes(emulator)
  local run = place:run { "apply", "a plan", ... }
  assert.equal(4, run.code, run.err)
  job.has(run.err, (text:gsub("PLACE", place.path)))
  assert.equal(before, job.writes(emulator))
end

it("a plan is carried out once, and a plan that was left is resumed", function()
  save()
  emulator:faults { job.refusal { path = "*/link", times = 9 } }
  place:run { "apply", "a plan", "--stop-on=failed=1", "--concurrency=1" }
  emulator:faults()
  refused "is not finished; finish it: composio-lua resume 20"
  place:run { "resume", "last" }
  refused "to send again what failed: composio-lua resume 20"
  assert.equal(0, place:run({ "resume", "last", "--failed" }).code)
  refused "plan again: composio-lua run PLACE/job.lua --save-plan '"
  save()
  assert.equal(0, place:run({ "apply", "a plan" }).code)
end)

it("a plan that makes accounts is carried out by its own ledger, or anew", function()
  save()
  refused("so another one may have carried it out", "--state-dir=other")
  assert.equal(0, place:run({ "apply", "a plan", "--state-dir=other", "--anew" }).code)
  refused("has carried out the plan", "--state-dir=other", "--anew")
end)
