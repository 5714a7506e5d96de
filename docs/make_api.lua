-- Makes docs/api.md out of the comments of composio.meta.lua, so that editors
-- and readers are told the same. Must not know: what any function does.
-- Usage: lua5.4 docs/make_api.lua [--check]   (from the project's root)
-- With --check nothing is written; exits 1 when docs/api.md is not up to date.

local source = "bindings/lua/composio/composio.meta.lua"
local target = "docs/api.md"

local out = {
  "# The module `composio`",
  "",
  "Made from the comments of `composio.meta.lua` by `docs/make_api.lua`; edit those.",
  "Times are in seconds. A failed call raises a `composio.error`, wrong arguments raise a text",
  "with the script's position. `?` marks what may be absent.",
}

local function add(text)
  out[#out + 1] = text
end

-- "name? type the rest" → name, type, rest. A type may hold blanks in brackets
-- and around "|".
local function split_field(text)
  local name, rest = text:match "^(%S+)%s+(.*)$"
  if not name then
    return text, "", ""
  end
  local at, depth = 1, 0
  while at <= #rest do
    local c = rest:sub(at, at)
    if c:find "[{(<]" then
      depth = depth + 1
    elseif c:find "[})>]" then
      depth = depth - 1
    elseif c == " " and depth == 0 then
      local around = rest:sub(1, at - 1):find "|$" or rest:find("^ *|", at)
      if not around then
        break
      end
    end
    at = at + 1
  end
  return name, rest:sub(1, at - 1), rest:sub(at + 1)
end

local function cell(text)
  return (text:gsub("|", "\\|"))
end

local function add_fields(title, fields)
  if #fields == 0 then
    return
  end
  add ""
  add(("| %s | type | |"):format(title))
  add "| --- | --- | --- |"
  for _, field in ipairs(fields) do
    local name, kind, about = split_field(field)
    local typed = kind ~= "" and "`" .. cell(kind) .. "`" or ""
    add(("| `%s` | %s | %s |"):format(cell(name), typed, cell(about)))
  end
end

local function new_block()
  return { text = {}, params = {}, returns = {}, fields = {} }
end

local block = new_block()

local function finish_class()
  if block.class and (#block.fields > 0 or #block.text > 0) then
    add ""
    add("### " .. block.class)
    if #block.text > 0 then
      add ""
      add(table.concat(block.text, "\n"))
    end
    add_fields("field", block.fields)
  end
  block = new_block()
end

local function finish_function(name)
  add ""
  add("### `" .. name .. "`")
  if #block.text > 0 then
    add ""
    add(table.concat(block.text, "\n"))
  end
  add_fields("argument", block.params)
  for _, result in ipairs(block.returns) do
    local kind, about = ("_ " .. result):match "^_ (.-)%s*$", ""
    add ""
    add(("Returns `%s`%s"):format(kind, about))
  end
  block = new_block()
end

local into = {
  param = function(text) table.insert(block.params, text) end,
  field = function(text) table.insert(block.fields, text) end,
  ["return"] = function(text) table.insert(block.returns, text) end,
  class = function(text) block.class = text end,
}

for line in io.lines(source) do
  local section = line:match "^%-%- %-%-%-%- (.-) %-+$"
  local tag, rest = line:match "^%-%-%-@(%a+)%s*(.*)$"
  local text = line:match "^%-%-%-([^@|].*)$"
  local name = line:match "^function ([%w_.:]+%b())"
  if section then
    finish_class()
    add ""
    add("## " .. section:sub(1, 1):upper() .. section:sub(2))
  elseif tag then
    if into[tag] then
      into[tag](rest)
    end
  elseif text then
    table.insert(block.text, text)
  elseif name then
    finish_function(name)
  elseif line == "" or line:find "^local" then
    finish_class()
  end
end
add ""

local made = table.concat(out, "\n")
if arg[1] == "--check" then
  local file = io.open(target)
  local old = file and file:read "a"
  if old ~= made then
    io.stderr:write(target, " is not up to date: run lua5.4 docs/make_api.lua\n")
    os.exit(1)
  end
  print(target .. " is up to date")
else
  local file = assert(io.open(target, "w"))
  assert(file:write(made))
  assert(file:close())
end
