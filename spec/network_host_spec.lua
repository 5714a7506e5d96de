-- Network faults during a bulk run of the host: exit code, outcomes, summary, and what
-- the service really did.
local host = require "spec.support.host"
local proxy = require "spec.support.proxy"
local scene = require "spec.support.scene"
local server = require "spec.support.server"

local emulator
local FIRST, SECOND = "ca_github_u123A", "ca_slack_u123_B"

scene.of_emulator({ "--accounts", "60" }, function(...)
  emulator = ...
end)

-- What the guards of a run want to hear before accounts are deleted.
local INSIST = { "--confirm", "2", "--delete-active" }

local SCRIPT = [[
composio.job { summary = "one change each", may = "irreversible" }
composio.bulk({ "%s", "%s" }, function(account) account:%s end)
]]

-- The run, and what the proxy saw; call is the text behind "account:".
local function apply(rules, call, ...)
  local through = proxy.start(emulator, rules)
  local place = host.place(through)
  local words = { "run", "job.lua", "--apply", "--summary", "summary.json", "--timeout", "2s", ... }
  local run = place:run(host.unlimited(words), { script = SCRIPT:format(FIRST, SECOND, call) })
  run.seen = through:finish()
  run.outcomes = {}
  for word, count in pairs(run.summary and run.summary.outcomes or {}) do
    if count > 0 then
      run.outcomes[word] = math.tointeger(count)
    end
  end
  run.items = place:ledger "SELECT key FROM item ORDER BY key"
  place:remove()
  return run
end

-- Nothing was done twice: at most one change of each account.
local function assert_changes(count)
  local seen, changes = {}, emulator:changes()
  for _, change in ipairs(changes) do
    assert.is_nil(seen[change.account_id], change.account_id .. " was changed twice")
    seen[change.account_id] = true
  end
  assert.equal(count, #changes)
end

local function check(run, code, outcomes, changes)
  assert.equal(code, run.code, run.err)
  assert.equal(code, math.tointeger(run.summary.exit))
  assert.same(outcomes, run.outcomes)
  assert_changes(changes)
  assert.same({ { FIRST }, { SECOND } }, run.items)
end

local OPERATIONS = {
  ["disable()"] = { method = "PATCH", repeats = true },
  ["refresh { even_if_active = true }"] = { method = "POST" },
  ["delete()"] = { method = "DELETE", repeats = true, more = INSIST },
}

local LOST = {
  ["cut before the server has it"] = { rule = "when=request,do=cut", changes = 0 },
  ["cut when the server has it"] = { rule = "when=request,at=end,do=cut", changes = 2 },
  ["reset in place of the reply"] = { rule = "when=reply,do=reset", changes = 2 },
  ["cut within the reply's head"] = { rule = "when=reply,at=20,do=cut", changes = 2 },
  ["cut within the reply"] = { rule = "when=reply,at=body+4,do=cut", changes = 2 },
  ["answered with half a JSON text"] = {
    rule = proxy.replace(200, { "Content-Type: application/json" }, '{"succ'),
    changes = 2,
  },
  ["answered with a page and 200"] = {
    rule = proxy.replace(200, { "Content-Type: text/html" }, "<html>"),
    changes = 2,
  },
  ["answered with a page and 502"] = {
    rule = proxy.replace(502, { "Content-Type: text/html" }, "<html>"),
    changes = 2,
  },
}

describe("changes whose replies are", function()
  for title, lost in pairs(LOST) do
    it(title .. " are looked up, and called what they are", function()
      for call, operation in pairs(OPERATIONS) do
        emulator:reset()
        local rule = ("method=%s,%s"):format(operation.method, lost.rule)
        local words = { "--retries", "0", "--settle-wait", "0" }
        table.move(operation.more or {}, 1, #(operation.more or {}), #words + 1, words)
        local run = apply({ rule }, call, table.unpack(words))
        local code, word = 0, "done"
        if lost.changes == 0 then -- they may still arrive
          code, word = 8, "unknown"
        end
        check(run, code, { [word] = 2 }, lost.changes)
        assert.matches("checked 2 unknown: " .. lost.changes .. " happened", run.err)
        local told = run.err:match(("(%%l+)  %%a+  %s: "):format(FIRST))
        assert.equal(lost.changes == 0 and "unknown" or nil, told, run.err)
      end
    end)
  end

  it("lost, and whose account cannot be asked for either, stay unknown: exit 8", function()
    local lost = "method=PATCH,when=reply,do=reset"
    local deaf = "method=GET,path=/api/v3.1/connected_accounts/ca_,when=request,do=reset"
    local run = apply({ lost, deaf }, "disable()", "--retries", "0", "--settle-wait", "0")
    check(run, 8, { unknown = 2 }, 2)
    assert.matches("unknown  %a+%s+" .. FIRST, run.err)
    assert.matches("may or may not have been changed", run.err)
    assert.matches("next: composio%-lua resume", run.err)
  end)

  it("stalled are looked up, too", function()
    local rule = "method=PATCH,when=reply,do=stall"
    local run = apply({ rule }, "disable()", "--retries", "0", "--timeout", "300ms")
    check(run, 0, { done = 2 }, 2)
  end)

  it("lost once are repeated where that does no harm: done, exit 0", function()
    for call, operation in pairs(OPERATIONS) do
      if operation.repeats then
        emulator:reset()
        local rule = ("method=%s,when=reply,do=reset,times=1"):format(operation.method)
        local run = apply({ rule }, call, "--retries", "1", table.unpack(operation.more or {}))
        check(run, 0, { done = 2 }, 2)
        assert.equal(3, run.seen:of(operation.method).asked)
      end
    end
  end)

  it("lost are not repeated where that would do harm", function()
    local rule = "method=POST,when=reply,do=reset,times=1"
    local run = apply({ rule }, "refresh { even_if_active = true }", "--retries", "3")
    check(run, 0, { done = 2 }, 2)
    assert.equal(2, run.seen:of("POST").asked)
  end)

  it("lost with a reused connection are not sent twice by the library either", function()
    local rule = "method=POST,nth=2-,when=request,do=cut"
    local call = "refresh { even_if_active = true }"
    local run = apply({ rule }, call, "--retries", "3", "--concurrency", "1", "--settle-wait", "0")
    assert.equal(8, run.code, run.err)
    assert.equal(2, run.seen:of("POST").asked)
  end)
end)

describe("changes that the service refuses", function()
  local function refused(status, text, headers)
    return "method=PATCH,when=request," .. proxy.answer(status, headers, text)
  end

  for _, status in ipairs { 400, 403, 404, 409, 422, 429, 501 } do
    it(("with %d have failed, exit 3"):format(status), function()
      local body = '{"error":{"message":"because","code":%d,"request_id":"req-7"}}'
      local rule = refused(status, body:format(status == 404 and 606 or status))
      local run = apply({ rule }, "disable()", "--retries", "0")
      check(run, 3, { failed = 2 }, 0)
      assert.matches("because", run.err)
      assert.matches("req%-7", run.err)
    end)
  end

  it("by a redirect are unknown, and the key went nowhere", function()
    local other = server.emulator { "--accounts", "1" }
    local rule = refused(307, "", { "Location: " .. other.url .. "/" })
    local run = apply({ rule }, "disable()", "--retries", "2", "--settle-wait", "0")
    check(run, 8, { unknown = 2 }, 0)
    assert.same({}, other:requests())
    other:stop()
  end)

  it("for the key stop the run, exit 6", function()
    local rule = refused(401, '{"error":{"message":"Invalid API key"}}')
    local run = apply({ rule }, "disable()", "--concurrency", "1")
    check(run, 6, { not_tried = 2 }, 0)
    assert.equal(1, run.seen:of("PATCH").asked)
    assert.matches("the API key was rejected", run.err)
  end)

  it("for one account leave the other done, exit 3", function()
    local rule = ("path=/api/v3.1/connected_accounts/%s,%s"):format(
      FIRST,
      "when=request," .. proxy.answer(400, nil, '{"error":{"message":"no","code":400}}')
    )
    check(apply({ rule }, "disable()"), 3, { failed = 1, done = 1 }, 1)
  end)

  it("for a while are done when it is over, exit 0", function()
    local rule = "method=PATCH,times=2,when=request,"
      .. proxy.answer(503, { "Retry-After: 0.1" }, "busy")
    check(apply({ rule }, "disable()", "--retries", "2"), 0, { done = 2 }, 2)
  end)
end)

describe("a selection that cannot be read", function()
  local answers = {
    ["is cut"] = { "when=reply,do=cut", "APIConnectionError" },
    ["stalls"] = { "when=reply,do=stall", "APIConnectionTimeoutError" },
    ["is garbage"] = {
      "when=reply,do=replace,text=what?\\r\\n\\r\\n,then=cut",
      "APIConnectionError",
    },
    ["is a page"] = {
      "when=request," .. proxy.answer(200, { "Content-Type: text/html" }, "<html>"),
      "not JSON: '<html>'",
    },
    ["leads elsewhere"] = {
      "when=request," .. proxy.answer(302, { "Location: https://elsewhere.example/" }, ""),
      "redirected to elsewhere%.example",
    },
    ["comes too fast"] = { "when=request," .. proxy.answer(429, nil, ""), "RateLimitError" },
    ["fails"] = { "when=request," .. proxy.answer(500, nil, ""), "InternalServerError" },
  }
  for title, answer in pairs(answers) do
    it(title .. ": exit 7, and nothing is changed", function()
      local run = apply({ "method=GET," .. answer[1] }, "disable()", "--retries", "0",
        "--timeout", "300ms")
      assert.equal(7, run.code, run.err)
      assert.matches(answer[2], run.err)
      assert_changes(0)
      assert.equal(0, run.seen:of("PATCH").asked)
    end)
  end

  it("is cut once is read again", function()
    local run = apply({ "method=GET,when=reply,do=cut,times=1" }, "disable()", "--retries", "1")
    check(run, 0, { done = 2 }, 2)
  end)

  it("for the key: exit 6", function()
    local rule = "when=request,"
      .. proxy.answer(401, nil, '{"error":{"message":"Invalid API key"}}')
    local run = apply({ rule }, "disable()")
    assert.equal(6, run.code, run.err)
    assert.matches("Invalid API key", run.err)
  end)

  it("since nobody listens, or nobody knows the name: exit 7 with the address", function()
    for url, text in pairs {
      ["http://127.0.0.1:" .. proxy.unused_port()] = "is the service up at this address",
      ["https://nosuch.invalid"] = "check the base URL and the network",
    } do
      local place = host.place { url = url, api_key = "ak_nobody" }
      local run = place:run(
        host.unlimited { "run", "job.lua", "--apply", "--retries", "0" },
        { script = SCRIPT:format(FIRST, SECOND, "disable()") }
      )
      assert.equal(7, run.code, run.err)
      assert.is_truthy(run.err:find(url, 1, true), run.err)
      assert.is_truthy(run.err:find(text, 1, true), run.err)
      -- whether something was to be changed, nobody knows
      assert.is_truthy(run.err:find("nothing was changed", 1, true), run.err)
      place:remove()
    end
  end)
end)
