-- The command after `next:` is run exactly as it is printed, after each kind of end, until
-- there is none: it does something each time, and makes nothing twice.
local cjson = require "cjson"
local host = require "spec.support.host"
local job = require "spec.support.job"
local server = require "spec.support.server"

local USERS = 12

local LINK = [[
  composio.bulk({ key = function(row) return row.user end }, composio.csv "users.csv",
    function(row)
      accounts.list { user_ids = { row.user } }
      accounts.link(row.user, "%s", { allow_multiple = true })
    end)
]]

-- Waits for people who do not come.
local WAITS = [[
  composio.bulk({ key = function(row) return row.user end,
    after = function(_, results)
      results.link:wait_for_connection { timeout = 0.1, interval = 0.05 }
    end,
  }, composio.csv "users.csv", function(row)
    accounts.link(row.user, "%s", { allow_multiple = true })
  end)
]]

-- Loops without end while there is a file, behind the first links or before any.
local ENDLESS = [[
  local function work()
    while pcall(composio.csv, "endless.csv") do end
  end
]]
local ENDLESS_AFTER = ENDLESS .. [[
  composio.bulk({ key = function(row) return row.user end,
    after = function(row) if row.user == "new6" then work() end end,
  }, composio.csv "users.csv", function(row)
    accounts.link(row.user, "%s", { allow_multiple = true })
  end)
]]
local ENDLESS_ACTION = ENDLESS .. [[
  composio.bulk({ key = function(row) return row.user end }, composio.csv "users.csv",
    function(row)
      if row.user == "new6" then work() end
      accounts.link(row.user, "%s", { allow_multiple = true })
    end)
]]

local NO_LOOK_UP = { method = "GET", path = "*user_ids=*", action = "reply", status = 400,
  body = { error = { message = "not this look-up" } }, nth = 3 }
local REFUSED = { method = "POST", path = "*/link*", nth = 4, action = "reply", status = 400,
  body = { error = { message = "not this one", slug = "X_NotThis", code = 1 } } }
local SLOW_LOOK_UP = { method = "GET", path = "*user_ids=*", action = "delay", delay_ms = 100 }
local GONE_LATER = { method = "GET", path = "*user_ids=*", action = "close", nth = 6,
  times = 1000 }
local WRONG_LATER = { method = "GET", path = "*user_ids=*", nth = 6, times = 1000,
  action = "reply", status = 401, body = { error = { message = "Invalid key", code = 10401 } } }
local LOST = { method = "POST", path = "*/link*", nth = 5, action = "close" }
local GONE = { method = "POST", path = "*/link*", action = "close" }
local WRONG_KEY = { method = "POST", path = "*/link*", nth = 5, times = 1000, action = "reply",
  status = 401, body = { error = { message = "Invalid API key", code = 10401 } } }
local SLOW = { method = "POST", path = "*/link*", action = "delay", delay_ms = 400 }
local THROTTLED = { method = "POST", path = "*/link*", action = "reply", status = 429, nth = 6,
  headers = { ["Retry-After"] = "1" }, body = { error = { message = "slow down" } } }

-- How each run begins: its options, faults while it lasts, whether it is killed, another
-- script, words before the program, whether there is nothing to type.
local ENDS = {
  ["a preview"] = { words = {} },
  ["a saved plan"] = { words = { "--save-plan", "plan.json" } },
  ["a refused change"] = { words = { "--apply" }, faults = { REFUSED } },
  ["a failed action"] = { words = { "--apply" }, faults = { NO_LOOK_UP } },
  ["a failed action in a preview"] = { words = {}, faults = { NO_LOOK_UP } },
  ["a failed action and a refused change"] = {
    words = { "--apply" }, faults = { NO_LOOK_UP, REFUSED },
  },
  ["a lost reply"] = { words = { "--apply" }, faults = { LOST } },
  ["a throttle"] = { words = { "--apply" }, faults = { THROTTLED } },
  ["a service that is gone"] = { words = { "--apply", "--retries", "0" }, faults = { GONE } },
  ["a wrong key"] = { words = { "--apply" }, faults = { WRONG_KEY } },
  ["a kill"] = { words = { "--apply" }, faults = { SLOW }, is_killed = true },
  ["a stop rule"] = { words = { "--apply", "--stop-on", "failed=1" }, faults = { REFUSED } },
  ["people who did not come"] = { words = { "--apply" }, script = WAITS },
  ["a limit of the sandbox in after"] = {
    words = { "--apply", "--instructions", "3000000" }, script = ENDLESS_AFTER,
  },
  ["a limit of the sandbox while planning"] = {
    words = { "--apply", "--instructions", "3000000" }, script = ENDLESS_ACTION,
    has_no_next = true,
  },
  ["a signal while planning"] = {
    words = { "--apply", "--concurrency", "1" }, faults = { SLOW_LOOK_UP },
    is_interrupted = true, has_no_next = true,
  },
  ["a service that is gone while planning"] = {
    words = { "--apply", "--retries", "0", "--concurrency", "1" }, faults = { GONE_LATER },
  },
  ["a wrong key while planning"] = {
    words = { "--apply", "--concurrency", "1" }, faults = { WRONG_LATER }, has_no_next = true,
  },
  ["a full disk while planning"] = { words = { "--apply" }, prefix = "prlimit --fsize=60000" },
  ["a full disk between changes"] = { words = { "--apply" }, prefix = "prlimit --fsize=150000" },
}

describe("the command after next: typed exactly, after", function()
  local emulator
  setup(function()
    emulator = server.emulator { "--accounts", "60" }
  end)
  teardown(function()
    emulator:stop()
  end)

  local function split(command)
    local words = {}
    for word in command:gmatch "%S+" do
      words[#words + 1] = word
    end
    assert.equal("composio-lua", table.remove(words, 1))
    return words
  end

  -- How often each user was linked, by the emulator's own record.
  local function links()
    local users, total = {}, 0
    for account in emulator:client().connected_accounts.each { account_type = "ALL" } do
      if account.user_id:find "^new" then
        users[account.user_id] = (users[account.user_id] or 0) + 1
        total = total + 1
      end
    end
    return users, total
  end

  -- Kills the run after some links. What to type then is what `show` says.
  local function kill(place, words, script)
    local process = place:start(words, script)
    host.wait_until(function()
      return job.sent(emulator, "/link") >= 5
    end, "some links")
    process:signal "KILL"
    process:wait()
    local shown = place:run { "show", "last", "--json" }
    local line = cjson.decode(shown.out:match "^[^\n]+")
    return { summary = { next = line.next }, err = shown.out }
  end

  -- Sends SIGINT after some look-ups.
  local function interrupt(place, words, script)
    local process = place:start(words, script)
    host.wait_until(function()
      local look_ups = 0
      for _, request in ipairs(emulator:requests()) do
        look_ups = look_ups + (request.path:find("user_ids=", 1, true) and 1 or 0)
      end
      return look_ups >= 3
    end, "some look-ups")
    process:signal "INT"
    return process:wait()
  end

  for name, ending in pairs(ENDS) do
    it(name, function()
      emulator:faults()
      emulator:reset()
      local place = host.place(emulator)
      local rows = { "user" }
      for number = 1, USERS do
        rows[#rows + 1] = "new" .. number
      end
      place:write("users.csv", table.concat(rows, "\n") .. "\n")
      place:write("endless.csv", "a\n")
      local configs = emulator:client().auth_configs.list { toolkit_slugs = { "github" } }
      local words = host.unlimited {
        "job.lua", "--concurrency", "2", "--timeout", "2s", "--settle-wait", "0s",
        "--summary", "summary.json",
      }
      table.move(ending.words, 1, #ending.words, #words + 1, words)
      emulator:faults(ending.faults)
      local options = {
        script = (ending.script or LINK):format(configs.items[1].id), prefix = ending.prefix,
      }
      local how = ending.is_killed and kill or ending.is_interrupted and interrupt or place.run
      local run = how(place, words, options)
      emulator:faults()
      os.remove(place.path .. "/endless.csv")
      local steps = 0
      while type(run.summary.next) == "string" do
        steps = steps + 1
        assert.is_true(steps < 5, run.err)
        emulator:tell("clock/advance", { seconds = 700 }) -- the quiet time of what was lost
        local before, command = select(2, links()), run.summary.next
        words = split(command)
        if not command:find "--summary" then
          table.move({ "--summary", "summary.json" }, 1, 2, #words + 1, words)
        end
        run = place:run(words)
        local did = select(2, links()) > before or run.code == 0
        assert.is_true(did, name .. ": " .. command .. "\n" .. run.err)
      end
      local users, total = links()
      for user, count in pairs(users) do
        assert.equal(1, count, name .. ": " .. user)
      end
      assert.equal(ending.has_no_next and 0 or USERS, total, run.err)
      place:remove()
    end)
  end
end)
