-- Reads a plan file independently of the program, and compares a run that carried it out
-- with what it should have sent.
--
--   local plan = planned.read(path)       { head, changes, items, last, confirm }
--     confirm: what the script's own run has to be given, a number for each bulk
--     that asks
--     changes: each with .item (user, status, … as the plan saw them), .operation,
--     .account, .fallback, .request ("DELETE /connected_accounts/ca_x ")
--   planned.compare(plan, writes, rows, touched)   what is wrong: list of texts
-- Must not know: the program's own code.
local cjson = require "cjson"

local planned = {}

local REQUESTS = {
  enable = "PATCH /connected_accounts/%s/status ",
  disable = "PATCH /connected_accounts/%s/status ",
  update = "PATCH /connected_accounts/%s ",
  refresh = "POST /connected_accounts/%s/refresh ",
  revoke = "POST /connected_accounts/%s/revoke ",
  delete = "DELETE /connected_accounts/%s ",
}
local CREATES = { link = "POST /connected_accounts/link ", initiate = "POST /connected_accounts " }

local function request_of(change)
  local create = CREATES[change.operation]
  return create and create .. change.user or REQUESTS[change.operation]:format(change.account)
end

local function confirm_of(plan)
  local counts, words = {}, {}
  for _, change in ipairs(plan.changes) do
    local bulk = change.item.bulk
    if change.class == "irreversible" then
      counts[bulk] = (counts[bulk] or 0) + 1
    end
  end
  for bulk = 1, 100 do
    words[#words + 1] = counts[bulk] and tostring(counts[bulk])
  end
  return #words > 0 and table.concat(words, ",") or "0"
end

function planned.read(path)
  local plan = { changes = {}, items = {} }
  local item
  for line in io.lines(path) do
    local object = cjson.decode(line)
    if object.plan then
      plan.head = object
    elseif object.item then
      item = object
      item.changes = {}
      plan.items[#plan.items + 1] = item
    elseif object.change then
      object.item, object.operation, object.change = item, object.change, nil
      object.request = request_of(object)
      object.place = #plan.changes + 1
      plan.changes[object.place] = object
      item.changes[#item.changes + 1] = object
    elseif object["end"] then
      plan.last = object
    end
  end
  plan.confirm = confirm_of(plan)
  return plan
end

local function same(one, other)
  if type(one) ~= "table" or type(other) ~= "table" then
    return one == other
  end
  for key, value in pairs(one) do
    if not same(value, other[key]) then
      return false
    end
  end
  for key in pairs(other) do
    if one[key] == nil then
      return false
    end
  end
  return true
end

-- Does the request match the planned change?
local function body_fits(change, request)
  if change.operation == "enable" or change.operation == "disable" then
    return request.body.enabled == (change.operation == "enable")
  elseif change.body then
    return same(change.body, request.body)
  end
  return true
end

local SENT = { done = true, failed = true, unknown = true }
local LEFT = { stale = true, same = true, skipped = true, ["not tried"] = true }

-- The rows of the ledger for the plan's changes: the k-th of each account, or of
-- each user that gets one, is the same in both, whatever order accounts come in.
local function give_words(plan, rows, say)
  local open = {}
  for _, row in ipairs(rows) do
    local whom = CREATES[row.operation:match "[%w_]+$"] and row.user or row.account
    open[whom] = open[whom] or {}
    table.insert(open[whom], row)
  end
  for _, change in ipairs(plan.changes) do
    local list = open[CREATES[change.operation] and change.user or change.account] or {}
    local row = table.remove(list, 1)
    change.word = row and row.word or "nothing"
    if not row then
      say("planned, but not in the ledger: " .. change.request)
    elseif row.operation:match "[%w_]+$" ~= change.operation then
      say(("%s in the ledger, %s in the plan"):format(row.operation, change.request))
    end
  end
end

-- Matches each request with a planned change that it could be, in order. Of two equal
-- changes it takes the one that the ledger says was sent.
local function match(plan, writes, say)
  local open = {}
  for _, change in ipairs(plan.changes) do
    open[change.request] = open[change.request] or {}
    table.insert(open[change.request], change)
  end
  local function take(request, wanted)
    for place, change in ipairs(open[request.text] or {}) do
      if body_fits(change, request) and (not wanted or wanted[change.word]) then
        return table.remove(open[request.text], place)
      end
    end
  end
  for _, request in ipairs(writes) do
    local found = take(request, SENT) or take(request)
    if found then
      found.sent = request
    else
      say("sent, but not planned: " .. request.text)
    end
  end
end

-- Checks that each change's verdict agrees with what was sent, and that a change that was
-- not sent has a reason: its item went stale or failed earlier, or it is a fallback of a
-- change that succeeded.
local function check_verdicts(plan, say)
  for _, change in ipairs(plan.changes) do
    local word = change.word
    if change.sent and not SENT[word] then
      say(("sent, but called %s: %s"):format(word, change.request))
    elseif not change.sent and not LEFT[word] then
      say(("not sent, but called %s: %s"):format(word, change.request))
    end
  end
  for _, item in ipairs(plan.items) do
    local before
    for place, change in ipairs(item.changes) do
      local good = change.sent or change.word == "stale" or change.word == "same"
      if change.fallback and before and before.word ~= "failed" then
        good = not change.sent
      elseif change.word == "not tried" then
        good = place > 1 and item.failed
      end
      if not good then
        say(("%s: %s, after %s"):format(change.word, change.request, before and before.word))
      end
      local next_one = item.changes[place + 1]
      if change.word == "failed" and not (next_one and next_one.fallback) then
        item.failed = true
      end
      before = change
    end
  end
end

-- touched: by account, how another client changed it: "much" (status, is_disabled,
-- deleted), "alias", "little" (no part of a precondition). Accounts of several items are
-- skipped: the first item's changes matter to the next item.
local function check_stale(plan, touched, say)
  local items = {}
  for _, item in ipairs(plan.items) do
    if item.account then
      items[item.account] = (items[item.account] or 0) + 1
    end
  end
  for _, change in ipairs(plan.changes) do
    local how = touched[change.account]
    if items[change.account] == 1 then
      local alias = change.body and change.body.alias
      if how == "much" and change.sent then
        say("the account is another one now, but it was sent: " .. change.request)
      elseif how == "alias" and change.sent and alias then
        say("the alias is another one now, but it was sent: " .. change.request)
      elseif (how == nil or how == "little") and change.word == "stale" then
        say("called stale, but nobody touched it: " .. change.request)
      end
    end
  end
end

-- rows: of the run that carried it out, as the oracle reads them, each with
-- .word, its verdict.
function planned.compare(plan, writes, rows, touched)
  local problems = {}
  local function say(text)
    problems[#problems + 1] = text
  end
  if #rows ~= #plan.changes then
    say(("%d changes in the ledger, %d in the plan"):format(#rows, #plan.changes))
  end
  give_words(plan, rows, say)
  match(plan, writes, say)
  check_verdicts(plan, say)
  check_stale(plan, touched, say)
  return problems
end

return planned
