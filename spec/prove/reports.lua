-- A run with a report is killed, interrupted, or meets a full disk at its writes and renames;
-- then it is resumed, or run again where nothing was planned yet. The report must hold each
-- person once, each link that stood in the partial file or the report before, and the
-- reason where there is no link.
-- Usage: lua5.4 spec/prove/reports.lua [short]
-- Must not know: how rows are matched.
package.path = (arg[0]:match "^(.*)/spec/prove/[^/]*$" or ".") .. "/?.lua;" .. package.path
local stage = require "spec.prove.stage"

local PEOPLE = 12
local NO_LINK = "link not received: mint a new one"
local FAULTS = {
  { calls = "write", how = "signal=SIGKILL" },
  { calls = "write", how = "signal=SIGINT" },
  { calls = "write", how = "error=ENOSPC" },
  { calls = "rename", how = "signal=SIGKILL" },
  { calls = "rename", how = "error=ENOSPC" },
  { calls = "unlink", how = "signal=SIGKILL" },
  { calls = "sendto", how = "signal=SIGKILL" },
  { calls = "recvfrom", how = "signal=SIGINT" },
  { calls = "fdatasync", how = "signal=SIGKILL" },
  { calls = "fdatasync", how = "error=ENOSPC" },
}
local MOST, FEW = 60, 2 -- points of each fault
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

local function run(inject)
  local trace = "strace -f -qq -s 0 -o %s -e trace=write,rename,unlink,sendto,recvfrom,fdatasync "
  local before = trace:format(stage.quote(log)) .. (inject and "-e inject=" .. inject or "")
  return stage.shell(stage.command {
    before = before,
    script = script,
    state = state,
    url = emulator.url,
    more = stage.join({ "--apply", "--retries", "0", "--concurrency", "4" }, stage.OPEN),
  })
end

local function resume()
  return stage.shell(stage.command {
    verb = "resume", operand = "last", state = state, url = emulator.url,
    more = { "--retries", "0" },
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

local function check_report(links, say)
  local from = io.open(file, "rb")
  if not from then
    return say "there is no report"
  end
  local text, seen, count = from:read "a", {}, 0
  from:close()
  for who, reason, link in text:gmatch "\n(person_%d+),([^,\r\n]*),([^,\r\n]*)\r" do
    if seen[who] then
      say(who .. " stands there twice")
    end
    seen[who], count = link, count + 1
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
end

local function point(inject)
  forget_files()
  local problems, links = {}, {}
  local output, code = run(inject)
  add_links(links, file .. ".partial")
  add_links(links, file)
  for _ = 1, TIMES do
    if code == 0 then
      break
    end
    local before = output
    output, code = resume()
    if code == 2 and #emulator:changes() == 0 then -- nothing was planned
      output, code = run()
    end
    output = before .. output
    add_links(links, file .. ".partial")
  end
  local function say(text)
    problems[#problems + 1] = text .. "\n" .. output:sub(-1500)
  end
  if code ~= 0 then
    say(("exit %d at last"):format(code))
  end
  check_report(links, say)
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
  local step = stage.short and 1 or math.max(1, last // MOST)
  for nth in stage.points(1, last, FEW) do
    if nth % step == 0 and stage.mine() then
      point(("%s:%s:when=%d"):format(fault.calls, fault.how, nth))
    end
  end
end
stage.finish "points"
