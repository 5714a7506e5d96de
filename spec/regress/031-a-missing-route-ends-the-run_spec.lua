-- With a base URL that ends in /api/v3, or behind a gateway without the route, each change
-- failed by itself as if its account were gone, and scripts that catch that went on.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "90" }, function(...)
  emulator, place = ...
end)


it("a preview of a wrong base URL exits with 2 and names the route", function()
  emulator:reset()
  local run = place:run({ "job.lua", "--base-url", emulator.url .. "/api/v3" }, {
    script = "print(pcall(accounts.get, 'ca_x')) accounts.list {}",
  })
  assert.equal(2, run.code, run.err)
  assert.matches("RouteNotFoundError", run.out)
  assert.matches("check the base URL", run.err)
end)

it("a bulk stops at the first change whose route is missing", function()
  emulator:reset()
  emulator:faults { { method = "POST", path = "*/refresh*", action = "reply", status = 404,
    body = "<html>nothing here</html>" } }
  local run = place:run({ "job.lua", "--apply", "--concurrency=1", "--summary=summary.json" }, {
    script = [[composio.bulk(accounts.each { statuses = { "EXPIRED" } }, function(account)
      account:refresh { otherwise = "disable" }
    end)]],
  })
  assert.equal(7, run.code, run.err)
  assert.equal(1, run.summary.operations.refresh.unknown, run.err)
  assert.is_nil(run.summary.operations.refresh.failed)
  assert.same({}, job.changes(emulator))
end)

it("a foreign 404 after a success only leaves that change unknown", function()
  emulator:reset()
  local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 3)
  emulator:faults {
    { method = "PATCH", nth = 2, action = "reply", status = 404, body = "<html>nothing" },
    { method = "GET", path = "*/" .. ids[2], action = "close" },
  }
  local run = place:run({ "job.lua", "--apply", "--concurrency=1", "--summary=summary.json" }, {
    script = ("composio.bulk({ %q, %q, %q }, function(account) account:disable() end)")
      :format(table.unpack(ids)),
  })
  assert.equal(8, run.code, run.err)
  assert.same({ disable = { done = 2, unknown = 1 } }, run.summary.operations)
end)
