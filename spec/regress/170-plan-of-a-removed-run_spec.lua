-- After `runs --prune`, the plan of a removed run could be applied again.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"
local server = require "spec.support.server"

local emulator, place
scene.of_host({ "--accounts", "20" }, function(...)
  emulator, place = ...
end)

local LEDGER = ".local/state/composio-lua/ledger.db"

local function age()
  place:write("age.sql", "UPDATE run SET began_ms = began_ms - 7948800000, "
    .. "ended_ms = ended_ms - 7948800000;")
  host.shell(("cd %s && sqlite3 %s < age.sql"):format(server.quote(place.path), LEDGER))
end

it("is still refused as carried out", function()
  local preview = place:run(host.unlimited { "job.lua", "--save-plan=plan" }, { script = [[
    composio.bulk(accounts.each { statuses = { "ACTIVE" } }, function(account)
      account:disable()
    end)
  ]] })
  assert.equal(0, preview.code, preview.err)
  local run = place:run { "apply", "plan" }
  assert.equal(0, run.code, run.err)
  age()
  job.has(place:run({ "runs", "--prune=90d", "--force", "--apply" }).err, "removed: 2 runs")
  emulator:reset()
  local again = place:run { "apply", "plan" }
  assert.equal(4, again.code, again.err)
  job.has(again.err, "run " .. run.err:match "run: (%S+)" .. " has carried out the plan")
  assert.same({}, job.changes(emulator))
end)

it("and an old preview without changes goes when nothing else does", function()
  assert.equal(0, place:run({ "job.lua" }, {
    script = "composio.bulk({}, function() end)",
  }).code)
  age()
  job.has(place:run({ "runs", "--prune=90d", "--force", "--apply" }).err, "removed: 1 run")
  assert.equal("", place:run({ "runs" }).out)
end)
