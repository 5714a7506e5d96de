-- Live reports: rows are appended to FILE itself as they come.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local has = job.has
local emulator, place

scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

local SCRIPT = [[
  local report = composio.report("live.csv", { "who", "reason", "redirect_url" }, { live = true })
  local users, begun = { { user = "ann" }, { user = "bob" }, { user = "cyd" } }, 0
  composio.bulk({
    key = function(row) return row.user end,
    after = function(row, results)
      begun = begun + 1
      if begun == 3 and pcall(composio.csv, "slow.csv") then composio.sleep(30) end
      report:add { who = row.user, reason = "=new", redirect_url = results.link.redirect_url }
    end,
  }, users, function(row) accounts.link(row.user, "ac_GmailManaged", { allow_multiple = true }) end)
]]

local function apply(script)
  return place:run(host.unlimited { "job.lua", "--apply", "--concurrency", "1" },
    { script = script or SCRIPT })
end

local function rows()
  local list = {}
  for line in place:read("live.csv"):gmatch "[^\r\n]+" do
    list[#list + 1] = line
  end
  return list
end

describe("a live report", function()
  it("grows run by run, with the time of each row", function()
    local preview = place:run({ "job.lua" }, { script = SCRIPT })
    assert.equal(0, preview.code, preview.err)
    assert.is_nil(place:read "live.csv")
    assert.equal(0, apply().code)
    assert.equal("600", place:mode "live.csv")
    local first = rows()
    assert.equal("who,reason,redirect_url,minted_at", first[1])
    assert.equal(4, #first)
    assert.matches("^ann,\"'=new\",http[^,]*,20%d%d%-", first[2])
    assert.equal(0, apply().code)
    assert.equal(7, #rows())
    assert.equal(first[2], rows()[2])
    assert.is_nil(place:read "live.csv.partial")
  end)

  local function keeps_rows(script)
    place:write("slow.csv", "a\n")
    local process = place:start(host.unlimited { "job.lua", "--apply", "--concurrency", "1" },
      { script = script })
    host.wait_until(function()
      return (place:read "live.csv" or ""):find("bob,", 1, true)
    end, "two rows")
    process:signal "KILL"
    process:wait()
    os.remove(place.path .. "/slow.csv")
    local resumed = place:run { "resume", "last" }
    assert.equal(3, resumed.code, resumed.err)
    has(resumed.err, "1 link was not received: mint a new one")
    assert.matches("report: the rows without a link in [^\n]*live%.csv say who has none\n",
      resumed.err)
    local last = {}
    for _, line in ipairs(rows()) do
      last[line:match "^%a+"] = line
    end
    assert.matches("^ann,.*http", last.ann)
    assert.matches("^bob,.*http", last.bob)
    assert.matches("^cyd,link not received: mint a new one,,", last.cyd)
  end

  it("keeps the row whose link stands there when a killed run is resumed", function()
    keeps_rows(SCRIPT)
  end)

  it("keeps it also where a column holds when the link ends, which only that run knew", function()
    keeps_rows((SCRIPT:gsub('"redirect_url" }', '"redirect_url", "expires_at" }')
      :gsub("redirect_url = ", "expires_at = results.link.expires_at, %0")))
  end)

  it("cuts off a row that a kill has cut, and nothing else", function()
    place:write("live.csv", "who,reason,redirect_url,minted_at\r\nzed,x,,2026\r\ncut,x")
    assert.equal(0, apply().code)
    assert.equal("zed,x,,2026", rows()[2])
    assert.matches("^ann", rows()[3])
  end)

  it("refuses a file of other columns, in a preview, too", function()
    place:write("live.csv", "who,what\r\n")
    for _, words in ipairs { { "job.lua" }, { "job.lua", "--apply" } } do
      local run = place:run(words, { script = SCRIPT })
      assert.is_true(run.code ~= 0)
      has(run.err, "live.csv has other columns: give another file")
    end
    assert.equal("who,what\r\n", place:read "live.csv")
    assert.equal(0, job.writes(emulator))
  end)
end)

describe("the links of an earlier report", function()
  it("are told by the next run when they have expired", function()
    local script = [[
      composio.report("n.csv", { "who", "expires_at", "redirect_url" })
      composio.bulk({ { id = "x" } }, function() end)
    ]]
    place:write("n.csv", "who,expires_at,redirect_url\r\n"
      .. "a,2020-01-01T00:00:00.000Z,http://x\r\nb,2020-01-01T00:00:00.000Z,\r\n"
      .. "c,2999-01-01T00:00:00.000Z,http://x\r\n")
    has(place:run({ "job.lua" }, { script = script }).err,
      "report: 1 link in n.csv, of an earlier run, has expired")
    has(place:run({ "job.lua", "--apply" }, { script = script }).err, "has expired")
    assert.equal("who,expires_at,redirect_url\r\n", place:read "n.csv")
  end)
end)
