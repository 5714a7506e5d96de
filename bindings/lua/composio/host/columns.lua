-- Prints rows of texts in columns; all tables of the host are printed here. On a terminal
-- they fit its width: cells are cut with an ellipsis, and if that is not enough the end of
-- the line, so put what matters into the first columns. Elsewhere nothing is cut. The first
-- rows set the widths, so memory does not grow with the number of rows. Widths count a
-- terminal's columns: two for a character of East Asian scripts or an emoji, none for a mark
-- that is put on the one before.
-- Must not know: what the texts mean.

local FIRST_ROWS = 256
local PAD_MOST = 40 -- no terminal: longer cells shift only their own line

-- First and last code points, in rising order, of the characters that take two columns,
-- and of marks, which take none.
local WIDE = {
  0x1100, 0x115f, 0x2e80, 0x303e, 0x3041, 0x33ff, 0x3400, 0x4dbf, 0x4e00, 0x9fff, 0xa000, 0xa4cf,
  0xa960, 0xa97f, 0xac00, 0xd7a3, 0xf900, 0xfaff, 0xfe30, 0xfe6f, 0xff00, 0xff60, 0xffe0, 0xffe6,
  0x1f300, 0x1f64f, 0x1f680, 0x1f6ff, 0x1f900, 0x1faff, 0x20000, 0x3fffd,
}
local MARKS = {
  0x300, 0x36f, 0x591, 0x5bd, 0x610, 0x61a, 0x64b, 0x65f, 0x200b, 0x200f, 0x20d0, 0x20ff,
  0xfe00, 0xfe0f, 0xfe20, 0xfe2f,
}

local function is_in(ranges, code)
  for at = 1, #ranges, 2 do
    if code <= ranges[at + 1] then
      return code >= ranges[at]
    end
  end
  return false
end

local function width_of_code(code)
  if code < 0x300 then
    return 1
  end
  return is_in(MARKS, code) and 0 or is_in(WIDE, code) and 2 or 1
end

-- Returns how many columns a text takes.
local function width_of(text)
  if not text:find "[\x80-\xff]" or not utf8.len(text) then
    return #text
  end
  local width = 0
  for _, code in utf8.codes(text) do
    width = width + width_of_code(code)
  end
  return width
end

-- Returns as much of a text as fits into this number of columns, with an ellipsis.
local function cut(text, columns)
  if not utf8.len(text) then
    return text:sub(1, columns) .. "…"
  end
  local width = 0
  for place, code in utf8.codes(text) do
    width = width + width_of_code(code)
    if width > columns then
      return text:sub(1, place - 1) .. "…"
    end
  end
  return text .. "…"
end

-- Narrows the widest column until the line fits, or none can be narrowed.
local function fit(list)
  local total = list.indent + list.gap * (#list.columns - 1)
  for _, width in ipairs(list.widths) do
    total = total + width
  end
  while total > list.screen do
    local widest
    for at, column in ipairs(list.columns) do
      local width = list.widths[at]
      if column.least and width > column.least
        and (not widest or width > list.widths[widest]) then
        widest = at
      end
    end
    if not widest then
      return
    end
    list.widths[widest] = list.widths[widest] - 1
    total = total - 1
  end
end

-- Returns the width that a column needs for its title and the first rows.
local function measure(list, at)
  local column = list.columns[at]
  local width = column.width or 0
  if not list.screen and column.width then
    return width
  elseif list.screen then
    width = math.max(width, width_of(column.title or ""))
  end
  for _, row in ipairs(list.rows) do
    local own = width_of(row[at])
    if not list.screen and column.least then
      own = math.min(own, PAD_MOST)
    end
    width = math.max(width, own)
  end
  return width
end

-- Prints a row. Blanks are added only before a text, so no line ends with them. On a terminal
-- the line is cut at its width, but never within the first column.
local function put(list, texts)
  local parts, pending = {}, list.indent
  for at, column in ipairs(list.columns) do
    local text, width = texts[at], list.widths[at]
    local rest = width - width_of(text)
    if text == "" then
      pending = pending + width + list.gap
    else
      if list.screen and column.least and rest < 0 then
        text = cut(text, width - 1)
      end
      rest = math.max(rest, 0)
      parts[#parts + 1] = (" "):rep(pending + (column.right and rest or 0)) .. text
      pending = list.gap + (column.right and 0 or rest)
    end
  end
  local line = table.concat(parts)
  if list.screen then
    local room = math.max(list.screen - 1, list.indent + list.widths[1])
    line = width_of(line) > room + 1 and cut(line, room) or line
  end
  list.print(line)
end

-- Sets the widths and prints the first rows.
local function put_first(list)
  list.widths = {}
  for at in ipairs(list.columns) do
    list.widths[at] = measure(list, at)
  end
  if list.screen then
    fit(list)
  end
  if (list.screen or list.titles) and list.rows[1] and list.columns[1].title then
    local titles = {}
    for at, column in ipairs(list.columns) do
      titles[at] = column.title or ""
    end
    put(list, titles)
  end
  for _, row in ipairs(list.rows) do
    put(list, row)
  end
  list.rows = nil
end

local class = {}
class.__index = class

-- Adds a row with one text per column, or nil, which is shown as "-".
function class:add(...)
  local row = {}
  for at in ipairs(self.columns) do
    local text = select(at, ...)
    row[at] = self.clean((text ~= "" or not self.dashes) and text or "-")
  end
  if self.widths then
    return put(self, row)
  end
  self.rows[#self.rows + 1] = row
  if #self.rows == FIRST_ROWS then
    put_first(self)
  end
end

-- Prints the rows that are still buffered.
function class:finish()
  if not self.widths then
    put_first(self)
  end
end

-- Begins a table. Its members: to_stderr; indent, blanks before each line; gap, blanks between
-- columns; titles, whether they are printed also elsewhere than on a terminal; columns, each
-- with title, least (it may be cut to this width), width (at least; without a terminal exactly,
-- and a longer text shifts only its own line) and right (its texts are aligned to the right);
-- dashes, whether "" is shown as "-", too.
return function(host, list)
  list.rows, list.clean = {}, host.clean
  list.print = list.to_stderr and host.print_error or host.print
  list.indent, list.gap = list.indent or 0, list.gap or 2
  list.screen = host.screen(list.to_stderr)
  return setmetatable(list, class)
end
