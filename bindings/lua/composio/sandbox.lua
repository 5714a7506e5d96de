-- What a script may not use: most of Lua's libraries, bytecode, the host's own table.
-- Must not know: accounts, runs, command line options.

local HARMLESS = { "time", "date", "clock", "difftime" }

-- A script may replace these later.
local error, pcall, pack, unpack = error, pcall, table.pack, table.unpack
local ipairs, select, type, find, gsub = ipairs, select, type, string.find, string.gsub

local usage -- core.usage, which finds the script's line

-- ---- errors ----

-- How errors begin that Lua's own functions raise about their arguments.
local OWN = { "^bad argument #", "^'__tostring' must return a string", "^attempt to use a closed" }

-- Calls a function of Lua's for the script. Lua names the line of the caller in its errors,
-- and that would be a line of this file: they get the script's.
local function call(name, f, ...)
  local results = pack(pcall(f, ...))
  if results[1] then
    return unpack(results, 2, results.n)
  end
  local why = results[2]
  for _, start in ipairs(OWN) do
    if type(why) == "string" and find(why, start) then
      usage((gsub(why, "to '%?'", "to '" .. name .. "'")))
    end
  end
  return error(why, 0)
end

-- Raises unless all of at least `least` arguments are strings or numbers.
local function check_texts(name, least, ...)
  local count = select("#", ...)
  for place = 1, count > least and count or least do
    local kind = place > count and "no value" or type((select(place, ...)))
    if kind ~= "string" and kind ~= "number" then
      usage(("bad argument #%d to '%s' (string expected, got %s)"):format(place, name, kind))
    end
  end
end

-- ---- libraries ----

local function copy(from)
  local to = {}
  for name, value in pairs(from) do
    to[name] = value
  end
  return to
end

local function is_module_name(name)
  for part in (name .. "."):gmatch "([^.]*)%." do
    if not part:find "^[%w_-]+$" then
      return false
    end
  end
  return true
end

-- A searcher of require: Lua text files in the script's directory.
local function searcher_in(dir, host, loadfile)
  return function(name)
    if not is_module_name(name) then
      usage(("'%s' is not a module name"):format(name))
    end
    local path = ("%s/%s.lua"):format(dir, (name:gsub("%.", "/")))
    if host.unreadable(path) then
      local text = "module '%s' not found: there is no file '%s'; a script may require composio "
        .. "and the modules beside it"
      usage(text:format(name, path))
    end
    local chunk, why = loadfile(path, "t")
    if not chunk then
      error(why, 0)
    end
    return chunk, path
  end
end

-- What a script can do with a value.
local USES = {
  "index", "newindex", "call", "concat", "len", "unm", "add", "sub", "mul", "div", "mod", "pow",
  "idiv", "band", "bor", "bxor", "shl", "shr", "bnot", "lt", "le", "close",
}

local reasons = {} -- substitute → why a script may not use it

local function refuse(value, other)
  error(reasons[value] or reasons[other], 2)
end

local refusing = { __metatable = false } -- the class of the substitutes
for _, use in ipairs(USES) do
  refusing["__" .. use] = refuse
end

function refusing.__pairs(value)
  error(reasons[value], 3) -- 2 is pairs
end

function refusing.__tostring(value)
  return reasons[value]
end

-- Returns a substitute for something that a script may not use: a table that raises an
-- error with the reason when it is used.
local function substitute(name, allow, its_class)
  local text = ("%s is not for scripts; no --allow brings it"):format(name)
  if allow then
    text = ("%s needs --allow %s: a script may not use it otherwise"):format(name, allow)
  elseif name:find "^package" then
    text = text .. "; require finds the modules beside the script"
  end
  local value = setmetatable({}, its_class or refusing)
  reasons[value] = text
  return value
end

-- Replaces all functions of a library by substitutes, except the harmless ones. A library
-- without those is a substitute itself.
local function replace(name, allow, harmless)
  local mine = {}
  for field in pairs(_G[name]) do
    mine[field] = substitute(name .. "." .. field, allow)
  end
  for _, field in ipairs(harmless or {}) do
    mine[field] = _G[name][field]
  end
  local library = mine
  if not harmless then
    local its_class = copy(refusing)
    its_class.__index = mine -- what it does not have is nil, as in Lua
    library = substitute(name, allow, its_class)
  end
  _G[name], package.loaded[name] = library, harmless and library or nil
end

-- Prints a warning as soon as it is complete. Warnings are on from the start.
local function print_warnings(host)
  local on, concat = true, table.concat
  function warn(...)
    check_texts("warn", 1, ...)
    local words = pack(...)
    local text = concat(words)
    if words.n == 1 and text:sub(1, 1) == "@" then
      on = text ~= "@off" and (on or text == "@on")
    elseif on then
      host.warn("Lua warning: " .. text)
    end
  end
end

-- Replaces Lua's loaders by some that take text alone: malformed bytecode crashes Lua.
local function refuse_bytecode()
  local any_load, any_loadfile = load, loadfile
  string.dump = nil
  function load(chunk, name, _, ...)
    return call("load", any_load, chunk, name, "t", ...)
  end
  function loadfile(path, _, ...)
    return call("loadfile", any_loadfile, path, "t", ...)
  end
  function dofile(path)
    local chunk, why = call("dofile", any_loadfile, path, "t")
    if not chunk then
      error(why, 0)
    end
    return chunk()
  end
end

-- A require that does not give out our own modules, those that are compiled in: their
-- functions are what the guards stand on.
local function narrow_require(preload)
  local any_require = require
  function require(...)
    check_texts("require", 1, ...)
    local name = ...
    if preload[name] then
      local text = "module '%s' is private: a script requires composio itself"
      error(text:format(name), 2)
    end
    return any_require(name)
  end
end

-- Leaves a search path its absolute directories: the current directory, which Lua
-- searches, too, may belong to anybody.
local function absolute(path)
  return ((path .. ";"):gsub("[^;]*;", function(place)
    return place:find "^/" and place or ""
  end))
end

-- Returns host.library(name), which returns what a Lua library of this machine returns,
-- or nil. The library sees Lua's own globals, as they were before the script could
-- replace them.
local function library_in(path, searchpath, loadfile)
  local globals = copy(_G)
  for name, value in pairs(globals) do
    if type(value) == "table" and value ~= _G then
      globals[name] = copy(value)
    end
  end
  return function(name)
    local file = searchpath(name, absolute(path))
    return file and assert(loadfile(file, "t", globals))()
  end
end

-- Keeps the methods of strings Lua's own, whatever a script puts into `string`, because
-- our files call them. Methods that a script adds to `string` are found.
local function fix_string_methods()
  local class = getmetatable ""
  class.__index = setmetatable(copy(string), { __index = string })
  class.__metatable = false
end

-- Returns a print that escapes control bytes on a terminal: a text may come from anywhere.
local function printer(limits, stdout)
  local concat, tostring = table.concat, tostring
  return function(...)
    local words = pack(...)
    for i = 1, words.n do
      words[i] = call("print", tostring, words[i])
      if limits.on_terminal then
        words[i] = gsub(words[i], "[^\n]+", limits.printable)
      end
    end
    stdout:write(concat(words, "\t"), "\n")
    stdout:flush()
  end
end

-- Makes everything that the script writes to stdout go to limits.hold.
local function hold_output(limits, stdout)
  local methods, output = getmetatable(stdout).__index, io.output
  local write = methods.write
  function methods.write(file, ...)
    check_texts("write", 0, ...)
    if file ~= stdout then
      return call("write", write, file, ...)
    end
    for at = 1, select("#", ...) do
      limits.hold((select(at, ...)))
    end
    return file
  end
  function io.write(...)
    return output():write(...)
  end
end

local sandbox = {}

-- Makes require search absolute directories only.
function sandbox.open()
  package.path, package.cpath = absolute(package.path), absolute(package.cpath)
end

-- Removes what scripts may not use. limits: dir (the script's directory), library_path,
-- allow_io, allow_os, is_ours (the script is compiled in), on_terminal (stdout is one),
-- exit (the os.exit of scripts), printable (escapes control bytes) and, under -q, hold
-- (keeps what would go to stdout).
function sandbox.close(limits)
  usage = require "composio.core".usage
  local loaded, host, stdout = package.loaded, package.loaded["composio.host"], io.stdout
  host.library = library_in(limits.library_path, package.searchpath, loadfile)
  package.searchers = { package.searchers[1], searcher_in(limits.dir, host, loadfile) }
  if limits.allow_os then
    os.exit = limits.exit
  else
    replace("os", "os", HARMLESS)
  end
  refuse_bytecode()
  print_warnings(host)
  if limits.hold then
    hold_output(limits, stdout)
  end
  fix_string_methods()
  if not limits.allow_os then
    io.popen = substitute("io.popen", "os") -- popen runs programs, as os.execute does
  end
  getmetatable(io.stdout).__metatable = false -- a finalizer put there would have no hook
  if not limits.allow_io then
    replace("io", "io")
    dofile, loadfile = substitute("dofile", "io"), substitute("loadfile", "io")
  end
  if not limits.is_ours then
    narrow_require(package.preload)
  end
  replace("debug", nil, { "traceback" })
  replace "package"
  loaded["composio.host"] = nil
  print = printer(limits, stdout)
end

return sandbox
