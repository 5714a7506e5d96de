-- A run with a report is killed, interrupted, or meets a full disk at its writes and renames;
-- then it is resumed, or run again where nothing was planned yet. The report must hold each
-- person once, each link that stood in the partial file or the report before, and the
-- reason where there is no link; the exit is 3 where there is such a row, else 0. The
-- service must have made one link for each person. Some first resumes are killed, too.
-- Usage: lua5.4 spec/prove/reports.lua [short]
-- Must not know: how rows are matched.
package.path = (arg[0]:match "^(.*)/spec/prove/[^/]*$" or ".") .. "/?.lua;" .. package.path
local stage = require "spec.prove.stage"

local PEOPLE = 12
local NO_LINK = "link not received: mint a new one"
local FAULTS = {
  { calls = "write", how = "signal=SIGKILL" },
  { calls = "write", how = "signal=SIGINT" },
  { calls = "write", how = "signal=SIGTERM" },
  { calls = "write", how = "error=ENOSPC" },
  { calls = "rename", how = "signal=SIGKILL" },
  { calls = "rename", how = "error=ENOSPC" },
  { calls = "unlink", how = "signal=SIGKILL" },
  { calls = "sendto", how = "signal=SIGKILL" },
  { calls = "recvfrom", how = "signal=SIGINT" },
  { calls = "fdatasync", how = "signal=SIGKILL" },
  { calls = "fdatasync", how = "error=ENOSPC" },
  { calls = "pwrite64", how = "signal=SIGKILL" },
  { calls = "pwrite64", how = "signal=SIGTERM" },
  { calls = "pwrite64", how = "error=ENOSPC" },
}
local FEW = 2 -- points of each fault, in short mode
local AGAIN = 3 -- every third point kills its first resume, at a write
local TIMES = 4 -- so often at most a run is resumed

stage.begin "reports"
stage.spread(6, "points")
local state, log = stage.dir .. "/state", stage.dir .. "/calls"
local script, file = stage.dir .. "/report.lua", stage.dir .. "/links.csv"
local emulator = stage.emulator()

stage.write(script, ([[
local composio = require "composio"
local accounts = composio.connected_accounts
local report = composio.report(%q, { "user", "reason", "redirect_url" })
local rows = {}
for i = 1, %d do rows[i] = { user = "person_" .. i } end
composio.bulk({
  key = function(row) return row.user end,
  after = function(row, results)
    report:add { user = row.user, reason = "invited", redirect_url = results.link.redirect_url }
  end,
}, rows, function(row) accounts.link(row.user, "ac_GmailManaged") end)
]]):format(file, PEOPLE))

local function traced(inject)
  local calls = { "write", "rename", "unlink", "sendto", "recvfrom", "fdatasync", "pwrite64" }
  return stage.strace(log, calls, inject)
end

local function run(inject)
  return stage.shell(stage.command {
    before = traced(inject),
    script = script,
    state = state,
    url = emulator.url,
    more = stage.join({
      "--apply", "--retries", "0", "--concurrency", "4", "--timeout", "1s", "--settle-wait", "0",
    }, stage.OPEN),
  })
end

local function resume(inject)
  emulator:tell("clock/advance", { seconds = 20 }) -- the service says that it has been quiet
  return stage.shell(stage.command {
    before = inject and traced(inject),
    verb = "resume", operand = "last", state = state, url = emulator.url,
    more = { "--retries", "0", "--timeout", "1s" },
  })
end

-- Adds the links of a file to the set: link → who.
local function add_links(set, path)
  local from = io.open(path, "rb")
  local text = from and from:read "a" or ""
  if from then
    from:close()
  end
  for who, link in text:gmatch "(person_%d+),invited,(http[^,\r\n]*)\r\n" do
    set[link] = who
  end
end

local function forget_files()
  stage.wipe(state)
  stage.shell(("rm -f %s %s.*"):format(stage.quote(file), stage.quote(file)))
  emulator:reset()
end

-- Returns whether a row has no link.
local function check_report(links, say)
  local from = io.open(file, "rb")
  if not from then
    return say "there is no report"
  end
  local text, seen, count, lost = from:read "a", {}, 0, false
  from:close()
  for who, reason, link in text:gmatch "\n(person_%d+),([^,\r\n]*),([^,\r\n]*)\r" do
    if seen[who] then
      say(who .. " stands there twice")
    end
    seen[who], count = link, count + 1
    lost = lost or link == ""
    if (link == "") ~= (reason == NO_LINK) then
      say(("%s: '%s' with the link '%s'"):format(who, reason, link))
    end
  end
  if count ~= PEOPLE then
    say(("%d people, not %d"):format(count, PEOPLE))
  end
  local due = {}
  for link, who in pairs(links) do
    due[who] = due[who] or seen[who] == link
  end
  for who, kept in pairs(due) do
    if not kept then
      say("the link of " .. who .. " is lost")
    end
  end
  return lost
end

-- How many links the service made beyond one for each person.
local function count_doubled()
  local made, doubled = {}, 0
  for _, change in ipairs(emulator:changes()) do
    doubled = doubled + (made[change.user_id] and 1 or 0)
    made[change.user_id or change] = true
  end
  return doubled
end

local points = 0

local function point(inject)
  points = points + 1
  forget_files()
  local problems, links = {}, {}
  local output, code = run(inject)
  add_links(links, file .. ".partial")
  add_links(links, file)
  for time = 1, TIMES do
    if code == 0 or code == 3 then
      break
    end
    local before = output
    local again = time == 1 and points % AGAIN == 0
    output, code = resume(again and ("write:signal=SIGKILL:when=%d"):format(points % 40 + 1) or nil)
    if code == 2 and #emulator:changes() == 0 then -- nothing was planned
      output, code = run()
    end
    output = before .. output
    add_links(links, file .. ".partial")
  end
  local function say(text)
    problems[#problems + 1] = text .. "\n" .. output:sub(-1500)
  end
  local lost = check_report(links, say)
  if code ~= (lost and 3 or 0) then
    say(("exit %d at last"):format(code))
  end
  if count_doubled() > 0 then
    say "a person got two links"
  end
  local left = stage.shell("ls " .. stage.quote(stage.dir) .. " | grep partial")
  -- a kill between the run's end and the removal leaves it; the next run sets it aside
  local was_over = output:find("is finished", 1, true)
  if #problems == 0 and left ~= "" and not was_over then
    say "a partial file is left"
  end
  stage.point(problems, inject or "no fault")
end

point()
local counts = {}
for name in stage.read(log):gmatch "%f[^\n\0]%d+ +(%w+)%(" do
  counts[name] = (counts[name] or 0) + 1
end
for _, fault in ipairs(FAULTS) do
  local last = counts[fault.calls] or 0
  for nth in stage.points(1, last, FEW) do
    if stage.mine() then
      point(("%s:%s:when=%d"):format(fault.calls, fault.how, nth))
    end
  end
end
stage.finish "points"
