-- Causes that were known and not said: each refused certificate asked for --tls-ca, a process
-- without descriptors blamed the network, and UTF-16 was "a control byte".
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"
local server = require "spec.support.server"

local emulator, place
scene.of_host({ "--accounts", "20" }, function(...)
  emulator, place = ...
end)

local AUTHORITY = [[
[ca]
default_ca = own
[own]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = names
x509_extensions = extensions
[names]
commonName = supplied
[extensions]
subjectAltName = %s
]]

-- Makes key.secret and cert.pem, which signs itself. `openssl ca` takes dates of the past in
-- every version; `openssl x509` of Debian 13 refuses a negative number of days.
local function make_certificate(dir, names, validity)
  host.shell("mkdir -p " .. dir)
  place:write("tls/authority", AUTHORITY:format(names))
  host.shell(("cd %s && : >index && echo 01 >serial && openssl req -new -newkey ec -pkeyopt "
    .. "ec_paramgen_curve:prime256v1 -nodes -keyout key.secret -out request -subj /CN=x 2>&1 && "
    .. "openssl ca -batch -notext -selfsign -config authority -keyfile key.secret -in request "
    .. "-out cert.pem %s 2>&1"):format(dir, validity))
end

-- Runs a listing against a server with such a certificate, in a directory of the place.
local function failed(names, trusted, validity)
  local dir = place.path .. "/tls"
  make_certificate(dir, names, validity or "-days 2")
  local proxy = server.start("composio-faultproxy", { "--to", 9 })
  local port = proxy.port
  proxy:stop()
  local pipe = io.popen(("cd %s && echo $$; exec openssl s_server -accept 127.0.0.1:%d -cert "
    .. "cert.pem -key key.secret -quiet >out 2>&1 </dev/null"):format(dir, port))
  local pid = pipe:read "l"
  host.wait_until(function()
    local probe = "bash -c ': </dev/tcp/127.0.0.1/%d' 2>/dev/null && echo up"
    return host.shell(probe:format(port)) == "up"
  end, "openssl s_server")
  local words = { "job.lua", "--retries", "0", "--timeout", "5s" }
  if trusted then
    table.move({ "--tls-ca", "tls/cert.pem" }, 1, 2, #words + 1, words)
  end
  local run = place:run(words, {
    script = "accounts.list()",
    env = { COMPOSIO_BASE_URL = "https://127.0.0.1:" .. port },
  })
  host.shell("kill " .. pid)
  pipe:close()
  assert.equal(7, run.code, run.err)
  return run.err
end

describe("a certificate", function()
  it("of an unknown authority asks for --tls-ca", function()
    job.has(failed "IP:127.0.0.1", "with --tls-ca")
  end)

  it("for another name sends to the base URL", function()
    local text = failed("DNS:other.example", true)
    job.has(text, "the certificate is for another name: check the base URL")
    job.lacks(text, "with --tls-ca")
  end)

  it("that has expired is told so", function()
    local text = failed("IP:127.0.0.1", true,
      "-startdate 20200101000000Z -enddate 20200102000000Z")
    job.has(text, "the certificate has expired")
    job.lacks(text, "with --tls-ca")
  end)
end)

describe("a process without descriptors", function()
  it("is told so, and not the network", function()
    local run = place:run({ "job.lua", "--retries", "0", "--allow", "io" }, {
      script = [[
        accounts.list() -- opens what is opened once
        local other = composio.client { base_url = "https://nosuch.invalid", api_key = "ak_x" }
        local held = {}
        repeat
          local file = io.open "/dev/null"
          held[#held + 1] = file
        until not file
        local _, failure = pcall(other.connected_accounts.list)
        for _, file in ipairs(held) do
          file:close()
        end
        error(failure)
      ]],
      prefix = "prlimit --nofile=32",
    })
    assert.equal(7, run.code, run.err)
    job.has(run.err, "no file descriptors left")
  end)
end)

describe("UTF-16", function()
  local TEXT = "\xff\xfei\0d\0\n\0"

  local function refused(code, ...)
    local run = place:run { ... }
    assert.equal(code, run.code, run.err)
    job.has(run.err, "is UTF-16: save it as UTF-8")
  end

  it("in a script, a CSV file and a list to protect is named", function()
    place:write("job.lua", TEXT)
    refused(2, "job.lua")
    place:write("job.lua", "r\0e\0t\0")
    refused(2, "job.lua")
    place:write("rows.csv", TEXT)
    place:script "for _ in composio.csv('rows.csv') do end"
    refused(1, "job.lua")
    refused(2, "job.lua", "--protect", "rows.csv")
    assert.same({}, emulator:requests())
  end)
end)
