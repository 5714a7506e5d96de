-- A script that catches the refusal of its first link, as its like stands interrupted, made the
-- second one: the guard asked once.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

local LINKS = [[
  for number = 1, 5 do
    pcall(accounts.link, "new " .. number, "ac_GmailManaged")
  end
]]

local function links()
  return job.sent(emulator, "/link")
end

it("each link outside a bulk is refused", function()
  emulator:faults { { method = "POST", action = "delay", delay_ms = 200 } }
  local words = host.unlimited { "job.lua", "--apply" }
  local process = place:start(words, { script = LINKS })
  host.wait_until(function()
    return links() >= 2
  end)
  process:signal "KILL"
  process:wait()
  emulator:faults()
  local before = links()
  local run = place:run(words, { script = LINKS })
  assert.equal(4, run.code, run.err)
  job.has(run.err, "was interrupted")
  assert.equal(before, links())
end)
