-- What a scheduled run leaves: --cron, --log, --summary, --metrics, --ping, --on-end, and names
-- with the profile and the date.
local cjson = require "cjson"
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"
local server = require "spec.support.server"

local has, lacks = job.has, job.lacks
local emulator, place
scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

local SCRIPT = [[
  print "from the script"
  composio.bulk("idle", accounts.each { statuses = { "ACTIVE" } }, function(account)
    account:disable()
  end)
]]
local WRONG = "error 'no'"

local function run(script, ...)
  return place:run(host.unlimited { "job.lua", ... }, { script = script })
end

local function fail(times)
  emulator:faults {
    { method = "PATCH", times = times, action = "reply", status = 400,
      body = { error = { message = "no", code = 400, slug = "HTTP_BadRequest" } } },
  }
end

local function lines_of(text)
  local list = {}
  for line in text:gmatch "[^\n]+" do
    list[#list + 1] = line
  end
  return list
end

describe("--cron", function()
  it("is silent when all is well", function()
    local night = run(SCRIPT, "--apply", "--cron")
    assert.same({ 0, "", "" }, { night.code, night.out, night.err })
  end)

  it("tells trouble in forty lines that need no log", function()
    fail(1000)
    local talk = "for i = 1, 50 do print('line', i) end\n"
    local night = run(talk .. SCRIPT .. talk, "--apply", "--cron", "--log", "log")
    assert.equal(3, night.code)
    assert.equal("", night.out)
    has(night.err, "composio-lua: job ended with 3: some items failed or were stale\nrun: ")
    local count = tonumber(night.err:match "\ndisable: failed (%d+)\n")
    assert.is_true(count > 10)
    has(night.err, ("\n  %d × disable failed: "):format(count))
    assert.matches("\n  failed  disable  ca_[^\n]*: [^\n]*no", night.err)
    has(night.err, "\nthe script's last lines:\nline 46\n")
    assert.matches("\nnext: composio%-lua resume [^\n]* %-%-failed[^\n]*\n$", night.err)
    assert.is_true(#lines_of(night.err) <= 40, night.err)
    has(place:read "log", "info print: from the script")
  end)

  it("says why a run did not even begin", function()
    local night = place:run { "nothing.lua", "--cron" }
    assert.equal(2, night.code)
    has(night.err, "composio-lua: cannot read nothing.lua: No such file")
  end)
end)

-- The places in which cron, a service manager or a container starts a program.
describe("a run's outcome is the same", function()
  local function same(options, ...)
    place:script(SCRIPT)
    local key = place:write("key.secret", emulator.api_key, "600")
    local words = host.unlimited {
      place.path .. "/job.lua", "--apply", "--cron", "--state-dir", place.path .. "/state",
      "--api-key-file", key, "--base-url", emulator.url, ...,
    }
    emulator:reset()
    local night = place:run(words, options)
    assert.equal(0, night.code, night.err)
    assert.is_true(#emulator:changes() > 10)
  end

  it("without environment", function()
    local none = {}
    for name in pairs(place.env) do
      none[name] = name:find "SAN_OPTIONS$" and place.env[name] or false
    end
    same { env = none }
  end)

  it("with closed descriptors, a full stdout, umask 0777", function()
    same { redirect = ">&- 2>&-", stdin = "<&-" }
    same { redirect = ">/dev/full 2>/dev/full" }
    same { prefix = "sh -c 'umask 0777; exec \"$0\" \"$@\"'" }
  end)

  it("in a directory where nothing can be written, or that is gone", function()
    local goes = [[sh -c '%s && exec "$0" "$@"']]
    same { prefix = goes:format "cd /proc" }
    same { prefix = goes:format "mkdir gone && cd gone && rmdir ../gone" }
    local mounts = "mkdir -p ro && mount -t tmpfs -o ro none ro && cd ro && ! touch x 2>/dev/null"
    if host.shell("unshare -rm true 2>&1 && echo can") == "can" then
      same { prefix = "unshare -rm " .. goes:format(mounts) }
    end
  end)

  it("within 64 MB of resident memory", function()
    if host.has_sanitizer then
      return -- whose shadow memory counts, too
    end
    local figures = place.path .. "/figures"
    same({ prefix = ("'%s/bench-time' '%s'"):format(server.build, figures) }, "--log", "log")
    local peak = cjson.decode(place:read "figures").maxrss_kb
    assert.is_true(peak > 4096 and peak < 65536, peak .. " KB")
  end)
end)

describe("--log", function()
  it("is appended to, each line has the schema, the last is the summary", function()
    for _, script in ipairs { SCRIPT, WRONG } do
      run(script, "--log", "log", "--log-format", "json", "--summary", "summary.json")
    end
    local nothing = place:run { "nothing.lua", "--log", "log", "--log-format", "json" }
    assert.equal(2, nothing.code)
    local exits = {}
    for _, line in ipairs(lines_of(place:read "log")) do
      local event = cjson.decode(line)
      assert.equal(1, event.schema)
      if event.event == "summary" then
        exits[#exits + 1] = event.summary.exit
      end
    end
    assert.same({ 0, 1, 2 }, exits)
    assert.matches('"event":"summary"[^\n]*\n$', place:read "log")
  end)

  it("has the summary as text, too", function()
    run(WRONG, "--log", "log")
    assert.matches(' info summary: {"run":[^\n]*}\n$', place:read "log")
    has(place:read "log", " warning message: job.lua:3: no")
  end)
end)

it("--summary counts what is open, and is written after an error, too", function()
  local preview = run(SCRIPT, "--summary", "summary.json").summary
  assert.equal(preview.outcomes.planned, preview.open)
  fail(2)
  local acted = run(SCRIPT, "--apply", "--summary", "summary.json", "--concurrency", "1",
    "--stop-on", "failed=1").summary
  assert.equal(acted.outcomes.not_tried, acted.open)
  local early = place:run { "nothing.lua", "--summary", "summary.json" }.summary
  assert.equal(2, early.exit)
end)

describe("--metrics", function()
  it("is replaced at once, also after a failure, and can be read by others", function()
    place:write("m.prom", "old\n", "600")
    fail(1)
    local acted = run(SCRIPT, "--apply", "--metrics", "m.prom", "--summary", "summary.json")
    assert.equal(3, acted.code)
    local text = place:read "m.prom"
    has(text, '\ncomposio_run_exit{job="job",profile="default"} 3\n')
    has(text, '\ncomposio_run_items{job="job",profile="default",outcome="failed"} 1\n')
    has(text, ('operation="disable",outcome="done"} %d\n'):format(acted.summary.outcomes.done))
    assert.equal("644", place:mode "m.prom")
    for _, line in ipairs(lines_of(text)) do
      local is_comment = line:find "^# [HT][EY][LP][PE] composio_run_%l"
      assert(is_comment or line:find '^composio_run_[%l_]+{job="', line)
    end
    run(WRONG, "--metrics", "m.prom")
    has(place:read "m.prom", '\ncomposio_run_exit{job="job",profile="default"} 1\n')
    assert.equal("", host.shell("ls " .. place.path .. " | grep tmp || true"))
  end)

  it("that cannot be written are told and change nothing", function()
    local acted = run(SCRIPT, "--metrics", "nowhere/m.prom")
    assert.equal(0, acted.code)
    has(acted.err, "cannot write the metrics to nowhere/m.prom: No such file")
  end)
end)

describe("--ping", function()
  local function pings(script, ...)
    emulator:faults { { path = "/ping/*", times = 9, action = "reply", status = 200, body = "OK" } }
    emulator:forget()
    local acted = run(script, "--ping", emulator.url .. "/ping/one?x=1", ...)
    local list = {}
    for _, request in ipairs(emulator:requests()) do
      if request.path:find "^/ping" then
        list[#list + 1] = request.path
        assert.is_nil(cjson.encode(request):find(emulator.api_key, 1, true))
      end
    end
    return list, acted
  end

  it("tells of the start, and of the end by its exit code", function()
    assert.same({ "/ping/one/start?x=1", "/ping/one?x=1" }, (pings(SCRIPT)))
    assert.same({ "/ping/one/start?x=1", "/ping/one/1?x=1" }, (pings(WRONG)))
  end)

  it("that nobody hears changes nothing", function()
    local acted = run(SCRIPT, "--ping", emulator.url .. "/nothing")
    assert.equal(0, acted.code)
    has(acted.err, "the ping/start was not received: it was answered with status 404")
    assert.equal(2, run(SCRIPT, "--ping", "file:///etc/passwd").code)
  end)
end)

describe("--on-end", function()
  local function hook(text)
    place:write("hook", "#!/bin/sh\n" .. text, "755")
  end

  it("gets the summary, and neither key nor our variables", function()
    hook "cat >got; env >got.env; echo said\n"
    local acted = run(SCRIPT, "--on-end", "./hook", "--summary", "summary.json")
    assert.equal(0, acted.code)
    assert.same(acted.summary, cjson.decode(place:read "got"))
    lacks(place:read "got.env", "COMPOSIO_")
    has(place:read "got.env", "PATH=")
    lacks(acted.out, "said")
    has(acted.err, "said")
  end)

  it("is told when it fails, and changes nothing", function()
    hook "exit 3\n"
    local acted = run(SCRIPT, "--on-end", "./hook")
    assert.equal(0, acted.code)
    has(acted.err, "--on-end ./hook exited with 3")
    place:write("hook", "not a program", "644")
    local refused = run(SCRIPT, "--on-end", "./hook")
    assert.equal(2, refused.code)
    has(refused.err, "cannot run --on-end ./hook: Permission denied")
  end)

  it("runs when the lock is free again", function()
    hook(host.program .. " resume last --api-key-file key.secret >got 2>&1\n")
    place:write("key.secret", emulator.api_key, "600")
    fail(1)
    assert.equal(3, run(SCRIPT, "--apply", "--on-end", "./hook").code)
    lacks(place:read "got", "lock")
  end)
end)

it("names of files may hold the profile and the date", function()
  run(SCRIPT, "--log", "%p-%F-100%%.log", "--save-plan", "%F.plan", "--summary", "summary.json")
  local day = host.shell "date +%F"
  assert.is_string(place:read("default-" .. day .. "-100%.log"))
  assert.is_string(place:read(day .. ".plan"))
end)
