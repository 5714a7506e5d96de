-- Network faults during single calls: what the server was asked, how often, and what the
-- error says. The fault proxy sits between the client and the emulator.
local composio = require "composio"
local core = require "composio.core"
local proxy = require "spec.support.proxy"
local scene = require "spec.support.scene"
local server = require "spec.support.server"

local emulator

scene.of_emulator({ "--accounts", "60" }, function(...)
  emulator = ...
end)

-- One of each kind: a read, a change that may be repeated, one that may not,
-- one whose repeat finds nothing left. Each has an account of its own, so that
-- all can be under way at once.
local CALLS = {
  get = {
    method = "GET",
    repeats = "freely",
    reads = true,
    call = function(accounts)
      return accounts.get("ca_github_u123A", { timeout = 8 })
    end,
  },
  disable = {
    method = "PATCH",
    repeats = "freely",
    call = function(accounts)
      return accounts.disable "ca_github_u123A"
    end,
  },
  refresh = {
    method = "POST",
    repeats = "never",
    call = function(accounts)
      return accounts.refresh("ca_slack_u123_B", { even_if_active = true })
    end,
  },
  link = {
    method = "POST",
    repeats = "never",
    renamed = "ComposioFailedToCreateConnectedAccountLink",
    call = function(accounts)
      return accounts.link("someone", "ac_GithubManage", { allow_multiple = true })
    end,
  },
  delete = {
    method = "DELETE",
    repeats = "freely",
    call = function(accounts)
      return accounts.delete "ca_gmail_u123_C"
    end,
  },
}
local ORDER = { "get", "disable", "refresh", "link", "delete" }

local JSON = { "Content-Type: application/json" }
local HTML = { "Content-Type: text/html" }

-- sent: true when the service may have done it, so that a change's outcome is
-- open; whole: the server has got all of the request. The rest as the error
-- says it.
local FAULTS = {
  ["cut before the server has it"] = {
    rule = "when=request,at=0,do=cut",
    sent = true,
    name = "APIConnectionError",
    message = "no reply from http://127%.0%.0%.1:%d+: ",
  },
  ["reset before the server has it"] = {
    rule = "when=request,at=0,do=reset",
    sent = true,
    name = "APIConnectionError",
    message = "no reply",
  },
  ["reset within the request"] = {
    rule = "when=request,at=25,do=reset",
    sent = true,
    name = "APIConnectionError",
    message = "no reply",
  },
  ["cut when the server has it"] = {
    rule = "when=request,at=end,do=cut",
    sent = true,
    whole = true,
    name = "APIConnectionError",
    message = "no reply",
  },
  ["reset in place of the reply"] = {
    rule = "when=reply,at=0,do=reset",
    sent = true,
    whole = true,
    name = "APIConnectionError",
    message = "no reply",
  },
  ["cut within the reply's head"] = {
    rule = "when=reply,at=30,do=cut",
    sent = true,
    whole = true,
    name = "APIConnectionError",
    message = "no reply",
  },
  ["cut within the reply's body"] = {
    rule = "when=reply,at=body+5,do=cut",
    sent = true,
    whole = true,
    name = "APIConnectionError",
    message = "the connection was closed before the end of the reply",
  },
  ["stalled before the server has it"] = {
    rule = "when=request,at=0,do=stall",
    timeout = 0.2,
    sent = true,
    name = "APIConnectionTimeoutError",
    message = "timed out",
  },
  ["stalled within the reply"] = {
    rule = "when=reply,at=body+3,do=stall",
    timeout = 0.2,
    sent = true,
    whole = true,
    name = "APIConnectionTimeoutError",
    message = "timed out",
  },
  ["dripped too slowly"] = {
    rule = "when=reply,at=0,do=drip,ms=20",
    timeout = 0.2,
    sent = true,
    whole = true,
    name = "APIConnectionTimeoutError",
    message = "timed out",
  },
  ["answered in another protocol"] = {
    rule = "when=reply,at=0,do=replace,text=220 mail ready\\r\\n\\r\\n,then=cut",
    sent = true,
    whole = true,
    name = "APIConnectionError",
    message = "no reply",
  },
  ["answered with half a JSON text"] = {
    rule = proxy.replace(200, JSON, '{"success":tr'),
    sent = true,
    whole = true,
    settled = true,
    name = "APIError",
    status = 200,
    message = "not JSON: '{\"success\":tr'",
  },
  ["answered with a page and 200"] = {
    rule = proxy.replace(200, HTML, "<html>Sign in to the wifi"),
    sent = true,
    whole = true,
    settled = true,
    name = "APIError",
    status = 200,
    message = "not JSON: '<html>Sign in to the wifi'; is the base URL the service's%?",
  },
  ["answered with a page and 502"] = {
    rule = proxy.replace(502, HTML, "<html>Bad gateway"),
    sent = true,
    whole = true,
    name = "InternalServerError",
    status = 502,
    message = "HTTP 502.*<html>Bad gateway",
  },
  ["sent elsewhere"] = {
    rule = "when=request," .. proxy.answer(302, { "Location: https://elsewhere.example/in" }, ""),
    sent = true,
    settled = true,
    name = "APIError",
    status = 302,
    message = "redirected to elsewhere%.example; redirects are not followed",
  },
}

-- A call through a proxy with this rule; what it raised, and what was seen.
local function strike(fault, name, retries, times)
  local rule = ("method=%s,%s%s"):format(
    CALLS[name].method,
    times and "times=" .. times .. "," or "",
    fault.rule
  )
  local run = proxy.start(emulator, { rule })
  local client = run:client { timeout = fault.timeout or 5, retries = retries }
  local ok, err = pcall(CALLS[name].call, client.connected_accounts)
  return { ok = ok, err = err, seen = run:finish():of(CALLS[name].method) }
end

-- All kinds of calls at once, one task each. With `times` all of them again,
-- where the fault strikes only so often: the second result.
local function strike_all(fault, retries, times)
  local struck, later = {}, {}
  composio.run(function()
    local tasks, more = {}, {}
    for _, name in ipairs(ORDER) do
      tasks[name] = composio.spawn(strike, fault, name, retries)
      more[name] = times and composio.spawn(strike, fault, name, retries, times)
    end
    for _, name in ipairs(ORDER) do
      struck[name] = tasks[name]:join()
      later[name] = more[name] and more[name]:join()
    end
  end)
  return struck, later
end

local function check_failure(fault, name, struck, attempts)
  local call, err = CALLS[name], struck.err
  assert.is_false(struck.ok, name)
  assert.equal(call.renamed or fault.name, err.name)
  if call.renamed then
    assert.equal(fault.name, err.cause.name)
  end
  assert.equal(fault.sent and not call.reads and "unknown" or "failed", err.outcome, name)
  assert.equal(fault.status, err.status, name)
  assert.equal(attempts, err.attempts, name)
  assert.equal("connected_accounts." .. name, err.operation)
  assert.matches(fault.message, err.message)
  assert.matches(fault.message, tostring(err))
  local doubt = tostring(err):find("may have been carried out", 1, true)
  assert.equal(err.outcome == "unknown", doubt ~= nil, tostring(err))
  -- what must not be repeated is not called repeatable
  local may_repeat = not fault.settled and not (call.repeats == "never" and fault.sent)
  assert.equal(may_repeat, err.retryable, name)
  assert.equal(attempts, struck.seen.asked, name)
  assert.equal(fault.whole and attempts or 0, struck.seen.arrived, name)
end

for title, fault in pairs(FAULTS) do
  describe("a call that is " .. title, function()
    for _, name in ipairs(fault.timeout and { "get", "link" } or ORDER) do
      it(("says so: %s (outside tasks)"):format(name), function()
        check_failure(fault, name, strike(fault, name, 0), 1)
      end)
    end

    it("says so, and is repeated where that does no harm (in tasks)", function()
      local always, once = strike_all(fault, 1, 1)
      for name, struck in pairs(always) do
        local single = fault.settled or (CALLS[name].repeats == "never" and fault.sent)
        check_failure(fault, name, struck, single and 1 or 2)
      end
      for name, struck in pairs(once) do
        if fault.settled or CALLS[name].repeats == "never" then
          check_failure(fault, name, struck, 1)
        else
          assert.is_true(struck.ok, name .. ": " .. tostring(struck.err))
          assert.equal(2, struck.seen.asked, name)
          assert.equal(fault.whole and 2 or 1, struck.seen.arrived, name)
        end
      end
    end)
  end)
end

describe("a lost reply", function()
  it("is got over outside tasks as well", function()
    local fault = FAULTS["cut when the server has it"]
    for _, name in ipairs { "get", "delete" } do
      local struck = strike(fault, name, 1, 1)
      assert.is_true(struck.ok, tostring(struck.err))
      assert.equal(2, struck.seen.asked)
    end
  end)

  it("of a delete is done when the repeat finds nothing left", function()
    local fault = FAULTS["reset in place of the reply"]
    local struck = strike(fault, "delete", 1, 1)
    assert.same({ success = true }, struck.err)
    assert.equal(404, struck.seen.requests[2].status)
    local changes = emulator:changes()
    assert.equal(1, #changes)
    assert.equal("delete", changes[1].op)
  end)

  it("of a link leaves one account, not two", function()
    strike(FAULTS["reset in place of the reply"], "link", 3)
    local changes = emulator:changes()
    assert.equal(1, #changes)
    assert.equal("link", changes[1].op)
  end)

  it("that only trickles is waited for", function()
    local run = proxy.start(emulator, { "when=reply,at=0,do=drip,ms=2,bytes=40" })
    local account = run:client().connected_accounts.get "ca_github_u123A"
    assert.equal("ca_github_u123A", account.id)
    assert.equal(1, run:finish().asked)
  end)
end)

-- libcurl repeats a request by itself when a connection that was used before
-- dies under it.
describe("a reused connection that dies under", function()
  -- Warms a connection up, then calls; returns as strike does.
  local function on_reused(name, where, retries)
    local rule = ("method=%s,nth=2-,%s"):format(CALLS[name].method, where)
    local run = proxy.start(emulator, { rule })
    local accounts = run:client({ retries = retries or 0, concurrency = 1 }).connected_accounts
    accounts.list { limit = 1 }
    local ok, err = pcall(CALLS[name].call, accounts)
    return { ok = ok, err = err, seen = run:finish():of(CALLS[name].method) }
  end

  local function in_a_task(...)
    local arguments, result = table.pack(...), nil
    composio.run(function()
      result = on_reused(table.unpack(arguments, 1, arguments.n))
    end)
    return result
  end

  for where, run in pairs { ["outside tasks"] = on_reused, ["in a task"] = in_a_task } do
    for _, name in ipairs { "refresh", "link" } do
      it(("a %s does not have it sent twice (%s)"):format(name, where), function()
        for _, moment in ipairs {
          "when=request,at=0,do=cut",
          "when=request,at=end,do=cut",
          "when=reply,at=0,do=cut",
          "when=reply,at=0,do=reset",
        } do
          local struck = run(name, moment, 2)
          assert.is_false(struck.ok)
          assert.equal("unknown", struck.err.outcome)
          assert.equal(1, struck.err.attempts)
          assert.equal(1, struck.seen.asked, moment)
          assert.equal(2, struck.seen.requests[1].nth)
        end
      end)
    end

    it(("a delete is done, though its repeat meets a 404 (%s)"):format(where), function()
      for _, retries in ipairs { 0, 1 } do
        emulator:reset()
        local struck = run("delete", "when=reply,at=0,do=cut", retries)
        local changes = emulator:changes()
        assert.equal(1, #changes)
        if struck.ok then
          assert.same({ success = true }, struck.err)
        else -- without a repeat nobody can know
          assert.equal(0, retries)
          assert.equal("unknown", struck.err.outcome)
        end
      end
    end)

    it(("a read and a repeatable change go through (%s)"):format(where), function()
      for _, name in ipairs { "get", "disable" } do
        local struck = run(name, "when=request,at=0,do=cut", 1)
        assert.is_true(struck.ok, tostring(struck.err))
      end
    end)
  end

  it("has it repeated where it was sent to, not where the handle was used before", function()
    local run = proxy.start(emulator, { "method=PATCH,nth=3,when=reply,at=0,do=cut" })
    local accounts = run:client({ retries = 0, concurrency = 1 }).connected_accounts
    local asked, expected = accounts.list({ limit = 3 }).items, {}
    for place, account in ipairs(asked) do
      pcall(accounts.disable, account.id)
      for _ = 1, place == 2 and 2 or 1 do
        expected[#expected + 1] = "/api/v3.1/connected_accounts/" .. account.id .. "/status"
      end
    end
    local paths = {}
    for _, request in ipairs(run:finish():of("PATCH").requests) do
      paths[#paths + 1] = request.path
    end
    assert.same(expected, paths)
  end)
end)

describe("a status", function()
  -- What each kind of call does about it with one retry: attempts, outcome.
  local TABLE = {
    --       name                       freely        never         read
    [400] = { "BadRequestError", 1, "failed", 1, "failed", 1 },
    [401] = { "AuthenticationError", 1, "failed", 1, "failed", 1 },
    [403] = { "PermissionDeniedError", 1, "failed", 1, "failed", 1 },
    [404] = { "ComposioConnectedAccountNotFoundError", 1, "failed", 1, "failed", 1 },
    [408] = { "APIError", 2, "unknown", 1, "unknown", 2 },
    [409] = { "ConflictError", 2, "failed", 2, "failed", 2 },
    [410] = { "APIError", 1, "failed", 1, "failed", 1 },
    [422] = { "UnprocessableEntityError", 1, "failed", 1, "failed", 1 },
    [429] = { "RateLimitError", 2, "failed", 2, "failed", 2 },
    [500] = { "InternalServerError", 2, "unknown", 1, "unknown", 2 },
    [501] = { "InternalServerError", 1, "failed", 1, "failed", 1 },
    [503] = { "InternalServerError", 2, "unknown", 1, "unknown", 2 },
    [504] = { "InternalServerError", 2, "unknown", 1, "unknown", 2 },
  }

  local function check(status, expected, headers, retries)
    local told = { "Content-Type: application/json", "Retry-After: 0" }
    table.move(headers or {}, 1, #(headers or {}), 3, told)
    local fault = {
      rule = "when=request," .. proxy.answer(status, told, '{"error":{"message":"told","code":1}}'),
    }
    for name, struck in pairs(strike_all(fault, retries or 1)) do
      local call, err = CALLS[name], struck.err
      local attempts = call.reads and expected[6]
        or call.repeats == "never" and expected[4]
        or expected[2]
      if status == 409 and name == "refresh" then
        attempts = 1 -- it says that the account cannot be refreshed
      end
      local outcome = call.reads and "failed"
        or call.repeats == "never" and expected[5]
        or expected[3]
      assert.is_false(struck.ok)
      assert.equal(expected[1], call.renamed and (err.cause or {}).name or err.name, name)
      assert.equal(status, err.status)
      assert.equal(attempts, err.attempts, name)
      assert.equal(attempts, struck.seen.asked, name)
      assert.equal(outcome, err.outcome, name)
      assert.matches("told", err.message)
    end
  end

  -- The key that is refused keeps its name, whatever was called.
  CALLS.link.renamed_not = { [401] = true }

  for status, expected in pairs(TABLE) do
    it(("%d is repeated and judged by what it proves"):format(status), function()
      local renamed = CALLS.link.renamed
      if CALLS.link.renamed_not[status] then
        CALLS.link.renamed = nil
      end
      finally(function()
        CALLS.link.renamed = renamed
      end)
      check(status, expected)
    end)
  end

  it("obeys x-should-retry: true", function()
    local expected = { "BadRequestError", 2, "failed", 2, "failed", 2 }
    check(400, expected, { "x-should-retry: true" })
  end)

  it("obeys x-should-retry: false", function()
    local expected = { "InternalServerError", 1, "unknown", 1, "unknown", 1 }
    check(503, expected, { "x-should-retry: false" })
    check(429, { "RateLimitError", 1, "failed", 1, "failed", 1 }, { "x-should-retry: false" })
  end)

  it("is not repeated without retries", function()
    check(503, { "InternalServerError", 1, "unknown", 1, "unknown", 1 }, nil, 0)
  end)
end)

describe("Retry-After", function()
  -- Seconds from the first attempt to the second; nil when there was none.
  local function pause(status, header, options)
    local all = { retries = 1 }
    for key, value in pairs(options or {}) do
      all[key] = value
    end
    local headers = { "Content-Type: application/json", header }
    local rule = "times=1,when=request," .. proxy.answer(status, headers, '{"message":"busy"}')
    local run = proxy.start(emulator, { rule })
    local accounts = run:client(all).connected_accounts
    local start = core.now()
    local ok, err = pcall(accounts.get, "ca_github_u123A")
    local took = core.now() - start
    local asked = run:finish().asked
    if asked == 2 then
      assert.is_true(ok, tostring(err))
      return took
    end
    assert.equal(1, asked)
    assert.equal(1, err.attempts)
    return nil, err
  end

  -- Runs all of them at once, since all they do is wait.
  local function pauses(cases)
    local took, errors = {}, {}
    composio.run(function()
      local tasks = {}
      for name, case in pairs(cases) do
        tasks[name] = composio.spawn(pause, table.unpack(case, 1, 3))
      end
      for name, task in pairs(tasks) do
        took[name], errors[name] = task:join()
      end
    end)
    return took, errors
  end

  local function date(offset)
    return os.date("!Retry-After: %a, %d %b %Y %H:%M:%S GMT", os.time() + offset)
  end

  for _, status in ipairs { 429, 503 } do
    it(("of a %d is obeyed in each of its forms, up to a cap"):format(status), function()
      local took, errors = pauses {
        whole = { status, "Retry-After: 1" },
        decimal = { status, "Retry-After: 0.8" },
        ms = { status, "retry-after-ms: 700" },
        date = { status, date(5) },
        past = { status, date(-100) },
        zero = { status, "Retry-After: 0" },
        enormous = { status, "Retry-After: 100000" },
        more_enormous = { status, "Retry-After: 99999999999999999999999999" },
        far = { status, date(86400) },
        capped = { status, "Retry-After: 1", { max_wait = 0.9 } },
        negative = { status, "Retry-After: -5" },
        garbage = { status, "Retry-After: soon" },
        odd = { status, "Retry-After: 0x10" },
        empty = { status, "Retry-After:" },
        absent = { status, "X-Other: 1" },
      }
      assert.is_true(took.whole >= 1, took.whole)
      assert.is_true(took.decimal >= 0.8, took.decimal)
      assert.is_true(took.ms >= 0.7, took.ms)
      assert.is_true(took.date >= 0.9, took.date)
      for _, name in ipairs { "enormous", "more_enormous", "far", "capped" } do
        assert.is_nil(took[name], name)
        assert.equal(status == 429 and "RateLimitError" or "InternalServerError", errors[name].name)
        assert.is_true(errors[name].retryable, name)
      end
      for _, name in ipairs {
        "past", "zero", "negative", "garbage", "odd", "empty", "absent",
      } do
        assert.is_true(took[name] >= 0.37, name .. took[name]) -- as without it
      end
    end)
  end

  it("holds up the other calls of the client too, and is no retry", function()
    local rule = "times=1,when=request," .. proxy.answer(429, { "Retry-After: 0.6" }, "")
    local run = proxy.start(emulator, { rule })
    local accounts = run:client().connected_accounts
    composio.run(function()
      local first = composio.spawn(accounts.get, "ca_github_u123A")
      composio.sleep(0.2)
      local start = core.now()
      accounts.get "ca_slack_u123_B"
      assert.is_true(core.now() - start > 0.2)
      assert.equal("ca_github_u123A", first:join().id)
    end)
    run:finish()
  end)
end)

describe("a redirect", function()
  it("takes the key to no other host", function()
    local other = server.emulator { "--accounts", "1" }
    for _, status in ipairs { 301, 302, 303, 307, 308 } do
      local target = "Location: " .. other.url .. "/api/v3.1/connected_accounts"
      local fault = { rule = "when=request," .. proxy.answer(status, { target }, "") }
      for name, struck in pairs(strike_all(fault, 1)) do
        assert.is_false(struck.ok)
        assert.equal(1, struck.seen.asked, name)
        assert.equal(CALLS[name].reads and "failed" or "unknown", struck.err.outcome)
        assert.matches("redirected to 127%.0%.0%.1:" .. other.port, struck.err.message)
      end
    end
    assert.same({}, other:requests())
    other:stop()
  end)
end)

describe("a server that is not there", function()
  local function attempt(name, options)
    local client = composio.client(options)
    local ok, err = pcall(CALLS[name].call, client.connected_accounts)
    client:close()
    assert.is_false(ok)
    return err
  end

  local function call_all(options)
    local tasks, errors = {}, {}
    local inside = core.can_suspend()
    for _, name in ipairs(ORDER) do
      tasks[name] = inside and composio.spawn(attempt, name, options)
    end
    for _, name in ipairs(ORDER) do
      errors[name] = inside and tasks[name]:join() or attempt(name, options)
    end
    return errors
  end

  local function check(options, message, attempts)
    for name, err in pairs(call_all(options)) do
      assert.equal(CALLS[name].renamed or "APIConnectionError", err.name)
      assert.equal("failed", err.outcome) -- nothing has left
      assert.is_true(err.retryable)
      assert.equal(attempts, err.attempts)
      assert.matches(message, err.message)
    end
  end

  it("refuses the connection: said with the address, and nothing was done", function()
    local url = "http://127.0.0.1:" .. proxy.unused_port()
    local options = { base_url = url, api_key = "ak_nobody", retries = 0 }
    check(options, "no reply from http://127%.0%.0%.1:%d+: .*is the service up", 1)
    composio.run(function()
      check(options, "is the service up", 1)
    end)
  end)

  it("is tried again, also by what must not be repeated: nothing has left", function()
    local url = "http://127.0.0.1:" .. proxy.unused_port()
    composio.run(function()
      check({ base_url = url, api_key = "ak_nobody", retries = 1 }, "is the service up", 2)
    end)
  end)

  it("has a name that nobody knows", function()
    local options = { base_url = "https://nosuch.invalid", api_key = "ak_nobody", retries = 0 }
    local message = "no reply from https://nosuch%.invalid: .*check the base URL and the network"
    check(options, message, 1)
    composio.run(function()
      check(options, message, 1)
    end)
  end)

  it("closes each connection as it comes", function()
    local run = proxy.start(emulator, { "when=accept,do=reset" })
    local client = run:client()
    for _, name in ipairs(ORDER) do
      local ok, err = pcall(CALLS[name].call, client.connected_accounts)
      assert.is_false(ok)
      assert.equal(CALLS[name].renamed or "APIConnectionError", err.name)
    end
    assert.equal(0, run:finish().arrived)
    assert.same({}, emulator:changes())
  end)
end)
