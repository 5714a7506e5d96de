-- A change that failed and was made good by its fallback was taken for one that
-- is still to be tried again: show and resume offered --failed for it, and the
-- plan of resume --failed counted it among what was left.
local host = require "spec.support.host"
local job = require "spec.support.job"
local server = require "spec.support.server"

local emulator, place

local function refuse(id)
  local refusal = job.refusal { method = "PATCH" }
  refusal.path = ("*/connected_accounts/%s"):format(id)
  return refusal
end

before_each(function()
  emulator = server.emulator { "--accounts", "60" }
  place = host.place(emulator)
end)

after_each(function()
  place:remove()
  emulator:stop()
end)

local MADE_GOOD = [[
  composio.job { may = "irreversible" }
  composio.bulk({ "ca_github_u123A" }, function(account)
    account:update { alias = "x", otherwise = "disable" }
  end)
]]

it("neither show nor resume offers to try again what a fallback made good", function()
  emulator:faults { refuse "ca_github_u123A" }
  local run = place:run(host.unlimited { "job.lua", "--apply" }, { script = MADE_GOOD })
  assert.equal(0, run.code, run.err)
  run = place:run { "show", "last" }
  assert.equal(0, run.code, run.err)
  assert.is_nil(run.out:find("--failed", 1, true), run.out)
  run = place:run { "resume", "last" }
  assert.matches("is finished", run.err)
  assert.is_nil(run.err:find("--failed", 1, true), run.err)
  run = place:run { "resume", "last", "--failed" }
  assert.equal(0, run.code, run.err)
  assert.matches("is finished", run.err)
end)

it("the plan of resume --failed counts what is left, not what was made good", function()
  local ids = job.ids(emulator, { statuses = { "ACTIVE" }, toolkit_slugs = { "github" } }, 2)
  local script = ([[
    composio.job { may = "irreversible" }
    composio.bulk({ "%s", "%s" }, function(account)
      if account.id == "%s" then
        account:update { alias = "x", otherwise = "disable" }
      else
        account:update { alias = "y" }
      end
    end)
  ]]):format(ids[1], ids[2], ids[1])
  emulator:faults { refuse(ids[1]), refuse(ids[2]) }
  local run = place:run(host.unlimited { "job.lua", "--apply" }, { script = script })
  assert.equal(3, run.code, run.err)
  run = place:run { "resume", "last", "--failed", "--summary", "summary.json" }
  assert.equal(0, run.code, run.err)
  assert.matches("plan: 1 change left", run.err)
  assert.same({ update = { done = 1, failed = 1 }, disable = { done = 1 } },
    run.summary.operations)
end)
