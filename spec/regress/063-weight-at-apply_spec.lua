-- A saved plan that disabled an auth config counted the connections of the day it was made:
-- accounts that were connected since then passed --max-changes.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "200" }, function(...)
  emulator, place = ...
end)

local id = "ac_GmailManaged"

local function connections(client)
  return client.auth_configs.get(id).no_of_connections
end

-- Makes a plan, then three more accounts. Returns how many there were before.
local function plan_and_connect(script)
  local client = emulator:client()
  local before = connections(client)
  local saved = place:run({ "job.lua", "--max-percent=100", "--save-plan=plan.json" },
    { script = script })
  assert.equal(0, saved.code, saved.err)
  for n = 1, 3 do
    client.connected_accounts.link("newcomer" .. n, id)
  end
  assert.equal(before + 3, connections(client))
  client:close()
  emulator:forget()
  return before
end

local function apply(...)
  return place:run { "apply", "plan.json", "--max-percent=100", ... }
end

local BULK = [[
  composio.bulk({ { id = "ac_GmailManaged" } }, function(row)
    composio.auth_configs.disable(row.id)
  end)]]
local FALLBACK = [[
  composio.job { may = "irreversible" }
  composio.bulk({ { id = "a" } }, function()
    composio.auth_configs.update("ac_GmailManaged", { type = "custom",
      credentials = { client_id = "abcd1234", client_secret = "efgh5678ijkl" },
      otherwise = "disable" })
  end)]]

for name, script in pairs { ["a change"] = BULK, ["a fallback"] = FALLBACK } do
  it("the connections of now count when a plan is applied: " .. name, function()
    local others = script == FALLBACK and 1 or 0
    local now = plan_and_connect(script) + 3 + others
    local refused = apply("--max-changes=" .. now - 1)
    assert.equal(4, refused.code, refused.err)
    job.has(refused.err, now .. " changes are more than")
    assert.equal(0, job.writes(emulator))
  end)
end

it("a plan within the limits is applied", function()
  local now = plan_and_connect(BULK) + 3
  local applied = apply("--max-changes=" .. now)
  assert.equal(0, applied.code, applied.err)
  assert.equal(1, job.writes(emulator))
end)

it("a plan is refused when its weight cannot be known", function()
  plan_and_connect(BULK)
  emulator:faults { { method = "GET", path = "*/auth_configs/*", action = "reply", status = 500,
    body = "no" } }
  local refused = apply("--max-changes=500", "--retries=0")
  assert.not_equal(0, refused.code)
  assert.equal(0, job.writes(emulator))
end)
