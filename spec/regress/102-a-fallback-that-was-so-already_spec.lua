-- A fallback that was planned as already so, and was not needed, was shown as `same`, as if
-- it had been looked at, not as skipped.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

local SCRIPT = [[
  composio.bulk({ %q }, function(account)
    account:update { alias = "other", otherwise = "disable" }
  end)
]]

-- Runs it, saved as a plan first if `saved`; returns the run and its rows. fault: may be nil.
local function run(saved, fault)
  local id = job.ids(emulator, { statuses = { "INACTIVE" } }, 1)[1]
  if fault then
    emulator:faults { fault }
  end
  local words = { "job.lua", "--apply", "--summary", "summary.json" }
  if saved then
    local plan = place:run({ "job.lua", "--save-plan", "plan.json" },
      { script = SCRIPT:format(id) })
    assert.equal(0, plan.code, plan.err)
    words = { "apply", "plan.json", "--summary", "summary.json" }
  end
  local ended = place:run(words, { script = SCRIPT:format(id) })
  return ended, place:run({ "show", "last" }).out
end

for name, saved in pairs { ["a fresh run"] = false, ["a saved plan"] = true } do
  it("is skipped when it is not needed, in " .. name, function()
    local ended, shown = run(saved)
    assert.equal(0, ended.code, ended.err)
    assert.is_truthy(shown:find "otherwise disable[^\n]- skipped [^\n]- not needed", shown)
    assert.equal(1, ended.summary.operations.disable.skipped)
    assert.equal(1, ended.summary.outcomes.done)
  end)

  it("makes good what failed, in " .. name, function()
    local ended, shown = run(saved, job.refusal { method = "PATCH" })
    assert.equal(0, ended.code, ended.err)
    assert.is_truthy(shown:find "otherwise disable%s+%S+%s+same", shown)
  end)
end
