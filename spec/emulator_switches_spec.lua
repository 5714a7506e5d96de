-- The emulator's switches: leases, the 422 of a refresh, gzip, and the alternative to
-- each behaviour of the service that the emulator had to guess.
local cjson = require "cjson"
local composio = require "composio"
local server = require "spec.support.server"

local API = "/api/v3.1/connected_accounts"

local function with(arguments, work)
  table.insert(arguments, "--accounts")
  table.insert(arguments, "60")
  local emulator = server.emulator(arguments)
  local client = emulator:client()
  local ok, err = pcall(work, emulator, client.connected_accounts)
  client:close()
  emulator:stop()
  if not ok then
    error(err, 0)
  end
end

-- Past the client, which refuses much of this before it is sent.
local function raw(emulator, method, path, body, headers)
  local key = "x-api-key: " .. emulator.api_key .. "\r\n"
  local status, text, head = server.http(
    emulator.port,
    method,
    path,
    body and cjson.encode(body) or "",
    key .. (headers or "")
  )
  return status, text, head
end

local function json(emulator, ...)
  local status, text = raw(emulator, ...)
  return cjson.decode(text), status
end

-- The usual answer, and the one under --assume.
local function guess(name, f)
  local function run(arguments)
    local result
    with(arguments, function(emulator, accounts)
      result = f(emulator, accounts)
    end)
    return result
  end
  return run {}, run { "--assume", name }
end

local function status_of(method, path, body)
  return function(emulator)
    return (raw(emulator, method, path, body))
  end
end

describe("leases", function()
  it("make the second of two changes at a time 409", function()
    with({ "--leases", "--latency-ms", "150" }, function(_, accounts)
      local results = {}
      composio.run(function()
        local tasks = {}
        for place = 1, 2 do
          tasks[place] = composio.spawn(function()
            local ok, err = pcall(accounts.update, "ca_github_u123A", { alias = "a" .. place })
            results[place] = ok and 200 or err.status
          end)
        end
        for _, task in ipairs(tasks) do
          task:join()
        end
      end)
      table.sort(results)
      assert.same({ 200, 409 }, results)
    end)
  end)

  it("end with the reply, hold one account only, and bind no reads", function()
    with({ "--leases", "--latency-ms", "20" }, function(_, accounts)
      accounts.update("ca_github_u123A", { alias = "one" })
      accounts.update("ca_github_u123A", { alias = "two" })
      local alias, other
      composio.run(function()
        local writing = composio.spawn(accounts.update, "ca_github_u123A", { alias = "three" })
        local reading = composio.spawn(accounts.get, "ca_github_u123A")
        local next_door = composio.spawn(accounts.update, "ca_slack_u123_B", { alias = "x" })
        writing:join()
        alias = reading:join().alias
        other = next_door:join().id
      end)
      assert.is_string(alias)
      assert.equal("ca_slack_u123_B", other)
    end)
  end)

  it("are not there unless asked for", function()
    with({ "--latency-ms", "50" }, function(_, accounts)
      composio.run(function()
        local tasks = {}
        for place = 1, 3 do
          tasks[place] =
            composio.spawn(accounts.update, "ca_github_u123A", { alias = "a" .. place })
        end
        for _, task in ipairs(tasks) do
          task:join()
        end
      end)
    end)
  end)

  it("can be held by somebody else, until the clock says so", function()
    with({}, function(emulator, accounts)
      emulator:tell("accounts/ca_github_u123A/lease", { seconds = 30 })
      local ok, err = pcall(accounts.disable, "ca_github_u123A")
      assert.is_false(ok)
      assert.equal(409, err.status)
      assert.equal("ConflictError", err.name)
      assert.matches("leased", err.message)
      emulator:tell("clock/advance", { seconds = 31 })
      accounts.disable "ca_github_u123A"
      emulator:tell("accounts/ca_github_u123A/lease", { seconds = 30 })
      emulator:tell("accounts/ca_github_u123A/lease", { seconds = 0 })
      accounts.enable "ca_github_u123A"
    end)
  end)

  it("are waited for by a client that may retry", function()
    with({ "--leases", "--latency-ms", "50" }, function(emulator)
      local client = emulator:client { retries = 3 }
      composio.run(function()
        local update = client.connected_accounts.update
        local first = composio.spawn(update, "ca_github_u123A", { alias = "a" })
        local second = composio.spawn(client.connected_accounts.disable, "ca_github_u123A")
        first:join()
        second:join()
      end)
      assert.equal("INACTIVE", emulator:ask("accounts/ca_github_u123A").status)
      client:close()
    end)
  end)
end)

describe("a refresh", function()
  it("is 422 where what is stored does not allow it", function()
    with({}, function(emulator, accounts)
      emulator:tell("accounts/ca_gmail_u123_C/set", { refreshable = false })
      local ok, err = pcall(accounts.refresh, "ca_gmail_u123_C")
      assert.is_false(ok)
      assert.equal(422, err.status)
      assert.equal("UnprocessableEntityError", err.name)
      assert.equal("failed", err.outcome)
      emulator:tell("accounts/ca_gmail_u123_C/set", { refreshable = true })
      assert.equal("INITIATED", accounts.refresh("ca_gmail_u123_C").status)
    end)
  end)
end)

describe("gzip", function()
  it("is sent to who accepts it, and to nobody else", function()
    with({ "--gzip" }, function(emulator, accounts)
      local page = accounts.list { limit = 100, account_type = "ALL" }
      assert.equal(60, page.total_items)
      assert.is_true(#page.items > 50)
      local _, plain, head = raw(emulator, "GET", API .. "?limit=100")
      assert.is_nil(head:lower():find "content%-encoding")
      assert.is_true(#plain > 100)
      local _, packed, other = raw(emulator, "GET", API, nil, "Accept-Encoding: gzip\r\n")
      assert.matches("content%-encoding: gzip", other:lower())
      assert.equal("\x1f\x8b", packed:sub(1, 2))
      assert.has_error(function()
        accounts.get "ca_gone"
      end)
    end)
  end)

  it("carries a body of more than one block", function()
    with({ "--gzip", "--page-max", "60", "--mask", "raw" }, function(_, accounts)
      local count = 0
      for _ in accounts.each { account_type = "ALL", limit = 60 } do
        count = count + 1
      end
      assert.equal(60, count)
    end)
  end)
end)

describe("--assume", function()
  it("toolkit-case", function()
    local usual, other = guess("toolkit-case=exact", function(emulator)
      return json(emulator, "GET", API .. "?toolkit_slugs=GitHub").total_items
    end)
    assert.is_true(usual > 0)
    assert.equal(0, other)
  end)

  it("unknown-enum", function()
    local queries = { "statuses=SOON", "account_type=X", "order_by=x", "order_direction=x" }
    for _, query in ipairs(queries) do
      local usual, other = guess("unknown-enum=ignored", status_of("GET", API .. "?" .. query))
      assert.same({ query, 400, 200 }, { query, usual, other })
    end
  end)

  it("small-limit", function()
    local usual, other = guess("small-limit=clamped", function(emulator)
      local page, status = json(emulator, "GET", API .. "?limit=0")
      return page.items and #page.items or status
    end)
    assert.same({ 400, 1 }, { usual, other })
  end)

  it("bad-cursor", function()
    local usual, other = guess("bad-cursor=first", function(emulator)
      local page, status = json(emulator, "GET", API .. "?cursor=%21%21&limit=3")
      return page.items and page.current_page * 100 + #page.items or status
    end)
    assert.same({ 400, 103 }, { usual, other })
  end)

  it("cursor-limit", function()
    local usual, other = guess("cursor-limit=parameter", function(emulator)
      local first = json(emulator, "GET", API .. "?limit=7")
      local cursor = first.next_cursor:gsub("=", "%%3D")
      return #json(emulator, "GET", API .. "?limit=5&cursor=" .. cursor).items
    end)
    assert.same({ 7, 5 }, { usual, other })
  end)

  it("repeat", function()
    local path = API .. "/ca_github_u123A/status"
    local usual, other = guess("repeat=refused", status_of("PATCH", path, { enabled = true }))
    assert.same({ 200, 409 }, { usual, other })
  end)

  it("newer-paths", function()
    local function both(emulator)
      local old = raw(emulator, "POST", "/api/v3/connected_accounts/ca_github_u123A/revoke")
      local new = raw(emulator, "POST", API .. "/ca_github_u123A/revoke")
      return old .. " " .. new
    end
    local usual, other = guess("newer-paths=v3.1", both)
    assert.same({ "200 200", "404 200" }, { usual, other })
  end)

  it("machine-refresh", function()
    local function refresh(emulator, accounts)
      local config = "ac_ZoomS2SOAuth"
      local page = accounts.list { auth_config_ids = { config }, account_type = "ALL" }
      return (raw(emulator, "POST", API .. "/" .. page.items[1].id .. "/refresh", {}))
    end
    local usual, other = guess("machine-refresh=refused", refresh)
    assert.same({ 200, 409 }, { usual, other })
  end)

  it("patch-heals", function()
    local function patch(emulator, accounts)
      local page = accounts.list { auth_config_ids = { "ac_StripeApiKey" }, account_type = "ALL" }
      local id = page.items[1].id
      emulator:tell("accounts/" .. id .. "/set", { status = "EXPIRED" })
      local val = { api_key = "sk_new_key_123" }
      accounts.update(id, { credentials = { authScheme = "API_KEY", val = val } })
      return emulator:ask("accounts/" .. id).status
    end
    local usual, other = guess("patch-heals=no", patch)
    assert.same({ "ACTIVE", "EXPIRED" }, { usual, other })
  end)

  it("unauthorized-code", function()
    local function code(emulator)
      local status, text = server.http(emulator.port, "GET", API)
      assert.equal(401, status)
      return math.tointeger(cjson.decode(text).error.code)
    end
    local usual, other = guess("unauthorized-code=10801", code)
    assert.same({ 10401, 10801 }, { usual, other })
  end)

  it("refuses what it does not know, and names what it does", function()
    for _, word in ipairs { "repeat=maybe", "nothing", "repeat", "unauthorized-code=x" } do
      local pipe = io.popen(
        ("%s --assume %s 2>&1"):format(
          server.quote(server.build .. "/composio-emulator"),
          server.quote(word)
        )
      )
      local text = pipe:read "a"
      local _, _, code = pipe:close()
      assert.same({ word, 2 }, { word, code })
      assert.matches("%-%-assume", text)
    end
  end)
end)
