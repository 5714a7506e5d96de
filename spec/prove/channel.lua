-- One connection to a port of this machine that stays open, for the many questions that a
-- sweep asks its emulator.
--
--   local line = channel.open(port, dir)          dir: where its pipe may lie
--   local status, body = line:ask("GET", "/_emulator/changes")
-- It ends with the program at the other end.
-- Must not know: what is asked.
local server = require "spec.support.server"

local channel = {}
local Line = {}
Line.__index = Line

local opened = 0

-- Lua has no sockets: bash opens the connection, one cat carries the questions and another
-- one the answers, which come through a named pipe.
function channel.open(port, dir)
  opened = opened + 1
  local fifo = server.quote(("%s/answers.%d"):format(dir, opened))
  local script = ("mkfifo %s && exec 3<>/dev/tcp/127.0.0.1/%d && { cat <&3 >%s & exec cat >&3; }")
    :format(fifo, port, fifo)
  local questions = assert(io.popen("exec bash -c " .. server.quote(script), "w"))
  questions:setvbuf "full"
  local answers
  for _ = 1, 500 do
    answers = io.open(("%s/answers.%d"):format(dir, opened), "rb")
    if answers then
      break
    end
    os.execute "sleep 0.01"
  end
  assert(answers, "no connection to the emulator")
  return setmetatable({ questions = questions, answers = answers, port = port }, Line)
end

function Line:ask(method, path, body)
  body = body or ""
  self.questions:write(
    ("%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"):format(method, path, self.port),
    ("Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"):format(#body),
    body
  )
  self.questions:flush()
  local first = assert(self.answers:read "l", "the emulator has closed the connection")
  local length
  for line in function() return self.answers:read "l" end do
    length = length or line:lower():match "^content%-length: (%d+)"
    if line == "\r" then
      break
    end
  end
  length = math.tointeger(assert(length, first))
  return tonumber(first:match "^HTTP/1%.%d (%d+)"), length == 0 and "" or self.answers:read(length)
end

return channel
