-- composio.runs gave a script its own run where that was the oldest: in a new state
-- directory a run that had changed something found itself among the earlier ones.
local host = require "spec.support.host"
local scene = require "spec.support.scene"

local place
scene.of_host({ "--accounts", "20" }, function(_, new_place)
  place = new_place
end)

local SCRIPT = [[
  composio.job { may = "reversible" }
  local function look()
    for run in composio.runs() do print("run", run.id) end
    for change in composio.history { previews = true } do print("change", change.run) end
    local account = accounts.get "ca_github_u123A"
    for change in account:history { previews = true } do print("account's", change.run) end
  end
  accounts.disable "ca_github_u123A"
  look()
  composio.bulk({ "ca_github_u123A" }, function(account)
    look()
    account:update { alias = "x" }
  end)
  look()
  print "end"
]]

it("the run that asks is left out, also when it is the oldest", function()
  for _, mode in ipairs { "--apply", "--show=all" } do
    local run = place:run(host.unlimited { "job.lua", mode, "--state-dir", "state" .. mode },
      { script = SCRIPT })
    assert.equal(0, run.code, run.err)
    assert.matches("%f[^\0\n]end\n$", run.out)
  end
end)
