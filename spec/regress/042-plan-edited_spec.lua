-- A plan could be edited by anybody who could write the file: its digest had no key.
local digest = require "spec.support.digest"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "60", "--api-key", "ak_emulator", "--api-key", "ak_new" },
  function(...)
    emulator, place = ...
  end)

local function refused(code, text, ...)
  local run = place:run({ "apply", "plan", ... }, { env = { COMPOSIO_API_KEY = ... and "ak_new" } })
  assert.equal(code, run.code, run.err)
  job.has(run.err, (text:gsub("PLACE", place.path)))
  assert.equal(0, job.writes(emulator))
end

before_each(function()
  local script = [[composio.job { params = { days = { type = "integer", default = 1 } } }
    composio.bulk("off", accounts.each { toolkit_slugs = { "gmail" } }, function(account)
      account:disable()
    end)]]
  local run = place:run({ "job.lua", "--days=3", "--save-plan=plan" }, { script = script })
  assert.equal(0, run.code, run.err)
end)

it("an edited plan is refused, also with a digest that is right", function()
  place:write("plan", digest.forged((place:read("plan"):gsub('"disable"', '"enable"', 1))))
  refused(2, "its seal does not match")
end)

it("a plan of a rotated key is taken if this ledger made it", function()
  refused(4, "not by the ledger in", "--same-project", "--state-dir=other")
  place:write("plan", digest.forged((place:read("plan"):gsub('"kind"', ' "kind"', 1))))
  refused(4, "plan again: composio-lua run PLACE/job.lua --days 3 --save-plan", "--same-project")
end)

it("a plan of 0.1.0 is refused with the command that plans again", function()
  place:write("plan", (place:read("plan"):gsub('^{"plan":2', '{"plan":1')))
  refused(2, "plan again: composio-lua run PLACE/job.lua --days 3 --save-plan PLACE/plan")
end)
