-- composio.report: a CSV file for people. Its rows belong to the items whose action or
-- `after` adds them: each item stands there once, also after a resume. While a run lasts
-- the rows are in FILE.partial; a preview writes no file.
-- Must not know: accounts, the ledger.

local LINK, REASON = "redirect_url", "reason" -- columns with a meaning
local NO_LINK = "link not received: mint a new one"

local KNOWN = { "raw" }

-- Returns the value as a cell. A spreadsheet would execute a text that begins like a
-- formula: unless raw, such a text gets a leading quote, and so does one that has quotes
-- before that, so that composio.csv can take one off. Numbers are never formulas.
local function to_text(value, raw)
  local text = tostring(value)
  local guard = not raw and type(value) ~= "number" and text:find "^'*[=+@\t\r-]"
  if guard then
    text = "'" .. text
  end
  if guard or text:find '[",\n\r]' or text:find "^%s" or text:find "%s$" then
    text = '"' .. text:gsub('"', '""') .. '"'
  end
  return text
end

local function to_line(values, raw)
  local texts = {}
  for place, value in ipairs(values) do
    texts[place] = to_text(value, raw)
  end
  local line = table.concat(texts, ",")
  return (line == "" and '""' or line) .. "\r\n" -- a blank line is no row
end

return function(composio, core, host)
  if not host then
    function composio.report()
      core.usage "composio.report needs the host: run this script with composio-lua"
    end
    return
  end

  -- local report = composio.report("links.csv", { "user", "url" })
  -- report:add { user = …, url = … }
  -- Only the file's owner can read it. A cell that a spreadsheet would take for a formula
  -- gets a leading quote, unless { raw = true } is given. Of an item's rows the newest
  -- with a redirect_url counts, else the newest.
  function composio.report(path, columns, options)
    if type(path) ~= "string" or path == "" then
      core.usage "composio.report: expected a path"
    end
    if path:find "\0" then
      core.usage "composio.report: the path contains a null byte"
    end
    if type(columns) ~= "table" or #columns == 0 then
      core.usage "composio.report: expected a list of column names"
    end
    for key in pairs(options or {}) do
      if key ~= "raw" then
        core.unknown_option("composio.report", key, KNOWN)
      end
    end
    local known = {}
    for _, name in ipairs(columns) do
      known[name] = true
    end
    local raw = options ~= nil and options.raw == true
    core.has_reports = true
    local file = host.report(path, to_line(columns, raw))
    local report = { path = path }

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
      local item = host.row_item()
      local link = known[LINK] and row[LINK] or ""
      local is_lost = known[LINK] and link == "" and core.earlier and core.earlier[item]
      for place, name in ipairs(columns) do
        local value = row[name]
        if is_lost and name == REASON then
          value = NO_LINK
        end
        texts[place] = value == nil and "" or value
      end
      file:add(to_line(texts, raw), item, link ~= "")
    end

    return report
  end
end
