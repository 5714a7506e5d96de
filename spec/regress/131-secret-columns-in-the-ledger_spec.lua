-- The value of a secret column of a CSV file stood in clear in the ledger, in plans and in
-- reports when a script put it into a key, a tag, an alias, a reason or a report, or collected
-- the rows in a table. It is refused or masked, as the value of a secret parameter is (110).
local canary = require "spec.support.canary"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place, ids
scene.of_host({ "--accounts", "20" }, function(...)
  emulator, place = ...
  ids = ids or job.ids(emulator, { statuses = { "ACTIVE" } }, 2)
end)

-- Runs a preview and a run over two rows, each with a token of its own.
local function run_with(script, ...)
  local file = { "id,token" }
  for place_of, id in ipairs(ids) do
    local secret = canary.new("csv"):lower():gsub("[^a-z0-9]", ""):sub(1, 28)
    place.secrets[1 + place_of] = secret
    file[#file + 1] = id .. "," .. secret
  end
  place:write("rows.csv.secret", table.concat(file, "\n") .. "\n")
  return place:run({ "job.lua", "--max-percent=100", ... }, {
    script = 'local rows = composio.csv("rows.csv.secret", { "id", "token" }, '
      .. '{ secret = { "token" } })\n' .. script,
  })
end

for name, script in pairs {
  ["the item's key"] = [[
    composio.bulk({ key = function(row) return row.token end }, rows, function() end)]],
  ["the item's row"] = [[
    local list = {}
    for row in rows do list[#list + 1] = row end
    composio.bulk(list, function() end)]],
  ["the call's body"] = [[
    composio.bulk(rows, function(row) accounts.update(row.id, { alias = "x" .. row.token }) end)]],
  ["the tag"] = [[composio.bulk(rows, function(row) composio.tag(row.token) end)]],
  ["the report's row"] = [[
    local report = composio.report("out.csv", { "id", "token" })
    composio.bulk(rows, function(row) report:add { id = row.id, token = row.token } end)]],
} do
  it("the value of a secret column is refused in " .. name, function()
    local run = run_with(script, "--save-plan=plan")
    job.has(run.err, name .. " holds the value of a secret parameter or column")
    assert.is_true(run.code ~= 0, run.err)
    run_with(script, "--apply")
    assert.same({}, emulator:changes())
  end)
end

it("it is masked in a reason", function()
  local run = run_with([[
    composio.bulk(rows, function(row)
      accounts.disable(row.id, { reason = "it had " .. row.token })
    end)]], "--apply")
  assert.equal(0, run.code, run.err)
  assert.equal(2, #emulator:changes())
  assert.same({ { "it had ***" } }, place:ledger "SELECT DISTINCT reason FROM change")
end)

it("credentials hold it, in a bulk and outside", function()
  local call = [[accounts.initiate("user of " .. row.id, "ac_StripeApiKey",
    { config = composio.auth_scheme.api_key { api_key = row.token } })]]
  local run = run_with("composio.bulk(rows, function(row) " .. call .. " end)", "--apply")
  assert.equal(0, run.code, run.err)
  run = run_with("for row in rows do row.id = row.id .. 2 " .. call .. " end", "--apply", "--anew")
  assert.equal(0, run.code, run.err)
  assert.equal(4, #emulator:changes())
end)
