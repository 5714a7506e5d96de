-- A connection that was reset while it lay idle is noticed by libcurl's first
-- write to it, and the request goes out on a new one. Nothing had left by the
-- old one, but what must not be doubled was called unknown, as if it had.
local composio = require "composio"
local proxy = require "spec.support.proxy"
local server = require "spec.support.server"

local DENIED =
  proxy.answer(422, { "Content-Type: application/json" }, '{"error":{"message":"no","code":1}}')

-- A call after one whose connection was reset behind its reply; then the rules.
local function call_after_reset(emulator, rules)
  local all = { "connection=1,when=reply,at=end,do=reset", table.unpack(rules) }
  local run = proxy.start(emulator, all)
  local accounts = run:client({ concurrency = 1 }).connected_accounts
  accounts.list { limit = 1 }
  composio.sleep(0.05) -- until the reset is there
  local ok, err = pcall(accounts.link, "someone", "ac_GithubManage", { allow_multiple = true })
  return ok, err, run:finish():of "POST"
end

local function in_both_ways(check)
  local emulator = server.emulator { "--accounts", "5" }
  check(emulator)
  composio.run(function()
    check(emulator)
  end)
  emulator:stop()
end

it("what a server denies on the connection after a dead one has not happened", function()
  in_both_ways(function(emulator)
    local ok, err, seen = call_after_reset(emulator, { "method=POST,when=request," .. DENIED })
    assert.is_false(ok)
    assert.equal(422, err.cause.status)
    assert.equal("failed", err.outcome)
    assert.equal(1, seen.asked)
    assert.equal(1, seen.requests[1].nth)
  end)
end)

it("what finds no server after a dead connection has not happened", function()
  in_both_ways(function(emulator)
    local rule = "request=1,when=reply,at=end,do=down,ms=60000"
    local run = proxy.start(emulator, { rule })
    local accounts = run:client({ concurrency = 1 }).connected_accounts
    accounts.list { limit = 1 }
    composio.sleep(0.05)
    local ok, err = pcall(accounts.link, "someone", "ac_GithubManage", { allow_multiple = true })
    assert.is_false(ok)
    assert.matches("is the service up", tostring(err))
    assert.equal("failed", err.outcome)
    assert.is_true(err.cause.retryable)
    run:finish()
    assert.same({}, emulator:changes())
  end)
end)
