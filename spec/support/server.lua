-- Starts the programs that specs talk to, controls them, and stops them.
--
--   local server = require "spec.support.server"
--   local emulator = server.emulator { "--accounts", "50", "--seed", "3" }
--   emulator.url, emulator.api_key, emulator.port
--   emulator:client { retries = 0 }       a composio.client that talks to it
--   emulator:requests()                   list of { method, path, body, … },
--                                         since the last forget()
--   emulator:forget()
--   emulator:changes(), emulator:stats()
--   emulator:tell("accounts/ca_x/complete"), emulator:tell("faults", { … })
--   emulator:ask("clock")                 GET below /_emulator/
--   emulator:reset()                      puts it back to its start
--   emulator:stop()
--
-- A program that was started ends with stop(), or when Lua closes. No library for
-- processes or sockets is needed: popen gives the pid and the first line, and bash
-- opens connections by /dev/tcp.
-- Must not know: what the specs are about.
local cjson = require "cjson"

local server = {}

local function quote(text)
  return "'" .. tostring(text):gsub("'", "'\\''") .. "'"
end
server.quote = quote

-- The directory's path from /, since children run in directories of their own.
local function absolute(path)
  local pipe = assert(io.popen("cd " .. quote(path) .. " && pwd"))
  local full = pipe:read "l"
  pipe:close()
  return assert(full, path .. " is no directory")
end

server.root = absolute(debug.getinfo(1, "S").source:match "^@(.*)/spec/support/" or ".")
server.build = absolute(os.getenv "COMPOSIO_BUILD" or "build")
server.lua = server.root .. "/spec/lua" -- this system's Lua 5.4

local Program = {}
Program.__index = Program

-- Starts a program. Its first line, a JSON object, becomes the result.
function server.start(program, arguments)
  local words = { "echo $$; exec", quote(server.build .. "/" .. program) }
  for _, argument in ipairs(arguments or {}) do
    words[#words + 1] = quote(argument)
  end
  local pipe = assert(io.popen(table.concat(words, " "), "r"))
  local pid = pipe:read "l"
  local line = pipe:read "l"
  if not line then
    pipe:close()
    error(program .. " did not start", 2)
  end
  local handle = cjson.decode(line)
  handle.pid, handle.pipe, handle.program = pid, pipe, program
  handle.port = math.tointeger(handle.port) or tonumber((handle.url or ""):match ":(%d+)$")
  return setmetatable(handle, Program)
end

-- Terminates the program and waits for its end: true when it exited with 0.
function Program:stop()
  if not self.pipe then
    return true
  end
  local pipe = self.pipe
  self.pipe = nil
  os.execute("kill " .. self.pid .. " 2>/dev/null")
  while pipe:read(4096) do
  end
  return (pipe:close())
end
Program.__gc = Program.stop

-- One HTTP exchange with a port of this machine: status, body, head. `headers` are
-- further header lines, each ended by CR LF.
function server.http(port, method, path, body, headers)
  local name = os.tmpname()
  local file = assert(io.open(name, "wb"))
  file:write(
    ("%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n"):format(method, path, port),
    headers or "",
    ("Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"):format(#(body or "")),
    body or ""
  )
  file:close()
  local script = ("exec 3<>/dev/tcp/127.0.0.1/%d; cat %s >&3; cat <&3"):format(port, name)
  local pipe = assert(io.popen("bash -c " .. quote(script) .. " 2>&1", "r"))
  local reply = pipe:read "a"
  pipe:close()
  os.remove(name)
  local status, head, rest = reply:match "^HTTP/1%.%d (%d+)[^\n]*\n(.-\r\n)\r\n(.*)$"
  if not status then
    error("no reply to " .. method .. " " .. path .. ": " .. reply, 2)
  end
  return tonumber(status), rest, head
end

-- Decodes a text of JSON lines into a list.
function server.json_lines(text)
  local list = {}
  for line in text:gmatch "[^\n]+" do
    list[#list + 1] = cjson.decode(line)
  end
  return list
end

local Emulator = setmetatable({}, Program)
Emulator.__index = Emulator
Emulator.__gc = Program.stop

-- program: an emulator to use instead of the shipped one.
function server.emulator(arguments, program)
  return setmetatable(server.start(program or "composio-emulator", arguments), Emulator)
end

function Emulator:control(method, path, body)
  local text = body and cjson.encode(body) or ""
  local status, reply = server.http(self.port, method, "/_emulator/" .. path, text)
  if status ~= 200 then
    error(("%s %s: %d %s"):format(method, path, status, reply), 3)
  end
  return reply
end

function Emulator:ask(path)
  return cjson.decode(self:control("GET", path))
end

function Emulator:tell(path, body)
  return self:control("POST", path, body)
end

function Emulator:requests()
  return server.json_lines(self:control("GET", "requests"))
end

function Emulator:forget()
  self:control("DELETE", "requests")
end

function Emulator:changes()
  return server.json_lines(self:control("GET", "changes"))
end

function Emulator:stats()
  return self:ask "stats"
end

-- Replaces all fault rules; docs/emulator.md describes them.
function Emulator:faults(rules)
  self:control("DELETE", "faults")
  if rules then
    self:tell("faults", rules)
  end
end

function Emulator:reset()
  self:tell "reset"
end

-- Each request as "METHOD /path?query", without the API's prefix.
function Emulator:lines()
  local list = {}
  for place, request in ipairs(self:requests()) do
    list[place] = request.method .. " " .. request.path:gsub("^/api/v3%.1", "")
  end
  return list
end

function Emulator:client(options)
  local all = { base_url = self.url, api_key = self.api_key, timeout = 10, retries = 0 }
  for key, value in pairs(options or {}) do
    all[key] = value
  end
  return require("composio").client(all)
end

return server
