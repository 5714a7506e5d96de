-- composio.csv: the rows of a CSV file as a selection; each row is read on demand.
-- Must not know: accounts, the ledger.

local OPTIONS = { secret = "names", raw = "boolean" }

return function(composio, core, host)
  if not host then
    function composio.csv()
      core.usage "composio.csv needs the host: run this script with composio-lua"
    end
    return
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

  -- Called when a script uses the rows as if they were a list.
  local function no_list()
    core.usage "composio.csv(…) is not a list: write for row in composio.csv(…) do"
  end

  -- composio.csv("staff.csv", { "user", "key" }, { secret = { "key" } }):
  -- callable, returns one table per row. The named columns must exist and must not be
  -- empty; secret columns must exist and stay out of ledger, logs and plans. A quote before
  -- a formula, which composio.report puts there, is taken off unless { raw = true } is given.
  function composio.csv(path, columns, options)
    core.check_dot("composio.csv", "csv", path)
    if type(path) ~= "string" then
      core.usage("composio.csv: expected a path, got " .. type(path))
    end
    if path:find "\0" then
      core.usage "composio.csv: the path contains a null byte"
    end
    options = core.check_options("composio.csv", options, OPTIONS)
    local secret = core.check_names("composio.csv: secret", options.secret or {})
    columns = core.check_names("composio.csv: columns", columns == nil and {} or columns)
    local reader = host.csv(path, options.raw == true)
    local names, needed = read_header(reader, path, columns, secret)
    local ended = false
    local number = 1 -- of the last row; the header is row 1
    local selection = { is_rows = true, secret = secret, path = path }
    return setmetatable(selection, {
      __name = "composio.csv",
      __metatable = false,
      __index = function(_, field)
        return math.type(field) and no_list() or nil
      end,
      __len = no_list,
      __pairs = no_list,
      __call = function()
        if ended then -- for a second loop the file would look empty
          core.usage(path .. ": its rows have been read; call composio.csv again for another loop")
        end
        local row = reader:next(names, needed)
        ended = row == nil
        number = number + 1
        for _, name in ipairs(row and secret or {}) do
          local value = row[name] or ""
          local wrong = value ~= "" and host.secret(value)
          if wrong then
            core.usage(("%s: row %d, column '%s' %s"):format(path, number, name, wrong))
          end
        end
        return row
      end,
    })
  end
end
