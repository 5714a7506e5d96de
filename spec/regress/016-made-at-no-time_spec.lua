-- A link whose reply was lost was sent again by resume where the service did not show
-- when the person's account was made: it was taken for an older one.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "20" }, function(...)
  emulator, place = ...
end)

local listed = "*order_direction=desc*"

it("an account without a time of making does not prove that none was made", function()
  emulator:faults {
    { method = "POST", action = "apply_then_close" },
    -- the first list is the look before the link
    { method = "GET", path = listed, nth = 2, times = 100, action = "reply", status = 500 },
  }
  local words = { "job.lua", "--apply", "--retries=0", "--timeout=2s", "--settle-wait=0",
    "--summary=summary.json" }
  local run = place:run(words, {
    script = [[composio.job { may = "reversible" }
      composio.bulk({ key = function(row) return row.user end }, { { user = "new" } },
        function(row)
          composio.connected_accounts.link(row.user, "ac_SlackManaged", { allow_multiple = true })
        end)]],
  })
  assert.equal(8, run.code, run.err)
  local shown = { id = "ca_new", user_id = "new", status = "INITIATED", created_at = false }
  emulator:faults {
    { method = "GET", path = listed, action = "reply", status = 200, body = { items = { shown } } },
  }
  local resumed = place:run { "resume", run.summary.run, "--summary=summary.json" }
  -- the look before the link did not show that id
  assert.equal(0, resumed.code, resumed.err)
  job.has(resumed.err, "1 happened")
  assert.equal(1, #emulator:changes())
end)
