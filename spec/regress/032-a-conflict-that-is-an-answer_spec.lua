-- An enable of an account that is not INACTIVE was sent three times, as was a revoke of a
-- FAILED one: the service had answered 409, and no repeat could change that.
local scene = require "spec.support.scene"

local emulator
scene.of_host({ "--accounts", "60" }, function(given)
  emulator = given
end)

-- Calls `name` on an account with the status; returns what it raised, and the number of
-- requests that wrote.
local function call(name, status, faults)
  emulator:reset()
  local accounts = emulator:client({ retries = 2 }).connected_accounts
  local id = accounts.list({ statuses = { status }, limit = 1 }).items[1].id
  emulator:faults(faults)
  emulator:forget()
  local ok, err = pcall(accounts[name], id)
  local writes = 0
  for _, request in ipairs(emulator:requests()) do
    writes = writes + (request.method == "GET" and 0 or 1)
  end
  return not ok and err or nil, writes
end

local leased = { method = "PATCH", action = "reply", status = 409,
  body = { error = { message = "leased", code = 609 } } }

it("a conflict that is an answer is not repeated, a lease is", function()
  for name, status in pairs { enable = "EXPIRED", disable = "FAILED", revoke = "FAILED" } do
    local err, writes = call(name, status)
    assert.equal("failed", err.outcome, name)
    assert.equal(409, err.status, name)
    assert.equal(1, writes, name)
  end
  for name, status in pairs { enable = "INACTIVE", disable = "ACTIVE" } do
    leased.times = 1
    local err, writes = call(name, status, { leased })
    assert.is_nil(err, name)
    assert.equal(2, writes, name)
    leased.times = nil
    err, writes = call(name, status, { leased })
    assert.equal("failed", err.outcome, name)
    assert.equal(3, writes, name)
  end
end)
