-- The host loads lua-cjson before a script is shut in, and Lua also looks for
-- modules in the current directory: a cjson.lua that lay there was run, with
-- everything that Lua can do.
local host = require "spec.support.host"
local server = require "spec.support.server"

it("nothing is run from the current directory", function()
  local emulator = server.emulator { "--accounts", "5" }
  local place = host.place(emulator)
  place:write("cjson.lua", "io.open('ran', 'w'):close() return { decode = print }")
  local run = place:run({ "job.lua" }, { script = "print(#accounts.list({ limit = 2 }).items)" })
  local version = place:run { "--version" }
  local ran = place:read "ran"
  place:remove()
  emulator:stop()
  assert.is_nil(ran)
  assert.equal("2\n", run.out)
  assert.equal(0, run.code)
  assert.matches("lua%-cjson  runs with", version.out)
end)
