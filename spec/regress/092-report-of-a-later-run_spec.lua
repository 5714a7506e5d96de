-- A resumed run put its report over the one that a later run had written to the same file:
-- the later links were lost.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "400" }, function(...)
  emulator, place = ...
end)

local FIRST = [[
  local report = composio.report("links.csv", { "id", "run" })
  local begun = 0
  composio.bulk({
    after = function(account)
      begun = begun + 1
      if begun > 3 and pcall(composio.csv, "slow.csv") then composio.sleep(30) end
      report:add { id = account.id, run = "first" }
    end,
  }, %s, function(account) account:disable() end)
]]
local LATER = [[
  local report = composio.report("links.csv", { "id", "run" })
  report:add { id = "ca_1", run = "later" }
]]

-- Interrupts the first run when it has some rows; returns its id.
local function interrupt()
  local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 8)
  place:write("slow.csv", "a\n")
  local words = host.unlimited { "job.lua", "--apply" }
  local process = place:start(words, { script = FIRST:format(job.quoted(ids)) })
  host.wait_until(function()
    local _, rows = (place:read "links.csv.partial" or ""):gsub("first", "")
    return rows == 3
  end, "the first rows")
  process:signal "INT"
  process:wait(20)
  os.remove(place.path .. "/slow.csv")
  return place:read("links.csv.partial"):match "^[^,]+"
end

local function later()
  place:script(LATER, "later.lua")
  local run = place:run { "later.lua", "--apply" }
  assert.equal(0, run.code, run.err)
  return place:read "links.csv"
end

local function count_first(text)
  local _, rows = (text or ""):gsub("first", "")
  return rows
end

describe("the report of a resumed run", function()
  it("goes beside the one that a later run has written", function()
    local run = interrupt()
    local text = later()
    local resumed = place:run { "resume", run, "--quiet", "--log", "log" }
    assert.equal(0, resumed.code, resumed.err)
    assert.equal(text, place:read "links.csv")
    assert.equal(8, count_first(place:read("links." .. run .. ".csv")))
    assert.equal("", resumed.err)
    job.has(place:read "log", "links.csv was written after this run, so it was left")
  end)

  it("goes beside it when the later run had met none of its rows, too", function()
    local run = interrupt()
    os.remove(place.path .. "/links.csv.partial")
    local text = later()
    local resumed = place:run { "resume", run }
    assert.equal(0, resumed.code, resumed.err)
    assert.equal(text, place:read "links.csv")
    job.has(resumed.err, "report: links." .. run .. ".csv, ")
  end)

  it("replaces a report that is older than the run", function()
    later()
    local run = interrupt()
    local resumed = place:run { "resume", run }
    assert.equal(0, resumed.code, resumed.err)
    assert.equal(8, count_first(place:read "links.csv"))
  end)
end)
