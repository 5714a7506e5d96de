-- A fallback that disables an auth config, and all its connections with it, passed
-- --max-changes as one change.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "200" }, function(...)
  emulator, place = ...
end)

local id = "ac_GmailManaged"

it("a fallback counts what its own operation changes", function()
  local client = emulator:client()
  local count = client.auth_configs.get(id).no_of_connections
  client:close()
  assert.is_true(count > 2)
  local script = ([[composio.job { may = "irreversible" }
  composio.bulk({ { id = "a" } }, function()
    composio.auth_configs.update(%q, { type = "custom", otherwise = "disable",
      credentials = { client_id = "abcd1234", client_secret = "efgh5678ijkl" } })
  end)]]):format(id)
  local told = ("%d changes are more than"):format(count + 1)
  local refused = place:run({ "job.lua", "--max-changes=" .. count, "--max-percent=100" },
    { script = script })
  assert.equal(4, refused.code, refused.err)
  job.has(refused.err, told)
  local saved = place:run({ "job.lua", "--max-changes=300", "--max-percent=100",
    "--save-plan=plan.json" }, { script = script })
  assert.equal(0, saved.code, saved.err)
  refused = place:run { "apply", "plan.json", "--max-percent=100",
    "--max-changes=" .. count }
  assert.equal(4, refused.code, refused.err)
  job.has(refused.err, told)
end)
