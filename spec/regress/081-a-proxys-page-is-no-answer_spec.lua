-- A bulk whose changes a proxy answered with its own pages never stopped, one that the
-- service asked to wait was called unanswered, and a proxy's 403 was blamed on the key.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "100" }, function(...)
  emulator, place = ...
end)

local BULK = [[composio.bulk(accounts.each { statuses = { "ACTIVE" } }, function(account)
  account:disable()
end)]]

local function apply(script, fault)
  fault.method, fault.action = "PATCH", "reply"
  emulator:faults { fault }
  local words = host.unlimited { "job.lua", "--apply", "--retries=0", "--concurrency=4",
    "--settle-wait=0", "--summary=summary.json" }
  return place:run(words, { script = script })
end

for _, status in ipairs { 200, 403 } do
  it(("pages with %d stop a bulk, and a call, as no answer"):format(status), function()
    local run = apply(BULK, { status = status, body = "<html>", content_type = "text/html" })
    assert.equal(7, run.code, run.err)
    job.has(run.err, "attempts in a row had no answer")
    assert.is_true(job.writes(emulator) < 30)
    run = apply('accounts.disable "ca_github_u123A"', { status = status, body = "<html>" })
    assert.equal(7, run.code, run.err)
    job.lacks(run.err, "API key")
  end)
end

it("a 503 that asks to wait is sat out", function()
  local body = '{"error":{"message":"busy","code":503}}'
  local run = apply(BULK, { status = 503, body = body, headers = { ["Retry-After"] = "1" },
    times = 3 })
  assert.equal(0, run.code, run.err)
end)
