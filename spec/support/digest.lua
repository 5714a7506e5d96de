-- SHA-256 and HMAC in Lua, and the digest and seal of plan files, for specs that edit plans.
-- Must not know: what is in a plan's lines.
local digest = {}

local function rotated(value, count)
  return (value >> count | value << (32 - count)) & 0xffffffff
end

-- The first 32 bits of the fractional parts of the roots of the first primes.
local function fractions(count, root)
  local list, candidate = {}, 2
  while #list < count do
    local prime = true
    for divisor = 2, candidate // 2 do
      prime = prime and candidate % divisor ~= 0
    end
    if prime then
      local value = candidate ^ (1 / root)
      list[#list + 1] = math.floor((value - math.floor(value)) * 2 ^ 32)
    end
    candidate = candidate + 1
  end
  return list
end

local ROUNDS, START = fractions(64, 3), fractions(8, 2)

local function add_block(state, block)
  local words = { string.unpack(">I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4", block) }
  for at = 17, 64 do
    local one, two = words[at - 15], words[at - 2]
    words[at] = words[at - 16] + (rotated(one, 7) ~ rotated(one, 18) ~ one >> 3)
      + words[at - 7] + (rotated(two, 17) ~ rotated(two, 19) ~ two >> 10) & 0xffffffff
  end
  local a, b, c, d, e, f, g, h = table.unpack(state)
  for at = 1, 64 do
    local one = h + (rotated(e, 6) ~ rotated(e, 11) ~ rotated(e, 25)) + (e & f ~ ~e & g)
      + ROUNDS[at] + words[at]
    local two = (rotated(a, 2) ~ rotated(a, 13) ~ rotated(a, 22)) + (a & b ~ a & c ~ b & c)
    a, b, c, d, e, f, g, h = one + two & 0xffffffff, a, b, c, d + one & 0xffffffff, e, f, g
  end
  for at, value in ipairs { a, b, c, d, e, f, g, h } do
    state[at] = state[at] + value & 0xffffffff
  end
end

-- Returns the SHA-256 of a text, as 32 bytes.
local function sha256(text)
  local state = table.move(START, 1, 8, 1, {})
  local padded = text .. "\x80" .. ("\0"):rep(-(#text + 9) % 64) .. (">I8"):pack(#text * 8)
  for at = 1, #padded, 64 do
    add_block(state, padded:sub(at, at + 63))
  end
  return (">I4I4I4I4I4I4I4I4"):pack(table.unpack(state))
end

local function hex(bytes)
  return (bytes:gsub(".", function(byte)
    return ("%02x"):format(byte:byte())
  end))
end

local function hmac(key, text)
  local function pad(byte)
    return (key .. ("\0"):rep(64 - #key)):gsub(".", function(one)
      return string.char(one:byte() ~ byte)
    end)
  end
  key = #key > 64 and sha256(key) or key
  return hex(sha256(pad(0x5c) .. sha256(pad(0x36) .. text)))
end

-- Returns the plan with a digest that is right for its lines; with an API key also with a
-- right seal.
function digest.forged(plan, api_key)
  local lines, last = plan:match "^(.*\n)([^\n]+\n)$"
  local sum = hex(sha256(lines))
  last = last:gsub('"sha256":"%x*"', '"sha256":"' .. sum .. '"')
  if api_key then
    local seal = hmac(hmac(api_key, "composio-lua plan: seal"), sum)
    last = last:gsub('"seal":"%x*"', '"seal":"' .. seal .. '"')
  end
  return lines .. last
end

return digest
