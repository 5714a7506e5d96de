-- With a broken profile or configuration file, a run wrote neither metrics nor a summary, ran no
-- --on-end and pinged nobody: a monitor saw the figures of the night before.
local cjson = require "cjson"
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local has = job.has
local emulator, place
scene.of_host({ "--accounts", "40" }, function(...)
  emulator, place = ...
end)

local function configure(text)
  host.shell("mkdir -p " .. place.path .. "/.config/composio-lua")
  place:write(".config/composio-lua/config", text, "600")
end

for what, text in pairs {
  ["a profile that is not there"] = "[other]\nmax-changes = 1\n",
  ["a profile without a key file"] = "[work]\nmax-changes = 1\n",
  ["a broken file"] = "nonsense\n",
} do
  it(what .. " leaves the metrics and the summary of a refused run", function()
    configure(text)
    emulator:faults { { path = "/ping/*", times = 9, action = "reply", status = 200, body = "OK" } }
    emulator:forget()
    place:write("hook", "#!/bin/sh\ncat >got\n", "755")
    local run = place:run({ "job.lua", "--profile", "work", "--metrics", "m.%p", "--summary",
      "s.%p", "--log", "log.%p", "--on-end", "./hook", "--ping", emulator.url .. "/ping/one",
      "--cron" }, { script = "print(1)" })
    assert.equal(2, run.code)
    has(place:read "m.work", '\ncomposio_run_exit{job="job",profile="work"} 2\n')
    assert.equal(2, cjson.decode(place:read "s.work").exit)
    assert.equal(2, cjson.decode(place:read "got").exit)
    has(place:read "log.work", " info summary: ")
    has(run.err, "composio-lua: job (profile work) ended with 2: wrong usage or configuration\n")
    local pinged = {}
    for _, request in ipairs(emulator:requests()) do
      pinged[#pinged + 1] = request.path
    end
    assert.same({ "/ping/one/start", "/ping/one/2" }, pinged)
  end)
end

it("so does a command line that is refused, if its options precede the wrong word", function()
  for _, wrong in ipairs { "--bogus", "--retries=21", "--budget=none" } do
    local run = place:run({ "run", "job.lua", "--metrics", "m", "--cron", wrong },
      { script = "print(1)" })
    assert.equal(2, run.code)
    assert.equal(1, select(2, run.err:gsub(wrong:match "%-%-%a+", "")), run.err)
    has(place:read "m", '\ncomposio_run_exit{job="job",profile="default"} 2\n')
    place:write("m", "")
  end
end)

it("resume names its files after the profile of the run", function()
  local text = "[work]\napi-key-file = key.secret\nbase-url = %s\nmax-percent = 100\n"
  configure(text:format(emulator.url))
  place:write(".config/composio-lua/key.secret", emulator.api_key, "600")
  emulator:faults(job.refusal { method = "PATCH", times = 1 })
  local first = place:run({ "job.lua", "--profile", "work", "--apply" }, {
    script = [[
      composio.bulk(accounts.each { statuses = { "ACTIVE" } }, function(a) a:disable() end)
    ]],
  })
  assert.equal(3, first.code, first.err)
  local again = place:run { "resume", "last", "--failed", "--metrics", "m.%p", "--log", "log.%p" }
  assert.equal(0, again.code, again.err)
  has(place:read "m.work", '{job="job",profile="work"} 0\n')
  has(place:read "log.work", " info summary: ")
  local none = place:run { "resume", "nosuchrun", "--metrics", "m.%p", "--log", "log.%p" }
  assert.equal(2, none.code)
  has(place:read "m.default", 'profile="default"} 2\n')
end)
