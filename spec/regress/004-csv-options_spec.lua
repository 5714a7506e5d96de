-- composio.csv took { secret = … } in the place of the columns without a word,
-- and the secret column went into the ledger.
local child = require "spec.support.child"

it("options in the place of the columns are refused", function()
  local run = child.run {
    "run", "SCRIPT",
    url = "http://127.0.0.1:9",
    api_key = "ak_x",
    script = [[require "composio".csv("any.csv", { secret = { "token" } })]],
  }
  assert.equal(1, run.code)
  assert.matches("'secret' is not a list index", run.err)
  run:remove()
end)
