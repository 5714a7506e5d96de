-- A script outside a bulk read an INACTIVE account and deleted it later: it was ACTIVE
-- by then, and was deleted without --delete-active.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

it("an irreversible change outside a bulk is not sent when its account has changed", function()
  local client = emulator:client()
  for _, call in ipairs { "delete", "revoke" } do
    local id = job.ids(emulator, { statuses = { "INACTIVE" } }, 1)[1]
    local script = [[composio.job { may = "irreversible" }
      local account = composio.connected_accounts.get(%q)
      print "read" io.stdout:flush()
      repeat composio.sleep(0.05) until io.open(%q)
      account:%s()]]
    local go = place.path .. "/go." .. call
    local process = place:start({ "job.lua", "--apply", "--confirm=1", "--allow=io" },
      { script = script:format(id, go, call) })
    process:wait_for "read"
    client.connected_accounts.enable(id)
    place:write("go." .. call, "")
    local run = process:wait(20)
    job.has(run.err, "is ACTIVE now, but the plan saw INACTIVE")
    assert.equal("ACTIVE", client.connected_accounts.get(id).status)
  end
  client:close()
end)
