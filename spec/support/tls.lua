-- Puts a server that speaks HTTP/2 over TLS in front of an emulator: nghttpx, or
-- composio-h2front, which breaks rules of its own; with a certificate that is made for it.
--
--   local tls = require "spec.support.tls"
--   local front = tls.http2(emulator)
--   front.url, front.ca (the file to trust), front:stop()
--   local front = tls.unruly(emulator, { "goaway:2-3" })    rules: spec/support/h2front.c
--   front:stop()                                     the rules that struck, by their kind
-- Must not know: what the specs are about.
local server = require "spec.support.server"
local quote = server.quote

local tls = {}

local Front = {}
Front.__index = Front

local function shell(command)
  local pipe = assert(io.popen(command .. " 2>&1", "r"))
  local text = pipe:read "a"
  return pipe:close(), text
end

-- Makes a key and a self-signed certificate for names of this machine.
local function certificate(dir)
  local good, text = shell(
    ("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
      .. "-keyout %s/key.pem -out %s/cert.pem -subj /CN=localhost "
      .. "-addext subjectAltName=DNS:localhost,DNS:service.example,IP:127.0.0.1"):format(
      quote(dir),
      quote(dir)
    )
  )
  assert(good, text)
end

-- nghttpx cannot choose a free port itself: this tries a port that was free a moment ago,
-- and another one when some other process took it first.
local function free_port()
  local program = server.start("composio-faultproxy", { "--to", 9 })
  local port = program.port
  program:stop()
  return port
end

local function answers(front)
  local command = "curl -s -o %s/null --cacert %s https://localhost:%d/ 2>/dev/null"
  return (shell(command:format(quote(front.dir), quote(front.ca), front.port)))
end

local function start(front, target)
  front.port = free_port()
  local command = "echo $$; exec nghttpx --conf=/dev/null -f127.0.0.1,%d -b127.0.0.1,%d -n1 "
    .. "%s/key.pem %s/cert.pem >%s/log 2>&1"
  local dir = quote(front.dir)
  front.pipe =
    assert(io.popen(command:format(front.port, target.port, dir, dir, dir), "r"))
  front.pid = front.pipe:read "l"
  for _ = 1, 250 do
    if answers(front) then
      return true
    end
    os.execute "sleep 0.02"
  end
end

local function new_front()
  local _, dir = shell "mktemp -d"
  dir = dir:match "^[^\n]+"
  certificate(dir)
  return setmetatable({ dir = dir, ca = dir .. "/cert.pem" }, Front)
end

function tls.http2(target)
  local front = new_front()
  for _ = 1, 3 do
    if start(front, target) then
      front.url = "https://localhost:" .. front.port
      return front
    end
    front:stop(true)
  end
  local _, log = shell("cat " .. quote(front.dir) .. "/log")
  error("nghttpx did not start: " .. log, 2)
end

function Front:stop(keep_files)
  if self.pipe then
    -- its worker is a child of its own
    os.execute(("pkill -P %s 2>/dev/null; kill %s 2>/dev/null"):format(self.pid, self.pid))
    while self.pipe:read(4096) do
    end
    self.pipe:close()
    self.pipe = nil
  end
  if not keep_files then
    os.execute("rm -rf " .. quote(self.dir))
  end
end
Front.__gc = Front.stop

local Unruly = {}
Unruly.__index = Unruly

function tls.unruly(target, rules)
  local front = new_front()
  local words = { "--to", target.port, "--cert", front.ca, "--key", front.dir .. "/key.pem" }
  local program = server.start("composio-h2front", table.move(rules, 1, #rules, 7, words))
  local url = "https://localhost:" .. program.port
  return setmetatable({ front = front, program = program, ca = front.ca, url = url }, Unruly)
end

function Unruly:stop()
  local struck = {}
  os.execute("kill " .. self.program.pid)
  for kind in self.program.pipe:lines() do
    struck[kind] = true
  end
  self.program:stop()
  self.front:stop()
  return struck
end

return tls
