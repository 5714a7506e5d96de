-- --profile, the configuration file, and the verb profiles.
local cjson = require "cjson"
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local has, lacks = job.has, job.lacks
local emulator, place

local DISABLE = [[composio.bulk(accounts.each { statuses = { "ACTIVE" } }, function(account)
  account:disable { reason = "spec" }
end)]]

-- A build without libinih has no profiles.
local has_profiles
do
  local probe = host.place()
  host.shell("mkdir -p " .. probe.path .. "/.config/composio-lua")
  probe:write(".config/composio-lua/config", "[work]\nbudget = 10%\n", "600")
  has_profiles = probe:run({ "profiles" }).code == 0
  probe:remove()
end

scene.of_host({ "--accounts", "20" }, function(...)
  emulator, place = ...
  if place then
    host.shell("mkdir -p " .. place.path .. "/.config/composio-lua")
    place:write("key.secret", emulator.api_key .. "\n", "600")
  end
end)

local function configure(text, mode)
  place:write(".config/composio-lua/config", text, mode or "600")
end

-- A profile by which jobs run; `more` are its further lines.
local function work(more)
  configure(("[work]\nbase-url = %s\napi-key-file = %s/key.secret\n%s\n"):format(emulator.url,
    place.path, more or ""))
end

-- Runs without the variables of the API.
local function run(words, options)
  options = options or {}
  options.env = options.env or { COMPOSIO_API_KEY = false, COMPOSIO_BASE_URL = false }
  return place:run(words, options)
end

local function refused(words, ...)
  local ended = run(words, { script = DISABLE, env = {} })
  assert.equal(2, ended.code, ended.err)
  for _, part in ipairs { ... } do
    has(ended.err, part)
  end
  assert.equal(0, #emulator:requests { operation = "list" })
end

if not has_profiles then
  describe("a build without libinih", function()
    it("refuses to run while there is a configuration file", function()
      work()
      refused({ "job.lua" }, "config", "libinih")
      refused({ "job.lua", "--profile", "work" }, "libinih")
    end)
  end)
  return
end

describe("a profile", function()
  it("gives service, key and limits; the plan, the summary and the run name it", function()
    work "max-changes = 2"
    local preview = run({ "job.lua", "--profile", "work" }, { script = DISABLE })
    assert.equal(4, preview.code, preview.err)
    has(preview.out .. preview.err, "in profile work")
    local ended = run({ "job.lua", "--profile", "work", "--max-changes", "100", "--max-percent",
      "100", "--apply", "--summary", "summary.json" }, { script = DISABLE })
    assert.equal(0, ended.code, ended.err)
    has(ended.err, "profile: work")
    assert.equal("work", ended.summary.profile)
    has(run({ "show", ended.summary.run }).out, "profile    work")
  end)

  it("comes back with resume and undo", function()
    work "max-percent = 100"
    local ended = run({ "job.lua", "--profile", "work", "--apply", "--limit-items", "3",
      "--summary", "summary.json" }, { script = DISABLE })
    assert.equal(0, ended.code, ended.err)
    local resumed = run { "resume", ended.summary.run }
    assert.equal(0, resumed.code, resumed.err)
    local undone = run { "undo", ended.summary.run, "--apply" }
    assert.equal(0, undone.code, undone.err)
    has(undone.err, "profile: work")
  end)

  it("needs a key file of its own", function()
    configure("[work]\nbase-url = " .. emulator.url .. "\n")
    refused({ "job.lua", "--profile", "work" }, "'work' has no api-key-file", "config")
    local ended = run({ "job.lua", "--profile", "work", "--api-key-file", "key.secret" },
      { script = "print(1)" })
    assert.equal(0, ended.code, ended.err)
  end)

  it("that is not there is refused", function()
    refused({ "job.lua", "--profile", "other" }, "no profile 'other'", "config is missing")
    work()
    refused({ "job.lua", "--profile", "other" }, "no profile 'other'", "composio-lua profiles")
    refused({ "job.lua", "--profile", "a/b" }, "is not a value for --profile")
  end)

  it("stands before the environment, and [default] after it", function()
    configure(("[default]\nbase-url = http://127.0.0.1:1\napi-key-file = none\nmax-changes = 0\n"
      .. "[work]\nbase-url = %s\napi-key-file = ../../key.secret\n"):format(emulator.url))
    local ended = run({ "job.lua" }, { script = DISABLE, env = {} })
    assert.equal(4, ended.code, ended.err) -- service and key by the environment
    local env = { COMPOSIO_API_KEY = "ak_wrong", COMPOSIO_BASE_URL = "http://127.0.0.1:1" }
    ended = run({ "job.lua", "--profile", "work", "--max-changes", "500", "--max-percent", "100" },
      { script = DISABLE, env = env })
    assert.equal(0, ended.code, ended.err)
  end)

  it("adds to --protect", function()
    work "protect = protected\nmax-percent = 100"
    place:write(".config/composio-lua/protected", "toolkit:github\n")
    place:write("more", "toolkit:gmail\n")
    local ended = run({ "job.lua", "--profile", "work", "--protect", "more", "--show", "all" },
      { script = DISABLE })
    assert.equal(0, ended.code, ended.err)
    has(ended.err .. ended.out, "config/composio-lua/protected:1")
    has(ended.err .. ended.out, "more:1")
  end)
end)

describe("the configuration file", function()
  it("is refused by file and line", function()
    for text, why in pairs {
      ["max-changes = 1\n"] = ":1: an option precedes the first [PROFILE]",
      ["[work]\n\nmax-chnages = 1\n"] = ":3: 'max-chnages' is not an option",
      ["[work]\napply = true\n"] = ":2: 'apply' is not an option that a profile may have",
      ["[work]\nbudget = 1\nbudget = 2\n"] = ":3: budget is given twice in [work]",
      ["[work]\nbudget = much\n"] = ":2: 'much' is not a value for budget",
      ["[work]\nnonsense\n[a]\napply = 1\n"] = ":2: neither [PROFILE] nor NAME = VALUE",
      ["[work]\nprotect = " .. ("x"):rep(300) .. "\n"] = ":2: the line is longer than",
    } do
      configure(text)
      refused({ "job.lua", "--profile", "work" }, "config" .. why)
    end
  end)

  it("is refused when others can write it", function()
    configure("[work]\nbudget = 10%\n", "666")
    refused({ "job.lua" }, "only its owner can write")
  end)

  it("may have comments, a BOM and CR LF; help does without it", function()
    configure "\239\187\191# ours\r\n[work]\r\nbudget = 10% ; of it\r\n"
    has(run({ "profiles" }).out, "budget")
    has(run({ "profiles", "--json" }).out, [["value":"10%"]])
    configure "nonsense"
    assert.equal(0, run({ "--help" }).code)
    assert.equal(2, run({ "profiles" }).code)
  end)

  it("without profiles lists none", function()
    local ended = run { "profiles" }
    assert.equal(0, ended.code, ended.err)
    has(ended.err, "no profiles")
  end)
end)

describe("several profiles", function()
  local function two()
    local both = ""
    for _, name in ipairs { "one", "two" } do
      both = both .. ("[%s]\nbase-url = %s\napi-key-file = %s/key.secret\nstate-dir = %s/%s\n")
        :format(name, emulator.url, place.path, place.path, name)
    end
    configure(both)
  end

  it("run one after the other, each with its own files", function()
    two()
    local ended = run(host.unlimited { "job.lua", "--profile", "one,two", "--log", "log.%p",
      "--summary", "s.%p.json" }, { script = "composio.report('r.%p.csv', { 'id' })\n" .. DISABLE })
    assert.equal(0, ended.code, ended.err)
    for _, name in ipairs { "one", "two" } do
      assert.equal(name, cjson.decode(place:read("s." .. name .. ".json")).profile)
      assert.is_truthy(place:read("log." .. name))
      has(ended.err .. ended.out, "in profile " .. name)
      has(ended.err, "r." .. name .. ".csv")
    end
  end)

  it("do not stop each other, and the worst exit is theirs", function()
    two()
    local ended = run({ "job.lua", "--profile", "missing,one" }, { script = "print('ran')" })
    assert.equal(2, ended.code, ended.err)
    has(ended.out, "ran")
    ended = run(host.unlimited { "job.lua", "--profile", "missing,one", "--apply" },
      { script = DISABLE })
    assert.equal(1, ended.code, ended.err) -- 2 would say that nothing was sent
  end)

  it("end at a signal", function()
    two()
    local process = place:start({ "job.lua", "--profile", "one,two", "--allow", "io" }, {
      script = "io.open('began', 'w'):close() while true do end",
      env = { COMPOSIO_API_KEY = false, COMPOSIO_BASE_URL = false },
    })
    host.wait_until(function()
      return place:read "began"
    end)
    process:signal "TERM"
    local ended = process:wait()
    assert.equal(143, ended.code, ended.err)
    assert.equal(1, select(2, ended.err:gsub("interrupted by SIGTERM", "")), ended.err)
  end)

  it("need %p in names, and take no --confirm", function()
    two()
    refused({ "job.lua", "--profile", "one,two", "--log", "log" }, "--log log", "needs %p")
    refused({ "job.lua", "--profile", "one,two", "--confirm", "1" }, "no --confirm")
    refused({ "resume", "last", "--profile", "one,two" }, "for run alone")
    local ended = run({ "job.lua", "--profile", "one,two" },
      { script = "composio.report('r.csv', { 'id' })" })
    has(ended.err, "needs %p")
    lacks(ended.err, "r.csv.partial")
  end)
end)
