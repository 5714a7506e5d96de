-- A run that exits 3 leaves FILE.partial for `resume --failed`. The next night set it aside
-- as FILE.RUN.partial though all its rows had been published: one more file each night.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

local SCRIPT = [[
  local report = composio.report("n.csv", { "who", "redirect_url" })
  local users = { { user = "a%d" }, { user = "b%d" }, { user = "c%d" } }
  composio.bulk({
    key = function(row) return row.user end,
    after = function(row, results)
      report:add { who = row.user, redirect_url = results.link.redirect_url }
    end,
  }, users, function(row) accounts.link(row.user, "ac_GmailManaged") end)
]]

local function night(n)
  emulator:faults { job.refusal { method = "POST", path = "*link*", nth = 2 } }
  local run = place:run(host.unlimited { "job.lua", "--apply" },
    { script = SCRIPT:gsub("%%d", tostring(n)) })
  assert.equal(3, run.code, run.err)
  return run
end

it("a report leaves one partial file, not one a night", function()
  for n = 1, 3 do
    local run = night(n)
    job.lacks(run.err, "are now in")
    assert.equal("n.csv\nn.csv.partial",
      (host.shell(("cd %s; ls | grep n.csv"):format(place.path))))
  end
  local again = place:run { "resume", "last", "--failed" }
  assert.equal(0, again.code, again.err)
  local _, rows = place:read("n.csv"):gsub("[abc]3,http", "")
  assert.equal(3, rows)
  assert.is_nil(place:read "n.csv.partial")
end)
