-- The result of a run for programs: the JSON object of --summary and the text of
-- --metrics.
-- Must not know: the ledger, files, terminals.

local core = require "composio.core"
local json_line = require "composio.host.json_line"
local next_command = require "composio.host.next_command"

local MEMBERS = {
  "run", "profile", "script", "mode", "exit", "outcomes", "open", "tags", "operations", "listing",
  "requests", "seconds", "next",
}
local RESUMED = table.move(MEMBERS, 1, #MEMBERS, 1, {})
table.insert(RESUMED, 8, "this_time")

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

-- Outcomes of open items: those without a final one, which a plain resume takes up
-- again.
local OPEN = { "planned", "intended", "not_tried", "unknown", "pending" }

local function open_items(facts)
  local sum = 0
  for _, outcome in ipairs(OPEN) do
    sum = sum + (facts.items[outcome] or 0)
  end
  return sum
end

-- Returns the object as a line. facts: what the host knows about the run.
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
    open = known and open_items(facts) or nil,
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

-- ---- metrics ----

-- Returns the script's name for labels and messages.
local function job_name(facts)
  local name = (facts.run_script or facts.operand or ""):match "[^/]*$"
  return (name:gsub("%.lua$", ""))
end

local function label(name, value)
  return ('%s="%s"'):format(name, (value:gsub("[\\\"\n]", { ["\\"] = "\\\\", ['"'] = '\\"',
    ["\n"] = "\\n" })))
end

-- Returns the run's metrics in the text format of Prometheus: one group for each job,
-- profile and shard, which the next run replaces.
local function metrics(facts)
  local lines = {}
  local profile = facts.profile or "default"
  local common = label("job", job_name(facts)) .. "," .. label("profile", profile)
  if facts.shard then
    common = common .. "," .. label("shard", facts.shard)
  end

  local function family(name, help)
    lines[#lines + 1] = ("# HELP composio_run_%s %s"):format(name, help)
    lines[#lines + 1] = ("# TYPE composio_run_%s gauge"):format(name)
  end

  local function put(name, value, ...)
    local labels = table.concat({ common, ... }, ",")
    lines[#lines + 1] = ("composio_run_%s{%s} %s"):format(name, labels, value)
  end

  local function single(name, help, value)
    family(name, help)
    put(name, value)
  end

  single("exit", "The exit status.", facts.exit)
  single("applied", "1 when changes were to be made, 0 for a preview.", facts.apply and 1 or 0)
  single("end_seconds", "When the run ended, in seconds since 1970.", facts.now() // 1000)
  single("duration_seconds", "How long it took.", ("%.3f"):format(facts.ms / 1000))
  single("requests", "Requests that were sent.", facts.requests)
  if facts.counts_unknown then
    return table.concat(lines, "\n") .. "\n"
  end
  single("open_items", "Items that a run which acts has left to resume.",
    facts.apply and open_items(facts) or 0)
  family("items", "Items by outcome.")
  for place, outcome in ipairs(json_line.outcomes) do
    if place >= json_line.first_final then
      put("items", facts.items[outcome], label("outcome", outcome))
    end
  end
  family("changes", "Changes by operation and outcome.")
  for _, operation in ipairs(facts.operations) do
    for _, outcome in ipairs(json_line.outcomes) do
      local count = operation.changes[outcome]
      if count > 0 then
        put("changes", count, label("operation", operation.name), label("outcome", outcome))
      end
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

return { job_name = job_name, metrics = metrics, text = text }
