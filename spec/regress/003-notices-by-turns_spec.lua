-- Two routes with a Deprecation of their own told theirs at every turn.
local host = require "spec.support.host"
local server = require "spec.support.server"

it("each Deprecation notice is shown once per run", function()
  local emulator = server.emulator { "--accounts", "30" }
  local function notice(path, date)
    local body = { id = "ca_x", items = { 1 }, error = { message = "gone" } }
    local headers = { Deprecation = "@" .. date, Sunset = "Fri, 03 Jul 2026 00:00:00 GMT" }
    return { path = path, action = "reply", status = 400, headers = headers, body = body }
  end
  emulator:faults { notice("*/ca_a", 1777000000), notice("*/ca_b", 1778000000) }
  local place = host.place(emulator)
  local run = place:run({ "job.lua" }, {
    script = [[
      for _ = 1, 3 do
        pcall(accounts.get, "ca_a")
        pcall(accounts.get, "ca_b")
      end
    ]],
  })
  assert.equal(0, run.code, run.err)
  local _, count = run.err:gsub("announces the end of an API route", "")
  assert.equal(2, count, run.err)
  assert.matches("Deprecation: @1777000000 Sunset: Fri, 03 Jul 2026", run.err)
  assert.matches("Deprecation: @1778000000", run.err)
  place:remove()
  emulator:stop()
end)
