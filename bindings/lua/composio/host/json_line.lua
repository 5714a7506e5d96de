-- Lines of JSON for programs: objects whose members stand in a given order.
-- Must not know: what the objects mean, where lines go.

local M = {}

-- Outcomes in output order.
M.outcomes = {
  "planned", "intended", "not_tried", "done", "same", "failed", "skipped", "unknown", "stale",
  "pending",
}
M.first_final = 4

-- Escapes bytes that are not UTF-8, as log lines do: a path may hold any bytes.
local function as_utf8(text)
  local good, at = utf8.len(text)
  while not good do
    text = text:sub(1, at - 1) .. ("\\x%02x"):format(text:byte(at)) .. text:sub(at + 1)
    good, at = utf8.len(text)
  end
  return text
end

-- Returns a value as JSON. A table is { json = text }, a text that should be JSON already,
-- or an object in which names and values alternate.
local function encoded(core, value)
  if value == nil then
    return "null"
  elseif type(value) ~= "table" then
    return core.json_encode(type(value) == "string" and as_utf8(value) or value, "row")
  elseif value.json then
    return pcall(core.json_decode, value.json) and value.json or encoded(core, value.json)
  end
  local members = {}
  for place = 1, #value, 2 do
    members[#members + 1] = ('"%s":%s'):format(value[place], encoded(core, value[place + 1]))
  end
  return "{" .. table.concat(members, ",") .. "}"
end

-- Returns an object's line. Its members are these fields of the row, in this order; absent
-- ones are null.
function M.object(core, names, row)
  local members = {}
  for _, name in ipairs(names) do
    members[#members + 1] = ('"%s":%s'):format(name, encoded(core, row[name]))
  end
  return "{" .. table.concat(members, ",") .. "}"
end

-- Wraps a text that is JSON already.
function M.raw(text)
  return text and { json = text }
end

-- Returns counts by outcome as an object for M.object: those that are not 0, and every
-- final outcome if `all`.
function M.counts(counts, all)
  local object = {}
  for place, outcome in ipairs(M.outcomes) do
    local count = counts[outcome] or 0
    if count > 0 or all and place >= M.first_final then
      object[#object + 1] = outcome
      object[#object + 1] = count
    end
  end
  return object
end

return M
