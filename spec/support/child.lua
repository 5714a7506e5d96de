-- Runs composio-lua as a child process, with one directory for everything that it
-- could leave behind. Afterwards the whole directory is searched for canary secrets.
--
--   local child = require "spec.support.child"
--   local run = child.run {
--     script = "…Lua…", "run", "SCRIPT", "--apply", …   SCRIPT stands for its file
--     url = emulator.url, api_key = "…", log = true, env = { NAME = "value" },
--   }
--   run.code, run.out, run.err, run.log, run.summary (decoded), run.cmdline
--   run.dir        its state, temporary and home directory
--   run:remove()
-- Must not know: what the script is about.
local cjson = require "cjson"
local canary = require "spec.support.canary"
local server = require "spec.support.server"

local child = {}
local quote = server.quote

local Run = {}
Run.__index = Run

local function slurp(path)
  local file = io.open(path, "rb")
  local text = file and file:read "a"
  if file then
    file:close()
  end
  return text
end

local function new_directory()
  local pipe = assert(io.popen "mktemp -d")
  local dir = pipe:read "l"
  pipe:close()
  return dir
end

function child.run(options)
  local dir = options.dir or new_directory()
  local run = setmetatable({ dir = dir }, Run)
  local script = dir .. "/script.lua"
  if options.script then
    local file = assert(io.open(script, "wb"))
    file:write(options.script)
    file:close()
  end
  local words = { "exec", "env", "-i", "PATH=/usr/bin:/bin", "HOME=" .. quote(dir) }
  local env = {
    TMPDIR = dir,
    COMPOSIO_API_KEY = options.api_key,
    ASAN_OPTIONS = os.getenv "ASAN_OPTIONS",
    UBSAN_OPTIONS = os.getenv "UBSAN_OPTIONS",
  }
  for name, value in pairs(options.env or {}) do
    env[name] = value
  end
  for name, value in pairs(env) do
    words[#words + 1] = quote(name .. "=" .. value)
  end
  words[#words + 1] = quote(server.build .. "/composio-lua")
  for _, word in ipairs(options) do
    words[#words + 1] = quote(word == "SCRIPT" and script or word)
  end
  for option, value in pairs {
    ["--base-url"] = options.url or false,
    ["--state-dir"] = dir .. "/state",
    ["--log"] = options.log ~= false and dir .. "/log" or false,
    ["--summary"] = dir .. "/summary.json",
  } do
    if value then
      words[#words + 1] = option .. " " .. quote(value)
    end
  end
  -- reads the command line while the program runs, as other users can see it
  local command = ("cd %s; (%s) >out 2>err </dev/null & pid=$!; sleep 0.02; "
    .. "cat /proc/$pid/cmdline >cmdline 2>/dev/null; wait $pid"):format(
    quote(dir),
    table.concat(words, " ")
  )
  local _, how, code = os.execute("bash -c " .. quote(command))
  run.code = how == "exit" and code or -code
  run.out, run.err = slurp(dir .. "/out"), slurp(dir .. "/err")
  run.log, run.cmdline = slurp(dir .. "/log"), slurp(dir .. "/cmdline")
  local summary = slurp(dir .. "/summary.json")
  run.summary = summary and summary ~= "" and cjson.decode(summary)
  if options.script then
    os.remove(script) -- may hold secrets: it is the user's
  end
  local found = canary.search(dir)
  if #found > 0 then
    error("secrets leaked:\n  " .. table.concat(found, "\n  "), 2)
  end
  return run
end

function Run:remove()
  os.execute("rm -rf " .. quote(self.dir))
end

return child
