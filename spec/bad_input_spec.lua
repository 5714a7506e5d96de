-- Errors before or around a run: each prints one clear line and has its exit code.
local host = require "spec.support.host"
local proxy = require "spec.support.proxy"
local scene = require "spec.support.scene"

local emulator, place

scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

-- Runs it and holds stderr to one line of the program with these parts; a run that can be
-- repeated (exit 7) also names the command.
local function refused(code, parts, words, options)
  local run = place:run(words, options)
  assert.equal(code, run.code, run.err)
  local lines = 0
  for line in run.err:gmatch "[^\n]+" do
    local is_next = code == 7 and line:find "^next: composio%-lua "
    lines = lines + (is_next and 0 or 1)
    assert.is_true(#line < 400, line)
  end
  assert.equal(1, lines, run.err)
  assert.matches("^composio%-lua: ", run.err)
  for _, part in ipairs(parts) do
    assert(run.err:find(part, 1, true), ("'%s' is not in:\n%s"):format(part, run.err))
  end
  return run
end

local LIST = "accounts.list()"

describe("a script", function()
  it("that is not there, not readable or no text", function()
    refused(2, { "none.lua", "No such file" }, { "none.lua" })
    os.execute("mkdir " .. place.path .. "/dir.lua")
    refused(2, { "dir.lua", "directory" }, { "./dir.lua" })
    if host.shell "id -u" ~= "0" then
      place:write("closed.lua", "", "000")
      refused(2, { "closed.lua", "Permission denied" }, { "closed.lua" })
    end
    place:write("big.lua", ("x"):rep(5 * 1024 * 1024))
    refused(2, { "big.lua", "larger" }, { "big.lua" })
  end)

  it("with a syntax error", function()
    refused(2, { "job.lua:3:", "'=' or 'in' expected" }, { "job.lua" }, { script = "for x do end" })
    refused(2, { "job.lua:3:" }, { "help", "job.lua" }, { script = "for x do end" })
  end)

  it("that raises: a text, an object, nothing", function()
    refused(1, { "job.lua:3: wrong" }, { "job.lua" }, { script = "error 'wrong'" })
    refused(1, { "plain" }, { "job.lua" }, { script = "error('plain', 0)" })
    refused(1, { "nil" }, { "job.lua" }, { script = "error()" })
    refused(1, { "a table without a message" }, { "job.lua" }, { script = "error {}" })
    refused(1, { ": oh" }, { "job.lua" }, { script = "error { message = 'oh' }" })
    refused(1, { "mine" }, { "job.lua" }, {
      script = "error(setmetatable({}, { __tostring = function() return 'mine' end }))",
    })
    refused(1, { "composio-lua" }, { "job.lua" }, {
      script = "error(setmetatable({}, { __tostring = function() error 'again' end }))",
    })
  end)

  it("shows where it raised with -v", function()
    local script = "local function inner() error 'x' end inner()"
    local run = place:run({ "job.lua", "-v" }, { script = script })
    assert.equal(1, run.code)
    assert.matches("stack traceback", run.err)
    assert.matches("job.lua:3: in upvalue 'inner'", run.err:gsub("local", "upvalue"))
    run = place:run({ "job.lua", "-v" }, { script = "local function f() error {} end f()" })
    assert.matches("job.lua:3: in upvalue 'f'", run.err:gsub("local", "upvalue"))
  end)

  it("with wrong arguments to calls", function()
    for text, script in pairs {
      ["an id is needed"] = 'accounts.get ""',
      ["did you mean 'user_ids'?"] = "accounts.list { userIds = { 'x' } }",
      ["expected a whole number"] = "accounts.list { limit = 'x' }",
      ["user_ids"] = "accounts.list { user_ids = {} }",
      ["comma"] = "accounts.list { user_ids = { 'a,b' } }",
      ["milliseconds"] = "accounts.wait_for_connection('ca_x', { timeout = 120000 })",
      ["the user id comes first"] = "accounts.link('ac_x', 'user')",
    } do
      refused(1, { text, "job.lua:3" }, { "job.lua" }, { script = script })
    end
    assert.same({}, emulator:changes())
  end)
end)

describe("the service", function()
  it("under a base URL that is none", function()
    for text, url in pairs {
      ["https"] = "http://example.com",
      ["://"] = "example.com",
      ["user"] = "https://name:word@example.com",
      ["query"] = "https://example.com/?x=1",
    } do
      refused(2, { text }, { "job.lua", "--base-url", url }, { script = LIST })
    end
  end)

  it("whose host nobody knows", function()
    refused(7, { "APIConnectionError", "nobody.invalid" }, {
      "job.lua", "--base-url", "https://nobody.invalid", "--retries", "0",
    }, { script = LIST })
  end)

  it("that nobody serves", function()
    local url = "http://127.0.0.1:" .. proxy.unused_port()
    refused(7, { "APIConnectionError", "127.0.0.1" }, {
      "job.lua", "--base-url", url, "--retries", "0",
    }, { script = LIST })
  end)

  it("that rejects the key", function()
    refused(6, { "AuthenticationError", "Invalid API key", "401" }, { "job.lua" }, {
      script = LIST,
      env = { COMPOSIO_API_KEY = "ak_not_this_one" },
    })
    local run = place:run({ "job.lua", "--apply" }, {
      script = "composio.bulk({ 'ca_a' }, function(a) a:disable() end)",
      env = { COMPOSIO_API_KEY = "ak_not_this_one" },
    })
    assert.equal(6, run.code)
  end)

  it("that answers with what nobody expects", function()
    for _, case in ipairs {
      { { action = "html" }, "APIError", "not JSON" },
      { { action = "garbage" }, "APIError", "not JSON" },
      { { action = "redirect", location = "https://elsewhere.example/" }, "302", "elsewhere" },
      { { action = "reply", status = 500, body = "down" }, "InternalServerError", "500" },
      { { action = "reply", status = 429, body = "slow", headers = { ["Retry-After"] = "0" } },
        "RateLimitError", "429" },
      { { action = "reply", status = 404, body = "" }, "404", "connected_accounts.list", 2 },
      { { action = "close" }, "APIConnectionError", "connected_accounts.list" },
    } do
      local fault = case[1]
      emulator:faults { fault }
      refused(case[4] or 7, { case[2], case[3] }, { "job.lua", "--retries=0" }, { script = LIST })
    end
    emulator:faults()
  end)

  it("that stalls is given up after --timeout", function()
    emulator:faults { { action = "delay", delay_ms = 20000 } }
    local from = os.time()
    refused(7, { "APIConnectionTimeoutError" }, { "job.lua", "--timeout=300ms", "--retries=0" }, {
      script = LIST,
    })
    assert.is_true(os.time() - from <= 3)
    emulator:faults()
  end)

  it("cut off in the midst of a reply", function()
    local run = proxy.start(emulator, { "when=reply,at=body+30,do=cut" })
    place.env.COMPOSIO_BASE_URL = run.url
    refused(7, { "APIConnectionError" }, { "job.lua", "--retries=0" }, { script = LIST })
    run:finish()
  end)
end)

describe("files that are named", function()
  it("and cannot be used", function()
    place:script(LIST)
    refused(2, { "none.key" }, { "job.lua", "--api-key-file", "none.key" })
    refused(2, { "no/log" }, { "job.lua", "--log", "no/log" })
    local run = place:run { "job.lua", "--summary", "no/summary" }
    assert.equal(0, run.code) -- the run is what it is
    assert.matches("no/summary", run.err)
    refused(2, { "no.pem" }, { "job.lua", "--tls-ca", "no.pem" })
  end)

  it("a ledger that cannot be written", function()
    os.execute("mkdir " .. place.path .. "/state && touch " .. place.path .. "/state/ledger.db")
    place:write("state/ledger.db", ("no database "):rep(100))
    local run = place:run({ "job.lua", "--apply", "--state-dir", "state" }, {
      script = "composio.bulk({ 'ca_a' }, function(a) a:disable() end)",
    })
    assert.equal(2, run.code)
    assert.matches("ledger", run.err)
    assert.same({}, emulator:changes())
  end)
end)
