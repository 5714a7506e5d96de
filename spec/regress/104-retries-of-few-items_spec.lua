-- Retries count among the attempts after which the service is down, over fewer than five items
-- where these are all that are left. It waits as long as four retries do.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "200" }, function(...)
  emulator, place = ...
end)

local BULK = "composio.bulk(%s, function(a) a:disable() end)"

it("four items with four retries each are twenty attempts, and all that are left", function()
  local ids = job.quoted(job.ids(emulator, { statuses = { "ACTIVE" } }, 4))
  emulator:faults { { method = "PATCH", path = "*", action = "close" } }
  local run = place:run(host.unlimited { "job.lua", "--apply", "--settle-wait=0", "--retries=4",
    "--concurrency=4" }, { script = BULK:format(ids) })
  assert.equal(7, run.code, run.err)
  job.has(run.err, "20 attempts in a row had no answer")
end)
