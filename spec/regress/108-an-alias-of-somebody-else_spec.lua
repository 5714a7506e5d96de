-- An alias that was sent again, because its reply was lost, overwrote one that somebody had
-- set meanwhile.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

local function resumed(meanwhile)
  local id = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1]
  local client = emulator:client()
  client.connected_accounts.update(id, { alias = "work" })
  emulator:faults { method = "PATCH", action = "close", times = 2 }
  local run = place:run({ "job.lua", "--apply", "--retries=0", "--timeout=2s", "--settle-wait=0" },
    { script = ([[composio.bulk({ %q }, function(account)
      account:update { alias = "one" } end)]]):format(id) })
  assert.equal(8, run.code, run.err)
  if meanwhile then
    client.connected_accounts.update(id, { alias = meanwhile })
  end
  run = place:run { "resume", "last" }
  local alias = client.connected_accounts.get(id).alias
  client:close()
  return run, alias
end

it("is left alone", function()
  local run, alias = resumed "theirs"
  assert.equal("theirs", alias, run.err)
  assert.equal(3, run.code, run.err)
  job.has(run.err, 'has the alias "theirs" now')
end)

it("but what the plan saw is replaced", function()
  local run, alias = resumed()
  assert.equal("one", alias, run.err)
  assert.equal(0, run.code, run.err)
end)
