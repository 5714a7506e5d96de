-- Every byte of every exchange: the connection is closed or reset after each number of
-- bytes in each direction, with one call for each case. What the call reports must agree
-- with the change log, a read must return complete data, and afterwards no descriptor
-- may be left open.
-- Usage: composio-spec spec/prove/bytes.lua [short]   (under AddressSanitizer)
-- Must not know: how replies are read.
package.path = (arg[0]:match "^(.*)/spec/prove/[^/]*$" or ".") .. "/?.lua;" .. package.path
local proxy = require "spec.support.proxy"
local stage = require "spec.prove.stage"

local FEW = 4 -- offsets of each message, in short mode
local RENEWABLE = { OAUTH2 = true, OAUTH1 = true, DCR_OAUTH = true }

stage.begin "bytes"
local emulator = stage.emulator { "--accounts", "16000" }
local direct = emulator:client().connected_accounts

local function ids(status, wanted)
  local list = {}
  for account in direct.each { statuses = { status }, account_type = "ALL", limit = 100 } do
    if not wanted or wanted[account.auth_config.auth_scheme] then
      list[#list + 1] = account.id
    end
  end
  return list
end

local active, expired = ids "ACTIVE", ids("EXPIRED", RENEWABLE)
local whole_page = direct.list { limit = 2 }

-- Each: what is called for the n-th offset, under which name the change log
-- has it (nil for reads; what is left out says whether the result is whole).
local CASES = {
  {
    name = "get",
    call = function(accounts)
      return accounts.get "ca_github_u123A"
    end,
    whole = function(account)
      return account.id == "ca_github_u123A" and account.alias == "work" and account.created_at
    end,
  },
  {
    name = "list",
    call = function(accounts)
      return accounts.list { limit = 2 }
    end,
    whole = function(page)
      local good = #page.items == 2 and page.total_items == whole_page.total_items
      return good and page.next_cursor == whole_page.next_cursor
    end,
  },
  {
    name = "disable",
    call = function(accounts, n)
      accounts.disable(active[n])
      return active[n]
    end,
    whom = function(n)
      return active[n]
    end,
  },
  {
    name = "refresh",
    call = function(accounts, n)
      accounts.refresh(expired[n], { even_if_active = true }) -- no check before the call
    end,
    whom = function(n)
      return expired[n]
    end,
  },
  {
    name = "link",
    call = function(accounts, n)
      accounts.link("byte " .. n, "ac_GithubManage", { allow_multiple = true })
    end,
    whom = function(n)
      return "byte " .. n
    end,
  },
  {
    name = "delete",
    call = function(accounts, n)
      accounts.delete(active[n])
    end,
    whom = function(n)
      return active[n]
    end,
  },
}

local pid = stage.read("/proc/self/stat"):match "^%d+"

-- Connections belong to the engine, not to clients. It checks once a second, during a
-- later call, for idle ones that the other side has closed.
local function descriptors()
  for _ = 1, 2 do
    require("composio").sleep(1.2)
    direct.get "ca_github_u123A"
    collectgarbage()
  end
  return tonumber((stage.shell("ls /proc/" .. pid .. "/fd | wc -l"):match "%d+"))
end

-- Bytes of a whole exchange: { request = N, reply = N }.
local function sizes(case)
  local run = proxy.start(emulator, {})
  run:client()
  case.call(run.clients[1].connected_accounts, 1)
  local entry = run:finish().requests[1]
  emulator:reset()
  return {
    request = math.tointeger(entry.from_client),
    reply = math.tointeger(entry.from_server),
  }
end

local function applied()
  local set = {}
  for _, change in ipairs(stage.changes(emulator)) do
    set[change.op == "link" and change.user_id or change.account_id] = change.op
  end
  return set
end

-- Makes one call; returns what it reports, and what is wrong with it so far.
local function try(case, accounts, n)
  local good, result = pcall(case.call, accounts, n)
  if good then
    if case.whole and not case.whole(result) then
      return "done", "a part of the reply was taken for all of it"
    end
    return "done"
  end
  local outcome = type(result) == "table" and result.outcome
  if outcome ~= "failed" and outcome ~= "unknown" then
    return "?", "raised without an outcome: " .. tostring(result)
  end
  return outcome
end

local verdicts = { done = 0, failed = 0, unknown = 0 }

local function sweep(case, direction, how, size)
  local n, told, wrong, offsets = 0, {}, {}, {}
  for offset in stage.points(0, size + 1, FEW) do
    n = n + 1
    offsets[n] = offset
  end
  if offsets[n] <= size then -- past the end there is no fault, so the call must succeed
    n = n + 1
    offsets[n] = size + 1
  end
  local place = 0
  while place < n do
    local first = place + 1
    -- rules are few: in short mode one proxy for each offset, else one sweep
    local rule = ("when=%s,at=%s,do=%s"):format(
      direction,
      stage.short and offsets[first] or "sweep",
      how
    )
    local run = proxy.start(emulator, { rule })
    local accounts = run:client().connected_accounts
    local last = stage.short and first or n
    for i = first, last do
      told[i], wrong[i] = try(case, accounts, i)
    end
    run:finish()
    place = last
  end
  local log = applied()
  for i = 1, n do
    local problems = { wrong[i] }
    local whom = case.whom and case.whom(i)
    if whom and told[i] == "done" and log[whom] ~= case.name then
      problems[#problems + 1] = "called done, but not applied"
    elseif whom and told[i] == "failed" and log[whom] then
      problems[#problems + 1] = "called failed, but applied"
    end
    verdicts[told[i]] = (verdicts[told[i]] or 0) + 1
    local name = "%s, %s %s after %d bytes"
    stage.point(problems, name:format(case.name, direction, how, offsets[i]))
  end
  emulator:reset()
end

local before = descriptors()
for _, case in ipairs(CASES) do
  local size = sizes(case)
  for _, direction in ipairs { "request", "reply" } do
    for _, how in ipairs { "cut", "reset" } do
      sweep(case, direction, how, size[direction])
    end
  end
end
local after = descriptors()
-- one or two idle connections to the emulator come and go; a leak would be one
-- a call, a sweep or a client
if after > before + 2 then
  stage.point({ ("%d descriptors before, %d after"):format(before, after) }, "all")
end
for _, verdict in ipairs { "done", "failed", "unknown" } do
  if verdicts[verdict] == 0 then
    stage.point({ "no call was " .. verdict }, "all")
  end
end
emulator:stop()
stage.finish "points"
