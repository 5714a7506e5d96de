-- A change that stayed unknown was told three times as checked; a long reason for which a run
-- stopped was cut within a word; wide characters shifted the columns of a table.
local host = require "spec.support.host"
local scene = require "spec.support.scene"
local server = require "spec.support.server"

local emulator, place
scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

it("what remains unknown is told once", function()
  emulator:faults {
    { method = "PATCH", times = 100, action = "close" },
    { method = "GET", nth = 3, times = 1000, action = "close" },
  }
  local run = place:run(host.unlimited {
    "job.lua", "--apply", "--retries", "0", "--timeout", "1s", "--settle-wait", "0",
  }, {
    script = [[
      local id = accounts.list({ statuses = { "ACTIVE" } }).items[1].id
      composio.bulk("one", { { id = id } }, function(row) accounts.disable(row.id) end)
      composio.bulk("two", { { id = "x" } }, function() end)
    ]],
  })
  local _, count = run.err:gsub("checked 1 unknown", "")
  assert.equal(1, count, run.err)
end)

it("a long reason ends with a whole word", function()
  local script = "composio.job { params = { x = { type = 'enum', values = { %s } } } }"
  local words = {}
  for number = 1, 90 do
    words[number] = ("'value-%07d'"):format(number)
  end
  local run = place:run({ "job.lua", "--x", "y" }, {
    script = script:format(table.concat(words, ", ")),
  })
  assert.equal(2, run.code)
  assert.matches("value%-%d%d%d%d%d%d%d,? …\n", run.err)
end)

it("characters that take two columns are counted as such", function()
  local columns = dofile(server.root .. "/bindings/lua/composio/host/columns.lua")
  local lines = {}
  local list = columns({
    clean = function(text) return text end,
    screen = function() return 40 end,
    print = function(line) lines[#lines + 1] = line end,
  }, { columns = { { title = "user", least = 4 }, { title = "end" } } })
  for _, user in ipairs { "jösé 日本", "😀 team", "e\u{301}a", "plain" } do
    list:add(user, "x")
  end
  list:finish()
  assert.same({
    "user       end", "jösé 日本  x", "😀 team    x", "e\u{301}a         x", "plain      x",
  }, lines)
end)
