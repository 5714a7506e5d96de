-- What the sweeps share: an emulator, a private directory, runs of the host under strace,
-- and the figure at the end.
--
--   local stage = require "spec.prove.stage"
--   stage.begin("kill", arg)              reads "short" among the arguments
--   stage.spread(8, "points")             the same sweep in so many processes
--   stage.begin_random("undo", 2, "runs") the same of a sweep of random trials
--   stage.each_seed(few, all, trial)      trial(seed) for 1, 2, … or the one asked for
--   stage.points(first, last, few)        1, 2, … or about `few` of them in short
--   stage.mine()                          is the next point one of this process?
--   stage.point(problems, how)            one point, and what was wrong with it
--   stage.note("repeats", 2)              a count that stands beside the figure
--   stage.random(seed)                    numbers that are the same every time
--   stage.strace(log, calls, inject)      words before a program that strace hurts
--   stage.power_cut(state, log)           what would be left of the ledger
--   stage.finish()                        one line; exit 1 on a contradiction
-- Must not know: which faults a sweep makes.
package.path = (arg[0]:match "^(.*)/spec/prove/[^/]*$" or ".") .. "/?.lua;" .. package.path
local cjson = require "cjson"
local channel = require "spec.prove.channel"
local server = require "spec.support.server"

local stage = { short = false, count = 0, failed = 0, notes = {}, part = 1, parts = 1, seen = 0 }
local quote = server.quote
local MOST = 12 -- problems printed for one point

stage.root = arg[0]:match "^(.*)/spec/prove/[^/]*$" or "."
stage.program = stage.root .. "/spec/lua" -- that runs this sweep
stage.server = server
stage.quote = quote

-- Secrets that are easy to search for: no file that a run leaves may contain them. A job has
-- the second as its parameter "token".
stage.API_KEY = "ak_canary_8c1f0e5d7b3a"
stage.SECRET = "sk_canary_2d9e6b4f1a70"

function stage.begin(name)
  stage.name = name
  for _, word in ipairs(arg) do
    stage.short = stage.short or word == "short"
    local part, parts = word:match "^part=(%d+)/(%d+)$"
    if part then
      stage.part, stage.parts = math.tointeger(part), math.tointeger(parts)
    end
  end
  -- in memory where there is such a directory: what a disk does is played by strace
  local pipe = assert(io.popen(
    "TMPDIR=${TMPDIR:-$(test -w /dev/shm && echo /dev/shm)} mktemp -d", "r"))
  stage.dir = assert(pipe:read "l")
  pipe:close()
end

-- Spreads a sweep that mostly waits over several processes, each of which takes its share
-- of the points. Returns only in those; the first process adds up their results.
function stage.spread(count, noun)
  if stage.parts > 1 or stage.short or count < 2 then
    return
  end
  local pipes = {}
  for part = 1, count do
    local words = { "exec", quote(stage.program), quote(arg[0]) }
    for _, word in ipairs(arg) do
      words[#words + 1] = quote(word)
    end
    words[#words + 1] = ("part=%d/%d"):format(part, count)
    pipes[part] = assert(io.popen(table.concat(words, " "), "r"))
  end
  for part, pipe in ipairs(pipes) do
    local text = pipe:read "a"
    local good = pipe:close()
    local points, failed = text:match ": (%d+) %a+, (%d+) contradictions"
    if not points then
      stage.point({ "it gave no figure: " .. text }, "part " .. part)
    else
      stage.count = stage.count + math.tointeger(points)
      stage.failed = stage.failed + math.tointeger(failed)
      if not good and failed == "0" then
        stage.point({ "it ended badly" }, "part " .. part)
      end
    end
    for number, what in text:gmatch "# (%d+) ([^\n]+)" do
      stage.note(what, math.tointeger(number))
    end
  end
  stage.finish(noun)
end

-- Begins a sweep whose trials are identified by a seed. "seed=N" among the arguments runs
-- one of them; otherwise they are spread over processes.
function stage.begin_random(name, processes, noun)
  stage.begin(name)
  stage.seed = math.tointeger(tonumber(table.concat(arg, " "):match "seed=(%d+)"))
  if not stage.seed then
    stage.spread(processes, noun)
  end
end

function stage.each_seed(few, all, trial)
  if stage.seed then
    trial(stage.seed)
    return
  end
  for seed = 1, stage.short and few or all do
    if stage.mine() then
      trial(seed)
    end
  end
end

function stage.mine()
  stage.seen = stage.seen + 1
  return stage.seen % stage.parts == stage.part % stage.parts
end

-- Counts that tell how hard the sweep was; those of several processes are added.
function stage.note(noun, number)
  stage.notes[noun] = (stage.notes[noun] or 0) + number
end

-- A replacement for math.random: xorshift, so that a seed gives the same everywhere.
function stage.random(seed)
  local state = seed * 0x9E3779B97F4A7C15 ~ 0x5DEECE66D
  local function random(first, last)
    state = state ~ (state << 13)
    state = state ~ (state >> 7)
    state = state ~ (state << 17)
    return first + (state >> 11) % (last - first + 1)
  end
  for _ = 1, 8 do -- close seeds give similar first numbers
    random(0, 1)
  end
  return random
end

-- Returns the command's output, and its exit code as a shell reports it.
function stage.shell(command)
  local pipe = assert(io.popen("{ " .. command .. "; } 2>&1; echo $?", "r"))
  local text = pipe:read "a"
  pipe:close()
  local output, code = text:match "^(.*)%f[^\n\0](%d+)\n$"
  return output, tonumber(code)
end

-- The emulator is asked over one connection: a process for each question would cost more
-- than most runs.
function stage.emulator(arguments)
  local all = { "--accounts", "600", "--api-key", stage.API_KEY, "--rate-limit", "0" }
  table.move(arguments or {}, 1, #(arguments or {}), #all + 1, all)
  local emulator = server.emulator(all)
  local line = channel.open(emulator.port, stage.dir)
  function emulator.control(_, method, path, body)
    local status, reply = line:ask(method, "/_emulator/" .. path, body and cjson.encode(body))
    if status ~= 200 then
      error(("%s %s: %d %s"):format(method, path, status, reply), 3)
    end
    return reply
  end
  return emulator
end

-- Returns the change log after the emulator has handled every request that reached it: a
-- killed process may have left requests in the sockets' buffers.
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

-- All requests that write, as the emulator has them since it last forgot; each
-- with what tells it from others: method, path and whose account it makes.
function stage.writes(emulator)
  local writes = {}
  for _, request in ipairs(emulator:requests()) do
    if request.method ~= "GET" then
      local text = type(request.body) == "string" and request.body or ""
      local body = text:find "^{" and cjson.decode(text) or {}
      local user = body.user_id or (body.connection and body.connection.user_id) or ""
      local path = request.path:gsub("^/api/v3[.%d]*", "")
      writes[#writes + 1] = {
        seq = request.seq,
        time = request.time,
        method = request.method,
        path = path,
        body = body,
        text = ("%s %s %s"):format(request.method, path, user),
      }
    end
  end
  return writes
end

-- Sends a request to the API as another client; returns the reply's status and body.
function stage.api(emulator, method, path, body)
  local key = ("x-api-key: %s\r\n"):format(stage.API_KEY)
  local text = body and cjson.encode(body) or ""
  return server.http(emulator.port, method, "/api/v3.1" .. path, text, key)
end

-- Returns every account of the service.
function stage.accounts(emulator)
  local all, cursor = {}, nil
  repeat
    local path = "/connected_accounts?limit=100&account_type=ALL" .. (cursor or "")
    local _, text = stage.api(emulator, "GET", path)
    local page = cjson.decode(text)
    table.move(page.items, 1, #page.items, #all + 1, all)
    cursor = page.next_cursor ~= cjson.null and page.next_cursor
      and "&cursor=" .. page.next_cursor:gsub("[^%w%-_]", function(byte)
        return ("%%%02X"):format(byte:byte())
      end)
  until not cursor
  return all
end

-- Runs SQL on the ledger; returns its output, or nil and the reason.
function stage.sql(state, sql)
  local command = "printf %s " .. quote(".timeout 5000\n" .. sql) .. " | sqlite3 -batch "
  local text, code = stage.shell(command .. quote(state .. "/ledger.db"))
  if code ~= 0 then
    return nil, text
  end
  return text
end

-- Returns the last run of a ledger, or nil.
function stage.newest_run(state)
  local text = stage.sql(state, "SELECT name FROM run ORDER BY id DESC LIMIT 1;")
  return text and text:match "^20%S+"
end

function stage.copy(from, to)
  stage.wipe(to)
  os.execute(("cp -r %s %s"):format(quote(from), quote(to)))
end

-- Guards that pass everything; sweeps of guards set their own.
stage.OPEN = { "--max-changes", "100000", "--max-percent", "100" }

-- Concatenates lists.
function stage.join(...)
  local all = {}
  for _, list in ipairs { ... } do
    table.move(list, 1, #list, #all + 1, all)
  end
  return all
end

-- The words that run the host: options.verb ("run"), .script or .operand,
-- .state, .url, .more (a list), .program (if it is another one), .before (words
-- in front of it, such as strace and its options).
function stage.command(options)
  local words = {
    "COMPOSIO_BASE_URL=" .. quote(options.url),
    "COMPOSIO_API_KEY=" .. quote(stage.API_KEY),
    "COMPOSIO_PARAM_TOKEN=" .. quote(stage.SECRET), -- of a job with that secret parameter
    "timeout -k 5 120",
    options.before or "",
    quote(options.program or server.build .. "/composio-lua"),
    options.verb or "run",
    quote(options.operand or options.script),
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

-- The words that run a program under strace: calls are written to log, with the names of
-- files. Where other calls need not be stopped at it is quicker, but then sends no signals.
function stage.strace(log, calls, inject)
  local quick = inject and inject:find "signal=" and "" or "--seccomp-bpf"
  return ("strace -f %s -qq -y -s 0 -o %s -e trace=%s %s"):format(
    quick, quote(log), table.concat(calls, ","), inject and "-e inject=" .. inject or "")
end

-- Returns up to which byte the ledger's log was synced, or nil when all of it was (or
-- there is none).
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

-- Returns a directory with what a power failure after the calls in `log` (of strace)
-- would leave of a state directory, or nil when nothing would be lost.
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

-- Returns first … last; in short mode about `few` of them, evenly spread.
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
  for place, problem in ipairs(problems) do
    if place <= MOST or place == #problems then
      io.stderr:write("  ", problem, "\n")
    end
  end
end

function stage.finish(noun)
  if not os.getenv "PROVE_KEEP" then
    stage.wipe(stage.dir)
  end
  local nouns = {}
  for name in pairs(stage.notes) do
    nouns[#nouns + 1] = name
  end
  table.sort(nouns)
  local more = {}
  for place, name in ipairs(nouns) do
    more[place] = ("%d %s"):format(stage.notes[name], name)
    if stage.parts > 1 then
      print("# " .. more[place])
    end
  end
  local beside = #more > 0 and " (" .. table.concat(more, ", ") .. ")" or ""
  local figure = "%s%s: %d %s, %d contradictions"
  print(figure:format(stage.name, beside, stage.count, noun or "points", stage.failed))
  os.exit(stage.failed == 0 and stage.count > 0 and 0 or 1, true)
end

return stage
