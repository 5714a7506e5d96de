-- Checks that no file of core and bindings calls itself by way of others: reads
-- the symbols of a build's object files, works out which file calls which, and
-- names each circle. An include shows what a file may call; this shows what it
-- does call.
-- Must not know: what any file is for.
-- Usage: spec/lua spec/lint/circles.lua BUILD; exits 1 when there is a circle.

local build = arg[1] or "build"

local function lines(command)
  local list = {}
  local pipe = assert(io.popen(command, "r"))
  for line in pipe:lines() do
    list[#list + 1] = line
  end
  assert(pipe:close(), command)
  return list
end

-- "room/file" of an object file's path: what stands there in the tree, since a
-- build keeps the objects of files that are gone.
local function source_of(object)
  local room, file = object:match "([%w_]+)/([%w_]+)%.c%.o$"
  if object:find "composio%-lua%.dir/[%w_]+%.c%.o$" then
    room, file = "host", object:match "([%w_]+)%.c%.o$"
  end
  for _, folder in ipairs { "core", "bindings" } do
    local handle = room and io.open(("%s/%s/%s.c"):format(folder, room, file))
    if handle then
      handle:close()
      return room .. "/" .. file
    end
  end
end

local defined, used = {}, {} -- symbol → file; file → list of symbols
local count = 0
local places = ("%s/core %s/bindings"):format(build, build)
for _, object in ipairs(lines("find " .. places .. " -name '*.c.o'")) do
  local file = source_of(object)
  if file and not used[file] then
    used[file] = {}
    count = count + 1
    for _, line in ipairs(lines("nm '" .. object .. "'")) do
      local kind, symbol = line:match "(%a) ([%w_]+)$"
      if kind and kind:find "[TDBRV]" then
        defined[symbol] = file
      elseif kind == "U" then
        table.insert(used[file], symbol)
      end
    end
  end
end

-- Tarjan's strongly connected components.
local circles = {}
do
  local index, low, on, stack, next_index = {}, {}, {}, {}, 0
  local function visit(file)
    next_index = next_index + 1
    index[file], low[file] = next_index, next_index
    stack[#stack + 1], on[file] = file, true
    for _, symbol in ipairs(used[file]) do
      local other = defined[symbol]
      if other and not index[other] then
        visit(other)
        low[file] = math.min(low[file], low[other])
      elseif other and on[other] then
        low[file] = math.min(low[file], index[other])
      end
    end
    if low[file] == index[file] then
      local circle = {}
      repeat
        local last = table.remove(stack)
        on[last] = false
        circle[#circle + 1] = last
      until last == file
      if #circle > 1 then
        table.sort(circle)
        circles[table.concat(circle, " ")] = true
      end
    end
  end
  local files = {}
  for file in pairs(used) do
    files[#files + 1] = file
  end
  table.sort(files)
  for _, file in ipairs(files) do
    if not index[file] then
      visit(file)
    end
  end
end

local breaches = 0
for circle in pairs(circles) do
  print("circles: these call each other: " .. circle)
  breaches = breaches + 1
end
print(("circles: %d files, %d breaches"):format(count, breaches))
os.exit(breaches == 0 and count > 50)
