-- A run that ended before it had planned anything, because a listing was incomplete or could
-- not be read, exited 4 or named no command; and a later bulk with such a listing said that
-- nothing was changed although the first had changed accounts.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

describe("a run that planned nothing", function()
  local emulator, place
  scene.of_host({ "--accounts", "230" }, function(...)
    emulator, place = ...
  end)

  local LIST = { path = "*/connected_accounts?*", action = "cursor_lost", nth = 2 }
  local GONE = { path = "*", action = "reply", status = 503, body = "" }
  local ROWS = [[
    %s
    local report = composio.report("rows.csv", { "id" })
    composio.bulk(accounts.each { account_type = "ALL" }, function(account)
      report:add { id = account.id }
    end)
  ]]

  local function run(script, fault, ...)
    emulator:faults { fault }
    local words = host.unlimited { "job.lua", "--retries", "0", "--summary", "summary.json", ... }
    local ended = place:run(words, { script = script })
    emulator:faults()
    return ended
  end

  for _, kind in ipairs { "acts", "only reads" } do
    it(kind .. ": of an incomplete listing exits 7, keeps the report and says how to go on",
      function()
        local is_read = kind == "only reads"
        local script = ROWS:format(is_read and 'composio.job { may = "read" }' or "")
        place:write("rows.csv", "yesterday's\n")
        local ended = run(script, LIST, not is_read and "--apply" or nil)
        assert.equal(7, ended.code, ended.err)
        assert.equal("yesterday's\n", place:read "rows.csv")
        job.has(ended.err, "rows.csv.partial")
        local again = ended.summary.next
        assert.equal(not is_read, again:find " %-%-apply" ~= nil, again)
        local words = {}
        for word in again:gmatch "%S+" do
          words[#words + 1] = word
        end
        ended = place:run(table.move(words, 2, #words + 1, 1, {}))
        assert.equal(0, ended.code, ended.err)
        assert.equal("id", place:read("rows.csv"):match "^%w+")
      end)
  end

  it("of a listing that cannot be read names the same command", function()
    local script = [[
      composio.bulk(accounts.each { statuses = { "ACTIVE" } }, function(account)
        account:disable()
      end)
    ]]
    for _, apply in ipairs { " --apply", "" } do
      local ended = run(script, GONE, apply ~= "" and "--apply" or nil)
      assert.equal(7, ended.code, ended.err)
      local command = "composio-lua --max-changes 1000000 --max-percent 100 %s/job.lua --retries 0 "
        .. "--summary %s/summary.json%s"
      assert.equal(command:format(place.path, place.path, apply), ended.summary.next)
    end
  end)

  it("in its second bulk does not say that nothing was changed", function()
    local ended = run([[
      composio.bulk("one", { "ca_github_u123A" }, function(account) account:disable() end)
      composio.bulk("two", accounts.each { statuses = { "ACTIVE" } }, function(account)
        account:disable()
      end)
    ]], { path = "*statuses=ACTIVE*", action = "cursor_lost" }, "--apply")
    assert.equal(7, ended.code, ended.err)
    assert.equal(1, ended.summary.outcomes.done, ended.err)
    job.lacks(ended.err, "nothing was changed")
  end)
end)
