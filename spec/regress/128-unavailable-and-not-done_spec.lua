-- A 503 to a refresh or a link that look-up proved not to have happened ended as failed, though
-- sending it once more was as safe within the run. In a bulk it is sent again. A call outside
-- of bulks has raised by then, and the script could not get the link of a later try: that one
-- is failed, and `resume --failed` runs the script again.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "200" }, function(...)
  emulator, place = ...
end)

-- The service ends logins that nobody completed, when its clock is set forward.
local function count_changes()
  local count = 0
  for _, change in ipairs(emulator:changes()) do
    count = count + (change.op ~= "expire" and 1 or 0)
  end
  return count
end

local REFRESHED = { statuses = { "EXPIRED" }, toolkit_slugs = { "gmail" } }
local BUSY = { method = "POST", nth = 1, action = "reply", status = 503, body = "busy" }

-- In both bulks the second item takes a moment, in which the service's clock passes an hour.
local BULKS = {
  refresh = [[composio.bulk(%s, function(account) account:refresh() end)]],
  link = [[
    local rows = { { user = "new 1" }, { user = "new 2" } }
    composio.bulk({ key = function(row) return row.user end }, rows, function(row)
      accounts.link(row.user, "ac_GmailManaged")
    end)
  ]],
}

for operation, script in pairs(BULKS) do
  it("a " .. operation .. " of a bulk is sent once more", function()
    local ids = job.ids(emulator, REFRESHED, 2)
    emulator:faults { BUSY, { method = "POST", nth = 1, action = "delay", delay_ms = 1500 } }
    local process = place:start(
      host.unlimited { "job.lua", "--apply", "--retries=0", "--summary=summary.json" },
      { script = script:format(job.quoted(ids)) }
    )
    host.wait_until(function()
      return job.writes(emulator) == 2
    end, "both")
    emulator:tell("clock/advance", { seconds = 3600 })
    local run = process:wait(20)
    assert.equal(0, run.code, run.err)
    assert.same({ [operation] = { done = 2 } }, run.summary.operations)
    assert.equal(2, count_changes())
  end)
end

local CALLS = {
  refresh = "accounts.refresh(%q).redirect_url",
  link = 'accounts.link("new", "ac_GmailManaged").redirect_url',
}

for operation, call in pairs(CALLS) do
  it("a " .. operation .. " whose call has raised is not", function()
    local id = job.ids(emulator, REFRESHED, 1)[1]
    emulator:faults { BUSY }
    local process = place:start(
      { "job.lua", "--apply", "--retries=0", "--allow=io", "--summary=summary.json" },
      { script = ([[
        local ok, link = pcall(function() return %s end)
        print(ok and "got " .. tostring(link) or "outcome " .. link.outcome)
        while not io.open("go") do composio.sleep(0.02) end
        accounts.list { limit = 1 }
      ]]):format(call:format(id)) }
    )
    process:wait_for "outcome unknown"
    emulator:tell("clock/advance", { seconds = 3600 })
    place:write("go", "")
    local run = process:wait(20)
    assert.equal(3, run.code, run.err)
    assert.same({ [operation] = { failed = 1 } }, run.summary.operations)
    assert.equal(0, count_changes())
    job.has(run.summary.next, "composio-lua resume " .. run.summary.run)
    job.has(run.summary.next, " --failed")
    run = place:run { "resume", run.summary.run, "--failed" }
    assert.equal(0, run.code, run.err)
    job.has(run.out, "got http")
    assert.equal(1, count_changes())
  end)
end
