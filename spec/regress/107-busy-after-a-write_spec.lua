-- A run that met a report of another run after it had sent changes exited 75, which promises
-- that nothing was changed.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

it("exits 7", function()
  place:script([[
    composio.job { may = "read" }
    composio.report("same.csv", { "a" })
    print "ready"
    while not io.open("go") do composio.sleep(0.02) end
  ]], "holds.lua")
  local process = place:start { "holds.lua", "--allow", "io" }
  process:wait_for "ready"
  local id = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1]
  local run = place:run({ "job.lua", "--apply" }, {
    script = ([[
      composio.bulk("first", { %q }, function(account) account:disable() end)
      composio.report("same.csv", { "a" })
    ]]):format(id),
  })
  place:write("go", "")
  process:wait()
  assert.equal(7, run.code, run.err)
  job.has(run.err, "another run writes the report same.csv")
  job.has(run.err, "composio-lua resume ")
  assert.equal(0, place:run({ "resume", "last" }).code)
end)
