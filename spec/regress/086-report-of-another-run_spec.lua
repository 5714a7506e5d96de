-- A run that was refused with exit 75, because another run wrote the same report, removed
-- that run's partial file; and a process that named its own report in two ways was told
-- that another run writes it.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local place
scene.of_host({ "--accounts", "40" }, function(_, directory)
  place = directory
end)

-- Adds a row, then waits as long as wait.csv is there.
local ROW = [[
  report:add { who = "first", redirect_url = "https://one" }
  repeat composio.sleep(0.02) until not pcall(composio.csv, "wait.csv")
]]
local REPORT = [[local report = composio.report("out.csv", { "who", "redirect_url" })]]
local READS = [[composio.job { may = "read" }]] .. REPORT .. ROW
local LINKS = REPORT .. [[
  composio.bulk({
    key = function(row) return row.user end,
    after = function() ]] .. ROW .. [[ end,
  }, { { user = "person_1" } }, function(row) accounts.link(row.user, "ac_GmailManaged") end)
]]

describe("the partial file of a running run", function()
  for name, case in pairs {
    ["that links"] = { script = LINKS, words = host.unlimited { "job.lua", "--apply" } },
    ["that only reads"] = { script = READS, words = { "job.lua" } },
  } do
    it(name .. " stays when another is refused", function()
      place:write("wait.csv", "a\n")
      local function words(dir)
        return table.move(case.words, 1, #case.words, 3, { "--state-dir", place.path .. dir })
      end
      local first = place:start(words "/s1", { script = case.script })
      host.wait_until(function()
        return (place:read "out.csv.partial" or ""):find("https://one", 1, true)
      end, "the first row")
      local second = place:run(words "/s2")
      assert.equal(75, second.code, second.err)
      job.has(second.err, "another run writes the report out.csv")
      job.lacks(second.err, "report: ")
      job.has(place:read "out.csv.partial" or "none", "https://one")
      os.remove(place.path .. "/wait.csv")
      local done = first:wait(20)
      assert.equal(0, done.code, done.err)
      job.has(place:read "out.csv", "https://one")
    end)
  end
end)

describe("a report that is open already", function()
  it("is known by any name, and keeps its rows", function()
    host.shell("ln -s . " .. place.path .. "/here")
    for _, other in ipairs { "./out.csv", "here/out.csv", place.path .. "/out.csv" } do
      for _, word in ipairs { "-v", "--apply" } do
        local script = REPORT
          .. [[ report:add { who = "first" }
            local good, err = pcall(composio.report, ]] .. ("%q"):format(other) .. [[, { "a" })
            print(good, err)
          ]]
        if word == "-v" then
          script = [[composio.job { may = "read" }]] .. script
        end
        local result = place:run({ "job.lua", word }, { script = script })
        assert.equal(0, result.code, result.err)
        job.has(result.out, other .. " is already the file of another report")
        assert.equal("who,redirect_url\r\nfirst,\r\n", place:read "out.csv")
        assert.is_nil(place:read "out.csv.partial")
      end
    end
  end)

  it("has nothing in common with stdout", function()
    local script = [[
      composio.job { may = "read" }
      composio.report("-", { "a" })
      composio.report("./-", { "b" })
    ]]
    local result = place:run({ "job.lua" }, { script = script })
    assert.equal(0, result.code, result.err)
    assert.equal("a\r\n", result.out)
    assert.equal("b\r\n", place:read "-")
  end)
end)
