-- A report whose cell had a control byte, say of a reason that the service gave, could not be
-- read: neither by composio.csv nor by report:last(), so the next run took all people for new.
-- A text that a script had cut within a character had the same effect.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local place
scene.of_host({ "--accounts", "10" }, function(_, directory)
  place = directory
end)

local HEAD = [[
  composio.job { may = "read" }
  local texts = {}
  for byte = 0, 31 do texts[#texts + 1] = ("a%sb"):format(string.char(byte)) end
  texts[#texts + 1] = "\127"
  texts[#texts + 1] = "\0"
]]

local function run(script, ...)
  return place:run({ "job.lua", ... }, { script = script })
end

describe("control bytes in a report", function()
  it("are read back", function()
    local result = run(HEAD .. [[
      local report = composio.report("r.csv", { "text", "place" })
      for place, text in ipairs(texts) do report:add { text = text, place = place } end
    ]])
    assert.equal(0, result.code, result.err)
    result = run(HEAD .. [[
      local count = 0
      for row in composio.csv "r.csv" do
        count = count + 1
        assert(row.text == texts[tonumber(row.place)], ("%q"):format(row.text))
      end
      local report = composio.report("r.csv", { "text", "place" })
      for row in report:last() do
        count = count + 1
        assert(row.text == texts[tonumber(row.place)], ("%q"):format(row.text))
      end
      print(count, 2 * #texts)
      composio.bulk(composio.csv "r.csv", function(row) end)
    ]])
    assert.equal(1, result.code, result.err) -- a row has no key
    assert.equal("68\t68\n", result.out)
    job.has(result.err, "r.csv: row 2, column 'text' has an invisible character")
  end)

  it("do not keep rows out of the ledger", function()
    place:write("rows.csv", 'id,text\n"a","\1\0"\n')
    local result = run([[
      composio.bulk({ after = function(row) print(("%q"):format(row.text)) end },
        composio.csv "rows.csv", function()
          accounts.update("ca_github_u123A", { alias = "x" })
        end)
    ]], "--apply", "--max-percent=100")
    assert.equal(0, result.code, result.err)
    assert.equal('"\\1\\0"\n', result.out)
  end)
end)

it("a text that is cut within a character makes no report unreadable", function()
  local result = run [[
    composio.job { may = "read" }
    local report = composio.report("r.csv", { "text" })
    report:add { text = ("M\u{fc}ller"):sub(1, 2) }
    report:add { text = "\xff\xfe" .. "x" }
  ]]
  assert.equal(0, result.code, result.err)
  assert.equal("text\r\nM\u{fffd}\r\n\u{fffd}\u{fffd}x\r\n", place:read "r.csv")
end)
