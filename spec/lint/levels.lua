-- Checks the house rules that a compiler does not: a file includes only lower
-- levels (or its own header, or a room of the same level below it in the list),
-- there is no circle, some headers and calls belong to one room alone, and some
-- functions are used nowhere. Must not know: what any file is for.
-- Usage: lua5.4 spec/lint/levels.lua [ROOT]; exits 1 and names each breach.

local root = arg[1] or "."

-- Levels of the rooms; a name stands for NAME.c and NAME.h.
local levels = {
  [0] = { "err", "buf", "clock", "timerq", "digest", "encode", "scan",
          "os_sync", "version" },
  [1] = { "secret", "log", "rate", "result", "guard", "libraries" },
  [2] = { "api", "retry", "request", "endpoint", "attempt", "op",
          "ledger", "ledger_file", "ledger_plan", "ledger_read", "ledger_private" },
  [3] = { "engine", "reply", "apply", "settle", "plan", "composio" },
  [4] = { "lua_version", "lua_weak", "lua_json", "lua_read", "lua_error", "lua_embed", "lua_seen" },
  [5] = { "lua_page", "lua_sched", "lua_task", "lua_wait", "lua_versions" },
  [6] = { "lua_client", "lua_ledger", "lua_csv", "lua_report" },
  [7] = { "lua_open" },
  [8] = { "host", "lua_module", "embed" },
}

-- Rooms whose parts may include each other's private headers: the parts of one
-- room that was too long for one file share its first name.
local parts = { "ledger", "engine", "reply", "apply", "settle", "plan", "lua_read",
                "lua_sched", "lua_client", "lua_ledger", "host" }

-- What only these files may say.
local reserved = {
  { word = "curl/curl%.h",
    only = { "core/attempt.h", "core/attempt.c", "core/engine.c", "core/libraries.c" } },
  { word = "lua_resume%s*%(", only = { "bindings/lua_sched.c" } },
  { word = "lua_yieldk?%s*%(", only = { "bindings/lua_wait.c" } },
  { word = "__linux__", only = { "bindings/host/os_" } },
  { word = "__APPLE__", only = { "bindings/host/os_" } },
  { word = "prctl%s*%(", only = { "bindings/host/os_" } },
  { word = "fsync%s*%(", only = { "core/os_sync.c" } },
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

local level_of = {}
for level, rooms in pairs(levels) do
  for _, room in ipairs(rooms) do level_of[room] = level end
end

local function room_of(path)
  if path:find("^bindings/host/") then return "host" end
  return path:match("([%w_]+)%.[ch]$")
end

local function family(room)
  for _, part in ipairs(parts) do
    if room == part or room:sub(1, #part + 1) == part .. "_" then return part end
  end
  return room
end

-- A part of a room without a level of its own has its room's.
local function level(room)
  return level_of[room] or level_of[family(room)]
end

local includes = {}
local function check_includes(path, text)
  local room = room_of(path)
  local mine = level(room)
  if not mine then
    return breach("%s: no level; add the room to spec/lint/levels.lua", path)
  end
  for name in text:gmatch('#include "([^"]+)%.h"') do
    local other = name:match("[%w_]+$")
    if path:find("^bindings/host/") and not level(other) then other = "host" end
    local theirs = level(other)
    if not theirs then
      breach("%s: includes %s.h, which has no level", path, name)
    elseif theirs > mine then
      breach("%s (level %d) includes %s.h (level %d): upwards", path, mine, name, theirs)
    end
    if other ~= room and family(other) ~= family(room) then
      includes[room] = includes[room] or {}
      includes[room][other] = true
    end
  end
end

local function find_circle()
  local state = {}
  local function visit(room, trail)
    if state[room] == "done" then return end
    if state[room] == "open" then
      return breach("a circle of includes: %s -> %s", table.concat(trail, " -> "), room)
    end
    state[room] = "open"
    trail[#trail + 1] = room
    for other in pairs(includes[room] or {}) do visit(other, trail) end
    trail[#trail] = nil
    state[room] = "done"
  end
  for room in pairs(includes) do visit(room, {}) end
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

local checked = 0
for _, path in ipairs(list("core/*.[ch] bindings/*.[ch] bindings/host/*.[ch]")) do
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
find_circle()

for _, text in ipairs(breaches) do print(text) end
print(string.format("levels: %d files, %d breaches", checked, #breaches))
os.exit(#breaches == 0 and checked > 0)
