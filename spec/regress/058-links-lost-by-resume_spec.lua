-- Links that a run had received were lost when it was resumed: the report of a run that was
-- stopped or had people to wait for was written anew, without the links of its first part.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "400" }, function(...)
  emulator, place = ...
end)

local PEOPLE = 8
local SLOW = 5 -- so many get their row, then `after` waits as long as slow.csv is there
local HEAD = [[
  local report = composio.report("links.csv", { "who", "reason", "redirect_url" })
  local begun = 0
  local function add(who, result)
    begun = begun + 1
    if begun > %d and pcall(composio.csv, "slow.csv") then composio.sleep(30) end
    report:add { who = who, reason = "invited", redirect_url = result.redirect_url }
  end
]]
local LINK = HEAD:format(SLOW) .. [[
  local users = {}
  for i = 1, 8 do users[i] = { user = "person_" .. i } end
  composio.bulk({
    key = function(row) return row.user end,
    after = function(row, results)
      add(row.user, results.link)
      %s
    end,
  }, users, function(row) accounts.link(row.user, "ac_GmailManaged") end)
]]
local REFRESH = HEAD:format(SLOW) .. [[
  local ids = {}
  for account in accounts.each { statuses = { "EXPIRED" } } do
    if account.auth_config.auth_scheme == "OAUTH2" and #ids < 8 then ids[#ids + 1] = account.id end
  end
  composio.bulk({ after = function(account, results) add(account.id, results.refresh) end }, ids,
    function(account) account:refresh() end)
]]

-- who → reason and link in the report; fails when somebody stands there twice or not at all.
local function rows_of_report(name)
  local text = assert(place:read(name or "links.csv"), "no report")
  local found, count = {}, 0
  for who, reason, link in text:gmatch "\n([^,\r\n]+),([^,\r\n]*),([^,\r\n]*)\r" do
    assert(not found[who], who .. " stands there twice:\n" .. text)
    found[who], count = { reason = reason, link = link }, count + 1
  end
  assert.equal(PEOPLE, count, text)
  return found
end

local function check_all_invited(rows)
  for who, row in pairs(rows) do
    assert.equal("invited", row.reason)
    assert.is_truthy(row.link:find "^http", who .. " has no link")
  end
end

-- Runs the job until the first rows are there, and ends it by the signal.
local function interrupt(signal, script, path)
  place:write("slow.csv", "a\n")
  local process = place:start(host.unlimited { "job.lua", "--apply" }, { script = script })
  host.wait_until(function()
    local _, count = (place:read "links.csv.partial" or ""):gsub("http", "")
    return count >= SLOW and job.sent(emulator, path) == PEOPLE
  end, "the first links")
  process:signal(signal)
  process:wait(20)
  os.remove(place.path .. "/slow.csv")
  assert.is_nil(place:read "links.csv")
end

describe("a resumed run's report", function()
  for name, signal in pairs { ["Ctrl-C"] = "INT", ["a kill"] = "KILL" } do
    it("has the links from before " .. name .. ", and those that accounts show", function()
      interrupt(signal, REFRESH, "/refresh")
      -- another run in between sets the rows aside
      place:script([[composio.report("links.csv", { "a" })]], "other.lua")
      local between = place:run { "other.lua", "--apply" }
      assert.equal(0, between.code, between.err)
      local run, aside = between.err:match "of run (%S+) were left in %S+ they are now in (%S+)"
      assert.is_truthy(place:read(aside), between.err)
      local resumed = place:run { "resume", run }
      assert.equal(0, resumed.code, resumed.err)
      check_all_invited(rows_of_report("links." .. run .. ".csv"))
      assert.is_nil(place:read "links.csv.partial")
      assert.is_nil(place:read(aside))
    end)
  end

  it("has the links from before people were waited for", function()
    local script = LINK:format [[
      if row.user == "person_3" then
        accounts.wait_for_connection(results.link.id, { timeout = 0.1 })
      end
    ]]
    local first = place:run(host.unlimited { "job.lua", "--apply" }, { script = script })
    assert.equal(9, first.code, first.err)
    local before = rows_of_report()
    check_all_invited(before)
    assert.is_truthy(place:read "links.csv.partial")
    for _ = 1, 2 do
      local again = place:run { "resume", "last" }
      assert.equal(9, again.code, again.err)
      assert.same(before, rows_of_report())
    end
  end)

  it("has the links from before failures were tried again", function()
    emulator:faults { job.refusal { method = "POST", path = "*link*", nth = 3 } }
    local words = host.unlimited { "job.lua", "--apply" }
    local first = place:run(words, { script = LINK:format "" })
    assert.equal(3, first.code, first.err)
    local again = place:run { "resume", "last", "--failed" }
    assert.equal(0, again.code, again.err)
    check_all_invited(rows_of_report())
    assert.is_nil(place:read "links.csv.partial")
  end)

  it("says so where nobody received the link and no account shows it", function()
    interrupt("KILL", LINK:format "", "/link")
    local resumed = place:run { "resume", "last" }
    assert.equal(3, resumed.code, resumed.err)
    local lost = 0
    for _, row in pairs(rows_of_report()) do
      if row.link == "" then
        assert.equal("link not received: mint a new one", row.reason)
        lost = lost + 1
      else
        assert.equal("invited", row.reason)
      end
    end
    assert.equal(PEOPLE - SLOW, lost)
    assert.matches("\n3 links were not received: mint new ones\n$", resumed.err)
  end)
end)
