-- A null byte in a column's name let a report read past its header, so that memory of the
-- process, the API key in it, came into the file; one in a path cut the path there.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local place
scene.of_host({ "--accounts", "10" }, function(_, directory)
  place = directory
end)

local READ = 'composio.job { may = "read" }\n'

describe("a null byte", function()
  it("in a column's name is refused, since composio.csv could not read the file", function()
    local script = [[composio.report("out.csv", { "a\0" .. ("b"):rep(200000) }):add {}]]
    local result = place:run({ "job.lua" }, { script = READ .. script })
    assert.equal(1, result.code)
    job.has(result.err, "job.lua:4: composio.report: columns: \"a\\0bbb")
    assert.is_nil(place:read "out.csv")
  end)

  it("in a path is refused", function()
    place:write("out.csv", "a\n1\n")
    for name, call in pairs { report = [[("out.csv\0x", { "a" })]], csv = [[("out.csv\0x")]] } do
      local script = READ .. "composio." .. name .. call
      local result = place:run({ "job.lua" }, { script = script })
      assert.equal(1, result.code, result.err)
      job.has(result.err, "composio." .. name .. ": the path contains a null byte")
      assert.equal("a\n1\n", place:read "out.csv")
    end
  end)
end)
