-- Checks and texts that many specs of whole jobs share.
--
--   local job = require "spec.support.job"
--   job.has(run.err, "refused")            fails and shows the whole text
--   job.lacks(run.err, "refused")
--   job.writes(emulator)                   how many requests write
--   job.sent(emulator, "/refresh")         how many of them have that in their path
--   job.lists(emulator)                    how many listings were asked for by ids
--   job.changes(emulator)                  a list of "op account", in order
--   job.ids(emulator, { statuses = { "ACTIVE" } }, count)
--   job.quoted(ids)                        as a Lua list
--   job.refusal { method = "PATCH", nth = 3 }   a fault rule: "not this one", once
-- Must not know: what the specs are about.
local server = require "spec.support.server"

local job = {}

function job.has(text, part)
  assert(text:find(part, 1, true), ("'%s' is not in:\n%s"):format(part, text))
end

function job.lacks(text, part)
  assert(not text:find(part, 1, true), ("'%s' is in:\n%s"):format(part, text))
end

function job.sent(emulator, path)
  local count = 0
  for _, request in ipairs(emulator:requests()) do
    if request.method ~= "GET" and request.path:find(path, 1, true) then
      count = count + 1
    end
  end
  return count
end

function job.writes(emulator)
  return job.sent(emulator, "/")
end

function job.lists(emulator)
  local count = 0
  for _, request in ipairs(emulator:requests()) do
    count = count + (request.path:find("connected_account_ids=", 1, true) and 1 or 0)
  end
  return count
end

function job.changes(emulator)
  local list = {}
  for place, change in ipairs(emulator:changes()) do
    list[place] = change.op .. " " .. tostring(change.account_id)
  end
  return list
end

-- The first `count` ids of a listing, oldest account first; fails when there are
-- fewer.
function job.ids(emulator, filter, count)
  local client = emulator:client()
  local ids = {}
  for account in client.connected_accounts.each(filter) do
    ids[#ids + 1] = account.id
    if #ids == count then
      break
    end
  end
  client:close()
  assert(not count or #ids == count, "too few accounts of that kind")
  emulator:forget()
  return ids
end

function job.quoted(ids)
  local words = {}
  for place, id in ipairs(ids) do
    words[place] = ("%q"):format(id)
  end
  return "{ " .. table.concat(words, ", ") .. " }"
end

-- A reply in the service's own envelope, which proves that the change failed.
function job.refusal(rule)
  local whole = {
    nth = 1, action = "reply", status = 400,
    body = { error = { message = "not this one", code = 600, slug = "X", status = 400 } },
  }
  for key, value in pairs(rule) do
    whole[key] = value
  end
  return whole
end

job.quote = server.quote

return job
