-- Undo: the inverse of what a run did, planned as a bulk like any other. What an
-- operation's inverse is, and which fields a reply shows, its row says.
-- Must not know: how changes are recorded or sent, options of the command line,
-- any operation by its name.
-- Only what still is as the run left it is put back: whoever changed an account
-- since meant it. What cannot be put back is listed by reason.

local host, core -- given with the parts, below

local FEW = 5 -- accounts that are named for each reason

local function fields_of(text)
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

local function log_notes(notes)
  for _, reason in ipairs(notes.order) do
    local list = notes[reason]
    local names = table.concat(list, ", ") .. (list.count > #list and ", …" or "")
    host.log(("  not undone, %s: %d (%s)"):format(reason, list.count, names))
  end
end

-- ---- what the run did to each account ----

-- How the field was before the change: from its own image, or from the columns
-- of its item. nil when that was not shown.
local function before_of(field, change, image)
  local before = image[field.name]
  if before == nil and field.item_keeps and change.account == change.item_account then
    before = change[field.name]
  end
  if before == nil and change.before then -- the account was read: it had none
    before = field.absent
  end
  if type(before) == "table" and next(before) == nil then
    return nil -- what was shown to this key of an ACL
  end
  return before
end

-- Takes one change into what is known of its account.
local function take(entry, change, row)
  if row.becomes then
    if entry.status_before == nil then
      entry.status_before = change.before or false
    end
    entry.status_left = change.after or row.becomes
    entry.undo = row.undo
    return
  end
  local body, image = fields_of(change.body), fields_of(change.image)
  for _, field in ipairs(row.shown) do
    local left = core.value_at(body, field.wire)
    if left ~= nil then
      local known = entry.by_name[field.name]
      if not known then
        known = { field = field, row = row, before = before_of(field, change, image) }
        entry.by_name[field.name] = known
        entry.fields[#entry.fields + 1] = known
      end
      known.left = left
    end
  end
end

local function lasting(change, row)
  if change.fingerprint and row.undo then
    return "credentials cannot be read back"
  elseif change.made then
    return ("%s made a new account, which may already be in use"):format(row.name)
  end
  return ("%s has no inverse"):format(row.name)
end

-- Accounts in the order of their first change, and what has no inverse.
local function gather(run, notes)
  local entries, order = {}, {}
  for change in host.ledger():changes { run = run, previews = 1 } do
    local row = core.row(change.resource, change.name)
    -- of a run that was killed: an intent and no more
    if change.outcome == "unknown" or change.outcome == "intended" then
      local id = change.account or "?"
      note(notes, "the outcome is unknown: resume the run first", id)
    elseif change.outcome == "done" then
      local name = change.account or change.made or "?"
      if not row.undo or change.fingerprint then
        note(notes, lasting(change, row), name)
      else
        local entry = entries[change.account]
        if not entry then
          entry = { id = change.account, resource = change.resource, fields = {}, by_name = {} }
          entries[change.account] = entry
          order[#order + 1] = entry
        end
        take(entry, change, row)
      end
    end
  end
  return order
end

-- ---- is it as the run left it, and what puts it back ----

local function json(value)
  return value ~= nil and core.json_encode(value, "undo") or nil
end

-- Does the account show this value of a field that the run set?
local function shows(account, known, value)
  local now = core.value_at(account, known.field.shown)
  return core.same_field(known.row, known.field.name, json(value), json(now))
end

local function is_as_before(entry, account)
  for _, known in ipairs(entry.fields) do
    if known.before == nil or not shows(account, known, known.before) then
      return false
    end
  end
  return not entry.status_left or account.status == entry.status_before
end

-- Why the account is not as the run left it; nil when it is, false when it is as
-- it was before the run already.
local function drift(entry, account)
  if is_as_before(entry, account) then
    return false
  elseif entry.status_left and account.status ~= entry.status_left then
    return ("it is %s now, but the run left it %s"):format(account.status, entry.status_left)
  end
  for _, known in ipairs(entry.fields) do
    if not shows(account, known, known.left) then
      return ("its %s changed after the run"):format(known.field.title)
    end
  end
end

-- The operation that brings the status back: the inverse of the last change, or
-- another one that can be undone itself.
local function operation_to(entry)
  local undo = core.row(entry.resource, entry.undo)
  if undo.becomes == entry.status_before then
    return undo.name
  end
  for _, row in ipairs(core.operations()) do
    if row.resource == entry.resource and row.undo and row.becomes == entry.status_before then
      return row.name
    end
  end
end

-- Plans what puts one account back. The operations of an item go in order:
-- names and lists first, so that a disabled account is not enabled before them.
local function put_back(entry, account, api, notes, reason)
  for _, known in ipairs(entry.fields) do
    local field = known.field
    if known.before == nil then
      note(notes, ("its %s was not shown before the run"):format(field.title), entry.id)
    elseif not shows(account, known, known.before) then
      api[known.row.undo](account, { [field.name] = known.before, reason = reason })
    end
  end
  if entry.status_left and account.status ~= entry.status_before then
    local operation = entry.status_before and operation_to(entry)
    if operation then
      api[operation](account, { reason = reason })
    else
      local was = entry.status_before or "not known"
      note(notes, ("its status was %s, which no operation can restore"):format(was), entry.id)
    end
  end
end

local function undo(composio)
  local run = host.undoes
  composio.job { summary = "Undo of " .. run, may = "reversible" }
  local notes, before = new_notes(), 0
  local order

  local function find(entry)
    if entry.resource == "auth_configs" then
      local good, config = pcall(composio.auth_configs.get, entry.id)
      return good and config or nil
    end
    return core.lookup(entry.id)
  end

  local function action(entry)
    local account = find(entry)
    if not account then
      note(notes, "it no longer exists", entry.id)
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
      order = order or gather(run, notes)
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
    host.log(("  already as before the run: %d"):format(before))
  end
  log_notes(notes)
end

return function(composio, given_core, given)
  host, core = given, given_core
  if not host then
    return
  end

  -- The script of `composio-lua undo RUN`.
  function core.undo()
    undo(composio)
  end
end
