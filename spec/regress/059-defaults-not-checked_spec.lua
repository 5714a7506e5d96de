-- A parameter's default was taken as it stood: a text for a whole number, or a value below the
-- parameter's own minimum, reached the script without a word.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local place
scene.of_host({ "--accounts", "10" }, function(_, directory)
  place = directory
end)

local function run(param)
  local script = "local job = composio.job { params = { x = { %s } } } print(job.params.x)"
  return place:run({ "job.lua" }, { script = script:format(param) })
end

describe("a parameter's default", function()
  for param, why in pairs {
    [ [[type = "integer", default = "90"]] ] = "default 90 is not of type integer",
    [ [[type = "integer", default = 1.5]] ] = "default 1.5 is not of type integer",
    [ [[type = "integer", default = 7, min = 30]] ] = "default 7 is less than 30",
    [ [[type = "number", default = 1 / 0]] ] = "default inf is not of type number",
    [ [[type = "duration", default = "90 days"]] ] = "default 90 days is not of type duration",
    [ [[type = "duration", default = "1h", max = "5m"]] ] = "default 1h is more than 5m",
    [ [[type = "boolean", default = "false"]] ] = "default false is not of type boolean",
    [ [[type = "enum", values = { "a" }, default = "b"]] ] = "default b is not one of a",
    [ [[type = "string", default = 1]] ] = "default 1 is not of type string",
  } do
    it("is refused: " .. param, function()
      local result = run(param)
      assert.equal(1, result.code, result.err)
      job.has(result.err, "params.x: " .. why)
    end)
  end

  for param, value in pairs {
    [ [[type = "integer", default = 90, min = 30]] ] = "90",
    [ [[type = "number", default = 1]] ] = "1",
    [ [[type = "number", default = 0.5]] ] = "0.5",
    [ [[type = "duration", default = "2m"]] ] = "120",
    [ [[type = "boolean", default = false]] ] = "false",
    [ [[type = "enum", values = { "a" }, default = "a"]] ] = "a",
    [ [[type = "string", default = ""]] ] = "",
  } do
    it("is taken: " .. param, function()
      local result = run(param)
      assert.equal(0, result.code, result.err)
      assert.equal(value, (result.out:gsub("%.0*\n$", ""):gsub("\n$", "")))
    end)
  end
end)
