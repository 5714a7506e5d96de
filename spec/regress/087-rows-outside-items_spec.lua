-- Rows that a script adds outside of items lost their links when the run was resumed,
-- though FILE.partial held them, and nothing said that the links were gone.
local host = require "spec.support.host"
local scene = require "spec.support.scene"

local place
scene.of_host({ "--accounts", "40" }, function(_, directory)
  place = directory
end)

local HEAD = [[
  local report = composio.report("links.csv", { "who", "redirect_url", "reason" })
  local people, links = { "ann, a", "bob", "=eve", "dan" }, {}
  local function slow(who)
    if who == "=eve" and pcall(composio.csv, "slow.csv") then composio.sleep(30) end
  end
  report:add { who = "nobody", reason = "has left" }
]]
-- The sleep is between =eve's link and her row: nothing keeps her link.
local ONE_LOOP = HEAD .. [[
  for place, who in ipairs(people) do
    local link = accounts.link("u" .. place, "ac_GmailManaged")
    slow(who)
    report:add { who = who, reason = "invited", redirect_url = link.redirect_url }
  end
  report:add { who = "last", reason = "has left" }
]]
-- All links are made before the first row.
local TWO_LOOPS = HEAD .. [[
  for place in ipairs(people) do
    links[place] = accounts.link("u" .. place, "ac_GmailManaged").redirect_url or ""
  end
  for place, who in ipairs(people) do
    slow(who)
    report:add { who = who, reason = "invited", redirect_url = links[place] }
  end
  report:add { who = "last", reason = "has left" }
]]

-- who → whether there is a link, and the reason.
local function rows()
  local text = place:run { "read.lua" }
  assert.equal(0, text.code, text.err)
  local found = {}
  for who, link, reason in text.out:gmatch "([^|\n]*)|([^|]*)|([^|\n]*)" do
    assert.is_nil(found[who], who .. " stands there twice:\n" .. text.out)
    found[who] = (link:find "^http" and "link, " or "") .. reason
  end
  return found
end

local function kill_in_the_middle(script)
  place:script(
    [[composio.job { may = "read" } for row in composio.csv "links.csv" do
      print(("%s|%s|%s"):format(row.who, row.redirect_url, row.reason))
    end]],
    "read.lua"
  )
  place:write("slow.csv", "a\n")
  local process = place:start(host.unlimited { "job.lua", "--apply" }, { script = script })
  host.wait_until(function()
    return (place:read "links.csv.partial" or ""):find "bob,http"
  end, "the first links")
  host.shell "sleep 0.5"
  process:signal "KILL"
  process:wait(20)
end

local function resume()
  local resumed = place:run { "resume", "last" }
  assert.equal(3, resumed.code, resumed.err) -- a link that nobody received has to be minted
  return rows()
end

describe("a resumed run's rows outside of items", function()
  local LOST = "link not received: mint a new one"

  it("keep the links that were received, or say that they were not", function()
    kill_in_the_middle(ONE_LOOP)
    os.remove(place.path .. "/slow.csv")
    assert.same({
      nobody = "has left",
      ["ann, a"] = "link, invited",
      bob = "link, invited",
      ["=eve"] = LOST,
      dan = "link, invited",
      last = "has left",
    }, resume())
    assert.is_nil(place:read "links.csv.partial")
  end)

  it("keep them when the resumed run is killed, too", function()
    kill_in_the_middle(ONE_LOOP)
    local process = place:start { "resume", "last" }
    host.shell "sleep 1"
    process:signal "KILL"
    process:wait(20)
    os.remove(place.path .. "/slow.csv")
    local found = resume()
    assert.equal("link, invited", found["ann, a"])
    assert.equal("link, invited", found.bob)
    assert.equal(LOST, found["=eve"])
  end)

  it("keep them when all links are made first", function()
    kill_in_the_middle(TWO_LOOPS)
    os.remove(place.path .. "/slow.csv")
    assert.same({
      nobody = "has left",
      ["ann, a"] = "link, invited",
      bob = "link, invited",
      ["=eve"] = LOST,
      dan = LOST,
      last = "has left",
    }, resume())
  end)
end)
