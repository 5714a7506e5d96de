-- A preview whose listing or script failed said "nothing would be changed", or how many
-- changes --apply makes: neither can be known.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "300" }, function(...)
  emulator, place = ...
end)

local function preview(script, again)
  local run = place:run({ "job.lua", "--retries=0" }, { script = script })
  job.lacks(run.err, "would be changed")
  job.lacks(run.err, "--apply makes")
  if again then
    assert.matches("next: composio%-lua /[^\n]*/job.lua[^\n]*\n$", run.err)
    job.lacks(run.err, "--apply\n")
  else
    job.lacks(run.err, "next:")
  end
  return run
end

local ENABLE = [[composio.bulk("one", accounts.each {}, function(account)
  account:update { alias = "x" .. account.id }
end)
]]

it("does not say how many there are after a listing that failed", function()
  emulator:faults { { method = "GET", path = "*", action = "reply", status = 500 } }
  preview(ENABLE, true) -- the same command again may see it
end)

it("does not say it after an error of the script, also with a plan before it", function()
  preview 'error "no"'
  job.has(preview(ENABLE .. 'error "no"').err,
    "nothing was changed; the preview did not run to its end")
end)

it("does not say it when a listing is incomplete", function()
  emulator:faults { { path = "*cursor=*", times = 9, action = "reply", status = 500 } }
  job.has(preview(ENABLE).err, "a listing is incomplete")
end)
