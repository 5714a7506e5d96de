-- Checks that no file of core and bindings calls itself by way of others: reads
-- the symbols of a build's object files, works out which file calls which, and
-- names each circle. An include shows what a file may call; this shows what it
-- does call.
-- Must not know: what any file is for.
-- Usage: spec/lua spec/lint/circles.lua [BUILD [ROOT]]; exits 1 when there is a
-- circle.

local build, root = arg[1] or "build", arg[2] or "."
local objects = dofile((arg[0]:gsub("[^/]*$", "objects.lua")))

local defined, used = {}, {} -- symbol → file; file → list of symbols
local count = 0
for _, source in ipairs(objects.read(root, build)) do
  used[source.file] = source.used
  count = count + 1
  for _, symbol in ipairs(source.defined) do
    defined[symbol] = source.file
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
os.exit(breaches == 0 and count > 0)
