-- The values of parameters of type "secret". They come from a file, an environment
-- variable or the terminal, and never from the command line, which every user of the
-- machine can read. The ledger keeps { fingerprint, file } instead of the value.
-- Must not know: how scripts declare parameters.

return function(core, host)
  local secrets = {}
  local recalled = {} -- name → value, given again for resume or apply

  local function dashed(name)
    return "--" .. name:gsub("_", "-")
  end

  function secrets.variable(name)
    return "COMPOSIO_PARAM_" .. name:upper()
  end

  -- Returns the option that names the secret's file.
  function secrets.option(name)
    return dashed(name) .. "-file"
  end

  -- Returns a text that says how to give the value.
  function secrets.ways(name)
    local text = "give %s FILE, set %s, or run it on a terminal, which asks"
    return text:format(secrets.option(name), secrets.variable(name))
  end

  -- Refuses a value on the command line, without printing the value.
  function secrets.refuse(name)
    local text = "%s takes no value on the command line, where every user can read it; %s"
    host.stop("usage", text:format(dashed(name), secrets.ways(name)))
  end

  local function from_file(name, file)
    local value, where = host.secret_file(file)
    if not value then
      host.stop("usage", ("%s: %s"):format(secrets.option(name), where))
    end
    return value, where
  end

  local function print_of(name, value)
    return host.fingerprint(name .. "=" .. value)
  end

  -- Returns the value, and what the ledger keeps instead; nil if no value was given.
  -- file: as given on the command line, or nil. asks: whether to ask for the value if it
  -- was not given otherwise.
  function secrets.read(name, file, asks)
    local value, where
    if file then
      value, where = from_file(name, file)
    else
      value = host.secret_variable(secrets.variable(name))
        or asks and host.secret_typed(name .. ": ")
    end
    local wrong = value and host.secret(value)
    if wrong then
      host.stop("usage", ("%s %s"):format(dashed(name), wrong))
    elseif value then
      return value, { fingerprint = print_of(name, value), file = where }
    end
  end

  -- Returns the files that resume or apply were given, by the parameter's name. stored:
  -- name → what the ledger keeps.
  local function given_files(stored)
    local names, options, files, place = {}, {}, {}, 1
    for name in pairs(stored) do
      local option = secrets.option(name)
      names[option], options[#options + 1] = name, option:sub(3)
    end
    while host.params[place] do
      local word = host.params[place]
      local option, file = word:match "^([^=]+)=(.*)$"
      option = option or word
      if not names[option] then
        local near = core.nearest(option:sub(3), options)
        local hint = near and (" (did you mean '--%s'?)"):format(near)
          or ": the run keeps the parameters that it was started with"
        host.stop("usage", ("unknown option '%s'%s"):format(option, hint))
      end
      if not file then
        place, file = place + 1, host.params[place + 1]
      end
      files[names[option]] = file or host.stop("usage", option .. " needs a value: FILE")
      place = place + 1
    end
    return files
  end

  local function recall(name, stored, file)
    local value = secrets.read(name, file)
      or stored.file and from_file(name, stored.file)
      or host.secret_typed(name .. ": ")
    if not value then
      local text = "%s is missing: the run was started with it; %s"
      host.stop("usage", text:format(dashed(name), secrets.ways(name)))
    elseif print_of(name, value) ~= stored.fingerprint then
      local text = "%s: this is not the value that the run was started with, so nothing was sent; "
        .. "for the right one %s"
      host.stop("usage", text:format(dashed(name), secrets.ways(name)))
    end
    return value
  end

  -- For resume and apply, before anything is sent: takes the secrets of the run or plan,
  -- and checks that they are the same.
  function core.recall_secrets()
    local stored, names = {}, {}
    for name, value in pairs(core.json_decode(host.given)) do
      if type(value) == "table" and value.fingerprint then
        stored[name], names[#names + 1] = value, name
      end
    end
    local files = given_files(stored)
    table.sort(names)
    for _, name in ipairs(names) do
      recalled[name] = recall(name, stored[name], files[name])
    end
  end

  function secrets.recalled(name)
    return recalled[name]
  end

  return secrets
end
