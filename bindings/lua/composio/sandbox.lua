-- What a script may not use: most of Lua's libraries, bytecode, the host's own table.
-- Must not know: accounts, runs, command line options.

local HARMLESS = { "time", "date", "clock", "difftime" }

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
      return ("'%s' is not a module name"):format(name)
    end
    local path = ("%s/%s.lua"):format(dir, (name:gsub("%.", "/")))
    if host.unreadable(path) then
      local hint = "no file '%s'; a script may require composio and the modules beside it"
      return hint:format(path)
    end
    local chunk, why = loadfile(path, "t")
    if not chunk then
      error(why, 0)
    end
    return chunk, path
  end
end

-- Returns a substitute for a function that a script may not use: a table that raises an
-- error with the reason when it is called or indexed.
local function substitute(name, allow)
  local error, text = error, ("%s is not for scripts; no --allow brings it"):format(name)
  if allow then
    text = ("%s needs --allow %s: a script may not use it otherwise"):format(name, allow)
  end
  local function refuse()
    error(text, 2)
  end
  return setmetatable({}, {
    __call = refuse, __index = refuse, __newindex = refuse, __metatable = false,
  })
end

-- Replaces all functions of a library by substitutes, except the harmless ones.
local function replace(name, allow, harmless)
  local mine = {}
  for field in pairs(_G[name]) do
    mine[field] = substitute(name .. "." .. field, allow)
  end
  for _, field in ipairs(harmless or {}) do
    mine[field] = _G[name][field]
  end
  _G[name], package.loaded[name] = mine, harmless and mine or nil
end

-- Prints a warning as soon as it is complete. Warnings are on from the start.
local function print_warnings(host)
  local on, concat, pack = true, table.concat, table.pack
  function warn(...)
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
    return any_load(chunk, name, "t", ...)
  end
  function loadfile(path, _, ...)
    return any_loadfile(path, "t", ...)
  end
  function dofile(path)
    local chunk, why = any_loadfile(path, "t")
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
  function require(name)
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

local function copy(from)
  local to = {}
  for name, value in pairs(from) do
    to[name] = value
  end
  return to
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
  local pack, concat, gsub, tostring = table.pack, table.concat, string.gsub, tostring
  return function(...)
    local words = pack(...)
    for i = 1, words.n do
      words[i] = tostring(words[i])
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
    if file ~= stdout then
      return write(file, ...)
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
