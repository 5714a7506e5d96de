-- The reason that the service gives for an account's status was kept in the ledger and in saved
-- plans as it came, also where it echoed the API key or a secret parameter that we had sent.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "20" }, function(...)
  emulator, place = ...
end)

local ID, TOKEN = "ca_github_u123A", "sk_live_0123456789abcdef"
local SCRIPT = ([[
  composio.job { params = { token = { type = "secret" } } }
  composio.bulk(accounts.each { statuses = { "ACTIVE" }, user_ids = { "user_123" } },
    function(account) if account.id == "%s" then account:disable() end end)
]]):format(ID)

-- Asks for a plan of an account whose reason is this text. Returns the ledger's and the plan's.
local function kept(reason)
  emulator:tell("accounts/" .. ID .. "/set", { status_reason = reason })
  local run = place:run({ "job.lua", "--max-percent=100", "--save-plan=plan" }, {
    script = SCRIPT, env = { COMPOSIO_PARAM_TOKEN = TOKEN },
  })
  assert.equal(0, run.code, run.err)
  return place:ledger("SELECT status_reason FROM item ORDER BY rowid DESC")[1][1],
    place:read "plan"
end

for name, secret in pairs { ["the API key"] = "ak_emulator", ["a secret parameter"] = TOKEN } do
  it(name .. " is masked, also where the reason is cut", function()
    for _, before in ipairs { "refused: ", ("x"):rep(112) } do
      local stored, plan = kept(before .. secret .. " is not known")
      job.has(stored, before .. "***")
      job.lacks(plan, secret:sub(1, 8))
    end
  end)
end
