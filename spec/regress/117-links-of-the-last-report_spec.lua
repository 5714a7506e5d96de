-- The night's list replaced the links that people still had to follow, and with them the true
-- reasons: accounts that wait for a login are not EXPIRED.
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "120" }, function(...)
  emulator, place = ...
end)

local function run(...)
  local result = place:run { "run", "refresh_expired", "--apply", "--report", "k.csv", ... }
  assert.is_true(result.code == 0 or result.code == 9, result.err)
  return place:read "k.csv"
end

-- The reasons of a report by account, and how many rows have a link.
local function rows_of(text)
  local reasons, links, since = {}, 0, {}
  for account, reason, new, link in text:gmatch
    "\n[^,]*,(ca_[^,]*),[^,]*,([^,]*),([^,]*),[^,]*,([^\r\n]*)" do
    reasons[account], since[account] = reason, new
    links = links + (link ~= "" and 1 or 0)
  end
  return reasons, links, since
end

describe("the list after links were made", function()
  it("keeps links, reasons and new_since until the login ends", function()
    local true_reasons, none, since = rows_of(run())
    assert.equal(0, none)
    assert.is_not_nil(next(true_reasons))
    local made = run("--people", "refresh")
    local _, links = rows_of(made)
    assert.is_true(links > 0)
    assert.equal(made, run "--cron")
    emulator:tell("clock/advance", { seconds = 720 })
    local reasons, left, later = rows_of(run())
    assert.equal(0, left)
    for account, reason in pairs(true_reasons) do -- others' logins have lapsed meanwhile, too
      assert.equal(reason, reasons[account])
      assert.equal(since[account], later[account])
    end
  end)
end)
