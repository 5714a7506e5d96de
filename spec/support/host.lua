-- Runs composio-lua as operators do: as a child process, in a new directory, with
-- only the environment that the spec gives it.
--
--   local host = require "spec.support.host"
--   local place = host.place(emulator)        a new directory; emulator may be nil
--   local run = place:run({ "job.lua", "--apply" }, { script = "…" })
--   run.code, run.out, run.err                exit code, stdout, stderr
--   run.summary                               decoded, after --summary summary.json
--   place:script("print(1)")                  writes job.lua, gives its path
--   place:write("x.csv", text), place:read("x.csv"), place:mode("x.csv")
--   local process = place:start({ … })        the same, in the background
--   process:signal "INT"; process:wait()      → run
--   place:remove()
--   host.unlimited { "job.lua", "--apply" }   the arguments, with limits lifted
--   host.wait_until(function() … end, "what")
--
-- After every run its stdout, its stderr and all files of the place are searched for
-- the emulator's API key and for the texts in place.secrets; a hit is an error.
-- Must not know: what the specs are about.
local cjson = require "cjson"
local canary = require "spec.support.canary"
local server = require "spec.support.server"

local host = {}

local quote = server.quote

local function shell(command)
  local pipe = assert(io.popen(command, "r"))
  local text = pipe:read "a"
  pipe:close()
  return (text:gsub("\n$", ""))
end
host.shell = shell

host.program = server.build .. "/composio-lua"
host.has_sanitizer = shell("grep -c __asan_init " .. quote(host.program)) ~= "0"

-- Waits at most ten seconds until is_so() is true. The error on timeout names `what`.
function host.wait_until(is_so, what)
  for _ = 1, 500 do
    if is_so() then
      return
    end
    shell "sleep 0.02"
  end
  error("waited in vain" .. (what and " for " .. what or ""), 2)
end

-- The arguments with the default limits lifted: specs change most accounts of their
-- small projects.
function host.unlimited(words)
  local all = { "--max-changes", "1000000", "--max-percent", "100" }
  return table.move(words, 1, #words, #all + 1, all)
end

local Place = {}
Place.__index = Place

function host.place(emulator)
  local place = setmetatable({ path = shell "mktemp -d", secrets = {}, runs = 0 }, Place)
  place.env = { PATH = os.getenv "PATH", HOME = place.path }
  for _, name in ipairs { "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS" } do
    place.env[name] = os.getenv(name)
  end
  if emulator then
    place.env.COMPOSIO_BASE_URL = emulator.url
    place.env.COMPOSIO_API_KEY = emulator.api_key
    place.secrets[1] = canary.watch("API key", emulator.api_key)
  end
  return place
end

function Place:remove()
  shell("rm -rf " .. quote(self.path))
end

function Place:write(name, text, mode)
  local path = self.path .. "/" .. name
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  if mode then
    shell("chmod " .. mode .. " " .. quote(path))
  end
  return path
end

function Place:read(name)
  local file = io.open(self.path .. "/" .. name, "rb")
  local text = file and file:read "a"
  if file then
    file:close()
  end
  return text
end

function Place:mode(name)
  return shell("stat -c %a " .. quote(self.path .. "/" .. name))
end

-- Each script of a spec begins with these two locals.
local HEAD = [[
local composio = require "composio"
local accounts = composio.connected_accounts
]]

function Place:script(text, name)
  return self:write(name or "job.lua", HEAD .. text)
end

-- The shell command. Options: env (name → value, false: unset), prefix (words before
-- the program), program (instead of composio-lua), script (text that is written to
-- job.lua first), redirect (shell text instead of captured output).
local function command_of(place, arguments, options, suffix)
  local words = { "cd", quote(place.path), "&& exec env -i" }
  local env = setmetatable({}, { __index = place.env })
  for name, value in pairs(options.env or {}) do
    env[name] = value
  end
  for name in pairs(place.env) do
    if env[name] == place.env[name] then
      rawset(env, name, place.env[name])
    end
  end
  for name, value in pairs(env) do
    if value then
      words[#words + 1] = quote(name .. "=" .. value)
    end
  end
  words[#words + 1] = options.prefix
  words[#words + 1] = quote(options.program or host.program)
  for _, argument in ipairs(arguments) do
    words[#words + 1] = quote(argument)
  end
  words[#words + 1] = options.redirect or (">out.%d 2>err.%d"):format(suffix, suffix)
  words[#words + 1] = options.stdin or "</dev/null"
  return table.concat(words, " ")
end

local function check_secrets(place)
  for _, secret in ipairs(place.secrets) do
    local script = "grep -rlaF --exclude=job.lua --exclude='*.secret' -- %s %s || true"
    local hits = shell(script:format(quote(secret), quote(place.path)))
    if hits ~= "" then
      error("the secret '" .. secret .. "' is in " .. hits, 3)
    end
  end
  -- the same for canaries in every encoding, except in scripts and key files, which
  -- belong to the user
  local found = canary.search(place.path, nil, function(path)
    return path:find "job%.lua$" or path:find "%.secret$" or path:find "/creds/"
  end)
  if #found > 0 then
    error("secrets leaked:\n  " .. table.concat(found, "\n  "), 3)
  end
end

local function result(place, code, suffix)
  local run = {
    code = code,
    out = place:read("out." .. suffix) or "",
    err = place:read("err." .. suffix) or "",
  }
  if run.err:find "ERROR: %a+Sanitizer" or run.err:find("runtime error:", 1, true) then
    error(run.err, 3)
  end
  check_secrets(place)
  local summary = place:read "summary.json"
  if summary then
    run.summary = cjson.decode(summary)
    os.remove(place.path .. "/summary.json")
  end
  return run
end

function Place:run(arguments, options)
  options = options or {}
  if options.script then
    self:script(options.script)
  end
  self.runs = self.runs + 1
  local suffix = self.runs
  local command = command_of(self, arguments, options, suffix)
  local _, kind, code = os.execute("timeout -k 5 60 bash -c " .. quote(command))
  assert(kind == "exit", kind)
  return result(self, code, suffix)
end

local Process = {}
Process.__index = Process

function Place:start(arguments, options)
  options = options or {}
  if options.script then
    self:script(options.script)
  end
  self.runs = self.runs + 1
  local suffix = self.runs
  local command = command_of(self, arguments, options, suffix)
  local pipe = assert(io.popen("echo $$; exec bash -c " .. quote(command), "r"))
  local pid = pipe:read "l"
  return setmetatable({ place = self, suffix = suffix, pid = pid, pipe = pipe }, Process)
end

function Process:signal(name)
  shell("kill -" .. name .. " " .. self.pid .. " 2>/dev/null")
end

-- Returns what the process has written to stdout and stderr so far.
function Process:output()
  local place, suffix = self.place, self.suffix
  return place:read("out." .. suffix) or "", place:read("err." .. suffix) or ""
end

-- Waits until stdout or stderr contains the text.
function Process:wait_for(text, seconds)
  for _ = 1, (seconds or 20) * 50 do
    local out, err = self:output()
    if out:find(text, 1, true) or err:find(text, 1, true) then
      return
    end
    shell "sleep 0.02"
  end
  local out, err = self:output()
  error(("'%s' did not come:\n%s\n%s"):format(text, out, err), 2)
end

-- Waits for the end of the process. After `seconds` it is killed: kind is "signal".
function Process:wait(seconds)
  local killer = "(sleep %d; kill -KILL %s) >/dev/null 2>&1 & echo $!"
  local watchdog = seconds and shell(killer:format(seconds, self.pid))
  while self.pipe:read(4096) do
  end
  local _, kind, code = self.pipe:close()
  if watchdog then
    shell("kill " .. watchdog .. " 2>/dev/null")
  end
  local run = result(self.place, code, self.suffix)
  run.kind = kind
  return run
end

-- Asks the ledger one query: a list of rows, each a list of texts.
function Place:ledger(query, dir)
  local path = (dir or ".local/state/composio-lua") .. "/ledger.db"
  local command = "sqlite3 -readonly -separator '|' %s %s"
  local rows = {}
  local text = shell(command:format(quote(self.path .. "/" .. path), quote(query)))
  for line in text:gmatch "[^\n]+" do
    local row = {}
    for cell in (line .. "|"):gmatch "([^|]*)|" do
      row[#row + 1] = cell
    end
    rows[#rows + 1] = row
  end
  return rows
end

return host
