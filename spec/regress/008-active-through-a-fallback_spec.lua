-- An account that a fallback or a refresh may make ACTIVE was deleted without
-- --delete-active: only what the change itself makes of it was looked at.
local host = require "spec.support.host"
local server = require "spec.support.server"

it("an account that may be ACTIVE when it is deleted needs --delete-active", function()
  local emulator = server.emulator { "--accounts", "60" }
  local place = host.place(emulator)
  local script = [[
    composio.job { may = "irreversible" }
    composio.bulk(accounts.each { statuses = { "%s" }, limit = 1 }, function(account)
      %s account:delete()
    end)
  ]]
  for _, case in ipairs {
    { "INACTIVE", 'account:refresh { otherwise = "enable" }', true },
    { "INACTIVE", 'account:revoke { otherwise = "enable" }', true },
    { "EXPIRED", "account:refresh()", true },
    { "EXPIRED", 'account:revoke { otherwise = "disable" }', false },
    { "ACTIVE", 'account:revoke { otherwise = "disable" }', false },
    { "ACTIVE", 'account:update { alias = "x", otherwise = "disable" }', true },
  } do
    local text = script:format(case[1], case[2])
    local words = host.unlimited { "job.lua", "--limit-items", "1" }
    local run = place:run(words, { script = text })
    assert.equal(case[3] and 4 or 0, run.code, text .. run.err)
    assert.equal(case[3], run.err:find("--delete-active allows it", 1, true) ~= nil)
  end
  assert.same({}, emulator:changes())
  place:remove()
  emulator:stop()
end)
