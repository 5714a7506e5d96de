-- composio.csv took { secret = … } in the place of the columns without a word,
-- and the secret column went into the ledger.
local host = require "spec.support.host"

it("options in the place of the columns are refused", function()
  local place = host.place()
  local run = place:run({ "job.lua" }, {
    script = [[composio.csv("any.csv", { secret = { "token" } })]],
    env = { COMPOSIO_BASE_URL = "http://127.0.0.1:9", COMPOSIO_API_KEY = "ak_x" },
  })
  place:remove()
  assert.equal(1, run.code)
  assert.matches("'secret' is not a list index", run.err)
end)
