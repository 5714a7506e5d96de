-- A secret parameter that a script put into an alias, a row, a tag, a bulk's name or a
-- callback stood in clear in the ledger, in saved plans and in `show`.
local canary = require "spec.support.canary"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "20" }, function(...)
  emulator, place = ...
end)

local HEAD = [[
  local t = composio.job { params = { token = { type = "secret", required = true } } }.params.token
]]
local CASES = {
  ["the bulk's name"] = [[composio.bulk("b" .. t, { { id = "x" } }, function() end)]],
  ["the item's key"] = [[composio.bulk({ { id = t } }, function() end)]],
  ["the item's row"] = [[composio.bulk({ { id = "x", n = "n" .. t } }, function() end)]],
  ["the tag"] = [[composio.bulk({ { id = "x" } }, function() composio.tag(t) end)]],
  ["the call's body"] = [[
    composio.bulk(accounts.each { limit = 1 }, function(a) a:update { alias = t .. a.id } end)
  ]],
}

local function refused(name, script)
  local secret = canary.new("param"):lower():gsub("[^a-z0-9]", ""):sub(1, 28)
  place.secrets[2] = secret
  local result = place:run({ "job.lua", "--max-percent", "100", "--save-plan", "plan" }, {
    script = HEAD .. script,
    env = { COMPOSIO_PARAM_TOKEN = secret },
  })
  assert.is_true(result.code ~= 0, result.err)
  job.has(result.err, name .. " holds the value of a secret parameter or column, which would")
  assert.same({}, emulator:changes())
end

describe("a secret parameter in what the ledger keeps", function()
  for name, script in pairs(CASES) do
    it("is refused in " .. name, function()
      refused(name, script)
    end)
  end

  it("is refused in a straight-line call", function()
    refused("the call's body", [[
      accounts.update(accounts.list({ limit = 1 }).items[1].id, { alias = "x" .. t })
    ]])
  end)
end)
