-- A refresh whose reply was lost was called done because its own item's earlier change had
-- moved the account's status or `updated_at` after the precheck.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

describe("a lost refresh after another change of its item", function()
  local emulator, place
  scene.of_host({ "--accounts", "60" }, function(...)
    emulator, place = ...
  end)

  local EARLIER = {
    disable = { "account:disable()", "INACTIVE" },
    update = { 'account:update { alias = "other" }', "ACTIVE" },
  }

  for name, earlier in pairs(EARLIER) do
    it(name .. ": is told from what that one did", function()
      emulator:faults { { method = "POST", path = "*/refresh*", action = "close", times = 1 } }
      local words = host.unlimited { "job.lua", "--apply", "--timeout", "1s", "--retries",
        "0", "--settle-wait", "0s", "--summary", "summary.json" }
      local run = place:run(words, { script = ([[
        composio.bulk({ "ca_github_u123A" }, function(account)
          %s
          account:refresh { even_if_active = true }
        end)
      ]]):format(earlier[1]) })
      assert.equal(8, run.code, run.err)
      assert.equal(1, run.summary.outcomes.unknown, run.err)
      emulator:tell("clock/advance", { seconds = 3600 })
      run = place:run { "resume", run.summary.run, "--summary", "summary.json" }
      assert.equal(0, run.code, run.err)
      local refreshed = 0
      for _, line in ipairs(job.changes(emulator)) do
        refreshed = refreshed + (line == "refresh ca_github_u123A" and 1 or 0)
      end
      assert.equal(1, refreshed, run.err)
    end)
  end
end)
