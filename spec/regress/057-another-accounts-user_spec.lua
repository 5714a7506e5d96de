-- A change that an item's action made on another account was shown with the item's user and
-- toolkit, in the plan, by `show` and to scripts.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local place
scene.of_host({ "--accounts", "60" }, function(_, directory)
  place = directory
end)

describe("a change on another account than its item's", function()
  it("does not show the item's user and toolkit", function()
    local script = [[
      composio.bulk({ "ca_github_u123A" }, function()
        accounts.disable("ca_slack_u123_B")
        accounts.update("ca_github_u123A", { alias = "own" })
      end)
    ]]
    local preview = place:run(host.unlimited { "job.lua" }, { script = script })
    assert.equal(0, preview.code, preview.err)
    local plan = preview.out .. preview.err
    local own = plan:match "update +ca_github_u123A[^\n]*"
    local line = plan:match "disable +ca_slack_u123_B[^\n]*"
    job.has(own, "github")
    job.has(own, "user_123")
    job.lacks(line, "github")
    job.lacks(line, "user_123")
    local shown = place:run { "show", "last", "--json" }
    line = shown.out:match "[^\n]*ca_slack_u123_B[^\n]*"
    job.lacks(line, '"toolkit":"github"')
    job.lacks(line, '"user":"user_123"')
    local asked = place:run({ "job.lua" }, { script = [[
      for change in composio.history { previews = true, account = "ca_slack_u123_B" } do
        print(change.user_id, change.toolkit)
      end
    ]] })
    assert.equal("nil\tnil\n", asked.out, asked.err)
  end)
end)
