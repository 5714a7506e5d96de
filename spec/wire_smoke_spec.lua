-- How libcurl sends our URLs. The spec sends every operation, escapes of every kind,
-- second pages and URLs up to the longest one, and compares each with the request line
-- that arrived, byte for byte. A libcurl that rewrites or drops a URL fails here with the
-- operation's name.
-- Must not know: what the operations do, beyond one check of each reply.
local composio = require "composio"
local core = require "composio.core"
local both = require "spec.support.both"
local scene = require "spec.support.scene"

local PREFIX = "/api/v3.1"
-- Every sign that means something in a URL, and some that need two or three
-- bytes.
local AWKWARD = [[a b+c&d=e/f%g?h#i"j"k'l'm;n:o@p%41 jösé 日本 😀]]
local AWKWARD_SENT = "a%20b%2Bc%26d%3De%2Ff%25g%3Fh%23i%22j%22k%27l%27m%3Bn%3Ao%40p%2541%20"
  .. "j%C3%B6s%C3%A9%20%E6%97%A5%E6%9C%AC%20%F0%9F%98%80"
local AWKWARD_ID = [[ca~!$&'()*+,;=:@/?#%[x]%2C"]]
local AWKWARD_ID_SENT = [[ca~!$&'()*+,;=:@%2F%3F%23%25%5Bx%5D%252C%22]]
local QUERY_MAX = 16384 -- core/wire/request.c

local emulator

scene.of_emulator({ "--accounts", "30", "--page-default", "5", "--page-max", "10" }, function(...)
  emulator = ...
end)

-- ---- the cases -------------------------------------------------------------

-- A page that is none of the emulator's own.
-- It proves a change, too.
local PAGE = '{"success":true,"items":[],"total_items":7,"total_pages":1,"current_page":1}'

local function raises(status, text)
  return function(ok, err)
    return not ok and err.status == status and tostring(err):find(text, 1, true)
  end
end

local function gives(look)
  return function(ok, reply)
    return ok and look(reply)
  end
end

local is_page = gives(function(page)
  return page.total_items == 7
end)

-- Of an operation: name, call(client, made), target, reply(ok, result), and
-- optionally make(client), whose result call and target get, and canned: the
-- emulator answers with PAGE.
local cases = {}
local function add(operation, list)
  for _, case in ipairs(list) do
    case.operation = operation
    cases[#cases + 1] = case
  end
end

local function long_cursor(name, cursor, sent)
  return {
    name = name,
    call = function(client)
      return client.connected_accounts.list { cursor = cursor }
    end,
    target = "/connected_accounts?cursor=" .. sent,
    reply = is_page,
    canned = true,
  }
end

add("connected_accounts.list", {
  {
    name = "without a filter",
    call = function(client)
      return client.connected_accounts.list()
    end,
    target = "/connected_accounts",
    reply = gives(function(page)
      return #page.items == 5
    end),
  },
  {
    name = "with a query that has nothing to escape",
    call = function(client)
      return client.connected_accounts.list { statuses = { "EXPIRED" }, limit = 3 }
    end,
    target = "/connected_accounts?statuses=EXPIRED&limit=3",
    reply = gives(function(page)
      return page.items[1].status == "EXPIRED"
    end),
  },
  {
    name = "with two values in a filter",
    call = function(client)
      local ids = { "ca_github_u123A", "ca_slack_u123_B" }
      return client.connected_accounts.list { connected_account_ids = ids }
    end,
    target = "/connected_accounts?connected_account_ids=ca_github_u123A%2Cca_slack_u123_B",
    reply = gives(function(page)
      return #page.items == 2 and page.total_items == 2
    end),
  },
  {
    name = "of a user with an awkward id",
    make = function(client)
      client.connected_accounts.initiate(AWKWARD, "ac_StripeApiKey", {
        allow_multiple = true,
        config = composio.auth_scheme.api_key { api_key = "key123" },
      })
    end,
    call = function(client)
      return client.connected_accounts.list { user_ids = { AWKWARD, "user_456" }, limit = 2 }
    end,
    target = "/connected_accounts?user_ids=" .. AWKWARD_SENT .. "%2Cuser_456&limit=2",
    reply = gives(function(page)
      return page.items[1].user_id == AWKWARD and page.items[2].user_id == "user_456"
    end),
  },
  {
    name = "of a second page",
    make = function(client)
      return client.connected_accounts.list({ limit = 10 }).next_cursor
    end,
    call = function(client, cursor)
      return client.connected_accounts.list { limit = 10, cursor = cursor }
    end,
    target = function(cursor)
      assert(cursor:find "=$", "the emulator's cursors are base64 that ends in '='")
      return "/connected_accounts?limit=10&cursor=" .. cursor:gsub("=", "%%3D")
    end,
    reply = gives(function(page)
      return page.current_page == 2 and #page.items == 10
    end),
  },
  {
    name = "with a cursor of awkward signs",
    call = function(client)
      return client.connected_accounts.list { cursor = AWKWARD }
    end,
    target = "/connected_accounts?cursor=" .. AWKWARD_SENT,
    reply = raises(400, "Invalid cursor '" .. AWKWARD .. "'"),
  },
  long_cursor("with a cursor of 4,000 bytes", ("c"):rep(4000), ("c"):rep(4000)),
  long_cursor("with a cursor of 4,000 escapes", ("/"):rep(4000), ("%2F"):rep(4000)),
  long_cursor(
    "with the longest cursor",
    ("c"):rep(QUERY_MAX - #"cursor="),
    ("c"):rep(QUERY_MAX - #"cursor=")
  ),
  long_cursor("with the longest cursor of escapes", ("="):rep(5459), ("%3D"):rep(5459)),
})

add("connected_accounts.get", {
  {
    name = "of a plain id",
    call = function(client)
      return client.connected_accounts.get "ca_github_u123A"
    end,
    target = "/connected_accounts/ca_github_u123A",
    reply = gives(function(account)
      return account.id == "ca_github_u123A"
    end),
  },
  {
    name = "of an awkward id",
    call = function(client)
      return client.connected_accounts.get(AWKWARD_ID)
    end,
    target = "/connected_accounts/" .. AWKWARD_ID_SENT,
    reply = raises(404, "connected_accounts.get"),
  },
  {
    name = "of the longest id",
    call = function(client)
      return client.connected_accounts.get(("/"):rep(159))
    end,
    target = "/connected_accounts/" .. ("%2F"):rep(159),
    reply = raises(404, "connected_accounts.get"),
  },
})

-- An operation of the account u123A whose reply has that member.
local function of_account(operation, target, reply, options)
  local name = operation:match "[^.]+$"
  add(operation, {
    {
      name = "of an account",
      call = function(client)
        return client.connected_accounts[name]("ca_github_u123A", options)
      end,
      target = "/connected_accounts/ca_github_u123A" .. target,
      reply = reply,
    },
  })
end

local succeeds = gives(function(reply)
  return reply.success == true
end)

of_account("connected_accounts.enable", "/status", gives(function(reply)
  return type(reply) == "table"
end))
of_account("connected_accounts.disable", "/status", succeeds)
of_account("connected_accounts.delete", "?revoke_on_delete=true", succeeds, { revoke = true })
of_account("connected_accounts.revoke", "/revoke", gives(function(reply)
  return reply.connected_account.status == "REVOKED"
end))
of_account("connected_accounts.update", "", gives(function(reply)
  return type(reply) == "table"
end), { alias = AWKWARD })
of_account(
  "connected_accounts.refresh",
  "/refresh?redirect_url=https%3A%2F%2Fapp.example%2Fcb%3Fuser%3D" .. AWKWARD_SENT,
  gives(function(reply)
    return reply.id == "ca_github_u123A"
  end),
  { even_if_active = true, redirect_url = "https://app.example/cb?user=" .. AWKWARD }
)

add("connected_accounts.initiate", {
  {
    name = "for an awkward user",
    call = function(client)
      return client.connected_accounts.initiate(AWKWARD, "ac_StripeApiKey", {
        allow_multiple = true,
        config = composio.auth_scheme.api_key { api_key = "key123" },
      })
    end,
    target = "/connected_accounts",
    reply = gives(function(account)
      return account.id:find "^ca_"
    end),
  },
})

add("connected_accounts.link", {
  {
    name = "for an awkward user",
    call = function(client)
      local options = { allow_multiple = true, callback_url = "https://app.example/cb?a=b&c=%20" }
      return client.connected_accounts.link(AWKWARD, "ac_GithubManage", options)
    end,
    target = "/connected_accounts/link",
    reply = gives(function(account)
      return account.id:find "^ca_"
    end),
  },
})

add("auth_configs.list", {
  {
    name = "with an awkward search and two values in a filter",
    call = function(client)
      return client.auth_configs.list {
        search = AWKWARD,
        show_disabled = true,
        toolkit_slugs = { "github", "gmail" },
      }
    end,
    target = "/auth_configs?search="
      .. AWKWARD_SENT
      .. "&show_disabled=true&toolkit_slug=github%2Cgmail",
    reply = gives(function(page)
      return #page.items == 0
    end),
  },
  {
    name = "with two values in a filter",
    call = function(client)
      return client.auth_configs.list { limit = 20, toolkit_slugs = { "github", "gmail" } }
    end,
    target = "/auth_configs?limit=20&toolkit_slug=github%2Cgmail",
    reply = gives(function(page)
      local slugs = {}
      for _, config in ipairs(page.items) do
        slugs[config.toolkit.slug] = true
      end
      return slugs.github and slugs.gmail and not slugs.jira
    end),
  },
})

add("webhook_subscriptions.list", { -- which doctor calls
  {
    name = "with the option that doctor gives",
    call = function(client)
      return core.operation(client, "webhook_subscriptions", "list") { limit = 50 }
    end,
    target = "/webhook_subscriptions?limit=50",
    reply = gives(function(page)
      return #page.items == 0
    end),
  },
})

local function of_config(operation, id, target, reply, options)
  local name = operation:match "[^.]+$"
  add(operation, {
    {
      name = "of " .. id,
      call = function(client)
        return client.auth_configs[name](id, options)
      end,
      target = "/auth_configs/" .. target,
      reply = reply,
    },
  })
end

local answers = gives(function(reply)
  return type(reply) == "table"
end)

of_config("auth_configs.get", "ac_GithubCustom", "ac_GithubCustom", gives(function(config)
  return config.id == "ac_GithubCustom"
end))
of_config("auth_configs.get", AWKWARD_ID, AWKWARD_ID_SENT, raises(404, "auth_configs.get"))
of_config("auth_configs.enable", "ac_JiraDisabled", "ac_JiraDisabled/ENABLED", answers)
of_config("auth_configs.disable", "ac_GithubCustom", "ac_GithubCustom/DISABLED", answers)
of_config("auth_configs.update", "ac_GithubCustom", "ac_GithubCustom", answers, {
  type = "custom",
  credentials = { client_id = "id" },
})

-- ---- how each is sent --------------------------------------------------------

local function short(text)
  return #text > 600 and ("%s… (%d bytes)"):format(text:sub(1, 600), #text) or text
end

local function complain(case, want, got, reply)
  local runs = composio.versions()[1]
  local format = "%s %s\n  expected %s\n  received %s\n  reply    %s\n  libcurl  %s %s"
  error(
    format:format(
      case.operation,
      case.name,
      short(want),
      short(got),
      short(tostring(reply)),
      runs.runs,
      runs.more
    ),
    0
  )
end

-- The operation's method, by the table.
local methods = {}
for _, row in ipairs(core.operations()) do
  methods[row.resource .. "." .. row.name] = row.method
end

local CANNED = { action = "reply", status = 200, body = PAGE, content_type = "application/json" }

-- Calls what comes before the case: that can fail by the same fault.
local function prepare(case, what, f, client)
  if not f then
    return nil
  end
  local ok, result = pcall(f, client)
  if not ok then
    complain(case, what, "an error", result)
  end
  return result
end

local function target_of(case, made)
  return type(case.target) == "function" and case.target(made) or case.target
end

-- The request lines that arrived since the last forget().
local function arrived()
  local lines = {}
  for place, request in ipairs(emulator:requests()) do
    lines[place] = request.method .. " " .. request.path
  end
  return #lines > 0 and table.concat(lines, " and ") or "nothing"
end

-- Sends the case; earlier(client) is called right before on the same handle.
local function send(case, earlier)
  local client <close> = emulator:client()
  local made = prepare(case, "a call that it needs", case.make, client)
  emulator:faults(case.canned and { CANNED })
  prepare(case, "the call before it", earlier, client)
  emulator:forget()
  local ok, reply = pcall(case.call, client, made)
  local want = methods[case.operation] .. " " .. PREFIX .. target_of(case, made)
  local got = arrived()
  if got ~= want or not case.reply(ok, reply) then
    complain(case, want, got, reply)
  end
end

-- The same below a base URL with a path. The emulator has nothing there, and says
-- so; what counts is the request line.
local function send_below(case, path)
  local maker <close> = emulator:client()
  local made = prepare(case, "a call that it needs", case.make, maker)
  emulator:forget()
  local client <close> = emulator:client { base_url = emulator.url .. path }
  local ok, reply = pcall(case.call, client, made)
  local want = methods[case.operation] .. " " .. path .. PREFIX .. target_of(case, made)
  local got = arrived()
  if got ~= want or ok or reply.status ~= 404 then
    complain(case, want, got, reply)
  end
end

local function escaped(client)
  client.connected_accounts.list { statuses = { "ACTIVE", "EXPIRED" }, user_ids = { "a b" } }
end

local function unescaped(client)
  client.connected_accounts.list { limit = 2 }
end

local function changing(client)
  client.connected_accounts.disable "ca_slack_u123_B"
end

describe("libcurl sends", function()
  for _, case in ipairs(cases) do
    local name = case.operation .. " " .. case.name
    both(name, function()
      send(case)
    end)
    both(name .. ", after a call with escapes", function()
      send(case, escaped)
    end)
    both(name .. ", after a call without escapes", function()
      send(case, unescaped)
    end)
    both(name .. ", after a change", function()
      send(case, changing)
    end)
    both(name .. ", below a path", function()
      send_below(case, "/eu/~x")
    end)
    it(name .. ", below a path with escapes", function()
      send_below(case, "/eu%20west/~x")
    end)
  end

  it("nothing that is one byte longer", function()
    local client <close> = emulator:client()
    for _, cursor in ipairs { ("c"):rep(QUERY_MAX - #"cursor=" + 1), ("="):rep(5460) } do
      local ok, err = pcall(client.connected_accounts.list, { cursor = cursor })
      assert.is_false(ok)
      assert.matches("cursor: too long to be sent", tostring(err))
    end
    assert.same({}, emulator:requests())
  end)

  both("every page of a walk", function()
    local client <close> = emulator:client()
    local seen = 0
    for _ in client.connected_accounts.each { account_type = "ALL" } do
      seen = seen + 1
    end
    assert.equal(30, seen)
    local lines = emulator:lines()
    assert.equal(3, #lines)
    for place, line in ipairs(lines) do
      assert.equal(place > 1, line:find("&cursor=%w+%%3D", 1) ~= nil, line)
    end
  end)
end)

describe("the cases", function()
  it("have one for every operation, and for nothing else", function()
    local covered = {}
    for _, case in ipairs(cases) do
      assert.is_string(methods[case.operation], case.operation .. " is no operation")
      covered[case.operation] = true
    end
    for _, row in ipairs(core.operations()) do
      local name = row.resource .. "." .. row.name
      assert.is_true(covered[name], name .. " has no case in spec/wire_smoke_spec.lua")
    end
  end)
end)
