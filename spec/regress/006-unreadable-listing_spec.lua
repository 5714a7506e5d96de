-- A bulk whose listing could not be read at all ended with 0: nothing to do.
local host = require "spec.support.host"
local server = require "spec.support.server"

it("a listing that cannot be read is no empty one", function()
  local emulator = server.emulator { "--accounts", "200" }
  local place = host.place(emulator)
  local script = [[
    composio.job { summary = "x", may = "reversible" }
    composio.bulk(accounts.each { account_type = "ALL" }, function() end)
  ]]
  for _, mode in ipairs { "--apply", "--show=all" } do
    emulator:faults { { method = "GET", action = "reply", status = 400, body = "no" } }
    local run = place:run({ "job.lua", mode }, { script = script })
    assert.equal(7, run.code, run.err) -- not the service's own word
    assert.matches("BadRequestError", run.err)
  end
  -- nothing to change, but not all of it seen
  emulator:faults { { path = "*cursor=*", action = "reply", status = 400, body = "no" } }
  local run = place:run({ "job.lua", "--apply" }, { script = script })
  assert.equal(7, run.code, run.err)
  assert.matches("the listing is incomplete", run.err)
  place:remove()
  emulator:stop()
end)
