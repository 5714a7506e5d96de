-- composio.report: a CSV file for people. Its rows belong to the items whose action or
-- `after` adds them: each item stands there once, also after a resume. While a run lasts
-- the rows are in FILE.partial; a preview writes no file.
-- Must not know: accounts, the ledger.

local lost_links = require "composio.lost_links"
local running_item = require "composio.running_item"

local LINK, REASON = "redirect_url", "reason" -- columns with a meaning
local NO_LINK = "link not received: mint a new one"

local OPTIONS = { raw = "boolean", live = "boolean" }
local WRITABLE = { string = true, number = true, boolean = true, ["nil"] = true }
local MINTED, ENDS = "minted_at", "expires_at"

-- Returns the value as a text. The file is UTF-8: other bytes become U+FFFD, since a script
-- may have cut a text within a character.
local function to_utf8(value)
  local text = tostring(value)
  local good, bad = utf8.len(text)
  while not good do
    text = text:sub(1, bad - 1) .. "\u{FFFD}" .. text:sub(bad + 1)
    good, bad = utf8.len(text, bad)
  end
  return text
end

-- Returns the value as a cell. A spreadsheet would execute a text that begins like a
-- formula: unless raw, such a text gets a leading quote, and so does one that has quotes
-- before that, so that composio.csv can take one off. Numbers are never formulas.
local function to_text(value, raw)
  local text = to_utf8(value)
  local guard = not raw and type(value) ~= "number" and text:find "^'*[=+@\t\r-]"
  if guard then
    text = "'" .. text
  end
  if guard or text:find '[",\n\r]' or text:find "^%s" or text:find "%s$" then
    text = '"' .. text:gsub('"', '""') .. '"'
  end
  return text
end

-- Returns the values as cells, and the line that they make.
local function to_line(values, raw)
  local cells = {}
  for place, value in ipairs(values) do
    cells[place] = to_text(value, raw)
  end
  local line = table.concat(cells, ",")
  return cells, (line == "" and '""' or line) .. "\r\n" -- a blank line is no row
end

-- Returns the cells of a line that to_line has made, as they are written.
local function to_cells(line)
  local cells, at = {}, 1
  repeat
    local first = at
    if line:sub(at, at) == '"' then
      repeat -- a doubled quote begins another quoted part
        at = line:find('"', at + 1, true) + 1
      until line:sub(at, at) ~= '"'
    else
      at = line:find("[,\r]", at)
    end
    cells[#cells + 1] = line:sub(first, at - 1)
    at = at + 1
  until line:sub(at - 1, at - 1) ~= ","
  return cells
end

-- Returns what tells a row from others: its cells but for the link and the reason.
-- Only the session that got a link knows what these columns hold; the others tell the
-- people apart.
local OF_LINK = { [LINK] = true, [REASON] = true, [MINTED] = true, [ENDS] = true }

local function name_of(cells, columns)
  local named = {}
  for place, column in ipairs(columns) do
    if not OF_LINK[column] then
      named[#named + 1] = cells[place]
    end
  end
  return table.concat(named, ",")
end

-- Returns, by name, the places of the rows outside of items that an earlier session of the
-- run wrote with a link, the oldest first.
local function read_former(file, columns)
  local former, places = {}, {}
  local lines = file:links()
  for place in pairs(lines) do
    places[#places + 1] = place
  end
  table.sort(places)
  for _, place in ipairs(places) do
    local cells = to_cells(lines[place])
    if #cells == #columns then
      local name = name_of(cells, columns)
      former[name] = former[name] or {}
      table.insert(former[name], place)
    else
      file:drop(place)
    end
  end
  return former
end

return function(composio, core, host)
  if not host then
    function composio.report()
      core.usage "composio.report needs the host: run this script with composio-lua"
    end
    return
  end

  -- Returns a copy of the list of columns. composio.csv must be able to read the header.
  local function read_columns(columns)
    local names = core.check_names("composio.report: columns", columns)
    if #names == 0 then
      core.usage "composio.report: columns: the list is empty"
    end
    for _, name in ipairs(names) do
      if name:find "[\0-\8\11\12\14-\31\127]" or not utf8.len(name) then
        core.usage(("composio.report: columns: %q is not a text in UTF-8"):format(name:sub(1, 80)))
      end
    end
    return names
  end

  -- Raises for a value that nobody who reads the file could understand.
  local function check_value(name, value)
    if not WRITABLE[type(value)] and tostring(value):find "^%l+: " then
      core.usage(("report:add: %s: expected a text, a number or a boolean, got %s"):format(name,
        type(value)))
    end
  end

  -- local report = composio.report("links.csv", { "user", "url" })
  -- report:add { user = …, url = … }
  -- In the path, %p becomes the profile, %s the shard and %% a "%". Only the file's owner
  -- can read it.
  -- A cell that a spreadsheet would take for a formula gets a leading quote, unless { raw
  -- = true } is given. The file has one row per item: the newest with a redirect_url,
  -- else the newest. { live = true } appends rows to the file itself, with a column
  -- minted_at; there the last row of a person counts.
  function composio.report(path, columns, options)
    core.check_dot("composio.report", "report", path)
    if type(path) ~= "string" or path == "" then
      core.usage("composio.report: expected a path, got " .. (path == "" and "''" or type(path)))
    end
    if path:find "\0" then
      core.usage "composio.report: the path contains a null byte"
    end
    local filled, has_profile = host.fill_name(path)
    if host.is_one_of_several and not has_profile then
      core.usage("composio.report: with several profiles the path needs %p, which stands for the "
        .. "profile: " .. path)
    end
    path = filled
    columns = read_columns(columns)
    options = core.check_options("composio.report", options, OPTIONS)
    local live, raw = options.live, options.raw
    if live then
      columns[#columns + 1] = MINTED
    end
    local known = {}
    for _, name in ipairs(columns) do
      if known[name] then
        core.usage("composio.report: live = true adds the column itself: " .. name)
      end
      known[name] = true
    end
    lost_links.wanted = true
    local _, header = to_line(columns, raw)
    local file = host.report(path, header, live == true)
    local report = { path = path }
    local former

    -- A row outside of items is made again by each session. Does a row that an earlier one
    -- wrote stand for it, since only that has the link?
    local function has_former(cells, has_link)
      former = former or read_former(file, columns)
      local places = former[name_of(cells, columns)]
      if not has_link then
        return places and table.remove(places) ~= nil
      end
      for _, place in ipairs(places or {}) do
        file:drop(place)
      end
      return false
    end

    -- Does the file have a row like this one, with the link that was lost?
    local function has_live_link(row)
      for other in report:last() do
        local is_like = other[LINK] ~= ""
        for _, name in ipairs(columns) do
          is_like = is_like and (OF_LINK[name] or other[name] == to_utf8(row[name] or ""))
        end
        if is_like then
          return true
        end
      end
      return false
    end

    function report:add(row)
      if self ~= report or type(row) ~= "table" then
        core.usage "report:add: expected a table, called with a colon"
      end
      local texts = {}
      for name in pairs(row) do
        if not known[name] then
          core.unknown_option("report:add", name, columns)
        end
      end
      if live then
        row = setmetatable({ [MINTED] = composio.ago "0s" }, { __index = row })
      end
      local item = running_item.number(core, host, "report:add")
      local link = known[LINK] and row[LINK] or ""
      local outside = known[LINK] and item == 0
      local is_lost = known[LINK] and link == "" and lost_links.of_item[item]
      if outside and link == "" then
        is_lost = file:lost()
      end
      for place, name in ipairs(columns) do
        local value = row[name]
        check_value(name, value)
        if is_lost and name == REASON then
          value = NO_LINK
        end
        texts[place] = value == nil and "" or value
      end
      local cells, line = to_line(texts, raw)
      local is_there
      if live then
        is_there = is_lost and has_live_link(row)
      else
        is_there = outside and has_former(cells, link ~= "")
      end
      if not is_there then
        file:add(line, item, link ~= "" and 1 or is_lost and 2 or 0)
      end
    end

    -- for row in report:last() do: iterates over the rows of FILE that an earlier run left;
    -- there are none if it is not a regular file. If the file cannot be read to its end, a
    -- line says so, because the run will replace it.
    function report:last()
      if self ~= report then
        core.usage "report:last: called without a colon"
      end
      local rows = {}
      if file:is_file() then
        local good, why = pcall(function()
          for row in composio.csv(path, nil, { raw = raw }) do
            rows[#rows + 1] = row
          end
        end)
        if not good then
          host.log(("report: the last one cannot be read: %s"):format(tostring(why)))
        end
      end
      local place = 0
      return function()
        place = place + 1
        return rows[place]
      end
    end

    -- Counts the expired links of the earlier run, so that nobody sends them.
    local lapsed, now = 0, composio.ago "0s"
    if known[ENDS] and known[LINK] then
      for row in report:last() do
        local ends, link = row[ENDS] or "", row[LINK] or ""
        lapsed = lapsed + (ends ~= "" and link ~= "" and ends < now and 1 or 0)
      end
    end
    if lapsed > 0 then
      host.log(("report: %d link%s in %s, of an earlier run, %s expired"):format(lapsed,
        lapsed == 1 and "" or "s", path, lapsed == 1 and "has" or "have"))
    end
    return report
  end
end
