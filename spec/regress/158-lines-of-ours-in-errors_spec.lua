-- Errors of require, load, print, warn and, under -q, io.write named a line of
-- composio/sandbox.lua and not the script's. So did errors of stock functions for which a
-- script gets a wrapper.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local place
scene.of_host({ "--accounts", "10" }, function(_, directory)
  place = directory
end)

local CASES = {
  { "require 'nosuch'", "module 'nosuch' not found: there is no file" },
  { "require 'no such'", "'no such' is not a module name" },
  { "require()", "bad argument #1 to 'require' (string expected, got no value)" },
  { "require {}", "bad argument #1 to 'require' (string expected, got table)" },
  { "load(nil)", "bad argument #1 to 'load' (function expected, got nil)" },
  { "load('x', {})", "bad argument #2 to 'load' (string expected, got table)" },
  { "warn()", "bad argument #1 to 'warn' (string expected, got no value)" },
  { "warn('a', {})", "bad argument #2 to 'warn' (string expected, got table)" },
  { "print(setmetatable({}, { __tostring = function() return {} end }))",
    "'__tostring' must return a string" },
  { "io.write(nil)", "bad argument #1 to 'write' (string expected, got nil)", "io" },
  { "io.write('a', {})", "bad argument #2 to 'write' (string expected, got table)", "io" },
  { "io.stdout:write('a', {})", "bad argument #2 to 'write' (string expected, got table)", "io" },
  { "dofile {}", "bad argument #1 to 'dofile' (string expected, got table)", "io" },
  { "loadfile {}", "bad argument #1 to 'loadfile' (string expected, got table)", "io" },
}

describe("an error of a function of Lua's names the script's line", function()
  for _, quiet in ipairs { false, true } do
    it(quiet and "under -q" or "in a plain run", function()
      for _, case in ipairs(CASES) do
        local words = { "job.lua", case[3] and "--allow=" .. case[3], quiet and "-q" or nil }
        if not case[3] then
          words = { "job.lua", quiet and "-q" or nil }
        end
        local result = place:run(words, { script = "\n" .. case[1] })
        assert.equal(1, result.code, case[1])
        job.has(result.err, "job.lua:4: " .. case[2])
        job.lacks(result.err, "composio/")
      end
    end)
  end

  it("and an error of the script's own stays what it is", function()
    for script, text in pairs {
      ["print(setmetatable({}, { __tostring = function() error 'mine' end }))"]
        = ": job.lua:3: mine",
      ["print(setmetatable({}, { __tostring = function() error('bare', 0) end }))"] = ": bare",
      ["require 'broken'"] = "broken.lua:2: ",
      ["require 'failing'"] = "failing.lua:1: oh",
    } do
      place:write("broken.lua", "\nfor x do")
      place:write("failing.lua", "error 'oh'")
      local result = place:run({ "job.lua" }, { script = script })
      assert.equal(1, result.code, script)
      job.has(result.err, text)
      job.lacks(result.err, "composio/")
    end
  end)
end)
