-- composio.client's options: which there are, and what each may be.
-- Must not know: what a client does with them.

local DAY_S = 86400.0

local OPTIONS = {
  api_key = "string", api_key_file = "string", base_url = "string", timeout = "number",
  retries = "number", concurrency = "number", budget = "number", max_wait = "number",
}

local WHOLE = { retries = true, concurrency = true }

local NUMBERS = { -- name → the least and the most
  timeout = { 0.001, DAY_S },
  retries = { 0, 20 },
  concurrency = { 1, 512 },
  budget = { 1, 100 },
  max_wait = { 0.001, DAY_S },
}

return function(_, core)
  local function refuse(text, ...)
    core.usage("composio.client: " .. text:format(...))
  end

  local function check_text(name, value)
    if value:find("\0", 1, true) then
      refuse("%s: contains a zero byte", name)
    end
  end

  local function check_number(name, value)
    local least, most = table.unpack(NUMBERS[name])
    if not (value >= least and value <= most) then
      local hint = most == DAY_S and " (it is in seconds)" or ""
      local from, to = tostring(least + 0.0), tostring(most + 0.0)
      refuse("%s: %s is not between %s and %s%s", name, tostring(value + 0.0), from, to, hint)
    elseif WHOLE[name] and not math.tointeger(value) then
      refuse("%s: expected a whole number, got %s", name, tostring(value))
    end
  end

  -- Returns a checked copy of the options.
  function core.client_options(given)
    local options = core.check_options("composio.client", given, OPTIONS)
    for name, value in pairs(options) do
      local check = NUMBERS[name] and check_number or check_text
      check(name, value)
    end
    if options.api_key and options.api_key_file then
      refuse "give api_key or api_key_file, not both"
    end
    return options
  end
end
