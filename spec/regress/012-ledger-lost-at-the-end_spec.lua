-- The disk was full when the last outcomes of a straight-line run were written:
-- the run exited 0 and said that nothing was to be changed, after six changes.
local host = require "spec.support.host"
local server = require "spec.support.server"

local LIST = [[
  for _, account in ipairs(accounts.list({ statuses = { "ACTIVE" }, limit = 6 }).items) do
    print(("accounts.disable(%q)"):format(account.id))
  end
]]

describe("a ledger that is lost near the end of a straight-line run", function()
  local emulator, place, wal, six

  before_each(function()
    emulator = server.emulator { "--accounts", "60" }
    place = host.place(emulator)
    wal = host.shell("cd " .. place.path .. " && pwd -P") .. "/state/ledger.db-wal"
    six = place:run({ "job.lua" }, { script = LIST }).out
  end)

  after_each(function()
    place:remove()
    emulator:stop()
  end)

  -- Runs the six changes under strace; what: its words for faults or a trace.
  local function run(what)
    host.shell("rm -rf " .. place.path .. "/state")
    emulator:reset()
    local words = host.unlimited { "job.lua", "--apply", "--state-dir", "state" }
    words[#words + 1] = "--summary=summary.json"
    return place:run(words, {
      script = six,
      env = { ASAN_OPTIONS = "detect_leaks=0" },
      prefix = ("strace -f -qq -o %s/trace.secret -e trace=pwrite64 -P %s %s"):format(
        place.path, wal, what),
    })
  end

  it("is told, with what was sent and the command that finishes it", function()
    if host.shell "command -v strace" == "" then
      io.write "regress 012: no strace, so no write of the ledger is made to fail\n"
      return
    end
    assert.equal(0, run("").code)
    local _, writes = place:read("trace.secret"):gsub("pwrite64%(", "")
    assert.is_true(writes > 20)
    local failed, resumed = 0, 0
    for nth = writes - 16, writes, 4 do
      local ended = run(("-e inject=pwrite64:error=ENOSPC:when=%d+"):format(nth))
      local sent = #emulator:changes()
      if ended.code == 0 then
        assert.equal(6, ended.summary.outcomes.done, ended.err)
      else
        failed = failed + 1
        assert.equal(7, ended.code, ended.err) -- stopped early: resume goes on
        assert.matches("the disk is full", ended.err)
        assert.equal(sent == 0, ended.err:find("nothing was", 1, true) ~= nil, ended.err)
        local id = ended.err:match "next: composio%-lua resume (%S+)"
        assert.equal(sent > 0, id ~= nil, ended.err)
        if id then
          resumed = resumed + 1
          local again = place:run { "resume", id, "--state-dir", "state", "--summary=summary.json" }
          assert.equal(6, again.summary.outcomes.done, again.err)
          assert.equal(6, #emulator:changes())
        end
      end
    end
    assert.is_true(failed > 2 and resumed > 2)
  end)
end)
