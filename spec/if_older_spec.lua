-- --if-older DUR: nothing is done while a like run that ended with 0 is more recent.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"
local server = require "spec.support.server"

local has = job.has
local emulator, place

local LEDGER = ".local/state/composio-lua/ledger.db"
local SCRIPT = [[
local job = composio.job {
  summary = "Disable.", may = "reversible", params = { id = { type = "string" } },
}
local report = composio.report("out.csv", { "id" })
composio.bulk({ job.params.id or "ca_github_u123A" }, function(account)
  account:disable()
  report:add { id = account.id }
end)
]]

scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

local function run_of(...)
  emulator:forget()
  return place:run(host.unlimited { "job.lua", "--apply", ... })
end

local function set(sql)
  place:write("ledger.sql", "UPDATE run SET " .. sql)
  host.shell(("cd %s && sqlite3 %s < ledger.sql"):format(server.quote(place.path), LEDGER))
end

local function runs()
  return #place:ledger "SELECT id FROM run"
end

describe("--if-older", function()
  before_each(function()
    place:script(SCRIPT)
    assert.equal(0, run_of("--if-older", "20h").code)
    assert.equal(1, runs())
  end)

  it("does nothing while the last run is more recent", function()
    local before = place:read "out.csv"
    has(before, "ca_github_u123A")
    local run = run_of("--if-older", "20h")
    assert.equal(0, run.code, run.err)
    has(run.err, "ended well less than --if-older ago")
    assert.same({}, emulator:requests())
    assert.equal(1, runs())
    assert.equal(before, place:read "out.csv")
    run = run_of("--if-older", "20h", "-q")
    assert.equal("0", run.code .. run.out .. run.err)
  end)

  it("runs when the last one is older, or ended otherwise, or in the future", function()
    for _, sql in ipairs {
      "ended_ms = ended_ms - 73000000", "exit_code = 3", "exit_code = 9", "ended_ms = NULL",
      "ended_ms = ended_ms + 999999",
    } do
      set(sql)
      local before = runs()
      assert.equal(0, run_of("--if-older", "20h").code)
      assert.equal(before + 1, runs(), sql)
      set "ended_ms = 1"
    end
  end)

  it("compares script, parameters and words, and what acts", function()
    assert.equal(0, run_of("--if-older", "20h", "--id", "ca_slack_u123_B").code)
    assert.equal(2, runs())
    assert.equal(0, run_of("--if-older", "20h", "--id", "ca_slack_u123_B", "--", "x").code)
    assert.equal(3, runs())
    assert.equal(0, run_of("--if-older", "20h", "--id", "ca_slack_u123_B", "--", "x").code)
    assert.equal(3, runs())
    set "mode = 'preview'"
    assert.equal(0, run_of("--if-older", "20h").code)
    assert.equal(4, runs())
  end)

  it("counts no preview, except of a job that only reads", function()
    place:script('composio.job { summary = "Read.", may = "read" } '
      .. "composio.bulk(accounts.each {}, function() end)", "reads.lua")
    for _ = 1, 2 do
      assert.equal(0, place:run({ "reads.lua", "--if-older", "1h" }).code)
    end
    assert.equal(2, runs())
  end)

  it("works without composio.job, and before a report is opened", function()
    place:script('composio.report("out.csv", { "a" }) accounts.enable "ca_github_u123A"',
      "plain.lua")
    assert.equal(0, place:run(host.unlimited { "plain.lua", "--apply", "--if-older", "1h" }).code)
    assert.equal(2, runs())
    place:write("out.csv", "mine")
    local run = place:run(host.unlimited { "plain.lua", "--apply", "--if-older", "1h" })
    assert.equal(0, run.code, run.err)
    assert.equal(2, runs())
    assert.equal("mine", place:read "out.csv")
  end)
end)
