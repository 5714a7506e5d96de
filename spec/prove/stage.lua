-- What the sweeps share: an emulator, a directory of their own, runs of the
-- host under strace, and the figure at the end.
--
--   local stage = require "spec.prove.stage"
--   stage.begin("kill", arg)              reads "short" among the arguments
--   stage.points(first, last, few)        1, 2, … or about `few` of them in short
--   stage.point(problems, how)            one point, and what was wrong with it
--   stage.power_cut(state, log)           what would be left of the ledger
--   stage.finish()                        one line; exit 1 on a contradiction
-- Must not know: what a sweep hurts.
package.path = (arg[0]:match "^(.*)/spec/prove/[^/]*$" or ".") .. "/?.lua;" .. package.path
local server = require "spec.support.server"

local stage = { short = false, count = 0, failed = 0 }
local quote = server.quote

stage.root = arg[0]:match "^(.*)/spec/prove/[^/]*$" or "."
stage.server = server
stage.quote = quote

-- A key that can be searched for: nothing that a run leaves may hold it.
stage.API_KEY = "ak_canary_8c1f0e5d7b3a"
stage.SECRET = "sk_canary_2d9e6b4f1a70"

function stage.begin(name)
  stage.name = name
  for _, word in ipairs(arg) do
    stage.short = stage.short or word == "short"
  end
  local pipe = assert(io.popen("mktemp -d", "r"))
  stage.dir = assert(pipe:read "l")
  pipe:close()
end

-- The command's output, and its exit code as a shell tells it.
function stage.shell(command)
  local pipe = assert(io.popen("{ " .. command .. "; } 2>&1; echo $?", "r"))
  local text = pipe:read "a"
  pipe:close()
  local output, code = text:match "^(.*)%f[^\n\0](%d+)\n$"
  return output, tonumber(code)
end

function stage.emulator(arguments)
  local all = { "--accounts", "600", "--api-key", stage.API_KEY, "--rate-limit", "0" }
  table.move(arguments or {}, 1, #(arguments or {}), #all + 1, all)
  return server.emulator(all)
end

-- The change log once the emulator has done all that reached it: whoever was
-- killed may have left requests in the sockets' buffers.
function stage.changes(emulator)
  local before = -1
  for _ = 1, 20 do
    local stats = emulator:stats()
    if stats.requests == before then
      break
    end
    before = stats.requests
  end
  local changes = {}
  for _, change in ipairs(emulator:changes()) do
    changes[#changes + 1] = change
  end
  return changes
end

-- The words that run the host: options.script, .state, .url, .more (a list),
-- .before (words in front of it, such as strace and its options).
function stage.command(options)
  local words = {
    "COMPOSIO_BASE_URL=" .. quote(options.url),
    "COMPOSIO_API_KEY=" .. quote(stage.API_KEY),
    "PROVE_SECRET=" .. quote(stage.SECRET),
    "timeout -k 5 120",
    options.before or "",
    quote(server.build .. "/composio-lua"),
    "run",
    quote(options.script),
    "--state-dir",
    quote(options.state),
  }
  for _, word in ipairs(options.more or {}) do
    words[#words + 1] = quote(word)
  end
  return table.concat(words, " ")
end

function stage.wipe(path)
  os.execute("rm -rf " .. quote(path))
end

function stage.write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

function stage.read(path)
  local file = io.open(path, "rb")
  local text = file and file:read "a" or ""
  if file then
    file:close()
  end
  return text
end

-- How far into the ledger's log everything was synced: bytes, or nil when all
-- of it was (or there is none).
local function unsynced_from(calls)
  local least
  for line in calls:gmatch "[^\n]+" do
    local offset = line:match "pwrite64%(%d+<[^>]*ledger%.db%-wal>.-, %d+, (%d+)%)"
    if offset then
      least = math.min(least or math.maxinteger, math.tointeger(offset))
    elseif line:find "sync%(%d+<[^>]*ledger%.db%-wal>%)%s+= 0" then
      least = nil
    end
  end
  return least
end

-- What of a state directory would be left had the power failed when the calls in
-- `log` (of strace) had been made: a directory, or nil when nothing is lost.
function stage.power_cut(state, log)
  local from = unsynced_from(stage.read(log))
  local wal = stage.read(state .. "/ledger.db-wal")
  if not from or from >= #wal then
    return nil
  end
  local dir = stage.dir .. "/after-power-cut"
  stage.wipe(dir)
  os.execute("mkdir " .. stage.quote(dir))
  stage.write(dir .. "/ledger.db", stage.read(state .. "/ledger.db"))
  stage.write(dir .. "/ledger.db-wal", wal:sub(1, from))
  return dir
end

-- first … last; in short mode `few` of them, spread over all.
function stage.points(first, last, few)
  local step = stage.short and math.max(1, (last - first + 1) / few) or 1
  local at = first + (step - 1) / 2 - step
  return function()
    at = at + step
    if at < last + 0.5 then
      return math.tointeger(math.floor(at + 0.5))
    end
  end
end

function stage.point(problems, how)
  stage.count = stage.count + 1
  if #problems == 0 then
    return
  end
  stage.failed = stage.failed + 1
  io.stderr:write(("CONTRADICTION, %s: %s\n"):format(stage.name, how))
  for _, problem in ipairs(problems) do
    io.stderr:write("  ", problem, "\n")
  end
end

function stage.finish(noun)
  if not os.getenv "PROVE_KEEP" then
    stage.wipe(stage.dir)
  end
  local figure = "%s: %d %s, %d contradictions"
  print(figure:format(stage.name, stage.count, noun or "points", stage.failed))
  os.exit(stage.failed == 0 and stage.count > 0 and 0 or 1, true)
end

return stage
