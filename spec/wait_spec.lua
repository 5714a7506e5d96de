-- wait_for_connection: what ends it, when it asks, and how many waits share
-- one listing.
local composio = require "composio"
local core = require "composio.core"
local both = require "spec.support.both"
local raised = require "spec.support.raised"
local scene = require "spec.support.scene"

local emulator, accounts

scene.of_module({ "--accounts", "60" }, function(...)
  emulator, accounts = ...
end)

local function new_link(user)
  return accounts.link(user or "user_w", "ac_GithubManage", { allow_multiple = true })
end

local function set(id, status)
  emulator:tell("accounts/" .. id .. "/set", { status = status })
end

describe("wait_for_connection", function()
  both("returns an ACTIVE account at once, with one request", function()
    emulator:forget()
    local account = accounts.wait_for_connection "ca_github_u123A"
    assert.equal("ACTIVE", account.status)
    assert.is_function(account.disable)
    assert.equal(1, #emulator:lines())
  end)

  both("takes an account and a request, too", function()
    assert.equal("ACTIVE", accounts.get("ca_github_u123A"):wait_for_connection().status)
    assert.equal(
      "ACTIVE",
      accounts.wait_for_connection(accounts.get "ca_github_u123A", { timeout = 1 }).status
    )
  end)

  for _, status in ipairs { "FAILED", "EXPIRED", "REVOKED" } do
    both("raises at once when it is " .. status, function()
      local request = new_link()
      set(request.id, status)
      emulator:forget()
      local err, text = raised(pcall(accounts.wait_for_connection, request.id))
      assert.equal("ConnectionRequestFailedError", err.name)
      assert.equal(request.id, err.account_id)
      assert.equal(status, err.account_status)
      assert.matches("Connection request failed with status: " .. status, text)
      assert.equal(1, #emulator:lines())
    end)
  end

  it("tells the reason that the service gives", function()
    local request = new_link()
    emulator:tell("accounts/" .. request.id .. "/deny")
    local err = raised(pcall(accounts.wait_for_connection, request.id))
    assert.matches(", reason: .+", err.message)
    assert.is_string(err.status_reason)
  end)

  both("raises when there is no such account", function()
    local err = raised(pcall(accounts.wait_for_connection, "ca_nosuch"))
    assert.equal("ComposioConnectedAccountNotFoundError", err.name)
  end)

  both("raises when it is deleted meanwhile", function()
    local request = new_link()
    composio.run(function()
      local task = composio.spawn(accounts.wait_for_connection, request.id, { timeout = 10 })
      composio.sleep(0.2)
      accounts.delete(request.id)
      local err = raised(pcall(task.join, task))
      assert.equal("ComposioConnectedAccountNotFoundError", err.name)
    end)
  end)

  both("asks again every interval, and gives up in time", function()
    local request = new_link()
    emulator:forget()
    local start = core.now()
    local err, text = raised(pcall(accounts.wait_for_connection, request.id, {
      timeout = 0.5,
      interval = 0.2,
    }))
    local took = core.now() - start
    assert.equal("ConnectionRequestTimeoutError", err.name)
    assert.is_true(err.retryable)
    assert.is_truthy(text:find("timed out for " .. request.id, 1, true))
    assert.is_true(took >= 0.499 and took < 2, "took " .. took)
    -- two at once as the official client does, 0.2, 0.4, and one at the end;
    -- a machine that is busy may miss some
    local count = #emulator:lines()
    assert.is_true(count >= 3 and count <= 5, count .. " requests")
  end)

  both("sleeps no longer than it may wait", function()
    local request = new_link()
    local start = core.now()
    local options = { timeout = 0.3, interval = 20 }
    local err = raised(pcall(accounts.wait_for_connection, request.id, options))
    assert.equal("ConnectionRequestTimeoutError", err.name)
    assert.is_true(core.now() - start < 5)
  end)

  both("asks exactly once with a timeout of 0", function()
    local request = new_link()
    emulator:forget()
    local err = raised(pcall(accounts.wait_for_connection, request.id, { timeout = 0 }))
    assert.equal("ConnectionRequestTimeoutError", err.name)
    assert.equal(1, #emulator:lines())
  end)

  both("sees what happens while it waits", function()
    local request = new_link()
    composio.run(function()
      local task = composio.spawn(accounts.wait_for_connection, request.id, {
        timeout = 10,
        interval = 0.1,
      })
      composio.sleep(0.25)
      emulator:tell("accounts/" .. request.id .. "/complete")
      assert.equal("ACTIVE", task:join().status)
    end)
  end)

  both("goes on while it is INACTIVE, unless that is a failure", function()
    emulator:reset()
    accounts.disable "ca_slack_u123_B"
    local err = raised(pcall(accounts.wait_for_connection, "ca_slack_u123_B", {
      timeout = 0.2,
      interval = 0.1,
    }))
    assert.equal("ConnectionRequestTimeoutError", err.name)
    local options = { inactive_is_failure = true }
    err = raised(pcall(accounts.wait_for_connection, "ca_slack_u123_B", options))
    assert.equal("ConnectionRequestFailedError", err.name)
  end)

  it("ends in time though the service is silent", function()
    local request = new_link()
    emulator:faults { { action = "delay", delay_ms = 4000, nth = 2 } }
    local start = core.now()
    local err = raised(pcall(accounts.wait_for_connection, request.id, { timeout = 0.5 }))
    assert.equal("ConnectionRequestTimeoutError", err.name)
    assert.is_true(core.now() - start < 2)
  end)

  it("passes other errors on", function()
    local request = new_link()
    emulator:faults { { action = "reply", status = 500, body = "no", nth = 2 } }
    local err = raised(pcall(accounts.wait_for_connection, request.id, { timeout = 5 }))
    assert.equal("InternalServerError", err.name)
  end)

  local wrong = {
    { { timeout = 60000 }, "timeout: 60000 is more than 3600; it is in seconds" },
    { { timeout = "60" }, "timeout: expected seconds, got string" },
    { { timeout = -1 }, "timeout: %-1 is too short" },
    { { timeout = 0 / 0 }, "timeout: .*nan is too short" },
    { { interval = 0 }, "interval: 0 is too short" },
    { { timeoutMs = 5 }, "unknown option 'timeoutMs' %(did you mean 'timeout'%?%)" },
    { { inactive_is_failure = "yes" }, "inactive_is_failure: expected true or false" },
    { 180000, "wait_for_connection: expected a table of options, got number" },
  }
  for place, case in ipairs(wrong) do
    both("refuses wrong options, " .. place, function()
      emulator:forget()
      local _, text = raised(pcall(accounts.wait_for_connection, "ca_x", case[1]))
      assert.matches(case[2], text)
      assert.matches("^[^ ]*wait_spec%.lua:%d+: ", text)
      assert.equal(0, #emulator:lines())
    end)
  end
end)

describe("many waits", function()
  -- Starts a wait for each request; returns the tasks.
  local function wait_all(requests, options)
    local tasks = {}
    for place, request in ipairs(requests) do
      tasks[place] = composio.spawn(request.wait_for_connection, request, options)
    end
    return tasks
  end

  local function links(count)
    local requests = {}
    for place = 1, count do
      requests[place] = new_link("user_" .. place)
    end
    return requests
  end

  it("share one listing for a hundred", function()
    local requests = links(120)
    emulator:forget()
    composio.run(function()
      local tasks = wait_all(requests, { timeout = 1.3, interval = 0.4 })
      for _, task in ipairs(tasks) do
        assert.equal("ConnectionRequestTimeoutError", raised(pcall(task.join, task)).name)
      end
    end)
    local gets, lists = 0, 0
    for _, line in ipairs(emulator:lines()) do
      if line:find "connected_account_ids=" then
        lists = lists + 1
        assert.is_truthy(line:find("account_type=ALL", 1, true))
      else
        gets = gets + 1
      end
    end
    -- one get each to begin with, and one more of the first, alone as yet
    assert.is_true(gets <= 122, gets .. " gets")
    assert.is_true(lists >= 4 and lists <= 8, lists .. " listings")
  end)

  it("end each by itself", function()
    local requests = links(4)
    composio.run(function()
      local tasks = wait_all(requests, { timeout = 3, interval = 0.1 })
      composio.sleep(0.3)
      emulator:tell("accounts/" .. requests[1].id .. "/complete")
      emulator:tell("accounts/" .. requests[2].id .. "/deny")
      accounts.delete(requests[3].id)
      local account = tasks[1]:join()
      assert.equal("ACTIVE", account.status)
      assert.is_table(account.params) -- as get gives it, not as a listing
      assert.equal("ConnectionRequestFailedError", raised(pcall(tasks[2].join, tasks[2])).name)
      local err = raised(pcall(tasks[3].join, tasks[3]))
      assert.equal("ComposioConnectedAccountNotFoundError", err.name)
      tasks[4]:cancel()
      raised(pcall(tasks[4].join, tasks[4]))
    end)
  end)

  it("go on when the one that asks for all is cancelled", function()
    local requests = links(5)
    composio.run(function()
      local tasks = wait_all(requests, { timeout = 5, interval = 0.1 })
      composio.sleep(0.25)
      emulator:faults { { action = "delay", delay_ms = 400, path = "*connected_account_ids*" } }
      composio.sleep(0.15) -- somebody asks now
      for place = 1, 4 do
        tasks[place]:cancel()
      end
      emulator:faults()
      emulator:tell("accounts/" .. requests[5].id .. "/complete")
      assert.equal("ACTIVE", tasks[5]:join().status)
    end)
  end)

  it("all meet an error of the listing", function()
    local requests = links(3)
    composio.run(function()
      local tasks = wait_all(requests, { timeout = 5, interval = 0.1 })
      composio.sleep(0.05)
      emulator:faults { { action = "reply", status = 500, body = "no" } }
      for _, task in ipairs(tasks) do
        assert.equal("InternalServerError", raised(pcall(task.join, task)).name)
      end
    end)
  end)

  it("leave no account behind that waits", function()
    local requests = links(2)
    composio.run(function()
      local tasks = wait_all(requests, { timeout = 0.3, interval = 0.1 })
      for _, task in ipairs(tasks) do
        raised(pcall(task.join, task))
      end
    end)
    -- a single wait asks by get again: nobody else is counted as waiting
    emulator:forget()
    composio.run(function()
      raised(pcall(requests[1].wait_for_connection, requests[1], { timeout = 0.3, interval = 0.1 }))
    end)
    for _, line in ipairs(emulator:lines()) do
      assert.is_nil(line:find("connected_account_ids", 1, true))
    end
  end)
end)
