-- A finalizer that ran as the state was closed could still call: what it wrote
-- was in no summary, and it crashed in what had been freed.
local host = require "spec.support.host"
local server = require "spec.support.server"

it("a finalizer at the end asks for nothing", function()
  local emulator = server.emulator { "--accounts", "30" }
  local place = host.place(emulator)
  local script = [[
    local before = %s
    setmetatable({ _ENV }, { __gc = function()
      print(pcall(accounts.disable, "ca_slack_u123_B"))
    end })
  ]]
  for _, before in ipairs { "nil", 'accounts.disable "ca_github_u123A"' } do
    for _, mode in ipairs { "--apply", "--show=all" } do
      emulator:reset()
      local run = place:run({ "job.lua", mode }, { script = script:format(before) })
      assert.equal(0, run.code, run.err)
      assert.matches("the script has ended", run.out)
      for _, change in ipairs(emulator:changes()) do
        assert.equal("ca_github_u123A", change.account_id)
      end
    end
  end
  place:remove()
  emulator:stop()
end)
