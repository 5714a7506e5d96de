-- Reads the symbols of a build's object files: which file of core and bindings
-- defines which, and which it uses. For circles.lua and names.lua.
-- Must not know: what is wrong with a symbol.

local objects = {}

local function lines(command)
  local list = {}
  local pipe = assert(io.popen(command, "r"))
  for line in pipe:lines() do
    list[#list + 1] = line
  end
  assert(pipe:close(), command)
  return list
end

local function is_file(path)
  local handle = io.open(path)
  return handle and handle:close()
end

-- The folder, room and name of an object file's source; nothing when the tree
-- has no such source, since a build keeps the objects of files that are gone.
local function source_of(root, object)
  local room, name = object:match "([%w_]+)/([%w_]+)%.c%.o$"
  if object:find "composio%-lua%.dir/[%w_]+%.c%.o$" then
    room, name = "host", object:match "([%w_]+)%.c%.o$"
  end
  for _, folder in ipairs { "core", "bindings" } do
    if room and is_file(("%s/%s/%s/%s.c"):format(root, folder, room, name)) then
      return folder, room, name
    end
  end
end

-- A list of { folder, room, name, file = "room/name", defined, used }, the last
-- two lists of symbols, sorted by file.
function objects.read(root, build)
  local list, known = {}, {}
  -- The newest first: a build also keeps objects of targets that are gone.
  local find = ("find '%s/core' '%s/bindings' -name '*.c.o' -exec ls -t {} +"):format(build, build)
  for _, object in ipairs(lines(find)) do
    local folder, room, name = source_of(root, object)
    local file = folder and room .. "/" .. name
    if file and not known[file] then
      local source = { folder = folder, room = room, name = name, file = file,
                       defined = {}, used = {} }
      known[file] = true
      list[#list + 1] = source
      for _, line in ipairs(lines("nm '" .. object .. "'")) do
        local kind, symbol = line:match "(%a) _?([%w_]+)$"
        if kind and kind:find "[TDBRVSC]" then
          table.insert(source.defined, symbol)
        elseif kind == "U" then
          table.insert(source.used, symbol)
        end
      end
    end
  end
  table.sort(list, function(a, b) return a.file < b.file end)
  return list
end

return objects
