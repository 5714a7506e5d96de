-- Straight-line changes whose reply was lost: what may be repeated is sent again at the end of
-- the run, unless the run changed the account again.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

local function run_with(script, ...)
  return place:run({ "job.lua", "--apply", "--retries=0", "--timeout=2s", "--summary=summary.json",
    ... }, { script = script })
end

it("a disable that never arrived is sent again", function()
  local id = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1]
  emulator:faults { method = "PATCH", action = "close", times = 3 }
  local run = run_with(("print(pcall(accounts.disable, %q))"):format(id))
  assert.equal(0, run.code, run.err)
  assert.same({ disable = { done = 1 } }, run.summary.operations)
  assert.same({ "disable " .. id }, job.changes(emulator))
end)

it("with --settle-wait 0 it stays unknown", function()
  local id = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1]
  emulator:faults { method = "PATCH", action = "close", times = 3 }
  local run = run_with(("print(pcall(accounts.disable, %q))"):format(id), "--settle-wait=0")
  assert.equal(8, run.code, run.err)
  assert.same({}, job.changes(emulator))
end)

it("not when the script changed the account since", function()
  local id = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1]
  emulator:faults { method = "PATCH", action = "close", times = 2 }
  local run = run_with(([[
    local id = %q
    print(pcall(accounts.disable, id))
    accounts.update(id, { alias = "kept" })
  ]]):format(id), "--settle-wait=0")
  assert.equal(8, run.code, run.err)
  assert.same({ "alias " .. id }, job.changes(emulator))
end)

it("a link is not made after its call has raised", function()
  emulator:faults { method = "POST", action = "close", times = 1 }
  local run = run_with('print(pcall(accounts.link, "new", "ac_GmailManaged"))', "--settle-wait=0")
  assert.equal(8, run.code, run.err)
  assert.same({}, job.changes(emulator))
end)
