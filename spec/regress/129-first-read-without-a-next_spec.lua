-- A script whose first read had no answer ended without a `next:` line, because it had no run
-- yet; one that stopped while it planned named a `resume`, which has nothing to resume.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

for _, options in ipairs { {}, { "--apply" } } do
  it("a first read without an answer " .. table.concat(options), function()
    emulator:faults { { path = "*", action = "close" } }
    local run = place:run({ "job.lua", "--retries=0", table.unpack(options) },
      { script = 'accounts.get "ca_x"' })
    assert.equal(7, run.code, run.err)
    job.has(run.err, table.concat({ "/job.lua --retries=0", table.unpack(options) }, " ") .. "\n")
  end)
end

it("a run that stops while it plans", function()
  local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 2)
  emulator:faults { { method = "GET", path = "*/connected_accounts/ca_*", nth = 2,
    action = "reply", status = 429, headers = { ["Retry-After"] = "600" } } }
  local run = place:run({ "job.lua", "--retries=0", "--concurrency=1", "--apply" }, {
    script = ("composio.bulk(%s, function(a) accounts.get(a.id) a:disable() end)"):format(
      job.quoted(ids)),
  })
  assert.equal(7, run.code, run.err)
  job.has(run.err, "not tried 1")
  job.has(run.err, "/job.lua --retries=0 --concurrency=1 --apply\n")
end)
