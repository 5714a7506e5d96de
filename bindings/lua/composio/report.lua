-- composio.report: a CSV file for people. Rows are added one by one, but the file appears
-- only when it is complete. A preview writes no file.
-- Must not know: accounts, the ledger.

local KNOWN = { "raw" }

-- Returns the value as a cell. A spreadsheet would execute a text that begins like a
-- formula: unless raw, such a text gets a leading quote. Numbers are never formulas.
local function to_text(value, raw)
  local text = tostring(value)
  local guard = not raw and type(value) ~= "number" and text:find "^[=+@\t\r-]"
  if guard then
    text = "'" .. text
  end
  if guard or text:find '[",\n\r]' or text:find "^ " or text:find " $" then
    text = '"' .. text:gsub('"', '""') .. '"'
  end
  return text
end

local function to_line(values, raw)
  local texts = {}
  for place, value in ipairs(values) do
    texts[place] = to_text(value, raw)
  end
  return table.concat(texts, ",") .. "\r\n"
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
  -- gets a leading quote, unless { raw = true } is given.
  function composio.report(path, columns, options)
    if type(path) ~= "string" or path == "" then
      core.usage "composio.report: expected a path"
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
      for place, name in ipairs(columns) do
        local value = row[name]
        texts[place] = value == nil and "" or value
      end
      file:add(to_line(texts, raw))
    end

    return report
  end
end
