-- %%p in the name of a file is a percent sign and a p, but it passed for the %p that several
-- profiles need: both wrote the same file.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local place
scene.of_host({ "--accounts", "20" }, function(_, ...)
  place = ...
end)

it("is refused for several profiles", function()
  local run = place:run({ "job.lua", "--profile", "a,b", "--log", "log-%%p" }, { script = "" })
  assert.equal(2, run.code)
  job.has(run.err, "--log log-%%p: with several profiles the name needs %p")
end)

it("is refused in a report's path for several profiles", function()
  host.shell("mkdir -p " .. place.path .. "/.config/composio-lua")
  place:write(".config/composio-lua/config", "[a]\nmax-changes = 1\n[b]\nmax-changes = 1\n", "600")
  place:write("key.secret", place.env.COMPOSIO_API_KEY, "600")
  local run = place:run({ "job.lua", "--profile", "a,b", "--api-key-file", "key.secret" },
    { script = "composio.report('100%%p.csv', { 'id' })" })
  assert.equal(1, run.code, run.err)
  job.has(run.err, "with several profiles the path needs %p")
end)

it("stays what it is for one", function()
  local run = place:run({ "job.lua", "--log", "%%p-%p.log" }, {
    script = 'composio.job { may = "read" } composio.report("%%p-%p-%F.csv", { "id" })',
  })
  assert.equal(0, run.code, run.err)
  assert.is_string(place:read "%p-default.log")
  assert.is_string(place:read "%p-default-%F.csv") -- a report's name has no date
end)
