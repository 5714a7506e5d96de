-- A password in the URL of --ping stood in clear in the ledger, in the saved plan, in `next:` and
-- so in the mail, the log and the summary.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local has = job.has
local PASSWORD = "cluttered-monitor-door"
local emulator, place, url
scene.of_host({ "--accounts", "20" }, function(...)
  emulator, place = ...
  place.secrets[#place.secrets + 1] = PASSWORD
  url = emulator.url:gsub("//", "//me:" .. PASSWORD .. "@") .. "/ping/one"
end)

local SCRIPT = [[
  composio.bulk(accounts.each { statuses = { "ACTIVE" } }, function(a) a:disable() end)
]]

local function pings()
  local count = 0
  for _, request in ipairs(emulator:requests()) do
    count = count + (request.path:find "^/ping/one" and 1 or 0)
  end
  return count
end

local function run(...)
  return place:run(host.unlimited { ... }, { script = SCRIPT })
end

it("is in no file and in no command", function()
  emulator:faults { { path = "/ping/*", times = 9, action = "reply", status = 200, body = "OK" } }
  emulator:forget()
  local preview = run("job.lua", "--ping", url, "--log", "log", "--save-plan", "plan")
  assert.equal(0, preview.code, preview.err)
  assert.equal(2, pings())
  preview = run("job.lua", "--ping=" .. url, "--summary", "summary.json")
  has(preview.err, " --apply\nthe command leaves out --ping, because its URL holds a password\n")
  job.lacks(preview.summary.next, "ping")
  emulator:faults { job.refusal { method = "PATCH" } }
  local acted = run("job.lua", "--apply", "--ping", url, "--cron")
  assert.equal(3, acted.code)
  has(place:run({ "show", "last", "--json" }).out, '"options"')
end)

it("is hidden when the monitor does not answer", function()
  local acted = run("job.lua", "--ping", url, "-vv")
  assert.equal(0, acted.code)
  has(acted.err, "the ping was not received")
end)

it("a URL without one is repeated, but not kept", function()
  local plain = emulator.url .. "/ping/one"
  local preview = run("job.lua", "--ping", plain)
  has(preview.err, " --ping " .. plain .. " --apply\n")
  run("job.lua", "--apply", "--ping", plain)
  job.lacks(place:run({ "show", "last", "--json" }).out, "/ping/one")
end)
