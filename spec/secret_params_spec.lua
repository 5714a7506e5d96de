-- Parameters of type "secret": where their values come from, that nothing which we write
-- has them, and that resume and apply go on with the same value alone.
local canary = require "spec.support.canary"
local job = require "spec.support.job"
local scene = require "spec.support.scene"
local server = require "spec.support.server"
local host = require "spec.support.host"

local has = job.has
local emulator, place

scene.of_host({ "--accounts", "20" }, function(...)
  emulator, place = ...
end)

-- Sets an alias by the length of the secret, and puts the secret into the reason.
local JOB = [[
  local job = composio.job { params = { token = { type = "secret", required = true } } }
  composio.bulk("named", accounts.each { statuses = { "ACTIVE" } }, function(account)
    account:update { alias = "n" .. #job.params.token .. account.id,
      reason = "with " .. job.params.token }
  end)
]]
local ALL = { "--max-percent", "100" }

local secret

before_each(function()
  secret = canary.new "param"
  place.secrets[2] = secret
  place:script(JOB)
  place:write("token.secret", " " .. secret .. "\n", "600")
end)

local function run(words, options)
  return place:run(table.move(ALL, 1, #ALL, #words + 1, words), options)
end

local function planned(result)
  assert.equal(0, result.code, result.err)
  has(result.err .. result.out, "with ***")
  local count = place:ledger("SELECT count(*) FROM change WHERE reason = 'with ***'")[1][1]
  assert.is_true(tonumber(count) > 0)
end

describe("a secret parameter", function()
  it("comes from a file that only its owner can read", function()
    planned(run { "job.lua", "--token-file", "token.secret" })
    host.shell("chmod 644 " .. place.path .. "/token.secret")
    local open = run { "job.lua", "--token-file=token.secret" }
    assert.equal(2, open.code)
    has(open.err, "--token-file: token.secret: others can read it (mode 0644)")
  end)

  it("comes from the environment, where it is not left", function()
    planned(run({ "job.lua" }, { env = { COMPOSIO_PARAM_TOKEN = secret } }))
  end)

  it("is asked for on a terminal, which does not show it", function()
    local words = ("%s job.lua --max-percent 100"):format(server.quote(host.program))
    local env = ("HOME=%s COMPOSIO_BASE_URL=%s COMPOSIO_API_KEY=%s"):format(
      server.quote(place.path), emulator.url, emulator.api_key)
    host.shell(([[
      cd %s; export %s
      { for i in $(seq 500); do grep -q 'token: ' seen 2>/dev/null && break; sleep 0.02; done
        printf '%s\r'; sleep 0.5; } | script -qefc %s seen >/dev/null
    ]]):format(server.quote(place.path), env, secret, server.quote(words)))
    local seen = place:read "seen"
    has(seen, "token: ")
    has(seen, "plan named: ")
    assert.is_nil(seen:find(secret, 1, true))
  end)

  it("is never taken from the command line, nor repeated from there", function()
    for _, words in ipairs { { "--token", secret }, { "--token=" .. secret } } do
      local refused = run { "job.lua", table.unpack(words) }
      assert.equal(2, refused.code)
      has(refused.err, "--token takes no value on the command line")
      has(refused.err, "give --token-file FILE, set COMPOSIO_PARAM_TOKEN")
    end
    local missing = run { "job.lua" }
    assert.equal(2, missing.code)
    has(missing.err, "--token is missing: give --token-file FILE")
    assert.same({}, emulator:requests())
  end)

  it("says in the help how it is given, and has no default", function()
    local help = place:run { "job.lua", "--help" }
    has(help.out, "--token-file FILE")
    has(help.out, "(secret or COMPOSIO_PARAM_TOKEN, required)")
    local params = 'composio.job { params = { api_key = { type = "secret" } } }'
    has(place:run({ "job.lua" }, { script = params }).err, "--api-key-file; choose another name")
    params = 'composio.job { params = { a = { type = "secret", default = "x" } } }'
    has(place:run({ "job.lua" }, { script = params }).err, "params.a: a secret has no default")
  end)
end)

describe("a run or plan with a secret", function()
  local function save()
    planned(run { "job.lua", "--token-file", "token.secret", "--save-plan", "plan" })
  end

  local function refused(result, text)
    assert.equal(2, result.code, result.err)
    has(result.err, text)
    assert.same({}, emulator:changes())
  end

  it("goes on with the file that it had", function()
    save()
    local applied = run { "apply", "plan" }
    assert.equal(0, applied.code, applied.err)
    assert.is_true(#emulator:changes() > 0)
  end)

  it("goes on with the same value from elsewhere, not with another one", function()
    save()
    place:write("moved.secret", secret, "600")
    place:write("token.secret", "another-value", "600")
    refused(run { "apply", "plan" }, "--token: this is not the value that the run was started with")
    refused(run { "apply", "plan", "--other-file", "x" }, "unknown option '--other-file'")
    refused(run { "apply", "plan", "--tokn-file", "x" }, "did you mean '--token-file'?")
    refused(run { "apply", "plan", "--token-file" }, "--token-file needs a value")
    local applied = run { "apply", "plan", "--token-file", "moved.secret" }
    assert.equal(0, applied.code, applied.err)
  end)

  it("that was killed resumes only with it", function()
    local process = place:start({ "job.lua", "--apply", "--max-percent=100", "--rate", "2/s" },
      { env = { COMPOSIO_PARAM_TOKEN = secret } })
    host.wait_until(function()
      return #emulator:changes() > 0
    end, "the first change")
    process:signal "KILL"
    process:wait()
    -- a run like it is the same run, however the value is given
    local again = run { "job.lua", "--token-file", "token.secret" }
    has(again.err, "of this script and parameters was interrupted")
    local before = #emulator:changes()
    local without = place:run { "resume", "last" }
    assert.equal(2, without.code, without.err)
    has(without.err, "--token is missing: the run was started with it; give --token-file FILE")
    local other = place:run({ "resume", "last" }, { env = { COMPOSIO_PARAM_TOKEN = "another" } })
    assert.equal(2, other.code, other.err)
    assert.equal(before, #emulator:changes())
    local env = { COMPOSIO_PARAM_TOKEN = secret }
    assert.equal(0, place:run({ "resume", "last" }, { env = env }).code)
  end)
end)
