-- A ledger that 0.1.0 wrote: its runs can be listed and shown, the killed one resumed
-- and the finished one undone. That version made the fixture with the emulator's 60
-- accounts of seed 7.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local has = job.has
local emulator, place
scene.of_host({ "--accounts", "60", "--seed", "7" }, function(...)
  emulator, place = ...
end)

-- What run wfm planned, in order; 0.1.0 had disabled the first three.
local KILLED = {
  "ca_RAWINZmlKd9l", "ca_lqhfngD34q86", "ca_xJ-Y5qQm1iGr", "ca_vWKhURnathPN",
  "ca_c8rkVR8FjVw7", "ca_xSlfjWH6BrzE", "ca_aOA69C87IYpH", "ca_pJEvL6_l3aCb",
}
-- What run d2g disabled.
local FINISHED = { "ca_43T14YyXN5wz", "ca_XQqW1sWjSTgB", "ca_RkthIynBAYRZ", "ca_fSsnuPdmu5IB" }

-- Byte for byte: a run knows its script by its SHA-256.
local SCRIPT = [[
local composio = require "composio"
local accounts = composio.connected_accounts
composio.job { summary = "Disable some accounts.", may = "reversible" }
composio.bulk("idle", accounts.each { statuses = { "ACTIVE" } }, function(account)
  account:disable { reason = "idle" }
end)
]]

local function sqlite(name, words, input)
  return host.shell(("sqlite3 -bail %s/%s/ledger.db %s %s"):format(place.path, name, words,
    input and "<" .. place.path .. "/" .. input or ""))
end

-- Puts the fixture into the state directory `st`, as if this emulator had been
-- its service.
local function load_fixture()
  local path = place:write("job.lua", SCRIPT)
  place:run({ "job.lua", "--apply", "--limit-items", "1", "--state-dir", "other" }, {})
  local file = assert(io.open "spec/fixtures/ledger-0.1.0.sql")
  local names = {
    SCRIPT = path,
    PLACE = place.path,
    URL = emulator.url,
    PROJECT = sqlite("other", "'select project from run'"),
  }
  assert.equal(16, #names.PROJECT)
  place:write("fixture.sql", (file:read("a"):gsub("%u+", names)))
  file:close()
  host.shell("mkdir -m 700 " .. place.path .. "/st")
  assert.equal("", sqlite("st", "2>&1", "fixture.sql"))
  emulator:reset()
  local before = {}
  for i = 1, 3 do
    before[i] = KILLED[i]
  end
  table.move(FINISHED, 1, #FINISHED, 4, before)
  for i, id in ipairs(before) do
    before[i] = ("accounts.disable(%q)"):format(id)
  end
  local run = place:run(host.unlimited { "job.lua", "--apply", "--state-dir", "other" }, {
    script = table.concat(before, "\n"),
  })
  assert.equal(0, run.code, run.err)
  place:write("job.lua", SCRIPT)
  emulator:forget()
end

local function changed()
  return #emulator:changes()
end

describe("a ledger of 0.1.0", function()
  before_each(load_fixture)

  it("lists and shows its runs", function()
    local runs = place:run { "runs", "--state-dir", "st" }
    has(runs.out, "heal-wfm  interrupted")
    has(runs.out, "heal-d2g  done")
    local show = place:run { "show", "d2g", "--state-dir", "st" }
    assert.equal(0, show.code, show.err)
    for _, id in ipairs(FINISHED) do
      has(show.out, "disable  " .. id .. "  done")
    end
    local history = place:run { "history", KILLED[1], "--state-dir", "st" }
    has(history.out, "ACTIVE → INACTIVE")
  end)

  it("lets its killed run be finished, each account once", function()
    local before = changed()
    local run = place:run { "resume", "wfm", "--state-dir", "st", "--summary", "summary.json" }
    assert.equal(0, run.code, run.err)
    assert.equal(8, run.summary.outcomes.done, run.err)
    assert.equal(5, changed() - before)
    has(place:run({ "show", "wfm", "--state-dir", "st" }).out, "disable  " .. KILLED[8] .. "  done")
  end)

  it("takes what a person knows of its killed run", function()
    local before = changed()
    local run = place:run {
      "resolve", "wfm", KILLED[4], "failed", "--reason", "asked Kim", "--state-dir", "st",
    }
    assert.equal(0, run.code, run.err)
    has(run.out, "disable of " .. KILLED[4] .. ": intended, now failed (")
    assert.equal("8", sqlite("st", "'PRAGMA user_version'"))
    has(place:run({ "history", KILLED[4], "--state-dir", "st" }).out, "asked Kim")
    run = place:run { "resume", "wfm", "--state-dir", "st", "--summary", "summary.json" }
    assert.equal(3, run.code, run.err)
    assert.equal(7, run.summary.outcomes.done, run.err)
    assert.equal(1, run.summary.outcomes.failed)
    assert.equal(4, changed() - before)
  end)

  it("lets its finished run be undone", function()
    local before = changed()
    local run = place:run { "undo", "d2g", "--apply", "--max-percent=100", "--state-dir", "st" }
    assert.equal(0, run.code, run.err)
    has(run.err, "enable: done 4")
    assert.equal(4, changed() - before)
  end)
end)
