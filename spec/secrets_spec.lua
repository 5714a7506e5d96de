-- Secrets appear in no output, log, ledger, summary, command line or error, even when
-- the service repeats them in some encoding.
local composio = require "composio"
local canary = require "spec.support.canary"
local cjson = require "cjson"
local host = require "spec.support.host"
local scene = require "spec.support.scene"
local server = require "spec.support.server"

local emulator

scene.of_emulator({ "--accounts", "60", "--api-key", canary.KEY }, function(...)
  emulator = ...
end)

local function base64(text)
  local pipe = assert(io.popen("printf %s " .. server.quote(text) .. " | base64 -w0"))
  local out = pipe:read "a"
  pipe:close()
  return out
end

-- What services have been seen to make of a value when they say it back.
local function spellings(secret)
  local function percent(format)
    return (secret:gsub("[^%w%-._~]", function(byte)
      return format:format(byte:byte())
    end))
  end
  return {
    plain = secret,
    base64 = base64(secret),
    ["base64 behind a user name"] = base64("u:" .. secret),
    ["base64 behind a longer one"] = base64("us:" .. secret),
    percent = percent "%%%02X",
    ["percent, small letters"] = percent "%%%02x",
    JSON = cjson.encode(secret):sub(2, -2):gsub("\\/", "/"),
    ["JSON with escaped slashes"] = cjson.encode(secret):sub(2, -2),
  }
end

describe("the search for canaries", function()
  it("finds them in every spelling, and nothing else", function()
    local secret = canary.new "own"
    for name, text in pairs(spellings(secret)) do
      assert.equal(1, #canary.search("before " .. text .. " after"), name)
    end
    assert.same({}, canary.search "Canary own")
    assert.is_false(pcall(canary.assert_clean, "x" .. secret))
  end)

  it("finds them in the bytes of a directory's files", function()
    local name = os.tmpname()
    os.remove(name)
    os.execute("mkdir -p " .. name .. "/deep")
    local file = assert(io.open(name .. "/deep/blob", "wb"))
    file:write("\0\1", canary.new "file", "\0")
    file:close()
    assert.equal(1, #canary.search(name))
    os.remove(name .. "/deep/blob")
    assert.same({}, canary.search(name))
    os.execute("rm -r " .. name)
  end)
end)

-- Everything a script can see of an error, and what a program would print.
local function texts_of(err, into)
  into = into or {}
  into[#into + 1] = tostring(err)
  if type(err) == "table" then
    for key, value in next, err do
      into[#into + 1] = tostring(key)
      texts_of(value, into)
    end
  end
  return table.concat(into, "\n")
end

describe("a service that says secrets back", function()
  local key, token = canary.KEY, canary.new "token"
  local client

  setup(function()
    client = emulator:client()
  end)
  teardown(function()
    client:close()
  end)

  local scheme = composio.auth_scheme
  local calls = {
    initiate = function(accounts)
      accounts.initiate("someone", "ac_AirtblBearer", {
        config = scheme.bearer_token { token = token },
        allow_multiple = true,
      })
    end,
    update = function(accounts)
      accounts.update("ca_x", { credentials = scheme.api_key { api_key = token } })
    end,
    link = function(accounts)
      accounts.link("someone", "ac_GithubManage", {
        connection_data = { generic_api_key = token },
        allow_multiple = true,
      })
    end,
  }

  for call_name, call in pairs(calls) do
    for secret_name, secret in pairs { ["the API key"] = key, ["a credential"] = token } do
      it(("of %s finds %s masked in every error"):format(call_name, secret_name), function()
        for spelling, said in pairs(spellings(secret)) do
          local error = {
            message = "refused: " .. said,
            slug = said,
            request_id = said,
            suggested_fix = "not " .. said,
            errors = { "bad " .. said },
            code = 1,
          }
          local header = said:gsub("[\r\n]", "")
          local bodies = {
            { status = 400, body = { error = error } },
            { status = 400, body = { message = said } },
            { status = 502, body = "<html>" .. said, content_type = "text/html" },
            { status = 200, body = "<html>" .. said, content_type = "text/html" },
            { status = 400, body = "", headers = { ["x-request-id"] = header } },
            { status = 302, body = "", headers = { Location = "https://" .. header .. "/x" } },
            { status = 400, body = ("x"):rep(150) .. said .. ("y"):rep(300) },
            { status = 400, body = ("x"):rep(195) .. said },
          }
          for place, body in ipairs(bodies) do
            body.action = "reply"
            emulator:faults { body }
            local ok, err = pcall(call, client.connected_accounts)
            assert.is_false(ok)
            local found = canary.search(texts_of(err))
            assert.same({}, found, ("%s, body %d"):format(spelling, place))
          end
        end
      end)
    end
  end

  it("does not make us forget them when a call has ended: the key", function()
    emulator:faults { { action = "reply", status = 400, body = "no " .. key } }
    for _ = 1, 2 do
      local _, err = pcall(client.connected_accounts.get, "ca_x")
      canary.assert_clean(texts_of(err))
    end
  end)
end)

describe("objects of the module", function()
  it("do not show secrets as text", function()
    local client = emulator:client()
    local accounts = client.connected_accounts
    local request = accounts.link("someone", "ac_GithubManage", { allow_multiple = true })
    canary.watch("link", request.redirect_url)
    assert.same({}, canary.search(tostring(client) .. tostring(request)))
    client:close()
  end)

  it("do not take the credentials into what wrong use raises", function()
    local client, token = emulator:client(), canary.new "misused"
    local accounts = client.connected_accounts
    for _, config in ipairs {
      { authScheme = "BEARER_TOKEN", val = { token = token .. "\xff" } },
      { authScheme = "BEARER_TOKEN", val = { token, x = token } },
      { authScheme = token, val = { token = print } },
      { [token] = 1 },
      token,
    } do
      local ok, err = pcall(accounts.initiate, "u", "ac_AirtblBearer", {
        config = config,
        allow_multiple = true,
      })
      assert.is_false(ok)
      assert.same({}, canary.search(texts_of(err)))
    end
    client:close()
  end)
end)

-- A job that meets every kind of secret: credentials out of a CSV, links, keys
-- in errors. The names are filled in.
local JOB = [==[
local composio = require "composio"
local accounts = composio.connected_accounts
local job = composio.job { summary = "all secrets", may = "irreversible" }
local rows = composio.csv("%s", { "id", "token" }, { secret = { "token" } })
composio.bulk({ name = "rotate", key = function(row) return row.id end,
  after = function(row, results) assert(results.update) end,
}, rows, function(row)
  accounts.update(row.id, { credentials = composio.auth_scheme.bearer_token { token = row.token } })
end)
composio.bulk({ name = "links", key = function(row) return row.user end,
  after = function(row, results)
    assert(not results.link or results.link.redirect_url:find "^http")
  end,
}, { { user = "one" }, { user = "two" } }, function(row)
  accounts.link(row.user, "ac_GithubManage", { allow_multiple = true,
    connection_data = { generic_api_key = "%s" } })
end)
%s
]==]

describe("a run of the host", function()
  local secret, typed = canary.new "csv", canary.new "typed"

  local function ids_of_bearers(count)
    local client, ids = emulator:client(), {}
    for _ = 1, count do
      local request = client.connected_accounts.initiate("row" .. #ids, "ac_AirtblBearer", {
        config = composio.auth_scheme.bearer_token { token = "to be replaced" },
        allow_multiple = true,
      })
      ids[#ids + 1] = request.id
    end
    client:close()
    emulator:forget()
    return ids
  end

  local function quoted(text)
    return '"' .. text:gsub('"', '""') .. '"'
  end

  -- The program's command line while it runs, as other users can see it; "" when it has
  -- ended already.
  local function cmdline_of(process)
    local text
    host.wait_until(function()
      local file = io.open("/proc/" .. process.pid .. "/cmdline")
      text = file and file:read "a" or ""
      if file then
        file:close()
      end
      return text == "" or text:find(host.program, 1, true) == 1
    end)
    return text
  end

  -- The script and the CSV belong to the user and hold secrets: they lie outside the
  -- directory that is searched after the run.
  local function run(options)
    emulator:faults()
    local bearer = ids_of_bearers(2)
    emulator:faults(options.faults)
    local rows = os.tmpname()
    local file = assert(io.open(rows, "wb"))
    file:write("id,token\n")
    for _, id in ipairs(bearer) do
      file:write(id, ",", quoted(secret), "\n")
    end
    file:close()
    local script = os.tmpname()
    file = assert(io.open(script, "wb"))
    file:write(JOB:format(rows, (typed:gsub('[\\"]', "\\%0")), options.more or ""))
    file:close()
    local place = host.place(emulator)
    place.env.TMPDIR = place.path
    local words = {
      "run", script, "--confirm=2", "--max-percent=100", "--summary", "summary.json",
    }
    if options.log ~= false then
      table.move({ "--log", "log" }, 1, 2, #words + 1, words)
    end
    table.move(options, 1, #options, #words + 1, words)
    local process = place:start(words, { env = options.env })
    local cmdline = cmdline_of(process)
    local result = process:wait() -- searches all that is left
    result.log, result.cmdline = place:read "log", cmdline
    place:remove()
    os.remove(rows)
    os.remove(script)
    canary.assert_clean(result.out, result.err, result.cmdline)
    return result
  end

  -- Where the run itself has to have met the secrets.
  local function assert_sent()
    local tokens = 0
    for _, request in ipairs(emulator:requests()) do
      if request.body and cjson.encode(request.body):find("Canary", 1, true) then
        tokens = tokens + 1
      end
    end
    assert.is_true(tokens >= 2, "no secret was sent")
  end

  it("leaves none in a preview", function()
    local result = run { "-vv", "--show", "all" }
    assert.equal(0, result.code, result.err)
  end)

  it("leaves none when changes are carried out", function()
    local result = run { "--apply", "-vv" }
    assert.equal(0, result.code, result.err .. result.out)
    assert_sent()
    assert.is_true(#result.log > 0)
  end)

  it("leaves none in a log of JSON, nor with the log on stderr", function()
    local result = run { "--apply", "-vv", "--log-format", "json" }
    assert.equal(0, result.code, result.err)
    result = run { "--apply", "-vv", log = false }
    assert.equal(0, result.code, result.err)
    assert.matches("attempt", result.err)
  end)

  it("leaves none when the service says them back", function()
    local said = {}
    for _, text in pairs(spellings(secret)) do
      said[#said + 1] = text
    end
    for _, status in ipairs { 400, 500 } do
      for half = 1, 2 do
        local text = table.concat(said, " ", half * 4 - 3, half * 4)
        local function wrong(last)
          return {
            error = {
              message = "no " .. text .. " " .. last,
              slug = last,
              suggested_fix = text,
              request_id = last,
              code = 1,
            },
          }
        end
        local faults = {
          { method = "PATCH", action = "reply", status = status, body = wrong(secret) },
          { method = "POST", action = "reply", status = status, body = wrong(typed) },
        }
        local result = run {
          "--apply", "-vv", "--retries", "0", "--settle-wait", "1s", faults = faults,
        }
        assert.equal(status == 500 and 8 or 3, result.code, result.err)
        assert.matches("no .*%*%*%*", result.err)
      end
    end
  end)

  it("leaves none when the service says the key back", function()
    local faults = {
      { action = "reply", status = 401, body = { error = { message = "bad " .. canary.KEY } } },
    }
    local result = run { "--apply", "-vv", faults = faults }
    assert.equal(6, result.code, result.err)
  end)

  it("leaves none when the script fails with the service's words", function()
    local faults = {
      { method = "GET", action = "reply", status = 400, body = "no " .. canary.KEY },
    }
    local result = run { "-vv", more = "accounts.get 'ca_x'", faults = faults }
    assert.equal(7, result.code, result.err)
    assert.matches("BadRequestError", result.err)
  end)

  it("takes the key from a file, and the command line shows only its name", function()
    local name = os.tmpname()
    local file = assert(io.open(name, "wb"))
    file:write(canary.KEY, "\n")
    file:close()
    os.execute("chmod 600 " .. name)
    local result = run {
      "--apply", "-vv", "--api-key-file", name,
      env = { COMPOSIO_API_KEY = false },
      faults = { { nth = 1, action = "delay", delay_ms = 300 } }, -- so that it is seen
    }
    os.remove(name)
    assert.equal(0, result.code, result.err)
    assert.is_truthy(result.cmdline:find(name, 1, true))
  end)

  it("does not tell the script the key", function()
    local place = host.place(emulator)
    local result = place:run({ "job.lua", "--allow", "os,io", "--summary", "summary.json" }, {
      script = [[print(os.getenv "COMPOSIO_API_KEY", composio.client)
        for name, value in pairs(composio) do print(name, value) end]],
    })
    place:remove()
    assert.equal(0, result.code, result.err)
  end)
end)
