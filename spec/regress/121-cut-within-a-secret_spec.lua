-- A text of the script's with a secret parameter was cut first and masked then: where the cut
-- went through the secret, its beginning stood in the ledger, the log and on the screen.
local canary = require "spec.support.canary"
local scene = require "spec.support.scene"

local place
scene.of_host({ "--accounts", "20" }, function(_, directory)
  place = directory
end)

local SCRIPT = [[
  local params = { token = { type = "secret", required = true }, at = { type = "integer" } }
  local job = composio.job { params = params }
  local text = ("x"):rep(job.params.at) .. job.params.token .. ("y"):rep(300)
  composio.bulk({ { id = "one" } }, function() error(text, 0) end)
  error(text, 0)
]]

it("a secret that a text ends within is masked", function()
  local secret = canary.new "param"
  place.secrets[2] = secret
  place.secrets[3] = secret:sub(1, 14)
  for _, at in ipairs { 250, 980, 1000, 1010, 1120, 1580, 2030 } do
    local run = place:run(
      { "job.lua", "--apply", "--log", "log", "--at", tostring(at) },
      { script = SCRIPT, env = { COMPOSIO_PARAM_TOKEN = secret } }
    )
    assert.equal(1, run.code, run.err)
  end
end)
