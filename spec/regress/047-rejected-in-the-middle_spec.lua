-- A 401 in the middle of a run: the change that met it was called failed, so plain `resume`
-- left it although nothing is wrong with it; and nobody said that a key that reads well may
-- lack the permission to write.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

describe("a key that is rejected in the middle of a run", function()
  local emulator, place
  scene.of_host({ "--accounts", "60" }, function(...)
    emulator, place = ...
  end)

  local function rejected(nth)
    return { method = "PATCH", nth = nth, times = 1000, action = "reply", status = 401,
      body = { error = { message = "Invalid API key", code = 10401, slug = "HTTP_Unauthorized" } } }
  end

  it("is resumed by plain resume, and each change is made once", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 6)
    emulator:faults { rejected(3) }
    local words = host.unlimited { "job.lua", "--apply", "--concurrency", "1", "--confirm", "6",
      "--summary", "summary.json", "--delete-active" }
    local ended = place:run(words, { script = ([[
      composio.job { may = "irreversible" }
      composio.bulk(%s, function(account) account:disable { otherwise = "delete" } end)
    ]]):format(job.quoted(ids)) })
    assert.equal(6, ended.code, ended.err)
    assert.equal(2, ended.summary.outcomes.done, ended.err)
    assert.equal(0, ended.summary.outcomes.failed, ended.err)
    job.has(ended.err, "Invalid API key")
    job.lacks(ended.err, "connected accounts: write") -- it has written
    assert.equal(("composio-lua resume %s --concurrency 1"):format(ended.summary.run),
      ended.summary.next)
    emulator:faults()
    local again = place:run { "resume", ended.summary.run, "--summary", "summary.json" }
    assert.equal(0, again.code, again.err)
    assert.equal(6, again.summary.outcomes.done, again.err)
    local changes = job.changes(emulator)
    assert.equal(6, #changes)
    for _, change in ipairs(changes) do
      assert.truthy(change:find "^disable ", change)
    end
  end)

  it("before any change says that it may lack the permission to write", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 3)
    emulator:faults { rejected(1) }
    local ended = place:run(host.unlimited { "job.lua", "--apply" }, { script = ([[
      composio.bulk(%s, function(account) account:disable() end)
    ]]):format(job.quoted(ids)) })
    assert.equal(6, ended.code, ended.err)
    job.has(ended.err, 'it may lack the permission "connected accounts: write"')
    ended = place:run(host.unlimited { "job.lua", "--apply" }, { script = ([[
      accounts.get(%q)
      accounts.disable(%q)
    ]]):format(ids[1], ids[1]) })
    assert.equal(6, ended.code, ended.err)
    job.has(ended.err, 'it may lack the permission "connected accounts: write"')
  end)
end)
