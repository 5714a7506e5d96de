-- Shows a plan: its counts by operation, toolkit and status, and its first changes. Runs in a
-- state of its own, which no script reaches.
-- Must not know: SQL, terminals, how a plan is made.

local columns = require "composio.host.columns"

local FIRST_LINES = 10
local FIRST_KINDS = 12

return function(_, host)
  local number = host.number
  -- the plan is the result of a preview, so it goes to stdout
  local put = host.apply and host.log or host.print

  local function counted(count, noun)
    return ("%s %s%s"):format(number(count), noun, count == 1 and "" or "s")
  end

  -- ", 12 irreversible", or nothing when the count is 0
  local function part(count, word)
    return count > 0 and (", %s %s"):format(number(count), word) or ""
  end

  local function begin(list)
    return columns(host, {
      to_stderr = host.apply, indent = 2, gap = 1, titles = true, columns = list,
    })
  end

  local function before(one, other)
    for _, name in ipairs { "planned", "same" } do
      if one[name] ~= other[name] then
        return one[name] > other[name]
      end
    end
    for _, name in ipairs { "operation", "toolkit", "status" } do
      if one[name] ~= other[name] then
        return one[name] < other[name]
      end
    end
    return false
  end

  local function show_kinds(kinds)
    local list = begin {
      { title = "change", width = 10 }, { title = "toolkit", width = 18, least = 7 },
      { title = "status", width = 12, least = 6 }, { title = "accounts", width = 8, right = true },
      { title = "" },
    }
    table.sort(kinds, before)
    local shown = (host.show_all or #kinds <= FIRST_KINDS) and #kinds or FIRST_KINDS
    for at = 1, shown do
      local kind = kinds[at]
      local planned = kind.planned > 0
      list:add(kind.operation, kind.toolkit, kind.status,
        number(planned and kind.planned or kind.same), planned and "" or " already in that state")
    end
    list:finish()
    if shown < #kinds then
      put(("  … and %d more kinds (--show all)"):format(#kinds - shown))
    end
  end

  -- Shows a bulk's changes with this outcome: the first ones, or all.
  local function show_lines(changes, bulk, outcome, total)
    local list = begin {
      { width = 8 }, { width = 16 }, { width = 14, least = 6 }, { width = 20, least = 6 },
      { width = 9 }, { least = 12 },
    }
    local shown = 0
    for operation, account, toolkit, user, status, rest in changes(bulk, outcome) do
      list:add(operation, account, toolkit, user, status, rest)
      shown = shown + 1
      if shown == FIRST_LINES and not host.show_all then
        break
      end
    end
    list:finish()
    if shown < total then
      put(("  … and %s more (--show all)"):format(number(total - shown)))
    end
  end

  local function show_heading(plan)
    local left = plan.replayed and " left, %s looked at%s" or " for %s looked at%s"
    put("plan" .. (plan.name ~= "" and " " or "") .. plan.name
      .. (host.profile and " in profile " .. host.profile or "") .. ": "
      .. counted(plan.planned, "change") .. left:format(counted(plan.selected, "item"),
        part(plan.irreversible, "irreversible") .. part(plan.same, "already in that state")
        .. part(plan.skipped, "protected") .. part(plan.failed, "failed")))
    if plan.listing then
      put("  the listing is incomplete: " .. plan.listing)
    end
  end

  -- plan: struct lca_plan as a table; without `kinds` it is the plan of straight-line
  -- changes. plan.changes(bulk, outcome) iterates over the plan's changes.
  local function show(plan)
    local changes = plan.changes
    if plan.kinds then
      show_heading(plan)
      show_kinds(plan.kinds)
    end
    if plan.replayed then
      return
    end
    if plan.planned > 0 then
      show_lines(changes, plan.bulk, "planned", plan.planned)
    end
    if plan.skipped > 0 then
      put "  left out of the plan:"
      show_lines(changes, plan.bulk, "skipped", plan.skipped)
    end
  end

  return { show = show }
end
