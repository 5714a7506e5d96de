-- The history of an account or a project: the changes that the ledger holds, and before
-- them what `runs --prune` has left of removed ones.
-- Must not know: SQL, what the rows are for.

-- Returns an iterator over what is left. filter: project, account, operation (with its
-- resource), outcome, since_ms; nil excludes nothing.
local function left(ledger, filter)
  local batch, place, ended = {}, 0, false
  local function step()
    place = place + 1
    if place > #batch and not ended then
      local last = batch[#batch] or {}
      batch = ledger:pruned(filter.project, filter.account, last.account, last.what)
      place, ended = 1, #batch == 0
    end
    return batch[place]
  end
  return function()
    for row in step do
      if (not filter.operation or filter.operation == row.resource .. "." .. row.name)
        and (not filter.outcome or filter.outcome == row.outcome)
        and row.at_ms >= (filter.since_ms or 0) then
        return row
      end
    end
  end
end

-- Returns an iterator over the rows of both: those of one account by their time, else what
-- is left first. filter: as ledger:changes takes it.
return function(ledger, filter)
  local older, newer = left(ledger, filter), ledger:changes(filter)
  local one, other = older(), nil
  return function()
    other = other or newer()
    local row = one
    if row and not (filter.account and other and other.at < row.at) then
      one = older()
      return row
    end
    row, other = other, nil
    return row
  end
end
