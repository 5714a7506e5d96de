-- disable, then revoke { otherwise = "enable" } on an ACTIVE account: the fallback was
-- judged by the account that the plan had read and called the same, so it was never sent.
-- The account stayed disabled, and its item was called done.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

describe("a fallback after another change of its item", function()
  local emulator, place
  scene.of_host({ "--accounts", "60" }, function(...)
    emulator, place = ...
  end)

  it("is sent, whatever the account was before both", function()
    emulator:faults { job.refusal { method = "POST", path = "*/revoke*" } }
    local words = host.unlimited { "job.lua", "--apply", "--confirm", "1", "--summary",
      "summary.json" }
    local run = place:run(words, { script = [[
      composio.job { may = "irreversible" }
      composio.bulk({ "ca_github_u123A" }, function(account)
        account:disable()
        account:revoke { otherwise = "enable" }
      end)
    ]] })
    assert.equal(0, run.code, run.err)
    assert.same({ "disable ca_github_u123A", "enable ca_github_u123A" }, job.changes(emulator))
  end)
end)
