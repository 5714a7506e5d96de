-- The command after --save-plan lacked --delete-active and the limits: typed as printed, it
-- was refused.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

local DELETE = [[composio.job { may = "irreversible",
    params = { who = { type = "string", default = "-" } } }
  composio.bulk("gone", accounts.each {}, function(account)
    account:delete { reason = "spec" }
  end)]]

-- Types the command that the run printed.
local function type_next(run, from)
  local command = run.err:match "\nnext: composio%-lua ([^\n]+)\n"
  assert(command, run.err)
  job.has(command, from)
  local words = {}
  for word in command:gmatch "%S+" do
    words[#words + 1] = (word:gsub("^'(.*)'$", "%1"))
  end
  return place:run(words)
end

for words, more in pairs { ["--apply"] = {}, ["apply /"] = { "--save-plan=plan" } } do
  it("the command after a preview carries out what it showed: " .. words, function()
    local preview = place:run({ "job.lua", "--who", "me", "--max-percent=100", "--max-changes",
      "900", "--delete-active", "--retries=1", table.unpack(more) }, { script = DELETE })
    assert.equal(0, preview.code, preview.err)
    local run = type_next(preview, words)
    assert.equal(0, run.code, run.err)
    assert.equal(56, job.writes(emulator))
  end)
end
