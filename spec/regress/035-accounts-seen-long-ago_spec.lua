-- A new bulk sent its changes however long ago its accounts had been listed: what somebody
-- else changed while a long plan was made, or waited for its confirmation, was changed
-- all the same. Accounts that were seen more than 5 s ago are read again, 100 in a list.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "500", "--seed", "3" }, function(...)
  emulator, place = ...
end)

local SCRIPT = [[
  composio.bulk(accounts.each { statuses = { "ACTIVE" }, account_type = "ALL" },
    function(account)
      if account.id == %q then
        accounts.get(account.id)
      end
      account:disable()
    end)
]]
local WORDS = host.unlimited { "job.lua", "--apply", "--summary=summary.json" }

it("a run of less than 5 s reads no account twice", function()
  local run = place:run(WORDS, { script = SCRIPT:format "" })
  assert.equal(0, run.code, run.err)
  assert.equal(0, job.lists(emulator))
end)

it("in a longer one each is read again, a hundred in one request", function()
  local ids = job.ids(emulator, { statuses = { "ACTIVE" }, account_type = "ALL" })
  local last = ids[#ids]
  emulator:faults {
    { method = "GET", path = "*/" .. last, delay_ms = 5100, action = "delay", times = 1 },
  }
  local process = place:start(WORDS, { script = SCRIPT:format(last) })
  host.wait_until(function()
    return emulator:ask("faults")[1].matched > 0
  end, "the end of the listing")
  local client = emulator:client()
  client.connected_accounts.disable(ids[1])
  client:close()
  local run = process:wait()
  assert.equal(3, run.code, run.err)
  assert.same({ done = #ids - 1, stale = 1 }, run.summary.operations.disable)
  assert.equal(#ids, #job.changes(emulator))
  assert.equal(math.ceil(#ids / 100), job.lists(emulator))
end)
