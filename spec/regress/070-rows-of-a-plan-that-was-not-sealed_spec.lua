-- Rows that an action had added before a kill belong to items of a plan that was not sealed.
-- resume plans those anew under the same numbers: another item's row took the old one's
-- place, or an old row stayed in the report.
local host = require "spec.support.host"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

local SCRIPT = [[
  local report = composio.report("n.csv", { "who", "redirect_url" })
  local slow = pcall(composio.csv, "slow.csv")
  local function key(row) return row.who end
  composio.bulk({ name = "one", key = key }, { { who = "first" } }, function(row)
    accounts.link(row.who, "ac_GmailManaged")
  end)
  local rows = slow and { { who = "old" }, { who = "gone" }, { who = "wait" } }
    or { { who = "new" } }
  composio.bulk({ name = "two", key = key }, rows, function(row)
    if row.who == "wait" then accounts.list() composio.sleep(30) end
    report:add { who = row.who, redirect_url = row.who ~= "new" and "http://x" or nil }
  end)
]]

it("a resumed run's report has no rows of a plan that was made anew", function()
  place:write("slow.csv", "a\n")
  local words = host.unlimited { "job.lua", "--apply", "--concurrency", "1" }
  local process = place:start(words, { script = SCRIPT })
  host.wait_until(function()
    return (place:read "n.csv.partial" or ""):find("gone", 1, true)
  end, "two rows")
  process:signal "KILL"
  process:wait()
  os.remove(place.path .. "/slow.csv")
  assert.is_true(#emulator:requests() > 0)
  local resumed = place:run { "resume", "last" }
  assert.equal(0, resumed.code, resumed.err)
  assert.equal("who,redirect_url\r\nnew,\r\n", place:read "n.csv")
end)
