-- A run whose --settle-wait was too short to look for what must not be repeated printed that
-- option in its next command, too, which then could not settle anything either.
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
  emulator:faults { { method = method, action = "close", times = 2 } }
  local run = place:run({ "job.lua", "--apply", "--retries=0", "--summary", "summary.json", ... },
    { script = script })
  assert.equal(8, run.code, run.err)
  return run
end

-- options: those that come before --retries in the program's own order; more: after it.
local function check(run, options, more)
  local command = ("composio-lua resume %s%s --retries 0%s"):format(run.summary.run, options,
    more)
  assert.equal(command, run.summary.next)
  job.has(run.err, "next: " .. command .. "\n")
  return place:run { "show", "last" }
end

it("the next command waits as long as by default", function()
  local run = lose("POST", LINK, "--timeout=1s", "--settle-wait=0")
  job.has(run.err, "resume can settle that within 15 s of its start")
  local shown = check(run, " --timeout 1s", "")
  job.has(shown.out, "next: composio-lua resume " .. run.summary.run)
  job.lacks(shown.out, "--settle-wait")
end)

it("or longer, where a request may be on its way for long", function()
  local run = lose("POST", LINK, "--timeout=200s", "--settle-wait=0")
  job.has(run.err, "resume can settle that within 600 s of its start")
  check(run, " --timeout 200s", " --settle-wait 600s")
end)

it("what may be repeated is settled without a wait: the option stays", function()
  local id = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1]
  local script = ("composio.bulk({ %q }, function(a) a:disable() end)"):format(id)
  check(lose("PATCH", script, "--settle-wait=0"), "", " --settle-wait 0")
end)
