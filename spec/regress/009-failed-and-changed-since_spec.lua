-- resume --failed left a failed change as it was when its account had changed
-- since, and said nothing of it; and --failed was offered for failures that a
-- fallback had made good.
local host = require "spec.support.host"
local job = require "spec.support.job"
local server = require "spec.support.server"

local NOT_THIS = job.refusal { method = "PATCH" }

it("a failed change is told to be stale when --failed finds its account changed", function()
  local emulator = server.emulator { "--accounts", "60" }
  local place = host.place(emulator)
  local id = "ca_github_u123A"
  local script = ([[
    composio.bulk({ "%s" }, function(account) account:disable() end)
  ]]):format(id)
  emulator:faults { NOT_THIS }
  local run = place:run(host.unlimited { "job.lua", "--apply" }, { script = script })
  assert.equal(3, run.code, run.err)
  assert.matches("next: composio%-lua resume .* %-%-failed", run.err)
  emulator:tell("accounts/" .. id .. "/expire")
  run = place:run { "resume", "last", "--failed", "--summary", "summary.json" }
  assert.equal(3, run.code, run.err)
  local told = "stale  disable  %s: the account is EXPIRED now, but the plan saw ACTIVE"
  assert.matches(told:format(id), run.err)
  assert.same({ disable = { stale = 1 } }, run.summary.operations)
  place:remove()
  emulator:stop()
end)

it("what a fallback made good is not offered to be tried again", function()
  local emulator = server.emulator { "--accounts", "60" }
  local place = host.place(emulator)
  local script = [[
    composio.job { may = "irreversible" }
    composio.bulk({ "ca_github_u123A" }, function(account)
      account:update { alias = "x", otherwise = "disable" }
    end)
  ]]
  emulator:faults { NOT_THIS }
  local run = place:run(host.unlimited { "job.lua", "--apply" }, { script = script })
  assert.equal(0, run.code, run.err)
  assert.is_nil(run.err:find("next:", 1, true))
  place:remove()
  emulator:stop()
end)

it("a change that is already so has no fallback to tell of", function()
  local emulator = server.emulator { "--accounts", "60" }
  local place = host.place(emulator)
  local script = [[
    composio.bulk(accounts.each { statuses = { "INACTIVE" }, limit = 1 }, function(account)
      account:disable { otherwise = "enable" }
    end)
  ]]
  local words = host.unlimited { "job.lua", "--limit-items", "1", "--summary", "summary.json" }
  local run = place:run(words, { script = script })
  assert.equal(0, run.code, run.err)
  assert.is_nil(run.err:find("protected", 1, true))
  assert.same({ disable = { same = 1 } }, run.summary.operations)
  place:remove()
  emulator:stop()
end)
