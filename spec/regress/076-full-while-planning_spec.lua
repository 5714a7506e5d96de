-- The disk was full while a bulk was planned: the run warned of its own tasks, "never
-- joined", and named no command for when there is space again. After a later bulk was
-- refused, next: was a resume that is refused again.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "3000" }, function(...)
  emulator, place = ...
end)

local BULK = [[
  composio.bulk("all", accounts.each { statuses = { "ACTIVE" } }, function(account)
    account:disable()
  end)
]]

describe("a ledger that cannot grow while a bulk is planned", function()
  for _, mode in ipairs { "preview", "apply" } do
    it("ends a " .. mode .. " with 2, and next: is the command again", function()
      local words = host.unlimited { "run", "job.lua" }
      words[#words + 1] = mode == "apply" and "--apply" or nil
      local run = place:run(words, { script = BULK, prefix = "prlimit --fsize=300000" })
      assert.equal(2, run.code, run.err)
      job.has(run.err, "no change is sent before the ledger holds it")
      job.lacks(run.err, "never joined")
      job.lacks(run.err, "--apply makes")
      assert.equal(0, job.writes(emulator))
      local next = run.err:match "next: composio%-lua ([^\n]+)"
      assert.equal((table.concat(words, " "):gsub("job.lua", place.path .. "/%0")), next)
      local again = {}
      for word in next:gmatch "%S+" do
        again[#again + 1] = word
      end
      assert.equal(0, place:run(again).code)
    end)
  end
end)

describe("a later bulk over a limit", function()
  it("is followed by the command with the limits that let it pass", function()
    local first = [[
      local ids = { accounts.list({ statuses = { "ACTIVE" }, limit = 1 }).items[1].id }
      composio.bulk("one", ids, function(account) account:disable() end)
    ]]
    local run = place:run({ "job.lua", "--apply", "--max-changes", "2" }, {
      script = first .. BULK,
    })
    assert.equal(7, run.code, run.err)
    assert.matches("\nnext: composio%-lua resume %S+ %-%-max%-changes %d+ %-%-max%-percent %d+\n$",
      run.err)
  end)
end)
