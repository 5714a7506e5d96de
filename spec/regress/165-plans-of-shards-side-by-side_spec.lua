-- `apply` of a shard's plan took the lock of the whole project: beside another slice of the same
-- number it exited 75.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "40" }, function(...)
  emulator, place = ...
end)

local function apply(plan, ...)
  return place:run { "apply", plan, "--summary", "summary.json", ... }
end

it("applies the plan of a shard beside a run of another", function()
  place:script [[
    composio.bulk(accounts.each { statuses = { "ACTIVE" } }, function(account)
      account:disable()
    end)]]
  for shard = 1, 2 do
    local saved = place:run(host.unlimited { "job.lua", "--shard", shard .. "/2",
      "--save-plan", "plan" .. shard })
    assert.equal(0, saved.code, saved.err)
  end
  place:script("composio.bulk({ 'ca_github_u123A', 'ca_slack_u123_B', 'ca_gmail_u123_C' }, "
    .. "function() print 'here' composio.sleep(20) end)", "holds.lua")
  local holders = {}
  for shard = 1, 2 do -- one of them may have no item
    holders[shard] = place:start { "holds.lua", "--apply", "--shard", shard .. "/2" }
  end
  host.wait_until(function()
    return (holders[1]:output() .. holders[2]:output()):find "here"
  end)
  local held = holders[1]:output():find "here" and 1 or 2
  holders[3 - held]:signal "TERM"
  holders[3 - held]:wait()
  local ended = apply("plan" .. (3 - held))
  assert.equal(0, ended.code, ended.err)
  assert.is_true(#job.changes(emulator) > 0)
  ended = apply("plan" .. held)
  assert.equal(75, ended.code, ended.err)
  holders[held]:signal "TERM"
  holders[held]:wait()
end)
