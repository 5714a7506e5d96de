-- Runs calls of the module for the interop tests: each line on stdin is a JSON
-- string, a Lua chunk; each line on stdout says what it returned or raised.
-- Must not know: what the calls are for.
local cjson = require "cjson"
local composio = require "composio"

local client = composio.client { retries = tonumber(arg[1]), timeout = 20 }
local world = setmetatable({
  composio = composio,
  client = client,
  accounts = client.connected_accounts,
  configs = client.auth_configs,
  scheme = composio.auth_scheme,
}, { __index = _G })

local ERROR = {
  "name", "message", "status", "code", "slug",
  "request_id", "suggested_fix", "outcome", "attempts",
}

-- A copy without metatables, functions and userdata: what JSON can hold. pairs
-- fills in the fields of an account that were not read yet.
local function plain(value)
  if type(value) == "table" then
    local copy = {}
    for key, field in pairs(value) do
      copy[key] = plain(field)
    end
    return copy
  elseif type(value) == "function" or type(value) == "userdata" then
    return nil
  end
  return value
end

local function error_of(raised)
  if type(raised) ~= "table" and type(raised) ~= "userdata" then
    return { message = tostring(raised), usage = true }
  end
  local copy = { text = tostring(raised) }
  for _, field in ipairs(ERROR) do
    copy[field] = plain(raised[field])
  end
  return copy
end

for line in io.lines() do
  local chunk, problem = load(cjson.decode(line), "=call", "t", world)
  local answer
  if not chunk then
    answer = { ok = false, error = { message = problem, syntax = true } }
  else
    local ok, value = pcall(chunk)
    answer = ok and { ok = true, value = plain(value) } or { ok = false, error = error_of(value) }
  end
  io.write(cjson.encode(answer), "\n")
  io.flush()
end
