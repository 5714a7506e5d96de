-- `package.path .. ";x"`, #io.stdout, pairs(io) and an assignment to package.path said nothing
-- of --allow: the first two named a table, the others did nothing.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local place
scene.of_host({ "--accounts", "10" }, function(_, directory)
  place = directory
end)

it("what a script may not use says so, whatever the script does with it", function()
  local USES = {
    "_ = x .. 'a'", "_ = 'a' .. x", "_ = #x", "pairs(x)", "x.a = 1", "x()", "x[1] = 2",
    "_ = x + 1", "_ = 1 - x", "_ = -x", "_ = x < x",
  }
  for value, text in pairs {
    ["io"] = "io needs --allow io",
    ["io.open"] = "io.open needs --allow io",
    ["io.stdout"] = "io.stdout needs --allow io",
    ["dofile"] = "dofile needs --allow io",
    ["os.execute"] = "os.execute needs --allow os",
    ["package"] = "package is not for scripts; no --allow brings it; require finds the modules",
    ["package.path"] = "package.path is not for scripts; no --allow brings it",
    ["debug.sethook"] = "debug.sethook is not for scripts; no --allow brings it",
  } do
    local script = { "local _, x = nil, " .. value }
    for place_of, use in ipairs(USES) do
      local line = "local f%d = function() %s end print(%q, select(2, pcall(f%d)))"
      script[#script + 1] = line:format(place_of, use, use, place_of)
    end
    local result = place:run({ "job.lua" }, { script = table.concat(script, "\n") })
    assert.equal(0, result.code, result.err)
    local lines = 0
    for line in result.out:gmatch "[^\n]+" do
      lines = lines + 1
      job.has(line, ("job.lua:%d: %s"):format(3 + lines, text))
    end
    assert.equal(#USES, lines)
  end
end)

it("a library has no other fields, and what is allowed of it can be replaced", function()
  local result = place:run({ "job.lua" }, { script = [[
    print(io.nosuch, os.nosuch, tostring(io.open))
    os.time = function() return 5 end
    print(os.time(), debug.traceback ~= nil)
    print(pcall(function() package.path = "x" end))
  ]] })
  assert.equal(0, result.code, result.err)
  job.has(result.out, "nil\tnil\tio.open needs --allow io")
  job.has(result.out, "5\ttrue\nfalse\tjob.lua:6: package is not for scripts")
end)
