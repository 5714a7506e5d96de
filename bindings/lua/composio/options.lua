-- Checks the tables of options and the lists of names that scripts give to functions.
-- Must not know: what an option does.

local EXPECTED = { -- kind of an option → its type in Lua, and how a message calls it
  boolean = { "boolean", "true or false" },
  ["function"] = { "function", "a function" },
  names = { "table", "a list of names" },
  number = { "number", "a number" },
  seconds = { "number", "seconds" },
  string = { "string", "a string" },
  table = { "table", "a table" },
}

local function sorted_names(kinds)
  local names = {}
  for name in pairs(kinds) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

-- Completes the private table.
return function(core)
  -- Returns a copy of the options, so that no metamethod of the script's table runs later.
  -- where: the function's name in messages. given: a table, or nil for no options. kinds:
  -- option → a kind of EXPECTED, or "any" if the caller checks the value itself. Raises for
  -- anything but a plain table, an unknown option and a value of another type.
  function core.check_options(where, given, kinds)
    local options = {}
    if given == nil then
      return options
    elseif type(given) ~= "table" then
      core.usage(("%s: expected a table of options, got %s"):format(where, type(given)))
    end
    core.check_plain(where, given)
    for name in pairs(given) do
      if not kinds[name] then
        core.unknown_option(where, tostring(name), sorted_names(kinds))
      end
    end
    for name, kind in pairs(kinds) do
      local value, expected = given[name], EXPECTED[kind]
      if value ~= nil and expected and type(value) ~= expected[1] then
        local wrong = "%s: %s: expected %s, got %s"
        core.usage(wrong:format(where, name, expected[2], type(value)))
      end
      options[name] = value
    end
    return options
  end

  -- Returns a copy of a list of names: different strings that are not empty. where: what
  -- the list is, in messages.
  function core.check_names(where, list)
    if type(list) ~= "table" then
      core.usage(("%s: expected a list of names, got %s"):format(where, type(list)))
    end
    core.check_list(where, list, "; options such as this follow the list")
    local names, places = {}, {}
    for place, name in ipairs(list) do
      if type(name) ~= "string" or name == "" then
        local got = name == "" and "an empty one" or type(name)
        core.usage(("%s: expected a string at place %d, got %s"):format(where, place, got))
      elseif places[name] then
        local wrong = "%s: '%s' is in the list twice, at %d and %d"
        core.usage(wrong:format(where, name, places[name], place))
      end
      names[place], places[name] = name, place
    end
    return names
  end

  -- Makes reading a field that the table does not have raise, with the nearest name that it
  -- has. where: what a message calls the table; known: its fields, by default those that it
  -- has now. Returns the table.
  function core.strict(where, object, known)
    known = known or sorted_names(object)
    return setmetatable(object, {
      __metatable = false,
      __index = function(_, name)
        for _, other in ipairs(known) do
          if other == name then
            return nil
          end
        end
        local near = type(name) == "string" and core.nearest(name, known)
        local hint = near and (" (did you mean '%s'?)"):format(near) or ""
        core.usage(("%s has no '%s'%s"):format(where, tostring(name), hint))
      end,
    })
  end

  -- Raises if `first`, the first argument of a call, is the table that has the function:
  -- the script wrote a colon instead of a dot. where: the function's name in
  -- messages, name: its field in that table.
  function core.check_dot(where, name, first)
    if type(first) == "table" and type(rawget(first, name)) == "function" then
      core.usage(("%s: call it with a dot, not with a colon"):format(where))
    end
  end

  -- The same for all arguments of a function that takes only options and returns something
  -- to loop over. A generic `for` that was given the function itself calls it with two nils.
  function core.check_only_options(where, name, ...)
    local first = ...
    core.check_dot(where, name, first)
    if select("#", ...) > 1 then
      local way_out = first == nil and "call it: for … in %s {} do" or "too many arguments"
      core.usage(where .. ": " .. way_out:format(where))
    end
    return first
  end
end
