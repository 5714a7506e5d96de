-- apply and resume read the file of a secret parameter, and the API key's, from the directory of
-- the plan or run, when they were started in another one with a relative path.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local has = job.has
local emulator, place
scene.of_host({ "--accounts", "20" }, function(...)
  emulator, place = ...
  host.shell("mkdir " .. place.path .. "/else")
  place:write("token.secret", "the-value-it-was", "600")
end)

local SCRIPT = [[
  local job = composio.job { params = { token = { type = "secret", required = true } } }
  composio.bulk({ "ca_github_u123A" }, function(account)
    account:update { alias = "n" .. #job.params.token }
  end)
]]

local function elsewhere(words)
  local line = "cd %s/else && HOME=%s COMPOSIO_BASE_URL=%s COMPOSIO_API_KEY=%s %s %s 2>&1"
  return host.shell(line:format(place.path, place.path, emulator.url, emulator.api_key,
    host.program, words))
end

for _, option in ipairs { "--token-file mine.secret", "--token-file=mine.secret" } do
  it("takes " .. option .. " from where the command is given", function()
    local saved = place:run(host.unlimited { "job.lua", "--token-file", "token.secret",
      "--save-plan", "plan" }, { script = SCRIPT })
    assert.equal(0, saved.code, saved.err)
    place:write("mine.secret", "another-value", "600")
    host.shell("mv " .. place.path .. "/token.secret " .. place.path .. "/else/mine.secret")
    local out = elsewhere("apply ../plan " .. option .. " --metrics m%%.prom")
    assert.equal(1, #emulator:changes(), out)
    has(place:read "else/m%.prom", "composio")
  end)
end
