-- A secret of fewer than six bytes is not recognized in other texts, and stood in clear in the
-- ledger and in reports. It is refused when it is read.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "20" }, function(...)
  emulator, place = ...
end)

local COLLECTED = [[
  local list = {}
  for row in composio.csv("pins.csv", { "id" }, { secret = { "pin" } }) do list[#list + 1] = row end
  composio.bulk(list, function() end)]]

it("a cell of a secret column is refused, and named without its value", function()
  place:write("pins.csv", "id,pin\na,\nb,98765\n")
  local run = place:run({ "job.lua", "--apply" }, { script = COLLECTED })
  assert.equal(1, run.code, run.err)
  job.has(run.err, "pins.csv: row 3, column 'pin' is a secret of fewer than 6 bytes")
  job.lacks(run.err, "98765")
end)

it("a secret parameter is refused before anything is sent", function()
  local run = place:run({ "job.lua", "--apply" }, {
    script = [[
      local pin = composio.job { params = { pin = { type = "secret" } } }.params.pin
      composio.bulk({ { id = "x", pin = pin } }, function() end)]],
    env = { COMPOSIO_PARAM_PIN = "12345" },
  })
  assert.equal(2, run.code, run.err)
  job.has(run.err, "--pin is a secret of fewer than 6 bytes")
  job.lacks(run.err, "12345")
  assert.same({}, emulator:requests())
end)

it("six bytes are enough", function()
  place:write("pins.csv", "id,pin\na,987654\n")
  local run = place:run({ "job.lua", "--apply" }, { script = COLLECTED })
  job.has(run.err, "the item's row holds the value of a secret parameter or column")
end)
