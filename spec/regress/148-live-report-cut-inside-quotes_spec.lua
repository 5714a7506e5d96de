-- A live report whose last row a kill had cut inside quotes, behind a line end there, could not
-- be read any more: rows were appended within the quotes.
local scene = require "spec.support.scene"

local place
scene.of_host({ "--accounts", "20" }, function(_, ...)
  place = ...
end)

local SCRIPT = [[
  composio.job { may = "read" }
  local report = composio.report("live.csv", { "id", "note" }, { live = true })
  report:add { id = "new", note = "a \"quoted\",\nnote" }
  for row in composio.csv "live.csv" do print(row.id .. "|" .. row.note) end
]]
local HEAD = 'id,note,minted_at\r\n'
local WHOLE = 'one,"two ""lines"",\nof it",2026-11-30T00:00:00Z\r\n'

for name, tail in pairs {
  ["within quotes"] = 'cut,"the fir',
  ["behind a line end within quotes"] = 'cut,"the first line\n',
  ["behind a quote that may end the cell"] = 'cut,"a ""',
  ["in a cell without quotes"] = "cut,the f",
  ["nowhere"] = "",
} do
  it("a live report that was cut " .. name .. " goes on with a new row", function()
    place:write("live.csv", HEAD .. WHOLE .. tail)
    local run = place:run({ "job.lua" }, { script = SCRIPT })
    assert.equal(0, run.code, run.err)
    assert.equal('one|two "lines",\nof it\nnew|a "quoted",\nnote\n', run.out)
  end)
end

it("a quote inside a cell, which somebody typed, costs no rows", function()
  place:write("live.csv", HEAD .. 'one,5" wide and ""x,\r\n' .. WHOLE)
  local run = place:run({ "job.lua" }, { script = (SCRIPT:gsub("for row.*", "")) })
  assert.equal(0, run.code, run.err)
  assert.matches('of it",2026', place:read "live.csv")
  assert.matches("\nnew,", place:read "live.csv")
end)
