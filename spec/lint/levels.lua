-- Checks the house rules that a compiler does not: an include names its room,
-- and a room includes only those below it; there is no circle of headers; some
-- headers and calls belong to one file alone, and some functions are used
-- nowhere. Must not know: what any file is for.
-- Usage: spec/lua spec/lint/levels.lua [ROOT]; exits 1 and names each breach.

local root = arg[1] or "."

-- The eight rooms, lowest first, and what each may include besides itself.
local rooms = {
  base = {},
  wire = { "base" },
  ledger = { "base", "wire" },
  planfile = { "base", "wire", "ledger" },
  apply = { "base", "wire", "ledger" },
  module = { "base", "wire" },
  job = { "base", "wire", "ledger", "planfile", "apply", "module" },
  host = { "base", "wire", "ledger", "planfile", "apply", "module", "job" },
}
local folder_of = { module = "bindings", job = "bindings", host = "bindings" }

-- What only these files may say.
local reserved = {
  { word = "curl/curl%.h",
    only = { "core/wire/attempt.h", "core/wire/attempt.c", "core/wire/engine.c",
             "core/wire/libraries.c", "core/wire/ping.c" } },
  { word = "lua_resume%s*%(", only = { "bindings/module/scheduler.c" } },
  { word = "lua_yieldk?%s*%(", only = { "bindings/module/wait.c" } },
  { word = "__linux__", only = { "bindings/host/os.c" } },
  { word = "__APPLE__", only = { "bindings/host/os.c" } },
  { word = "prctl%s*%(", only = { "bindings/host/os.c" } },
  { word = "fsync%s*%(", only = { "core/base/os_sync.c" } },
  { word = "luaL_openlibs%s*%(", only = { "bindings/host/", "spec/support/" } },
}

local banned = { "sprintf", "vsprintf", "strcpy", "strcat", "strtok", "atoi", "atol", "gets",
                 "alloca", "system", "time", "asctime", "localtime", "gmtime", "setlocale" }

-- macOS or musl lacks these, or has them with other arguments. Tools that only
-- the specs need may use them.
local missing = { "explicit_bzero", "getrandom", "qsort_r", "pipe2", "accept4", "signalfd",
                  "eventfd", "timerfd_create", "epoll_create1", "sigabbrev_np", "strchrnul",
                  "secure_getenv", "memrchr", "fallocate", "dup3" }

local breaches = {}
local function breach(...)
  breaches[#breaches + 1] = string.format(...)
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

-- Comments and string literals say words too; only code counts.
local function code_of(text)
  text = text:gsub("/%*.-%*/", " "):gsub("//[^\n]*", " ")
  return (text:gsub('"[^"\n]*"', '""'))
end

local function list(pattern)
  local files = {}
  local pipe = assert(io.popen("cd '" .. root .. "' && ls -1 " .. pattern .. " 2>/dev/null"))
  for line in pipe:lines() do files[#files + 1] = line end
  pipe:close()
  return files
end

local may = {} -- room → set of rooms
for room, below in pairs(rooms) do
  may[room] = { [room] = true }
  for _, other in ipairs(below) do may[room][other] = true end
end

local headers = {} -- "room/name.h" → those it includes
local function check_includes(path, text)
  local room = path:match("^%w+/(%w+)/[^/]+$")
  if not may[room] then
    return breach("%s: lies in no room", path)
  end
  for name in text:gmatch('#include "([^"]+)"') do
    local other = name:match("^(%w+)/[%w_]+%.[ch]$")
    if not may[other] then
      breach("%s: includes %s without its room", path, name)
    elseif not may[room][other] then
      breach("%s: includes %s, but %s may not include %s", path, name, room, other)
    end
    if path:find("%.h$") then
      local mine = path:match("/(.+)$")
      headers[mine] = headers[mine] or {}
      headers[mine][name] = true
    end
  end
end

local function find_circle()
  local state = {}
  local function visit(header, trail)
    if state[header] == "done" then return end
    if state[header] == "open" then
      return breach("a circle of includes: %s -> %s", table.concat(trail, " -> "), header)
    end
    state[header] = "open"
    trail[#trail + 1] = header
    for other in pairs(headers[header] or {}) do visit(other, trail) end
    trail[#trail] = nil
    state[header] = "done"
  end
  for header in pairs(headers) do visit(header, {}) end
end

local function allowed(path, only)
  for _, prefix in ipairs(only) do
    if path:sub(1, #prefix) == prefix then return true end
  end
  return false
end

local function check_words(path, text, raw)
  for _, rule in ipairs(reserved) do
    local where = rule.word:find("curl/") and raw or text
    if where:find(rule.word) and not allowed(path, rule.only) then
      breach("%s: says %s, which belongs to %s", path, rule.word:gsub("%%.*", ""),
        table.concat(rule.only, ", "))
    end
  end
  for _, word in ipairs(banned) do
    if text:find("%f[%w_]" .. word .. "%s*%(") then
      breach("%s: %s() is not used in this house", path, word)
    end
  end
end

local function check_missing(path, text)
  for _, word in ipairs(missing) do
    if text:find("%f[%w_]" .. word .. "%s*%(") then
      breach("%s: %s() is not on every system", path, word)
    end
  end
end

-- A unit is a .c with its .h. More of them in one folder are hard to survey.
local MOST_UNITS = 26

local checked = 0
local files = list("core/*.[ch] bindings/*.[ch]") -- where none should lie
for room in pairs(rooms) do
  local folder = (folder_of[room] or "core") .. "/" .. room
  local units = #list(folder .. "/*.c")
  if units > MOST_UNITS then
    breach("%s: %d units, which is more than %d", folder, units, MOST_UNITS)
  end
  for _, path in ipairs(list(folder .. "/*.[ch]")) do
    files[#files + 1] = path
  end
end
table.sort(files)
for _, path in ipairs(files) do
  local raw = read(root .. "/" .. path)
  local text = code_of(raw)
  check_includes(path, raw)
  check_words(path, text, raw)
  check_missing(path, text)
  if path:find("^core/") and raw:find("#include [<\"]lua") then
    breach("%s: the core never sees Lua", path)
  end
  checked = checked + 1
end
for _, path in ipairs(list("spec/*/*.[ch]")) do
  local text = code_of(read(root .. "/" .. path))
  if path:find("^spec/emulator/") then check_missing(path, text) end
  for _, word in ipairs(banned) do
    if text:find("%f[%w_]" .. word .. "%s*%(") then
      breach("%s: %s() is not used in this house", path, word)
    end
  end
  checked = checked + 1
end
-- The module carries the Lua files without those of the program.
for _, path in ipairs(list("bindings/lua/composio/*.lua")) do
  if read(root .. "/" .. path):find('require%s*%(?%s*"composio%.host%.') then
    breach("%s: requires a file of composio/host, which only the program has", path)
  end
  checked = checked + 1
end
find_circle()

for _, text in ipairs(breaches) do print(text) end
print(string.format("levels: %d files, %d breaches", checked, #breaches))
os.exit(#breaches == 0 and checked > 0)
