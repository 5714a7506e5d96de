-- What the rest of the Lua asks of the operation table.
-- Must not know: how calls are made, single operations.

-- Completes the private table. Runs once in each Lua state.
return function(core)
  local operations = core.operations()

  -- The operation table, built once because most files iterate over it.
  function core.operations()
    return operations
  end

  -- Returns the row of one operation from that table, or nil.
  function core.row(resource, name)
    for _, row in ipairs(operations) do
      if row.resource == resource and row.name == name then
        return row
      end
    end
  end

  -- Returns the value at a dotted path, as in the rows; nil if there is none.
  function core.value_at(value, path)
    for name in path:gmatch "[^.]+" do
      if type(value) ~= "table" then
        return nil
      end
      value = value[name]
    end
    return value
  end
end
