-- Error replies of the service: every kind of body and every row of the reference, and
-- the error that scripts get.
local composio = require "composio"
local both = require "spec.support.both"
local cjson = require "cjson"
local host = require "spec.support.host"
local scene = require "spec.support.scene"
local server = require "spec.support.server"

local emulator, accounts

scene.of_module({ "--accounts", "60" }, function(...)
  emulator, accounts = ...
end)

-- What a call raises when the service answers this.
local function told(answer, f, ...)
  local rule = { action = "reply" }
  for key, value in pairs(answer) do
    rule[key] = value
  end
  emulator:faults { rule }
  local ok, err = pcall(f or accounts.get, ...)
  assert.is_false(ok)
  return err
end

local function get(answer)
  return told(answer, accounts.get, "ca_x")
end

local function fields_of(err, names)
  local fields = {}
  for _, name in ipairs(names) do
    fields[name] = err[name]
  end
  return fields
end

describe("a row of the reference", function()
  -- status, code, slug, message; the class that scripts see; how it is called
  local rows = {
    { 404, 606, "ConnectedAccount_ResourceNotFound", 'Connected account "ca_x" not found',
      "ComposioConnectedAccountNotFoundError" },
    { 400, 600, "ConnectedAccount_BadRequest", "something else", "BadRequestError" },
    { 400, 601, "ConnectedAccount_MissingRequiredFields", "Missing required fields: Tenant Name",
      "BadRequestError" },
    { 400, 602, "ConnectedAccount_CredentialValidationRejected", "rejected", "BadRequestError" },
    { 400, 10400, "Validation_Error", "Validation error while processing request",
      "BadRequestError" },
    { 401, 10401, "HTTP_Unauthorized", "Invalid API key", "AuthenticationError" },
    { 401, 10401, "HTTP_Unauthorized", "Multiple authentication modes were provided",
      "AuthenticationError" },
    { 403, 10403, "HTTP_Forbidden", "no permission", "PermissionDeniedError" },
    { 404, 607, "AuthConfig_ResourceNotFound", "no such auth config",
      "ComposioAuthConfigNotFoundError" },
    { 409, 608, "ConnectedAccount_Conflict", "leased", "ConflictError" },
    { 422, 609, "ConnectedAccount_Unprocessable", "cannot", "UnprocessableEntityError" },
    { 500, 610, "HTTP_InternalServerError", "oops", "InternalServerError" },
    { 501, 611, "HTTP_NotImplemented", "never", "InternalServerError" },
    { 503, 612, "HTTP_Unavailable", "later", "InternalServerError" },
    { 402, 613, "HTTP_PaymentRequired", "pay", "APIError" },
    { 408, 614, "HTTP_Timeout", "slow", "APIError" },
    { 410, 615, "HTTP_Gone", "gone", "APIError" },
    { 413, 616, "HTTP_TooLarge", "large", "APIError" },
    { 418, 617, "HTTP_Teapot", "tea", "APIError" },
  }
  for place, row in ipairs(rows) do
    local status, code, slug, message, name = table.unpack(row)
    both(("%d: %d %s is %s"):format(place, status, slug, name), function()
      local err = get {
        status = status,
        body = {
          error = {
            message = message,
            code = code,
            slug = slug,
            status = status,
            request_id = "req-" .. place,
            suggested_fix = "do this",
            errors = { "first detail", "second" },
          },
        },
      }
      assert.same({
        name = name,
        code = code,
        slug = slug,
        status = status,
        request_id = "req-" .. place,
        suggested_fix = "do this",
        operation = "connected_accounts.get",
        account_id = "ca_x",
        attempts = 1,
        outcome = "failed",
      }, fields_of(err, {
        "name", "code", "slug", "status", "request_id", "suggested_fix", "operation",
        "account_id", "attempts", "outcome",
      }))
      assert.equal("integer", math.type(err.code))
      local line = tostring(err)
      for _, part in ipairs {
        name, "connected_accounts.get ca_x", message, "first detail",
        tostring(status), slug, "do this", "req-" .. place,
      } do
        assert.is_truthy(line:find(part, 1, true), part .. " is missing in: " .. line)
      end
      assert.is_nil(line:find "\n")
    end)
  end
end)

describe("a body", function()
  local function check(body, expected, message)
    local answer = { status = 400, body = body }
    local err = get(answer)
    for name, value in pairs(expected) do
      assert.equal(value, err[name], name)
    end
    assert.equal(400, err.status)
    assert.equal("BadRequestError", err.name)
    assert.matches(message, err.message)
  end

  it("that is flat is understood (the pace is told like that)", function()
    local text = "Rate limit exceeded. Limit: 2000 requests per 1 minutes"
    local err = get { status = 429, body = { message = text }, headers = { ["Retry-After"] = "0" } }
    assert.equal("RateLimitError", err.name)
    assert.is_truthy(err.message:find(text, 1, true))
    assert.is_true(err.retryable)
    assert.matches("wait, or lower", err.suggested_fix)
    check({ message = "flat", code = 5, slug = "S" }, { code = 5, slug = "S" }, "^flat")
  end)

  it("may spell its members otherwise", function()
    check({ error = { message = "m", error_code = 77 } }, { code = 77 }, "^m ")
    check({ error = { message = "m", suggestedFix = "do it" } }, { suggested_fix = "do it" }, "^m ")
    check({ error = { message = "m", code = "BadRequest" } }, { slug = "BadRequest" }, "^m ")
    assert.is_nil(get({ status = 400, body = { error = { message = "m", code = 606 } } }).slug)
    check({ error = "just a text" }, {}, "^just a text")
    check({ detail = "a detail" }, {}, "^a detail")
    check({ error = { message = "m", errors = { { message = "deep" } } } }, {}, "m %(deep%)")
  end)

  it("without any of it is shown as it is", function()
    for _, text in ipairs { '{"error":null}', "[]", '{"error":{"message":{}}}', '"text"', "12" } do
      check(text, {}, "not one of the service's errors: ")
    end
  end)

  it("that is text, a page or half a JSON is shown, short and harmless", function()
    check("gateway\27[31m\r\nfell over", {}, "gateway\\x1b%[31m\\x0d\\x0afell over")
    check("<html><body>Bad gateway", {}, "<html><body>Bad gateway")
    check('{"error":{"mess', {}, '{"error":{"mess')
    local err = get { status = 400, body = ("x"):rep(100000) }
    assert.is_true(#err.message < 400)
  end)

  it("that is empty leaves the status", function()
    check("", {}, "HTTP 400 with an empty reply")
  end)

  it("of wrong types does no harm", function()
    for _, body in ipairs {
      { error = { message = 5, code = { 1 }, slug = 7, request_id = true, suggested_fix = {} } },
      { error = { code = 1e300, message = "m" } },
      { error = { code = -5, message = "m" } },
      { error = cjson.null, message = cjson.null },
    } do
      local err = get { status = 400, body = body }
      assert.equal("BadRequestError", err.name)
      assert.is_true(err.code == nil or math.type(err.code) == "integer")
    end
  end)
end)

describe("x-request-id", function()
  local function sent()
    local list = {}
    for place, request in ipairs(emulator:requests()) do
      list[place] = request.headers["x-request-id"]
    end
    return list
  end

  both("is another for each call", function()
    accounts.get "ca_github_u123A"
    accounts.get "ca_github_u123A"
    local ids = sent()
    assert.equal(2, #ids)
    assert.is_not_equal(ids[1], ids[2])
    for _, id in ipairs(ids) do
      assert.equal(36, #id)
      assert.matches("^%x+%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x+$", id)
    end
  end)

  both("is the same over all attempts, and shown when they have failed", function()
    local patient = emulator:client { retries = 2 }
    local headers = { ["Retry-After"] = "0" }
    local err = told({ status = 503, body = "busy", headers = headers },
      patient.connected_accounts.get, "ca_x")
    local ids = sent()
    assert.equal(3, #ids)
    assert.equal(ids[1], ids[2])
    assert.equal(ids[1], ids[3])
    assert.equal(3, err.attempts)
    assert.equal(ids[1], err.request_id)
    assert.is_truthy(tostring(err):find(ids[1], 1, true))
    patient:close()
  end)

  it("is the service's, where that gives another", function()
    local err = get { status = 400, body = "", headers = { ["x-request-id"] = "theirs-1" } }
    assert.equal("theirs-1", err.request_id)
    err = get {
      status = 400,
      body = { error = { message = "m", request_id = "theirs-2" } },
      headers = { ["x-request-id"] = "theirs-1" },
    }
    assert.equal("theirs-2", err.request_id)
  end)

  it("is shown when there was no reply", function()
    emulator:faults { { action = "close" } }
    local _, err = pcall(accounts.get, "ca_x")
    assert.equal(sent()[1], err.request_id)
  end)
end)

describe("the create endpoint that was retired", function()
  local function initiate(answer)
    return told(answer, accounts.initiate, "someone", "ac_GithubManage", { allow_multiple = true })
  end

  local function retired(path, changes)
    local error = {
      message = "Creating connections on this endpoint for Composio-managed OAuth auth configs is "
        .. "no longer supported. Use POST " .. path .. " instead.",
      code = 600,
      slug = "ConnectedAccount_BadRequest",
      status = 400,
    }
    for key, value in pairs(changes or {}) do
      error[key] = value or nil
    end
    return { status = 400, body = { error = error } }
  end
  local NAME = "ComposioLegacyConnectedAccountsEndpointRetiredError"

  for _, path in ipairs {
    "/api/v3/connected_accounts/link",
    "/api/v3.1/connected_accounts/link",
    "/api/v4/connected_accounts/link",
  } do
    both("is recognised with " .. path, function()
      local err = initiate(retired(path))
      assert.equal(NAME, err.name)
      assert.equal(600, err.code)
      assert.matches("link", err.suggested_fix)
      assert.equal("BadRequestError", err.cause.name)
    end)
  end

  it("is recognised without a slug", function()
    assert.equal(NAME, initiate(retired("/x", { slug = false })).name)
  end)

  it("is not seen in another status, slug or message", function()
    local other = retired "/x"
    other.status = 403
    assert.equal("PermissionDeniedError", initiate(other).name)
    assert.equal("BadRequestError", initiate(retired("/x", { slug = "Other" })).name)
    assert.equal("BadRequestError", initiate(retired("/x", { message = "no" })).name)
  end)

  it("is not seen in other operations", function()
    assert.equal("BadRequestError", get(retired "/x").name)
  end)

  it("is what the emulator answers", function()
    local ok, err = pcall(accounts.initiate, "someone", "ac_GithubManage")
    assert.is_false(ok)
    assert.equal(NAME, err.name)
  end)
end)

describe("link", function()
  it("fails under the SDK's name, and keeps the cause", function()
    local err = told({ status = 422, body = { error = { message = "why", code = 9 } } },
      accounts.link, "someone", "ac_GithubManage", { allow_multiple = true })
    assert.equal("ComposioFailedToCreateConnectedAccountLink", err.name)
    assert.equal("UnprocessableEntityError", err.cause.name)
    assert.equal(422, err.status)
    assert.equal(9, err.code)
    assert.matches("why", err.message)
  end)

  it("says that an access list needs a shared account", function()
    local text = "acl_config_for_shared is only valid on SHARED connections"
    for _, call in ipairs {
      function() accounts.link("u", "ac_GithubManage", { allow_multiple = true }) end,
      function() accounts.update("ca_x", { alias = "x" }) end,
    } do
      local err = told({ status = 400, body = { error = { message = text } } }, call)
      assert.equal("ComposioAclOnlyForSharedError", err.name)
    end
  end)
end)

describe("errors that are made here", function()
  it("have the SDK's names", function()
    local ok, err = pcall(accounts.link, "user_123", "ac_GithubManage")
    assert.is_false(ok)
    assert.equal("ComposioMultipleConnectedAccountsError", err.name)
    emulator:tell("accounts/ca_slack_u123_B/set", { status = "FAILED", status_reason = "told" })
    ok, err = pcall(accounts.wait_for_connection, "ca_slack_u123_B")
    assert.is_false(ok)
    assert.equal("ConnectionRequestFailedError", err.name)
    assert.matches("status: FAILED, reason: told", err.message)
    emulator:tell("accounts/ca_slack_u123_B/set", { status = "INITIATED" })
    ok, err = pcall(accounts.wait_for_connection, "ca_slack_u123_B", { timeout = 0 })
    assert.is_false(ok)
    assert.equal("ConnectionRequestTimeoutError", err.name)
    ok, err = pcall(accounts.wait_for_connection, "ca_nosuch")
    assert.is_false(ok)
    assert.equal("ComposioConnectedAccountNotFoundError", err.name)
  end)
end)

describe("Deprecation and Sunset", function()
  it("are shown once per run, on stderr, and do not fail it", function()
    local legacy = server.emulator { "--accounts", "30", "--legacy" }
    local place = host.place(legacy)
    local run = place:run({ "job.lua", "--apply" }, { script = [[
      for place = 1, 3 do
        accounts.initiate("user" .. place, "ac_GithubManage")
      end
    ]] })
    assert.equal(0, run.code, run.err)
    local _, count = run.err:gsub("announces the end of an API route", "")
    assert.equal(1, count, run.err)
    assert.matches("Deprecation: @%d+ Sunset: %a+, %d+ %a+ 2026", run.err)
    assert.is_nil(run.out:find "Deprecation")
    place:remove()
    legacy:stop()
  end)

  it("are not spoken of when there are none", function()
    local place = host.place(emulator)
    local run = place:run({ "job.lua" }, { script = "accounts.list()" })
    assert.equal(0, run.code, run.err)
    assert.is_nil(run.err:find "announces")
    place:remove()
  end)
end)

it("composio keeps no state of an error", function()
  get { status = 400, body = { error = { message = "first", slug = "S", code = 1 } } }
  local err = get { status = 400, body = "" }
  assert.is_nil(err.slug)
  assert.is_nil(err.code)
  assert.is_not_nil(composio)
end)
