-- Ways out that were missing or led nowhere: `doctor` with a rejected key, `next:` after a secret
-- that was refused, metrics that counted what a preview had planned as left to resume.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local has, lacks = job.has, job.lacks
local emulator, place
scene.of_host({ "--accounts", "40" }, function(...)
  emulator, place = ...
end)

it("doctor says where the rejected key is from, and what to do", function()
  place:write("wrong.secret", "ak_wrong_key", "600")
  local check = place:run { "doctor", "--json", "--api-key-file", "wrong.secret" }
  assert.equal(6, check.code, check.err)
  assert.matches('"check":"connected_accounts.list"[^\n]*the key is from [^\n]*wrong.secret: put a '
    .. "current key of the project there, or give %-%-api%-key%-file FILE", check.out)
  check = place:run({ "doctor", "--json" }, { env = { COMPOSIO_API_KEY = "ak_wrong_key" } })
  has(check.out, "the key is from COMPOSIO_API_KEY")
end)

it("no command follows a secret that was refused", function()
  emulator:faults { job.refusal { method = "PATCH" } }
  local SCRIPT = [[
    composio.job { params = { token = { type = "secret", required = true } } }
    composio.bulk(accounts.each { statuses = { "ACTIVE" } }, function(a) a:disable() end)
  ]]
  local run = place:run(host.unlimited { "job.lua", "--apply", "--stop-on", "failed=1" },
    { script = SCRIPT, env = { COMPOSIO_PARAM_TOKEN = "the right one" } })
  emulator:faults()
  has(run.err, "\nnext: composio-lua resume ")
  for _, token in ipairs { "another one", false } do
    local again = place:run({ "resume", "last", "--summary", "summary.json" },
      { env = { COMPOSIO_PARAM_TOKEN = token } })
    assert.equal(2, again.code, again.err)
    lacks(again.err, "next:")
    has(again.err, "give --token-file FILE, set COMPOSIO_PARAM_TOKEN")
    assert.equal("userdata", type(again.summary.next)) -- null
  end
end)

it("the metrics of a preview have nothing open", function()
  place:run(host.unlimited { "job.lua", "--metrics", "m" }, { script = [[
    composio.bulk(accounts.each { statuses = { "ACTIVE" } }, function(a) a:disable() end)
  ]] })
  has(place:read "m", '\ncomposio_run_open_items{job="job",profile="default"} 0\n')
end)
