-- With --protect, a create went out where its auth config could not be read, as if its
-- toolkit were not protected; and an auth config was changed where the list of the
-- accounts below it was incomplete.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

local function run_with(line, script, fault)
  place:write("never", line .. "\n")
  emulator:faults { fault }
  return place:run({ "job.lua", "--apply", "--protect=never", "--retries=0", "--max-percent=100" },
    { script = script })
end

it("nothing is made for an auth config that cannot be read", function()
  for _, script in ipairs {
    'accounts.link("user one", "ac_SlackManaged")',
    [[composio.bulk({ { id = "user one" } }, function(row)
      accounts.link(row.id, "ac_SlackManaged")
    end)]],
  } do
    local run = run_with("toolkit:slack", script, { method = "GET", path = "*/auth_configs/*",
      action = "reply", status = 500 })
    assert.equal(7, run.code, run.err)
    assert.matches("HTTP 500", run.err)
    assert.equal(0, job.writes(emulator))
  end
end)

it("an auth config below which not all accounts are listed is left out", function()
  local run = run_with("ca_gmail_u123_C", [[
    composio.bulk({ { id = "ac_GmailManaged" } }, function(row)
      composio.auth_configs.disable(row.id)
    end)
  ]], { method = "GET", path = "*auth_config_ids=*", action = "reply", status = 200,
    body = '{"items":[],"total_items":3}', content_type = "application/json" })
  assert.equal(0, run.code, run.err)
  assert.matches("it is not known whether an account below it is protected: the service counts 3",
    run.err)
  assert.equal(0, job.writes(emulator))
end)
