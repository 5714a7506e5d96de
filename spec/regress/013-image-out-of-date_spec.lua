-- Outside of a bulk, a change was compared with the account as it had been
-- read, although the script had changed it since: disable, then enable on the
-- same table left it disabled, called "same". A preview also forgot what it had
-- planned for an account once an update of it came between.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place

scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
  emulator:forget()
end)

for _, case in ipairs {
  { "connected_accounts", "ca_github_u123A", 'thing.update(%s, { alias = "x" })', 3 },
  { "auth_configs", "ac_GithubManage", "", 2 },
} do
  it("a change to and fro is planned and sent as a whole: " .. case[1], function()
    local script = ([[
      local thing = composio.%s
      local read = thing.get %q
      thing.disable(read)
      %s
      thing.enable(read)
    ]]):format(case[1], case[2], case[3]:format "read")
    for _, mode in ipairs { "--quiet", "--apply" } do
      local words = host.unlimited { "job.lua", mode, "--summary", "summary.json" }
      local run = place:run(words, { script = script })
      assert.equal(0, run.code, run.err)
      local outcomes = run.summary.outcomes
      assert.equal(case[4], mode == "--apply" and outcomes.done or outcomes.planned, run.err)
    end
    assert.equal(case[4], job.writes(emulator))
  end)
end
