-- The verb doctor: what it says of each check, and its exit codes.
local cjson = require "cjson"
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local has = job.has
local emulator, place
scene.of_host({ "--accounts", "20" }, function(...)
  emulator, place = ...
end)

-- Returns the run, and of each check its state and text.
local function doctor(env, ...)
  local run = place:run({ "doctor", "--json", "--retries", "0", ... }, { env = env })
  local states, texts = {}, {}
  for line in run.out:gmatch "[^\n]+" do
    local check = cjson.decode(line)
    states[check.check], texts[check.check] = check.state, check.text
  end
  return run, states, texts
end

describe("doctor", function()
  it("says ok of each check, changes nothing and exits 0", function()
    local run, states = doctor()
    assert.equal(0, run.code, run.out .. run.err)
    for _, check in ipairs {
      "versions", "profile", "key", "base URL", "proxy", "connected_accounts.list",
      "connected_accounts.get", "auth_configs.list", "clock", "rate", "lock", "ledger",
    } do
      assert.equal("ok", states[check], check)
    end
    assert.equal(0, job.writes(emulator))
    local people = place:run { "doctor" }
    assert.equal(0, people.code, people.err)
    has(people.out, "auth_configs.list        ok    can be read")
  end)

  it("tells a key that is rejected: 6", function()
    local run, states, texts = doctor { COMPOSIO_API_KEY = "ak_wrong" }
    assert.equal(6, run.code, run.out)
    assert.equal("wrong", states["connected_accounts.list"])
    has(texts["connected_accounts.list"], "Invalid API key")
  end)

  it("tells a permission that the key lacks", function()
    emulator:faults { {
      method = "GET", path = "*/auth_configs?*", action = "reply", status = 401, times = 9,
      body = { error = { message = "Invalid API key", code = 10401, slug = "HTTP_Unauthorized" } },
    } }
    local run, states, texts = doctor()
    assert.equal(6, run.code, run.out)
    assert.equal("ok", states["connected_accounts.list"])
    has(texts["auth_configs.list"], "it lacks the permission")
  end)

  it("tells a service that cannot be reached: 7, and a base URL without routes: 2", function()
    local run, states = doctor { COMPOSIO_BASE_URL = "http://127.0.0.1:1" }
    assert.equal(7, run.code, run.out)
    assert.equal("wrong", states["connected_accounts.list"])
    assert.is_nil(states["auth_configs.list"])
    run = doctor { COMPOSIO_BASE_URL = emulator.url .. "/api/v3" }
    assert.equal(2, run.code, run.out)
  end)

  it("tells settings with which nothing can be sent: 2", function()
    local run, _, texts = doctor { COMPOSIO_API_KEY = false }
    assert.equal(2, run.code, run.out)
    has(texts.settings, "no API key")
    run, _, texts = doctor { COMPOSIO_API_KEY = "uak_one" }
    assert.equal(2, run.code, run.out)
    has(texts.settings, "a user's (uak_…)")
  end)

  it("tells whether expiry is announced, which changes no exit code", function()
    local run, states, texts = doctor()
    assert.equal(0, run.code)
    assert.equal("note", states.webhooks)
    has(texts.webhooks, "expiry is not announced")
    local function answer(subscription)
      emulator:faults { {
        method = "GET", path = "*/webhook_subscriptions*", action = "reply", status = 200,
        times = 1,
        body = { items = { subscription }, current_page = 1, total_items = 1, total_pages = 1 },
      } }
      return doctor()
    end
    local subscription = {
      id = "ws_1", version = "V3",
      webhook_url = "https://me:pass@hooks.example.com/in?token=t0k3n",
      enabled_events = { "composio.trigger.message", "composio.connected_account.expired" },
      secret = "whsec_s3cr3t",
    }
    run, states, texts = answer(subscription)
    assert.equal("ok", states.webhooks)
    has(texts.webhooks, "announced to hooks.example.com")
    for _, secret in ipairs { "t0k3n", "pass", "whsec" } do
      job.lacks(run.out, secret)
    end
    subscription.version = "V2" -- which has no such event
    run, states = answer(subscription)
    assert.equal(0, run.code)
    assert.equal("note", states.webhooks)
    emulator:faults { {
      method = "GET", path = "*/webhook_subscriptions*", action = "reply", status = 404, times = 1,
      body = "no such route",
    } }
    run, states, texts = doctor()
    assert.equal("0note", run.code .. states.webhooks)
    has(texts.webhooks, "is not known")
  end)

  it("tells a clock that is wrong", function()
    emulator:tell("clock/advance", { seconds = 600 })
    local run, states, texts = doctor()
    assert.equal(3, run.code, run.out)
    assert.equal("to_do", states.clock)
    has(texts.clock, "behind the service's")
  end)

  it("tells an interrupted run and the command that finishes it, and a held lock", function()
    local process = place:start({ "job.lua", "--apply" }, { script = [[
      accounts.disable(accounts.list({ statuses = { "ACTIVE" } }).items[1])
      print "ready"
      composio.sleep(60)
    ]] })
    process:wait_for "ready"
    local _, states = doctor()
    assert.equal("note", states.lock)
    process:signal "KILL"
    process:wait()
    local run, _, texts = doctor()
    assert.equal(3, run.code, run.out)
    has(texts.runs, "1 to be resumed, the newest with: composio-lua resume")
  end)

  it("tells a ledger that cannot be read", function()
    host.shell("mkdir -p " .. place.path .. "/state")
    place:write("state/ledger.db", "no database at all, but long enough to be looked at", "600")
    local run, states = doctor(nil, "--state-dir", "state")
    assert.equal(2, run.code, run.out)
    assert.equal("wrong", states.ledger)
  end)
end)
