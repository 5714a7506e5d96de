-- A saved plan held neither the words after -- nor the options of its preview: at apply,
-- an `after` saw other words, and the limits and protected accounts that the preview
-- had been given were those of the defaults again.
local job = require "spec.support.job"
local scene = require "spec.support.scene"
local server = require "spec.support.server"

local emulator, place
scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

local JOB = [[
  composio.bulk({ after = function() print(table.concat(arg, ",")) end },
    accounts.each { statuses = { "ACTIVE" } }, function(account)
    if arg[1] == "disable" then account:disable() else account:update { alias = "x" } end
  end)
]]

local function save()
  local words = { "job.lua", "--max-percent=90", "--save-plan=plan", "--protect=safe.txt", "--",
    "disable", "two words" }
  local run = place:run(words, { script = JOB })
  assert.equal(0, run.code, run.err)
  return run
end

describe("apply PLAN", function()
  it("has the words and the options of the preview", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 3)
    place:write("safe.txt", "")
    save()
    place:write("safe.txt", ids[1] .. "\n")
    local run = place:run { "apply", "plan" }
    assert.equal(0, run.code, run.err)
    job.has(run.out, "disable,two words\n")
    job.has(run.err, "left out")
    assert.equal("ACTIVE", emulator:ask("accounts/" .. ids[1]).status)
    assert.equal("INACTIVE", emulator:ask("accounts/" .. ids[2]).status)
  end)

  it("takes other limits from its own command line", function()
    place:write("safe.txt", "ca_none\n")
    save()
    local run = place:run { "apply", "plan", "--max-percent=1" }
    assert.equal(4, run.code, run.err)
    assert.same({}, emulator:changes())
  end)

  it("finds the files of the preview from another directory", function()
    place:write("safe.txt", "ca_none\n")
    save()
    os.execute("mkdir " .. server.quote(place.path .. "/elsewhere"))
    local run = place:run { "apply", "../plan", "--state-dir", place.path .. "/s",
      "--protect", "safe.txt" }
    assert.equal(2, run.code, run.err) -- the file given here is from here
    run = place:run({ "apply", "plan", "--state-dir", place.path .. "/s" },
      { prefix = "env -C elsewhere" })
    assert.equal(2, run.code, run.err)
    run = place:run({ "apply", "../plan" }, { prefix = "env -C elsewhere" })
    assert.equal(0, run.code, run.err)
  end)

  it("plans again with the words and options", function()
    place:write("safe.txt", "ca_none\n")
    save()
    assert.equal(0, place:run({ "apply", "plan" }).code)
    local again = place:run { "apply", "plan" }
    assert.equal(4, again.code, again.err)
    job.has(again.err, "--max-percent 90")
    job.has(again.err, "-- disable 'two words'")
  end)
end)
