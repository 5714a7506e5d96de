-- composio.job: declares a script's summary, the highest class of changes that it may
-- plan, the outcomes that stop it, and its parameters: command line options (argparse).
-- Must not know: accounts, the ledger.

local require = require -- a script's own finds less

local OPTIONS = { summary = "string", may = "string", params = "table", stop_on = "table" }
local STOPS = { failed = "any", unknown = "any", stale = "any" }
local PARAM = {
  type = "string", default = "any", min = "any", max = "any", required = "boolean",
  help = "string", values = "names", was = "string",
}
local CLASSES = { "read", "reversible", "irreversible" }
local TYPES = {
  "string", "integer", "number", "boolean", "duration", "enum", "file", "path",
  "secret",
}

local ORDERED = { integer = true, number = true, duration = true } -- they have bounds

local LUA_TYPES = { -- of defaults
  string = "string", file = "string", path = "string", enum = "string", integer = "number",
  number = "number",
}

local function contains(list, word)
  for _, known in ipairs(list) do
    if known == word then
      return true
    end
  end
  return false
end

local function without_host(core)
  return function()
    core.usage "composio.job needs the host: run this script with composio-lua"
  end
end

-- Converters by type. Each takes a text and returns its value, or nil and the reason.
local convert = {}

function convert.string(text)
  return text
end

convert.file = convert.string
convert.path = convert.string

function convert.integer(text)
  local number = text:match "^[+-]?%d+$" and math.tointeger(tonumber(text))
  return number, number == nil and "is not a whole number" or nil
end

function convert.number(text)
  local number = tonumber(text)
  if not number or number ~= number or number == math.huge or number == -math.huge then
    return nil, "is not a number"
  end
  return number
end

function convert.enum(text, param)
  if contains(param.values, text) then
    return text
  end
  return nil, "is not one of " .. table.concat(param.values, ", ")
end

local function option_of(name)
  return "--" .. name:gsub("_", "-")
end

return function(composio, core, host)
  if not host then
    composio.job = without_host(core)
    return
  end

  function convert.duration(text)
    local seconds = core.seconds(text)
    return seconds, seconds == nil and "is not a duration such as 90s, 5m, 20h or 14d" or nil
  end

  local declared = false
  local secrets = require "composio.secret"(core, host)

  -- Returns a declared min or max as a number (a duration in seconds), or nil.
  local function bound(name, param, which)
    local value = param[which]
    if value == nil then
      return nil
    end
    if not ORDERED[param.type] then
      local text = "composio.job: params.%s: type %s has no %s; only %s have one"
      core.usage(text:format(name, param.type, which, "integer, number and duration"))
    end
    local number = param.type == "duration" and core.seconds(value) or value
    if not math.type(number) then
      core.usage(("composio.job: params.%s: %s is not of type %s"):format(name, which, param.type))
    end
    return number
  end

  -- Returns why a value of the parameter's type is outside of its bounds, or nil.
  local function out_of_bounds(name, param, value)
    local least, most = bound(name, param, "min"), bound(name, param, "max")
    if least and value < least then
      return "is less than " .. tostring(param.min)
    elseif most and value > most then
      return "is more than " .. tostring(param.max)
    end
  end

  local function check_bounds(name, param, where)
    local least, most = bound(name, param, "min"), bound(name, param, "max")
    if least and most and least > most then
      core.usage(("%s: min %s is more than max %s"):format(where, param.min, param.max))
    end
  end

  -- Only an enum has values, and it has at least one.
  local function check_values(param, where)
    local values = param.values
    if param.type ~= "enum" then
      if values then
        core.usage(("%s: type %s has no values; only enum has"):format(where, param.type))
      end
    elseif not values or #core.check_names(where .. ": values", values) == 0 then
      core.usage(where .. ": an enum needs values = { … }")
    end
  end

  -- A default is a value, not a text, but it must be one that the option could give.
  local function check_default(name, param, where)
    local value, given = param.default, nil
    if param.type == "duration" then
      given = core.seconds(value)
    elseif param.type == "boolean" then
      given = type(value) == "boolean" or nil
    elseif LUA_TYPES[param.type] == type(value) then
      given = convert[param.type](tostring(value), param)
    end
    local why
    if given ~= nil then
      why = out_of_bounds(name, param, given)
    elseif param.type == "enum" then
      why = "is not one of " .. table.concat(param.values, ", ")
    else
      why = "is not of type " .. param.type
    end
    if why then
      core.usage(("%s: default %s %s"):format(where, tostring(value), why))
    end
  end

  -- A secret has neither a default nor bounds, and its option names a file.
  local function check_secret(name, param, params, where)
    if param.default ~= nil then
      core.usage(where .. ": a secret has no default")
    end
    if params[name .. "_file"] then
      core.usage(("%s: its option %s is also that of %s_file; choose another name"):format(
        where, secrets.option(name), name))
    end
  end

  local function check_param(name, param, params)
    local where = "composio.job: params." .. tostring(name)
    if type(name) ~= "string" or not name:match "^%l[%l%d_]*$" then
      core.usage(where .. ": a parameter's name consists of lower-case letters, digits and _")
    end
    if type(param) ~= "table" then
      core.usage(where .. ": expected a table such as { type = \"integer\", default = 90 }")
    end
    param = core.check_options(where, param, PARAM)
    if not contains(TYPES, param.type) then
      core.usage(("%s: type must be one of %s"):format(where, table.concat(TYPES, ", ")))
    end
    check_values(param, where)
    check_bounds(name, param, where)
    if param.required and param.default ~= nil then
      core.usage(where .. ": give required or default: with a default it is never missing")
    end
    local is_secret = param.type == "secret"
    if is_secret then
      check_secret(name, param, params, where)
    elseif param.default ~= nil then
      check_default(name, param, where)
    end
    for _, option in ipairs(host.options) do
      local taken = "--" .. option.name
      if option_of(name) == taken or option_of("no_" .. name) == taken
        or is_secret and secrets.option(name) == taken then
        core.usage(where .. ": composio-lua has an option " .. taken .. "; choose another name")
      end
    end
  end

  -- Converts a text to its parameter's type and checks the bounds. An invalid text
  -- ends the run with a usage error.
  local function read(name, param, text)
    local value, why = convert[param.type](text, param)
    if value ~= nil then
      why = out_of_bounds(name, param, value)
        or (param.type == "file" and not host.given and host.unreadable(value) or nil)
    end
    if why then
      host.stop("usage", ("%s %s: '%s' %s"):format(option_of(name), param.type, text, why))
    end
    return value
  end

  local function sorted_names(params)
    local names = {}
    for name in pairs(params) do
      names[#names + 1] = name
    end
    table.sort(names)
    return names
  end

  local function describe(name, param)
    local notes = { param.type == "enum" and table.concat(param.values, "|") or param.type }
    if param.type == "secret" then
      notes[1] = "secret or " .. secrets.variable(name)
    end
    if param.required then
      notes[#notes + 1] = "required"
    end
    if param.default ~= nil then
      notes[#notes + 1] = "default " .. tostring(param.default)
    end
    if param.min ~= nil then
      notes[#notes + 1] = "at least " .. tostring(param.min)
    end
    if param.max ~= nil then
      notes[#notes + 1] = "at most " .. tostring(param.max)
    end
    return ("%s (%s)"):format(param.help or "", table.concat(notes, ", ")):gsub("^ ", "")
  end

  local function print_help(job, names)
    local usage = ("composio-lua %s [--apply] [options] [parameters]"):format(host.script)
    local lines = { usage, "", job.summary }
    lines[#lines + 1] = ("May plan at most %s changes."):format(job.may)
    if #names > 0 then
      lines[#lines + 1] = "\nParameters:"
    end
    for _, name in ipairs(names) do
      local param = job.params[name]
      local label = option_of(name) .. (param.type == "boolean" and "" or " " .. param.type:upper())
      if param.type == "secret" then
        label = secrets.option(name) .. " FILE"
      end
      lines[#lines + 1] = ("  %-24s %s"):format(label, describe(name, param))
    end
    lines[#lines + 1] = "\nOptions of composio-lua:"
    lines[#lines + 1] = require("composio.help").of_run(host)
    _G.print(table.concat(lines, "\n")) -- the one for scripts
    host.stop("help", "")
  end

  -- Returns the options that the parameters define: option → does it take a value?
  local function make_options(params, names)
    local options = {}
    for _, name in ipairs(names) do
      local has_value = params[name].type ~= "boolean"
      options[option_of(name)], options["--" .. name] = has_value, has_value
      if params[name].type == "secret" then
        options[secrets.option(name)] = true
      elseif not has_value then
        options[option_of("no_" .. name)] = false
      end
    end
    return options
  end

  -- Returns the options whose values are paths, with blanks between: `next:` makes them
  -- absolute.
  local function path_options(params, names)
    local options = {}
    for _, name in ipairs(names) do
      local type_name = params[name].type
      if type_name == "secret" then
        options[#options + 1] = secrets.option(name)
      elseif type_name == "file" or type_name == "path" then
        table.move({ option_of(name), "--" .. name }, 1, 2, #options + 1, options)
      end
    end
    return table.concat(options, " ")
  end

  local function unknown_word(word, options, params)
    local option = word:match "^%-%-([^=]+)"
    if not option then
      local text = "'%s' belongs to no parameter; write parameters as --name VALUE"
      host.stop("usage", text:format(word))
    end
    for name, param in pairs(params) do
      if param.was and "--" .. option == option_of(param.was) then
        local text = "--%s is %s now: %s"
        host.stop("usage", text:format(option, option_of(name), describe(name, param)))
      end
    end
    local all = {}
    for name in pairs(options) do
      all[#all + 1] = name:sub(3)
    end
    for _, known in ipairs(host.options) do
      all[#all + 1] = known.name
    end
    local near = core.nearest(option, all)
    local hint = near and (" (did you mean '--%s'?)"):format(near) or ""
    host.stop("usage", ("unknown option '--%s'%s"):format(option, hint))
  end

  -- Refuses unknown arguments before argparse does: argparse does not know the host's
  -- options and cannot suggest them.
  local function check_words(params, names)
    local options, place = make_options(params, names), 1
    while host.params[place] do
      local word = host.params[place]
      local option = word:match "^%-%-[^=]+"
      local has_value = options[option]
      local param = option and params[option:sub(3):gsub("-", "_")]
      if param and param.type == "secret" then
        secrets.refuse(option:sub(3):gsub("-", "_"))
      elseif has_value == nil then
        unknown_word(word, options, params)
      elseif has_value and not word:find("=", 1, true) then
        place = place + 1
      end
      place = place + 1
    end
  end

  local function make_parser(params, names)
    local argparse = host.library "argparse"
    if not argparse then
      host.stop("usage", "composio.job needs argparse for Lua: install the package lua-argparse")
    end
    local parser = argparse(host.script):add_help(false)
    for _, name in ipairs(names) do
      local dashed = option_of(name)
      local spelled = dashed == "--" .. name and dashed or dashed .. " --" .. name
      if params[name].type == "boolean" then
        parser:flag(spelled):target(name)
        parser:flag(option_of("no_" .. name)):target(name):action "store_false"
      elseif params[name].type == "secret" then
        parser:option(secrets.option(name)):target(name):args(1):overwrite(false)
      else
        parser:option(spelled):target(name):args(1):overwrite(false)
      end
    end
    return parser
  end

  -- resume and apply use the parameters of the run or plan.
  local function given_before()
    return true, core.json_decode(host.given)
  end

  -- Returns a secret's value and what the ledger keeps instead. given: its file; in a
  -- replay, what the ledger has kept.
  local function read_secret(name, param, given)
    if host.given then
      return secrets.recalled(name), given
    end
    local value, stored = secrets.read(name, given, param.required)
    if not value and param.required then
      host.stop("usage", ("%s is missing: %s"):format(option_of(name), secrets.ways(name)))
    end
    return value, stored
  end

  local function read_params(params, names)
    check_words(params, names)
    local good, given = true, {}
    if host.given then
      good, given = given_before()
    elseif #host.params > 0 then -- without parameters, argparse is not loaded
      good, given = make_parser(params, names):pparse(host.params)
    end
    if not good then
      host.stop("usage", (tostring(given):gsub("\n", "; ")))
    end
    local values, texts = {}, {}
    for _, name in ipairs(names) do
      local param, text = params[name], given[name]
      if param.type == "secret" then
        values[name], text = read_secret(name, param, text)
      end
      texts[name] = text
      if text == nil then
        if param.required then
          host.stop("usage", ("%s is missing: %s"):format(option_of(name), describe(name, param)))
        end
        values[name] = param.default
        if param.type == "duration" and param.default ~= nil then
          values[name] = core.seconds(param.default)
        end
      elseif param.type == "boolean" then
        values[name] = text
      elseif param.type ~= "secret" then
        values[name] = read(name, param, text)
      end
    end
    return values, texts
  end

  local function read_stops(stop_on)
    stop_on = core.check_options("composio.job: stop_on", stop_on, STOPS)
    for outcome, limit in pairs(stop_on) do
      local is_limit = type(limit) == "string" or math.type(limit) == "integer"
      if not is_limit or not host.stop_on(outcome, tostring(limit)) then
        local wrong = "composio.job: stop_on.%s: expected a number such as 5, or \"3%%\""
        core.usage(wrong:format(outcome))
      end
    end
  end

  -- composio.job { summary, may, params, stop_on } → { summary, may, params = values }
  function composio.job(job)
    core.check_dot("composio.job", "job", job)
    if type(job) ~= "table" then
      core.usage "composio.job: expected a table such as { summary = \"…\", may = \"reversible\" }"
    end
    if declared then
      core.usage "composio.job: a script can call it only once"
    end
    job = core.check_options("composio.job", job, OPTIONS)
    local full = { summary = job.summary or "", may = job.may or "reversible" }
    full.params = job.params or {}
    core.check_plain("composio.job: params", full.params)
    if not contains(CLASSES, full.may) then
      core.usage("composio.job: may must be one of " .. table.concat(CLASSES, ", "))
    end
    for name, param in pairs(full.params) do
      check_param(name, param, full.params)
    end
    if job.stop_on ~= nil then
      read_stops(job.stop_on)
    end
    declared = true
    local names = sorted_names(full.params)
    if host.wants_help then
      print_help(full, names)
    end
    local values, texts = read_params(full.params, names)
    host.only_reads = full.may == "read"
    host.job(full.may, core.json_encode(texts, "composio.job"), path_options(full.params, names))
    host.job_seen()
    values = core.strict("composio.job: params", values, names)
    return core.strict("composio.job's result, beside params,",
      { summary = full.summary, may = full.may, params = values })
  end
end
