-- The result of a run for programs: the JSON object of --summary.
-- Must not know: the ledger, files, terminals.

local core = require "composio.core"
local json_line = require "composio.json_line"
local next_command = require "composio.next_command"

local MEMBERS = {
  "run", "profile", "script", "mode", "exit", "outcomes", "tags", "operations", "listing",
  "requests", "seconds", "next",
}
local RESUMED = table.move(MEMBERS, 1, #MEMBERS, 1, {})
table.insert(RESUMED, 7, "this_time")

local function operations(facts)
  local object = {}
  for _, operation in ipairs(facts.operations) do
    object[#object + 1] = operation.name
    object[#object + 1] = json_line.counts(operation.changes)
  end
  return object
end

-- What this session added to the items by outcome.
local function this_time(facts)
  local counts = {}
  for outcome, count in pairs(facts.items) do
    counts[outcome] = math.max(count - facts.before[outcome], 0)
  end
  return json_line.counts(counts, true)
end

-- Returns the object as a line. facts: what the host knows of the run.
local function text(facts)
  local listing = facts.listing
  local known = not facts.counts_unknown
  local resumed = facts.verb == "resume" and known
  return json_line.object(core, resumed and RESUMED or MEMBERS, {
    run = facts.run,
    profile = facts.profile,
    script = facts.run_script,
    mode = facts.apply and "apply" or "preview",
    exit = facts.exit,
    outcomes = known and json_line.counts(facts.items, true) or nil,
    this_time = resumed and this_time(facts) or nil,
    tags = known and facts.tags or nil,
    operations = known and operations(facts) or nil,
    listing = listing and {
      "complete", listing.complete, "accounts", listing.accounts, "pages", listing.pages,
    },
    requests = facts.requests,
    seconds = { json = ("%d.%03d"):format(facts.ms // 1000, facts.ms % 1000) },
    next = next_command.after(facts),
  }) .. "\n"
end

return { text = text }
