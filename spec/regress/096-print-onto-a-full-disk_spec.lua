-- What a script printed onto a full disk was cut, and the run exited 0.
local scene = require "spec.support.scene"

local place
scene.of_host({ "--accounts", "20" }, function(_, here)
  place = here
end)

it("is an error of the run that says so", function()
  local script = 'composio.job { may = "read" } print(("x"):rep(100000))'
  for _, mode in ipairs { "run job.lua", "scripts", "help disable_idle", "--help", "--version" } do
    local words = {}
    for word in mode:gmatch "%S+" do
      words[#words + 1] = word
    end
    local run = place:run(words, { script = script, redirect = ">/dev/full 2>err.9" })
    assert.equal(1, run.code, mode)
    assert.matches("stdout cannot be written", place:read "err.9")
  end
end)

it("leaves the code of a run that ends with another one", function()
  local run = place:run({ "run", "job.lua", "--detailed-exitcode" }, {
    script = 'print "x" composio.connected_accounts.disable "ca_github_u123A"',
    redirect = ">/dev/full 2>err.9",
  })
  assert.equal(5, run.code)
  assert.matches("stdout cannot be written", place:read "err.9")
end)
