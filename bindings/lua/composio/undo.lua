-- Undo: the inverse of what a run did, planned as a bulk like any other.
-- Must not know: how changes are recorded or sent, options of the command line.
-- Only what still is as the run left it is put back: whoever changed an account
-- since meant it. What cannot be put back is told by reason.

local host -- given with the parts, below

local FEW = 5 -- accounts that are named for each reason
local BACK = { ACTIVE = "enable", INACTIVE = "disable", ENABLED = "enable", DISABLED = "disable" }

local function fields_of(core, text)
  local value = text and core.json_decode(text)
  return type(value) == "table" and value or {}
end

-- ---- what cannot be undone, by reason ----

local function new_notes()
  return { order = {} }
end

local function note(notes, reason, name)
  local list = notes[reason]
  if not list then
    list = { count = 0 }
    notes[reason] = list
    notes.order[#notes.order + 1] = reason
  end
  list.count = list.count + 1
  if #list < FEW then
    list[#list + 1] = name
  end
end

local function say_notes(notes)
  for _, reason in ipairs(notes.order) do
    local list = notes[reason]
    local names = table.concat(list, ", ") .. (list.count > #list and ", …" or "")
    host.say(("  not undone, %s: %d (%s)"):format(reason, list.count, names))
  end
end

-- ---- what the run did to each account ----

-- The acl that an update set, as the account would show it.
local function acl_of(body)
  local experimental = type(body.experimental) == "table" and body.experimental or {}
  return experimental.acl_config_for_shared
end

-- Takes one change into what is known of its account.
local function take(core, entry, row)
  entry.line = row.line
  if row.becomes and row.undo then
    if entry.status_before == nil then
      entry.status_before = row.before or false
    end
    entry.status_left = row.status_after or row.becomes
    return
  end
  local body, image = fields_of(core, row.body), fields_of(core, row.image)
  if body.alias ~= nil then
    if entry.alias_before == nil then
      entry.alias_before = image.alias or row.alias_before or ""
    end
    entry.alias_left = body.alias
  end
  local acl = acl_of(body)
  if acl ~= nil then
    if entry.acl_before == nil then
      entry.acl_before = image.acl or false
    end
    entry.acl_left = acl
  end
end

local function lasting(row)
  if row.secret and row.undo then
    return "credentials cannot be read back"
  elseif row.made then
    return ("%s made a new account, which may be in use by now"):format(row.operation)
  end
  return ("%s has no inverse"):format(row.operation)
end

-- Accounts in the order of their first change, and what has no inverse.
local function gather(core, run, notes)
  local entries, order, past = {}, {}, host.past(run)
  for row in past do
    -- of a run that was killed: an intent and no more
    if row.outcome == "unknown" or row.outcome == "intended" then
      note(notes, "it is not known whether it happened: resume the run first", row.account or "?")
    elseif row.outcome == "done" then
      local name = row.account ~= "" and row.account or row.made or "?"
      if not row.undo or row.secret then
        note(notes, lasting(row), name)
      else
        local entry = entries[row.account]
        if not entry then
          entry = { id = row.account, resource = row.resource }
          entries[row.account] = entry
          order[#order + 1] = entry
        end
        take(core, entry, row)
      end
    end
  end
  return order
end

-- ---- is it as the run left it, and what puts it back ----

local function same_list(one, other)
  local set, count = {}, 0
  for _, value in ipairs(one or {}) do
    set[value], count = true, count + 1
  end
  for _, value in ipairs(other or {}) do
    if not set[value] then
      return false
    end
    count = count - 1
  end
  return count == 0
end

local function same_acl(now, wanted)
  now = now or {}
  if wanted.allow_all_users ~= nil and (now.allow_all_users or false) ~= wanted.allow_all_users then
    return false
  end
  for _, name in ipairs { "allowed_user_ids", "not_allowed_user_ids" } do
    if wanted[name] and not same_list(now[name], wanted[name]) then
      return false
    end
  end
  return true
end

-- The ACL now; what it does not show cannot be compared.
local function acl_now(account)
  local experimental = account.experimental
  return type(experimental) == "table" and experimental.acl_config_for_shared or {}
end

-- Why the account is not as the run left it; nil when it is, false when it is as
-- it was before the run already.
local function drift(entry, account)
  local back = true
  if entry.status_left then
    back = back and account.status == entry.status_before
  end
  if entry.alias_left ~= nil then
    back = back and (account.alias or "") == entry.alias_before
  end
  if entry.acl_left ~= nil then
    back = back and entry.acl_before and same_acl(acl_now(account), entry.acl_before)
  end
  if back then
    return false
  end
  if entry.status_left and account.status ~= entry.status_left then
    return ("it is %s now, the run left it %s"):format(account.status, entry.status_left)
  elseif entry.alias_left ~= nil and (account.alias or "") ~= entry.alias_left then
    return "its alias was changed since"
  elseif entry.acl_left ~= nil and not same_acl(acl_now(account), entry.acl_left) then
    return "its ACL was changed since"
  end
end

-- Plans what puts one account back. The operations of an item go in order:
-- names and lists first, so that a disabled account is not enabled before them.
local function put_back(entry, account, api, notes, reason)
  local options = { reason = reason }
  if entry.alias_left ~= nil and (account.alias or "") ~= entry.alias_before then
    api.update(account, { alias = entry.alias_before, reason = reason })
  end
  if entry.acl_left ~= nil then
    if not entry.acl_before then
      note(notes, "its ACL was not shown before the run", entry.id)
    elseif not same_acl(acl_now(account), entry.acl_before) then
      api.update(account, { acl = entry.acl_before, reason = reason })
    end
  end
  if entry.status_left and account.status ~= entry.status_before then
    local operation = BACK[entry.status_before or ""]
    if operation then
      api[operation](account, options)
    else
      local was = entry.status_before or "not known"
      note(notes, ("its status was %s, which no operation brings back"):format(was), entry.id)
    end
  end
end

local function undo(composio, core)
  local run = host.undoes
  composio.job { summary = "Undo of " .. run, may = "reversible" }
  local notes, before = new_notes(), 0
  local order

  local function find(entry)
    if entry.resource == "auth_configs" then
      local good, config = pcall(composio.auth_configs.get, entry.id)
      return good and config or nil
    end
    return core.look_up(entry.id)
  end

  local function action(entry)
    local account = find(entry)
    if not account then
      note(notes, "it is gone", entry.id)
      return
    end
    local why = drift(entry, account)
    if why then
      note(notes, why, entry.id)
    elseif why == false then
      before = before + 1
    else
      local api = composio[entry.resource]
      put_back(entry, account, api, notes, "undo of " .. run)
    end
  end

  -- Read only when there is a plan to make: one that stands is carried out where
  -- the undone run need not be known.
  local place = 0
  local selection = setmetatable({ is_rows = true, is_settled = true }, {
    __call = function()
      order = order or gather(core, run, notes)
      place = place + 1
      return order[place]
    end,
  })
  composio.bulk({
    name = "undo",
    key = function(entry)
      return entry.id
    end,
  }, selection, action)
  if before > 0 then
    host.say(("  as before already: %d"):format(before))
  end
  say_notes(notes)
end

return function(composio, core, given)
  host = given
  if not host then
    return
  end

  -- The script of `composio-lua undo RUN`.
  function core.undo()
    undo(composio, core)
  end
end
