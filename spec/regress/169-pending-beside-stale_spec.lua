-- `resume` of a run that ended with 3, because a change was stale, said that it was finished,
-- although people were still waited for in `after`.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "20" }, function(...)
  emulator, place = ...
end)

it("asks again for the items that wait for people", function()
  local id = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1]
  local preview = place:run(host.unlimited { "job.lua", "--save-plan=plan" }, {
    script = ([[
      composio.bulk({ after = function(_, results)
        results.link:wait_for_connection { timeout = 0.1, interval = 0.05 }
      end }, { { id = "new" }, { id = "old" } }, function(row)
        if row.id == "old" then
          accounts.disable(%q)
        else
          accounts.link("new user", "ac_GmailManaged")
        end
      end)
    ]]):format(id),
  })
  assert.equal(0, preview.code, preview.err)
  place:script(("accounts.disable %q"):format(id), "other.lua")
  assert.equal(0, place:run({ "other.lua", "--apply" }).code)
  local run = place:run { "apply", "plan" }
  assert.equal(3, run.code, run.err)
  job.has(run.err, "1 item waiting for a person")
  run = place:run { "resume", "last" }
  job.lacks(run.err, "there is nothing to resume")
  assert.equal(3, run.code, run.err)
end)
