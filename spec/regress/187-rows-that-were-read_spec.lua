-- A second loop over the rows of composio.csv saw an empty file, and a bulk over them planned
-- nothing and exited 0. `composio:csv` and others blamed the path, not the colon. Bitwise
-- operators on a substitute of the sandbox raised an error that named no option.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local place
scene.of_host({ "--accounts", "10" }, function(_, directory)
  place = directory
end)

local function refused(cases)
  for script, text in pairs(cases) do
    local result = place:run({ "job.lua" }, { script = script })
    assert.equal(1, result.code, script .. "\n" .. result.err)
    job.has(result.err, text)
  end
end

it("rows are read once", function()
  place:write("x.csv", "id\nca_x\n")
  local rows = "local rows = composio.csv 'x.csv' for row in rows do print(row.id) end "
  local why = "job.lua:3: x.csv: its rows have been read; call composio.csv again"
  refused {
    [rows .. "for row in rows do print(row.id) end"] = why,
    [rows .. "composio.bulk(rows, print)"] = why,
  }
end)

it("a colon is named in all functions of the module", function()
  for name, call in pairs {
    bulk = "('b', {}, print)", job = "{}", csv = "'x.csv'", report = "('x', { 'a' })",
    client = "{}", ago = "'1d'", tag = "'t'",
  } do
    refused {
      ["composio:" .. name .. call]
        = "job.lua:3: composio." .. name .. ": call it with a dot, not with a colon",
    }
  end
end)

it("each use of a substitute names the option", function()
  for _, use in ipairs {
    "print(io & 1)", "print(1 | io)", "print(io ~ 1)", "print(io << 1)", "print(io >> 1)",
    "print(~io)", "local _ <close> = io",
  } do
    refused { [use] = "io needs --allow io" }
  end
end)
