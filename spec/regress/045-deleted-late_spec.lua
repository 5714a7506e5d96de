-- A DELETE that reached the service after the run had looked for it was "failed: the account
-- is still there". It is sent again while the bulk is settled, or it stays unknown.
local job = require "spec.support.job"
local proxy = require "spec.support.proxy"
local scene = require "spec.support.scene"

local emulator, place, between
scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)
after_each(function()
  between:finish()
end)

local function delete_late(...)
  local ids = job.ids(emulator, { statuses = { "EXPIRED" } }, 1)
  between = proxy.start(emulator, { "method=DELETE,hit=1,when=request,at=0,do=stall" })
  place.env.COMPOSIO_BASE_URL = between.url
  return place:run({
    "job.lua", "--apply", "--confirm=1", "--timeout=1", "--retries=0",
    "--summary=summary.json", ...,
  }, {
    script = 'composio.job { may = "irreversible" }\n'
      .. ("composio.bulk(%s, function(account) account:delete() end)"):format(job.quoted(ids)),
  })
end

describe("a delete that has not arrived yet", function()
  it("is sent again while its bulk is settled", function()
    local run = delete_late()
    assert.equal(0, run.code, run.err)
    assert.same({ done = 1 }, run.summary.operations.delete)
  end)

  it("stays unknown where nothing is waited for, and is never failed", function()
    local run = delete_late "--settle-wait=0"
    assert.equal(8, run.code, run.err)
    assert.same({ unknown = 1 }, run.summary.operations.delete)
    job.has(run.err, "the account is still there")
  end)
end)
