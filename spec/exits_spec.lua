-- Each exit code by each of its roads, as docs/exits.md lists them.
local host = require "spec.support.host"
local proxy = require "spec.support.proxy"
local scene = require "spec.support.scene"
local server = require "spec.support.server"

local emulator, place
scene.of_host({ "--accounts", "40" }, function(...)
  emulator, place = ...
end)

local READ = [[print(#accounts.list({ limit = 5 }).items)]]
local DISABLE = [[
  composio.bulk("one", accounts.each { statuses = { "ACTIVE" } }, function(account)
    account:disable()
  end)
]]
local CALLS = [[
  for _, account in ipairs(accounts.list({ statuses = { "ACTIVE" }, limit = 3 }).items) do
    accounts.disable(account)
  end
]]
local DELETE = [[
  composio.job { may = "irreversible" }
  composio.bulk("one", accounts.each { statuses = { "EXPIRED" } }, function(account)
    account:delete()
  end)
]]

local function run(script, ...)
  return place:run(host.unlimited { "job.lua", ... }, { script = script }).code
end

-- The same with a limit of two changes.
local function limited(script, ...)
  local words = { "job.lua", "--max-changes", "2", "--max-percent", "100", ... }
  return place:run(words, { script = script }).code
end

local function rejects(rule)
  rule.action, rule.status, rule.times = "reply", 401, 100000
  rule.body = { error = { message = "Invalid API key", code = 10401, slug = "HTTP_Unauthorized" } }
  emulator:faults { rule }
end

local function verb(...)
  return place:run(host.unlimited { ... }).code
end

-- The exit code of a run that this signal ends.
local function signalled(name)
  local script = [[
    accounts.disable(accounts.list({ statuses = { "ACTIVE" } }).items[1])
    print "ready"
    composio.sleep(60)
  ]]
  local process = place:start({ "job.lua", "--apply" }, { script = script })
  process:wait_for "ready"
  process:signal(name)
  return process:wait().code
end

local roads = {}

roads["a preview"] = function()
  return run(DISABLE)
end
roads["all changes are done"] = function()
  return run(DISABLE, "--apply")
end
roads["there is nothing to change"] = function()
  return run("local x = 1", "--apply")
end
roads["resume of a finished run"] = function()
  run(CALLS, "--apply")
  return verb("resume", "last")
end
roads["a report cannot be written at the end"] = function()
  return run([[
    composio.job { may = "read" }
    composio.report("r.csv", { "id" }):add { id = "x" }
    os.execute "mkdir r.csv"
  ]], "--allow", "io,os")
end
roads["a plan cannot be saved"] = function()
  return run(DISABLE, "--save-plan", "nowhere/plan")
end
roads["a preview ends where it needs a result"] = function()
  return run [[print(accounts.link("user", "ac_GmailManaged").redirect_url)]]
end
roads["the script raises"] = function()
  return run "error 'no'"
end
roads["the script raises after a change"] = function()
  return run(CALLS .. "error 'no'", "--apply")
end
roads["a bulk raises while it is planned, and the script catches it"] = function()
  return run("pcall(composio.bulk, { { } }, function() end)", "--apply")
end
roads["the script uses up --instructions"] = function()
  return run("while true do end", "--instructions", "100000")
end
roads["the script uses up --memory"] = function()
  return run("local t = {} while true do t[#t + 1] = ('x'):rep(1e5) .. #t end", "--memory", "16")
end
roads["the script uses up --cpu"] = function()
  return run("while true do end", "--cpu", "200ms")
end
roads["an unknown option"] = function()
  return verb("--nothing")
end
roads["a script that is not there"] = function()
  return verb("./nothing.lua")
end
roads["a line of --protect that cannot be read"] = function()
  place:write("protect", "ops@example.com\n")
  return run(DISABLE, "--protect", "protect")
end
roads["the file of --log cannot be written"] = function()
  return run(DISABLE, "--log", "nowhere/log")
end
roads["the file of --on-end cannot be run"] = function()
  return run(DISABLE, "--on-end", "./nothing")
end
roads["a script that does not compile"] = function()
  return run "local = 1"
end
roads["a profile that is not there"] = function()
  return run(DISABLE, "--profile", "nowhere")
end
roads["a parameter whose value is not of its type"] = function()
  return run('composio.job { params = { days = { type = "integer" } } }', "--days", "many")
end
roads["wrong usage that the script finds after a change"] = function()
  return run(CALLS .. [[composio.job { params = { a = { type = "integer", required = true } } }]],
    "--apply")
end
local LINKS = [[
  composio.bulk({ key = function(row) return row.user end }, { { user = "a" }, { user = "b" } },
    function(row) accounts.link(row.user, "ac_GmailManaged") end)
]]
roads["a run that makes accounts, while another like it stands interrupted"] = function()
  emulator:faults {
    { method = "POST", action = "reply", status = 400,
      body = { error = { message = "no", code = 400, slug = "HTTP_BadRequest" } } },
  }
  run(LINKS, "--apply", "--concurrency", "1", "--stop-on", "failed=1")
  emulator:faults()
  return run(LINKS, "--apply")
end
roads["apply of a plan that was carried out"] = function()
  run(DISABLE, "--save-plan", "plan")
  verb("apply", "plan")
  return verb("apply", "plan")
end
roads["apply of a plan that was edited"] = function()
  run(DISABLE, "--save-plan", "plan")
  place:write("plan", (place:read("plan"):gsub('"disable"', '"enable"', 1)))
  return verb("apply", "plan")
end
roads["resume with another secret than the run had"] = function()
  local script = [[composio.job { params = { token = { type = "secret", required = true } } }]]
  emulator:faults {
    { method = "PATCH", action = "reply", status = 400, times = 2,
      body = { error = { message = "no", code = 400, slug = "HTTP_BadRequest" } } },
  }
  place.env.COMPOSIO_PARAM_TOKEN = "the right one"
  run(script .. DISABLE, "--apply", "--concurrency", "1", "--stop-on", "failed=1")
  place.env.COMPOSIO_PARAM_TOKEN = "another one"
  return verb("resume", "last")
end
roads["a Retry-After is longer than --max-wait"] = function()
  emulator:faults {
    { method = "PATCH", nth = 2, action = "reply", status = 429,
      headers = { ["Retry-After"] = "60" },
      body = { error = { message = "slow down", code = 429, slug = "RateLimited" } } },
  }
  return run(DISABLE, "--apply", "--concurrency", "1", "--max-wait", "1s")
end
roads["there is no API key"] = function()
  place.env.COMPOSIO_API_KEY = nil
  return run(READ)
end
roads["the API key is of another kind"] = function()
  place.env.COMPOSIO_API_KEY = "uak_one"
  return run(READ)
end
roads["the base URL has no such route"] = function()
  place.env.COMPOSIO_BASE_URL = emulator.url .. "/elsewhere"
  return run(DISABLE, "--apply")
end
roads["resume of a preview"] = function()
  run(DISABLE)
  return verb("resume", "last")
end
roads["a change failed"] = function()
  emulator:faults {
    { method = "PATCH", action = "reply", status = 400,
      body = { error = { message = "no", code = 400, slug = "HTTP_BadRequest" } } },
  }
  return run(DISABLE, "--apply", "--concurrency", "1")
end
-- A run that --stop-on has left open, taken up by the next one while this rule holds.
local function resumed_first(rule, ...)
  local links = [[
    composio.bulk({ key = function(row) return row.user end },
      { { user = "a" }, { user = "b" }, { user = "c" } },
      function(row) accounts.link(row.user, "ac_GmailManaged", { allow_multiple = true }) end)
  ]]
  emulator:faults { { method = "POST", action = "reply", status = 400, times = 1,
    body = { error = { message = "no", code = 400, slug = "HTTP_BadRequest" } } } }
  run(links, "--apply", "--concurrency", "1", "--stop-on", "failed=1")
  emulator:faults { rule }
  return run(links, "--apply", "--resume-first", ...)
end
roads["a change failed in the run that --resume-first finished"] = function()
  return resumed_first({ method = "POST", action = "delay", delay_ms = 0 }, "--stop-on", "failed=9")
end
roads["a change stays unknown in the run that --resume-first resumed"] = function()
  return resumed_first({ method = "POST", action = "close", times = 1 }, "--retries=0",
    "--settle-wait=0", "--stop-on", "failed=9")
end
roads["a change of a plan is stale"] = function()
  run(DISABLE, "--save-plan", "plan")
  place:script(CALLS, "other.lua")
  verb("other.lua", "--apply")
  return verb("apply", "plan")
end
roads["nobody received the link of a report's row"] = function()
  local script = [[
    local report = composio.report("links.csv", { "who", "reason", "redirect_url" })
    composio.bulk({
      key = function(row) return row.user end,
      after = function(row, results)
        if pcall(composio.csv, "slow.csv") then composio.sleep(30) end
        report:add { who = row.user, redirect_url = results.link.redirect_url }
      end,
    }, { { user = "person_1" } }, function(row) accounts.link(row.user, "ac_GmailManaged") end)
  ]]
  place:write("slow.csv", "a\n")
  local process = place:start(host.unlimited { "job.lua", "--apply" }, { script = script })
  host.wait_until(function()
    return #emulator:changes() > 0
  end, "the link")
  host.shell "sleep 0.3" -- its outcome is written with the next one, or a little later
  process:signal "KILL"
  process:wait()
  os.remove(place.path .. "/slow.csv")
  return verb("resume", "last")
end
local function incomplete(action)
  emulator:faults { { path = "*/connected_accounts?*", action = "total_items", add = 1 } }
  local script = "composio.bulk(accounts.each {}, function(account) %s end)"
  return run(script:format(action), "--apply")
end
roads["a listing is incomplete"] = function()
  return incomplete "account:disable()"
end
roads["a listing is incomplete, and nothing was planned"] = function()
  return incomplete ""
end
roads["a preview is over a limit"] = function()
  return limited(DISABLE)
end
roads["the first bulk is over a limit"] = function()
  return limited(DISABLE, "--apply")
end
roads["the first call is over a limit"] = function()
  place:script(CALLS)
  return place:run({ "job.lua", "--apply", "--max-changes", "0" }).code
end
roads["irreversible changes are not confirmed"] = function()
  return run(DELETE, "--apply")
end
roads["a change is above the job's class"] = function()
  return run((DELETE:gsub('"irreversible"', '"reversible"')), "--apply")
end
roads["a preview with --detailed-exitcode has changes"] = function()
  return run(DISABLE, "--detailed-exitcode")
end
roads["the key is rejected by a listing"] = function()
  rejects { method = "GET" }
  return run(DISABLE, "--apply")
end
roads["the key is rejected by a look-up before a call"] = function()
  rejects { method = "GET", nth = 2 }
  local script = [[
    composio.job { may = "irreversible" }
    accounts.delete(accounts.list({ statuses = { "EXPIRED" } }).items[1])
  ]]
  return run(script, "--apply", "--confirm", "1")
end
roads["the key is rejected by a change of a bulk"] = function()
  rejects { method = "PATCH", nth = 2 }
  return run(DISABLE, "--apply", "--concurrency", "1")
end
roads["the key is rejected by apply PLAN"] = function()
  run(DISABLE, "--save-plan", "plan")
  rejects { path = "*" }
  return verb("apply", "plan")
end
roads["the key is rejected by resume"] = function()
  rejects { method = "PATCH", nth = 2 }
  run(DISABLE, "--apply", "--concurrency", "1")
  rejects { path = "*" }
  return verb("resume", "last")
end
roads["the service cannot be reached"] = function()
  place.env.COMPOSIO_BASE_URL = "http://127.0.0.1:" .. proxy.unused_port()
  return run(DISABLE, "--apply", "--retries", "0")
end
roads["the service answers as somebody else"] = function()
  emulator:faults { { action = "html" } }
  return run(DISABLE, "--apply", "--retries", "0")
end
roads["a later bulk is over a limit"] = function()
  local first = [[
    local ids = { accounts.list({ statuses = { "ACTIVE" } }).items[1].id }
    composio.bulk("zero", ids, function(account) account:disable() end)
  ]]
  return limited(first .. DISABLE, "--apply")
end
roads["a later call is over a limit, and the script catches it"] = function()
  return limited("pcall(function() " .. CALLS .. " end)", "--apply")
end
roads["--stop-on ends the run"] = function()
  emulator:faults {
    { method = "PATCH", times = 1000, action = "reply", status = 400,
      body = { error = { message = "no", code = 400, slug = "HTTP_BadRequest" } } },
  }
  return run(DISABLE, "--apply", "--concurrency", "1", "--stop-on", "failed=2")
end
-- The exit code where no file may grow beyond this many bytes.
local function cramped(bytes, script, ...)
  return place:run(host.unlimited { "job.lua", ... }, {
    script = script,
    prefix = "prlimit --fsize=" .. bytes,
  }).code
end
roads["the disk is full while a bulk is planned"] = function()
  return cramped(60000, DISABLE, "--apply")
end
roads["the disk is full between changes"] = function()
  local changes = [[
    local id = accounts.list({ statuses = { "ACTIVE" }, limit = 1 }).items[1].id
    for _ = 1, 100 do
      accounts.disable(id)
      accounts.enable(id)
    end
  ]]
  return cramped(300000, changes, "--apply")
end
roads["a change stays unknown"] = function()
  emulator:faults {
    { method = "POST", action = "apply_then_close" },
    { method = "GET", nth = 2, times = 1000, action = "close" },
  }
  return run([[pcall(accounts.link, "a user", "ac_GmailManaged")]], "--apply", "--retries", "0")
end
roads["a wait in after ends with people still pending"] = function()
  return run([[
    composio.bulk({ after = function(_, results)
      results.link:wait_for_connection { timeout = 0.2, interval = 0.05 }
    end }, { { id = "a" } }, function(row)
      accounts.link("user " .. row.id, "ac_GmailManaged")
    end)
  ]], "--apply")
end
roads["--deadline ends the run before everything is sent"] = function()
  return run(CALLS .. "composio.sleep(30)", "--apply", "--deadline", "1s")
end
roads["--deadline ends settling"] = function()
  emulator:faults { { method = "POST", path = "*/refresh", action = "close" } }
  return run([[
    composio.bulk({ "ca_gmail_u123_C" }, function(account) account:refresh() end)
  ]], "--apply", "--retries", "0", "--deadline", "1s")
end
roads["--deadline ends a wait in after"] = function()
  return run([[
    composio.bulk({ after = function(_, results)
      results.link:wait_for_connection { timeout = 60 }
    end }, { { id = "a" } }, function(row)
      accounts.link("user " .. row.id, "ac_GmailManaged")
    end)
  ]], "--apply", "--deadline", "1s")
end
roads["--if-older finds a more recent run"] = function()
  run(CALLS, "--apply")
  return run(CALLS, "--apply", "--if-older", "1h")
end
roads["the script calls os.exit"] = function()
  return run(CALLS .. "os.exit(66)", "--apply", "--allow", "os")
end
roads["another run holds the lock"] = function()
  local script = [[
    accounts.disable(accounts.list({ statuses = { "ACTIVE" } }).items[1])
    print "ready"
    while not io.open("go") do composio.sleep(0.02) end
  ]]
  place:script(script, "holds.lua")
  local process = place:start { "holds.lua", "--apply", "--allow", "io" }
  process:wait_for "ready"
  local code = run(CALLS, "--apply")
  place:write("go", "")
  process:wait()
  return code
end
-- The exit code of a run while another one writes same.csv.
local function beside_a_writer(script)
  place:script([[
    composio.job { may = "read" }
    composio.report("same.csv", { "a" })
    print "ready"
    while not io.open("go") do composio.sleep(0.02) end
  ]], "holds.lua")
  local process = place:start { "holds.lua", "--allow", "io" }
  process:wait_for "ready"
  local code = run(script .. [[composio.report("same.csv", { "a" })]], "--apply")
  place:write("go", "")
  process:wait()
  return code
end
roads["another run writes the same report"] = function()
  return beside_a_writer ""
end
roads["another run writes the report of a later bulk"] = function()
  return beside_a_writer(DISABLE .. "\n")
end
for code, name in pairs { [129] = "HUP", [130] = "INT", [143] = "TERM" } do
  roads["SIG" .. name] = function()
    return signalled(name), code
  end
end

local function listed()
  local file = assert(io.open(server.root .. "/docs/exits.md"))
  local rows = {}
  for code, road in file:read("a"):gmatch "\n| (%d+) | ([^|\n]+) |%f[\n]" do
    rows[#rows + 1] = { code = tonumber(code), road = road }
  end
  file:close()
  return rows
end

describe("the exit code", function()
  local left = {}
  for road in pairs(roads) do
    left[road] = true
  end
  for _, row in ipairs(listed()) do
    left[row.road] = nil
    it(("is %d when %s"):format(row.code, row.road), function()
      assert.equal(row.code, assert(roads[row.road], "no such road in this file")())
    end)
  end

  it("has no road that docs/exits.md leaves out", function()
    assert.is_nil((next(left)))
  end)
end)
