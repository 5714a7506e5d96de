-- A bulk called its iterator again after it had returned nil, once for each worker: a
-- coroutine raised "cannot resume dead coroutine", and other iterators began anew. After an
-- error in it, the second error hid the first.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local place
scene.of_host({ "--accounts", "10" }, function(_, directory)
  place = directory
end)

local ROWS = [[
  local calls = 0
  local function rows()
    calls = calls + 1
    %s
    return calls < 4 and { id = "row " .. calls } or nil
  end
  local counts = composio.bulk(rows, function() %s end)
  print(calls, counts.selected)
]]

local function run(script, ...)
  return place:run({ "job.lua", ... }, { script = script })
end

describe("the iterator of a bulk's rows", function()
  it("is not called after its end", function()
    local result = run(ROWS:format("", ""))
    job.has(result.out, "4\t3\n")
    result = run(ROWS:format("composio.sleep(0)", "composio.sleep(0.01)"))
    job.has(result.out, "4\t3\n")
  end)

  it("may be a coroutine", function()
    local result = run [[
      local rows = coroutine.wrap(function()
        for number = 1, 3 do coroutine.yield { id = "row " .. number } end
      end)
      print(composio.bulk(rows, function() end).selected)
    ]]
    assert.equal(0, result.code, result.err)
    job.has(result.out, "looked at\n3\n")
  end)

  it("is not called after an error, which is the one that is told", function()
    local result = run(ROWS:format("if calls == 2 then error 'the first' end error 'again'", "")
      :gsub("error 'again'", "if calls > 2 then error 'again' end"))
    assert.equal(1, result.code)
    job.has(result.err, "the first")
    job.lacks(result.err, "again")
  end)

  it("that ends before the limit of items leaves the listing what it is", function()
    local result = run(ROWS:format("", ""), "--limit-items", "9")
    job.has(result.out, "4\t3\n")
  end)
end)
