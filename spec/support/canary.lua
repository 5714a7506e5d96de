-- Makes secrets that are easy to recognise, and searches for them in what a run
-- leaves behind: its output, its logs, its ledger.
--
--   local canary = require "spec.support.canary"
--   local key = canary.new "token"        a new secret, searched for from now on
--   canary.search(text or directory)      list of "what in where"; {} is good
--   canary.assert_clean(text or directory, …)
--   canary.KEY                            the API key every emulator accepts
-- The search finds a secret in plain text, in base64 (at each of the three
-- alignments), percent-encoded with capital or small letters, and escaped for JSON.
-- Must not know: who leaks.
local canary = {}

local known = {} -- name, and the spellings to look for

local function base64(text)
  local set = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
  local out = {}
  for at = 1, #text - 2, 3 do
    local a, b, c = text:byte(at, at + 2)
    local bits = a << 16 | b << 8 | c
    for shift = 18, 0, -6 do
      local place = (bits >> shift & 63) + 1
      out[#out + 1] = set:sub(place, place)
    end
  end
  return table.concat(out)
end

local function spellings(secret)
  local list = { secret }
  local function add(text)
    if #text >= 8 then
      list[#list + 1] = text
    end
  end
  for skip = 0, 2 do
    add(base64(secret:sub(1 + skip)))
  end
  local function percent(format)
    return (secret:gsub("[^%w%-._~]", function(byte)
      return format:format(byte:byte())
    end))
  end
  add(percent "%%%02X")
  add(percent "%%%02x")
  local json = secret:gsub('[\\"]', "\\%0"):gsub("\n", "\\n")
  add(json)
  add((json:gsub("/", "\\/")))
  add((secret:gsub("[^%w%-._~ ]", function(byte)
    return ("\\u%04x"):format(byte:byte())
  end)))
  add((secret:gsub(".", function(byte)
    return ("%02x"):format(byte:byte())
  end)))
  return list
end

local count = 0

function canary.watch(name, secret)
  for _, other in ipairs(known) do
    if other.spellings[1] == secret then
      return secret
    end
  end
  known[#known + 1] = { name = name, spellings = spellings(secret) }
  return secret
end

-- Contains the characters that encodings treat differently: quotes, a slash, a plus,
-- blanks.
function canary.new(name)
  count = count + 1
  local secret = ('%s-Canary%04d+/"q u%%x\\Zz%d'):format(name, count, count * 7919)
  return canary.watch(name, secret)
end

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read "a" or ""
  if file then
    file:close()
  end
  return text
end

local function search_text(text, where, found)
  for _, secret in ipairs(known) do
    for _, spelling in ipairs(secret.spellings) do
      local at = text:find(spelling, 1, true)
      if at then
        local around = text:sub(math.max(at - 40, 1), at + #spelling + 20)
        found[#found + 1] = ("%s in %s: %q"):format(secret.name, where, around)
        break
      end
    end
  end
end

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- Reads every file of a directory byte by byte, except those for which skip(path) is
-- true. An argument that is not a directory is searched as text.
function canary.search(place, where, skip)
  local found = {}
  local is_path = #place < 4096 and place:find "^/" and not place:find "[%s%z]"
  if is_path then
    local pipe = assert(io.popen("find " .. quote(place) .. " -type f 2>/dev/null"))
    for path in pipe:lines() do
      if not (skip and skip(path)) then
        search_text(read(path), path, found)
      end
    end
    pipe:close()
  end
  search_text(place, where or "text", found)
  return found
end

function canary.assert_clean(...)
  for place = 1, select("#", ...) do
    local found = canary.search((select(place, ...)), "text " .. place)
    if #found > 0 then
      error("secrets leaked:\n  " .. table.concat(found, "\n  "), 2)
    end
  end
end

-- Long and odd enough that it cannot occur by chance.
canary.KEY = canary.watch("API key", "ak_canary_Zq9/4+xW7vT2hLp0")

return canary
