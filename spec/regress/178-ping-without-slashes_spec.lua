-- A --ping URL without "//" ended the program by SIGSEGV, without a word; a password in a URL
-- that was refused stood in the message.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local PASSWORD = "cluttered-monitor-door"
local emulator, place
scene.of_host({ "--accounts", "3" }, function(...)
  emulator, place = ...
  place.secrets[#place.secrets + 1] = PASSWORD
end)

local function refused(...)
  local run = place:run({ "job.lua", ... }, { script = "print 'not reached'" })
  assert.equal(2, run.code, run.err)
  assert.equal("", run.out)
  return run
end

it("a --ping that is no URL of a host is refused, with the way out", function()
  for _, url in ipairs {
    "hc-ping.com/uuid", "foo", "mailto:a@b", "http:x@y", "http://", "https://", "http:///x",
    "http://?x", "http://:80/", "", "//", ":@", "@", "file:///etc/passwd",
  } do
    local run = refused("--ping", url)
    job.has(run.err, ("'%s' is not a value for --ping URL: "):format(url))
    job.has(run.err, "(http:// or https://)")
    job.lacks(run.err, "was not received")
  end
end)

it("so it is beside another fault, and for resume", function()
  for _, other in ipairs { "--concurrency=x", "--nothing" } do
    refused("--ping", "hc-ping.com/uuid", other)
    refused(other, "--ping", "hc-ping.com/uuid")
  end
  job.has(place:run({ "resume", "last", "--ping", "foo" }).err, "is not a value for --ping")
end)

it("the password of a URL that is refused is not repeated", function()
  local run = refused("--ping", "me:" .. PASSWORD .. "@hc-ping.com/uuid")
  job.has(run.err, "'me:***@hc-ping.com/uuid'")
end)

it("a run that is refused for another option pings", function()
  emulator:faults { { path = "/ping/*", times = 9, action = "reply", status = 200, body = "OK" } }
  emulator:forget()
  refused("--ping", emulator.url .. "/ping/one", "--concurrency=x")
  assert.equal("/ping/one/2", emulator:requests()[2].path)
end)
