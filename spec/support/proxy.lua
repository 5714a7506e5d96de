-- Starts a composio-faultproxy with rules for one case, and counts what its log says
-- when the case is over.
--
--   local run = proxy.start(emulator, { "method=POST,when=reply,do=cut" })
--   run:client { retries = 1 }            a client that goes through it
--   local seen = run:finish()             ends it and reads its log
--   seen.asked, seen.arrived              how many requests clients sent, and how
--                                         many of them the server got whole
--   seen:of "POST"                        the same two numbers for one method
--   proxy.answer(503, { "Retry-After: 1" }, "busy")   a rule's do=answer,text=…
--   proxy.unused_port()                   a port where nobody listens
-- Must not know: what the specs are about.
local cjson = require "cjson"
local server = require "spec.support.server"

local proxy = {}

local Run = {}
Run.__index = Run

function proxy.start(target, rules)
  local run = setmetatable({ log = os.tmpname(), clients = {} }, Run)
  local arguments = { "--to", target.port, "--log", run.log }
  for _, rule in ipairs(rules) do
    arguments[#arguments + 1] = "--rule"
    arguments[#arguments + 1] = rule
  end
  run.program = server.start("composio-faultproxy", arguments)
  run.port, run.api_key = run.program.port, target.api_key
  run.url = "http://127.0.0.1:" .. run.port
  return run
end

function Run:client(options)
  local all = { base_url = self.url, api_key = self.api_key, timeout = 5, retries = 0 }
  for key, value in pairs(options or {}) do
    all[key] = value
  end
  local client = require("composio").client(all)
  self.clients[#self.clients + 1] = client
  return client
end

local Seen = {}
Seen.__index = Seen

local function count(requests, method)
  local seen = setmetatable({ requests = {}, asked = 0, arrived = 0 }, Seen)
  for _, entry in ipairs(requests) do
    if not method or entry.method == method then
      seen.requests[#seen.requests + 1] = entry
      seen.asked = seen.asked + 1
      seen.arrived = seen.arrived + (entry.request_whole and 1 or 0)
    end
  end
  return seen
end

function Seen:of(method)
  return count(self.requests, method)
end

-- Closes its clients first, since the log has a request only when its connection ends.
function Run:finish()
  for _, client in ipairs(self.clients) do
    client:close()
  end
  self.program:stop()
  local requests = {}
  for line in io.lines(self.log) do
    local entry = cjson.decode(line)
    if entry.kind == "request" then
      requests[#requests + 1] = entry
    end
  end
  os.remove(self.log)
  return count(requests)
end

-- A whole HTTP reply as the value of a rule's text=.
function proxy.reply(status, headers, body, length)
  local lines = { ("HTTP/1.1 %d Told"):format(status) }
  table.move(headers or {}, 1, #(headers or {}), 2, lines)
  lines[#lines + 1] = "Content-Length: " .. (length or #(body or ""))
  local text = table.concat(lines, "\r\n") .. "\r\n\r\n" .. (body or "")
  return (text:gsub("\\", "\\\\"):gsub("\r", "\\r"):gsub("\n", "\\n"))
end

-- The end of a rule: the proxy answers with this instead of asking the server.
function proxy.answer(...)
  return "do=answer,text=" .. proxy.reply(...)
end

-- The end of a rule: the server handles the request, and the proxy replaces its reply
-- with this one.
function proxy.replace(...)
  return "when=reply,at=0,do=replace,text=" .. proxy.reply(...)
end

-- Returns a port that was free a moment ago, so nobody should listen there.
function proxy.unused_port()
  local program = server.start("composio-faultproxy", { "--to", 9 })
  local port = program.port
  program:stop()
  return port
end

return proxy
