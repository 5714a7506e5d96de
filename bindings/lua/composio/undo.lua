-- Undo: plans the inverse of a run's changes, as a bulk like any other. An operation's
-- row names its inverse and the fields that a reply shows.
-- Must not know: how changes are recorded or sent, options of the command line,
-- any operation by its name.
-- Undo changes an account only if it is still as the run left it: a later change by
-- somebody else was meant. What cannot be undone is logged by reason.

local host, core -- set when init.lua loads this file

local FEW = 5 -- accounts named for each reason

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

-- Returns the field's value before the change, from the change's before-image or from
-- the columns of its item; nil when neither has it.
local function before_of(field, change, image)
  local before = image[field.name]
  if before == nil and field.item_keeps and change.account == change.item_account then
    before = change[field.name]
  end
  if before == nil and change.before then -- the account was read and had no value
    before = field.absent
  end
  if type(before) == "table" and next(before) == nil then
    return nil -- an empty ACL may be all that the service shows to this key
  end
  return before
end

-- Adds one change to its account's entry.
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

-- Returns the accounts' entries in the order of their first change; notes the changes
-- that cannot be undone.
local function gather(run, notes)
  local entries, order = {}, {}
  for change in host.ledger():changes { run = run, previews = 1 } do
    local row = core.row(change.resource, change.name)
    -- a killed run leaves intents without an outcome
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

-- ---- comparing with what the run left, and restoring ----

local function json(value)
  return value ~= nil and core.json_encode(value, "undo") or nil
end

-- Does the account now have this value in a field that the run set?
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

-- Returns why the account differs from what the run left; nil when it does not, false
-- when it is already as it was before the run.
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

-- Returns the operation that restores the status: the inverse of the last change, or
-- another one that can itself be undone.
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

-- Plans the changes that restore one account. An item's changes are sent in order, and
-- the status comes last: a disabled account must not be enabled before the rest is
-- restored.
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
      local good, config = pcall(core.reads.configs.get, entry.id)
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

  -- The undone run is read only to make a plan. A sealed plan may be carried out where
  -- the ledger does not have that run.
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
