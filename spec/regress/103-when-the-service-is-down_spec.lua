-- The clauses of "the service is down", one by one: how many attempts in a row, what a success
-- between them or few items change, and the first request of a run. 104 has the retries.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "900" }, function(...)
  emulator, place = ...
end)

local IDS
local function ids(count)
  IDS = IDS or job.ids(emulator, { statuses = { "ACTIVE" } }, 160)
  return job.quoted(table.move(IDS, 1, count, 1, {}))
end

local BULK = "composio.bulk(%s, function(a) a:disable() end)"

-- Disables so many accounts under a fault of all changes.
local function disable(count, fault, ...)
  local script = BULK:format(ids(count))
  fault.method, fault.path = "PATCH", fault.path or "*"
  emulator:faults { fault }
  return place:run(host.unlimited { "job.lua", "--apply", "--settle-wait=0",
    "--summary=summary.json", ... }, { script = script })
end

local function stops(run, attempts)
  assert.equal(7, run.code, run.err)
  job.has(run.err, ("%d attempts in a row had no answer"):format(attempts))
  job.has(run.err, "next: composio-lua resume " .. run.summary.run)
  emulator:faults()
  local resumed = place:run { "resume", run.summary.run }
  assert.equal(0, resumed.code, resumed.err)
end

local function goes_on(run)
  assert.is_true(run.code == 3 or run.code == 8, run.err)
  job.lacks(run.err, "attempts in a row")
end

local CLOSE, PAGE = { action = "close" }, { action = "reply", status = 502, body = "<html>bad" }
for name, fault in pairs { ["closed connections"] = CLOSE, ["a gateway's 502"] = PAGE } do
  it("twenty attempts without a retry are enough: " .. name, function()
    stops(disable(30, fault, "--retries=0", "--concurrency=1"), 20)
  end)
end

it("three times the concurrency, where that is more", function()
  stops(disable(50, CLOSE, "--retries=0", "--concurrency=8"), 24)
end)

it("but a hundred at most", function()
  stops(disable(160, CLOSE, "--retries=0", "--concurrency=64"), 100)
end)

it("a success between begins the count anew", function()
  goes_on(disable(40, { action = "close", every = 6 }, "--retries=0", "--concurrency=1"))
end)

it("few items that all went unanswered are not enough", function()
  goes_on(disable(4, CLOSE, "--retries=0"))
end)

for name, script in pairs {
  ["page"] = "for account in accounts.each {} do print(account.id) end",
  ["page of a bulk"] = "composio.bulk(accounts.each {}, function(a) a:disable() end)",
  ["call"] = 'accounts.get "ca_gmail_u123_A"',
  ["change"] = 'accounts.disable "ca_gmail_u123_A"',
} do
  it("a first " .. name .. " without an answer ends the run: nothing has succeeded yet", function()
    emulator:faults { { path = "*", action = "close" } }
    local run = place:run({ "job.lua", "--apply", "--retries=0" },
      { script = script })
    assert.equal(7, run.code, run.err)
    assert.same({}, job.changes(emulator))
  end)
end
