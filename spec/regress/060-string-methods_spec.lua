-- The shipped Lua calls methods of strings, which were looked up in the script's `string`:
-- a script that replaced string.match, or the metatable's __index, decided what guards and
-- jobs read. Every function of these libraries is replaced here, before composio.job.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

local BROKEN = [[
  local say, join = print, table.concat
  local function wrong() return 1000000 end
  for _, library in ipairs { string, table, math, utf8 } do
    for name in pairs(library) do library[name] = wrong end
  end
  for _, name in ipairs { "pcall", "type", "tonumber", "select", "next", "rawget", "rawset" } do
    _G[name] = wrong
  end
  local class = getmetatable ""
  say(class == false)
  local job = composio.job {
    may = "reversible",
    params = { days = { type = "integer", default = 3, min = 2 }, who = { type = "string" } },
  }
  say(job.params.days, job.params.who)
]]
local REST = [[
  local counts = composio.bulk(accounts.each { statuses = { "ACTIVE" } }, function(account)
    account:disable { reason = "it is " .. job.params.days }
  end)
]]

describe("a script that replaced the functions of Lua's libraries", function()
  it("is guarded like any other", function()
    local words = { "job.lua", "--apply", "--days", "40", "--who=u" }
    local run = place:run(words, { script = BROKEN .. REST })
    assert.equal("true\n40\tu\n", run.out)
    assert.equal(4, run.code, run.err)
    job.has(run.err, "of the project's 60 accounts")
    assert.same({}, emulator:changes())
  end)

  it("has the outcomes and the words of any other", function()
    local words = { "job.lua", "--apply", "--max-percent=100", "--days", "40", "--who=u" }
    place:write("protect.txt", "toolkit:github\n")
    words[#words + 1] = "--protect=protect.txt"
    local run = place:run(words, { script = BROKEN .. REST })
    assert.equal(0, run.code, run.err)
    assert.is_true(#emulator:changes() > 5)
    job.has(run.err, "it is 40")
    local bad = place:run({ "job.lua", "--days", "1" }, { script = BROKEN .. REST })
    assert.equal(2, bad.code, bad.err)
    job.has(bad.err, "'1' is less than 2")
  end)

  it("still adds methods of strings, and replaces none", function()
    local run = place:run({ "job.lua" }, { script = [[
      function string.trimmed(text) return (text:gsub("^ +", "")) end
      function string.upper() return "replaced" end
      print(("  x"):trimmed(), ("x"):upper(), string.upper("x"))
    ]] })
    assert.equal("x\tX\treplaced\n", run.out)
  end)
end)
