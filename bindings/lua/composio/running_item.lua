-- The item that a tag or a row of a report belongs to.
-- Must not know: tags, reports, the ledger.
-- A task that an action or `after` has spawned keeps its item and may outlive both. What it
-- adds then would be missing in what the bulk has returned, so it is refused.

local running_item = {
  in_after = {}, -- number of an item → true while its `after` runs
}

-- Returns the number of the item whose action or `after` runs, 0 outside of items. what:
-- what the script adds, in messages.
function running_item.number(core, host, what)
  local number = host.row_item(what)
  if host.item_kind() == "after" and not running_item.in_after[number] and not core.checking then
    core.usage(("%s: the item's `after` has ended; join the task there"):format(what))
  end
  return number
end

return running_item
