-- composio.csv: the rows of a CSV file as a selection; each row is read on demand.
-- Must not know: accounts, the ledger.

local KNOWN = { "secret", "raw" }

return function(composio, core, host)
  if not host then
    function composio.csv()
      core.usage "composio.csv needs the host: run this script with composio-lua"
    end
    return
  end

  local function check_list(what, list)
    if type(list) ~= "table" then
      core.usage(("composio.csv: %s: expected a list of names, got %s"):format(what, type(list)))
    end
    for key, name in pairs(list) do
      if math.type(key) ~= "integer" then -- options as columns: secrets would be stored
        local wrong = "composio.csv: %s: '%s' is not a list index; "
          .. "options such as secret follow the columns"
        core.usage(wrong:format(what, tostring(key)))
      elseif type(name) ~= "string" or name == "" then
        core.usage(("composio.csv: %s: expected a string as column name"):format(what))
      end
    end
    return list
  end

  -- Returns the names of the file's columns, and the set of those that the script needs.
  -- secret: the names of columns that must exist, too, because the ledger would keep the
  -- values of a column whose name is misspelt here.
  local function read_header(reader, path, columns, secret)
    local names, has, needed = reader:header(), {}, {}
    for _, name in ipairs(names) do
      if has[name] then
        core.usage(("%s: two columns are called '%s'"):format(path, name))
      end
      has[name] = true
    end
    local function check(name)
      if not has[name] then
        local all = table.concat(names, ", ")
        core.usage(("%s: there is no column '%s', only: %s"):format(path, name, all))
      end
    end
    for _, name in ipairs(columns) do
      check(name)
      needed[name] = true
    end
    for _, name in ipairs(secret) do
      check(name)
    end
    return names, needed
  end

  -- composio.csv("staff.csv", { "user", "key" }, { secret = { "key" } }):
  -- callable, returns one table per row. The named columns must exist and must not be
  -- empty; secret columns must exist and stay out of ledger, logs and plans. A quote before
  -- a formula, which composio.report puts there, is taken off unless { raw = true } is given.
  function composio.csv(path, columns, options)
    if type(path) ~= "string" then
      core.usage("composio.csv: expected a path, got " .. type(path))
    end
    if path:find "\0" then
      core.usage "composio.csv: the path contains a null byte"
    end
    options = options == nil and {} or options
    if type(options) ~= "table" then
      core.usage("composio.csv: expected a table of options, got " .. type(options))
    end
    for key in pairs(options) do
      if key ~= "secret" and key ~= "raw" then
        core.unknown_option("composio.csv", key, KNOWN)
      end
    end
    if options.raw ~= nil and type(options.raw) ~= "boolean" then
      core.usage("composio.csv: raw: expected a boolean, got " .. type(options.raw))
    end
    local secret = check_list("secret", options.secret or {})
    check_list("columns", columns or {})
    local reader = host.csv(path, options.raw == true)
    local names, needed = read_header(reader, path, columns or {}, secret)
    local selection = { is_rows = true, secret = secret, path = path }
    return setmetatable(selection, {
      __name = "composio.csv",
      __metatable = false,
      __call = function()
        local row = reader:next(names, needed)
        for _, name in ipairs(row and secret or {}) do
          if row[name] and row[name] ~= "" then
            host.secret(row[name])
          end
        end
        return row
      end,
    })
  end
end
