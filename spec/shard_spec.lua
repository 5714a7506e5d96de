-- --shard I/N: slices of a job that run side by side.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local has = job.has
local emulator, place

scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

local DISABLE = [[
composio.bulk("idle", accounts.each { statuses = { "ACTIVE" } }, function(account)
  account:disable { reason = "idle" }
end)
]]

local function run(shard, ...)
  local words = host.unlimited { "job.lua", "--summary", "summary.json", ... }
  if shard then
    words[#words + 1] = "--shard=" .. shard
  end
  return place:run(words)
end

describe("--shard", function()
  it("puts each account into exactly one slice", function()
    place:script(DISABLE)
    local all = run(nil).summary.open
    assert(all > 20)
    local sum = 0
    for shard = 1, 4 do
      local slice = run(shard .. "/4", "--apply")
      assert.equal(0, slice.code, slice.err)
      assert(slice.summary.outcomes.done > 0, shard)
      sum = sum + slice.summary.outcomes.done
    end
    assert.equal(all, sum)
    local seen = {}
    for _, change in ipairs(job.changes(emulator)) do
      assert.is_nil(seen[change], change)
      seen[change] = true
    end
    assert.equal(0, run(nil).summary.open)
  end)

  it("divides ids and rows by their keys, and asks for no other ids", function()
    local ids = job.ids(emulator, {}, 40)
    local counts = { {}, {} }
    for shard = 1, 2 do
      place:script(("composio.bulk(%s, function(a) print(a.id) end)"):format(job.quoted(ids)))
      for id in run(shard .. "/2").out:gmatch "ca_[^\n]+" do
        counts[1][id] = (counts[1][id] or 0) + 1
      end
      place:script([[
local rows = {}
for i = 1, 40 do rows[i] = { id = "row" .. i } end
composio.bulk(rows, function(row) print(row.id) end)]])
      for id in run(shard .. "/2").out:gmatch "row%d+" do
        counts[2][id] = (counts[2][id] or 0) + 1
      end
    end
    for _, count in ipairs(counts) do
      local items = 0
      for id, times in pairs(count) do
        assert.equal(1, times, id)
        items = items + 1
      end
      assert.equal(40, items)
    end
  end)

  it("runs beside the others of the same N, and excludes all else", function()
    place:script(DISABLE)
    place:script("composio.bulk({ 'ca_github_u123A', 'ca_slack_u123_B', 'ca_gmail_u123_C' }, "
      .. "function() print 'here' composio.sleep(20) end)", "holds.lua")
    local holders = {}
    for shard = 1, 2 do -- one of them may have no item
      holders[shard] = place:start { "holds.lua", "--apply", "--shard", shard .. "/2" }
    end
    host.wait_until(function()
      return (holders[1]:output() .. holders[2]:output()):find "here"
    end)
    local held = holders[1]:output():find "here" and 1 or 2
    local function code(shard)
      return run(shard, "--apply", "--limit-items", "1").code
    end
    holders[3 - held]:signal "TERM"
    holders[3 - held]:wait()
    assert.equal(0, code(3 - held .. "/2"))
    assert.equal(75, code(held .. "/2"))
    assert.equal(75, code "1/3")
    local whole = run(nil, "--apply")
    assert.equal(75, whole.code)
    has(whole.err, "runs with --shard I/2")
    has(place:run({ "runs" }).out, "running")
    holders[held]:signal "TERM"
    holders[held]:wait()
    assert.equal(0, code(held .. "/2"))
    assert.equal(0, code "1/3")
    assert.equal(0, code(nil))
    local other = place:start { "holds.lua", "--apply" }
    other:wait_for "here"
    assert.equal(75, code "1/2")
    other:signal "TERM"
    other:wait()
  end)

  it("takes its part of the project's accounts for --max-percent", function()
    place:script(DISABLE)
    local whole = run(nil)
    local slice = run "1/2"
    local half = 100 * slice.summary.open / 30
    local words = { "job.lua", "--shard", "1/2", "--max-percent" }
    words[5] = ("%d"):format(math.ceil(half))
    assert.equal(0, place:run(words).code)
    words[5] = ("%d"):format(math.ceil(half) - 4)
    local refused = place:run(words)
    assert.equal(4, refused.code, refused.err)
    assert(slice.summary.open < whole.summary.open)
  end)

  it("refuses changes outside of bulks, which every shard would make", function()
    place:script 'accounts.disable "ca_github_u123A"'
    for _, mode in ipairs { "--apply", "--show=all" } do
      local refused = run("1/2", mode)
      assert.equal(4, refused.code, refused.err)
      has(refused.err, "outside of a bulk")
    end
    assert.equal(0, run("1/1", "--apply").code)
  end)

  it("comes back with resume, and is part of what makes runs alike", function()
    place:script(DISABLE)
    local all = run("1/2").summary.open
    local cut = run("1/2", "--apply", "--deadline", "1s", "--rate", "10/s")
    assert.equal(7, cut.code, cut.err)
    local rest = place:run { "resume", "last", "--summary", "summary.json" }
    assert.equal(0, rest.code, rest.err)
    assert.equal(all, rest.summary.outcomes.done)
    assert.equal(all, job.writes(emulator))
    assert.equal(0, run("2/2", "--apply", "--if-older", "1h").code)
    assert(job.writes(emulator) > all)
    has(run("1/2", "--apply", "--if-older", "1h").err, "ended well less than --if-older ago")
  end)

  it("has its part of the pace", function()
    place:script(DISABLE)
    local slice = run("1/2", "--apply", "--limit-items", "6", "--rate", "10/s")
    assert.equal(0, slice.code, slice.err)
    assert(slice.summary.seconds > 1, slice.summary.seconds) -- 5 requests a second
  end)

  it("names files and metrics", function()
    place:script(DISABLE .. '\nlocal r = composio.report("out-%s.csv", { "a" })')
    local slice = run("2/3", "--apply", "--metrics", "m-%s.prom")
    assert.equal(0, slice.code, slice.err)
    has(place:read "m-2-of-3.prom", 'shard="2-of-3"')
    assert(place:read "out-2-of-3.csv")
    run(nil, "--metrics", "m-%s.prom")
    assert(place:read "m-1-of-1.prom")
  end)

  it("refuses what is no slice", function()
    place:script(DISABLE)
    for _, word in ipairs { "0/2", "3/2", "2", "1/0", "01/2", "1/2x", "-1/2", "a/b" } do
      assert.equal(2, run(word).code, word)
    end
  end)
end)
