-- The ledger did not keep why a guard had refused a run: `show RUN` said that one had.
local cjson = require "cjson"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

local BULK = 'composio.bulk(accounts.each { statuses = { "ACTIVE" } }, '
  .. "function(account) account:disable() end)"

local function shown(...)
  return place:run({ "show", "last", ... }).out
end

for what, case in pairs {
  ["over a limit"] = { { "--apply", "--max-changes=2" }, BULK, "--max-changes 2" },
  ["over a limit in a preview"] = { { "--max-changes=2" }, BULK, "--max-changes 2" },
  ["and the script caught it"] = { { "--apply", "--max-changes=0" },
    'for account in accounts.each { limit = 1 } do pcall(account.disable, account) end',
    "--max-changes 0" },
  ["not confirmed"] = { { "--apply", "--max-changes=500", "--max-percent=100" },
    'composio.job { may = "irreversible" }\n' .. BULK:gsub("disable", "revoke"), "--confirm" },
} do
  it("show tells why a run was refused: " .. what, function()
    local run = place:run({ "job.lua", table.unpack(case[1]) }, { script = case[2] })
    assert.equal(4, run.code, run.err)
    local line = shown():match "\nrefused +([^\n]*)"
    job.has(line or shown(), case[3])
    assert.equal(line, cjson.decode(shown("--json"):match "^[^\n]+").refusal)
    assert.same({}, job.changes(emulator))
  end)
end
