-- Beside a running shard, doctor said that every other run exits 75, also one of another slice.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

local function lock_beside(...)
  emulator:faults { { method = "PATCH", action = "delay", delay_ms = 2000 } }
  local process = place:start(host.unlimited { "job.lua", "--apply", ... }, { script = [[
    composio.bulk(accounts.each { statuses = { "ACTIVE" } }, function(a) a:disable() end)
  ]] })
  host.wait_until(function()
    return job.writes(emulator) > 0
  end, "the first change")
  local out = place:run({ "doctor" }).out
  process:signal "KILL"
  process:wait()
  return out
end

it("doctor says which runs go on beside a shard", function()
  job.has(lock_beside "--shard=1/2",
    ": another that makes changes, except with another slice I/2, exits 75")
end)

it("and names a run that has the lock for itself", function()
  local out = lock_beside()
  assert.matches("run %S+ of pid %d+ holds it since", out)
  job.lacks(out, "slice")
end)
