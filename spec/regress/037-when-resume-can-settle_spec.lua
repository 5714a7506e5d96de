-- A run with changes of unknown outcome did not say when resume can settle them, or said a time
-- that was wrong: the quiet time counts again from the beginning of resume.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "20" }, function(...)
  emulator, place = ...
end)

local LINK = [[
  composio.bulk({ key = function(row) return row.user end }, { { user = "new" } },
    function(row) accounts.link(row.user, "ac_GmailManaged") end)
]]

local function lose(method, script, ...)
  emulator:faults {
    { method = method, action = "close", times = 2 }, -- libcurl repeats what may be
    { method = "GET", path = "*desc*", action = "close", nth = 2, times = 9 },
  }
  local run = place:run({ "job.lua", "--apply", "--retries=0", "--timeout=1s", ... },
    { script = script })
  assert.equal(8, run.code, run.err)
  return run.err
end

it("a link takes its quiet time", function()
  local text = lose("POST", LINK) -- the probe fails
  job.has(text, "resume can settle that within 15 s of its start")
end)

it("by the command that is printed, which waits for it", function()
  local text = lose("POST", LINK, "--settle-wait=0")
  job.has(text, "resume can settle that within 15 s of its start")
end)

it("what may be repeated is settled at once", function()
  local id = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1]
  local text = lose("PATCH", ("composio.bulk({ %q }, function(a) a:disable() end)"):format(id),
    "--settle-wait=0")
  job.has(text, "resume can settle that at once")
end)
