-- Requests that must not be repeated, on a reused connection that a proxy closes or
-- resets after each number of the request's bytes, with and without a pause of the
-- program after the request's head. Each call must be started once, its outcome must
-- agree with what the service did, and the client must work afterwards.
-- Usage: composio-spec spec/prove/drops.lua [pauses] [short]
--   (for the pauses with composio-shim.so preloaded, see spec/prove.sh)
-- Must not know: how libcurl writes a request.
package.path = (arg[0]:match "^(.*)/spec/prove/[^/]*$" or ".") .. "/?.lua;" .. package.path
local proxy = require "spec.support.proxy"
local stage = require "spec.prove.stage"

local FEW = 12 -- offsets of each request, in short mode
local RENEWABLE = { OAUTH2 = true, OAUTH1 = true, DCR_OAUTH = true }

stage.begin(arg[1] == "pauses" and "drops with pauses" or "drops")
local emulator = stage.emulator { "--accounts", "16000" }
local direct = emulator:client().connected_accounts

local expired = {}
for account in direct.each { statuses = { "EXPIRED" }, account_type = "ALL" } do
  if RENEWABLE[account.auth_config.auth_scheme] then
    expired[#expired + 1] = account.id
  end
end

local CASES = {
  link = {
    call = function(accounts, n)
      accounts.link("drop " .. n, "ac_GithubManage", { allow_multiple = true })
    end,
    whom = function(n)
      return "drop " .. n
    end,
  },
  initiate = {
    call = function(accounts, n)
      accounts.initiate("drop " .. n, "ac_StripeApiKey", {
        allow_multiple = true,
        config = require("composio").auth_scheme.api_key { api_key = stage.SECRET },
      })
    end,
    whom = function(n)
      return "drop " .. n
    end,
  },
  refresh = {
    call = function(accounts, n)
      accounts.refresh(expired[n], { even_if_active = true })
    end,
    whom = function(n)
      return expired[n]
    end,
  },
}

-- Returns the request's size, and how the proxy logs it without a fault.
local function size_of(case)
  local run = proxy.start(emulator, {})
  local accounts = run:client({ concurrency = 1 }).connected_accounts
  case.call(accounts, math.min(999, #expired))
  local entry = run:finish():of("POST").requests[1]
  emulator:reset()
  return math.tointeger(entry.from_client)
end

local function count_changes()
  local made = {}
  for _, change in ipairs(stage.changes(emulator)) do
    local whom = change.op == "refresh" and change.account_id or change.user_id
    made[whom] = (made[whom] or 0) + 1
  end
  return made
end

local verdicts = { done = 0, failed = 0, unknown = 0 }
local doubled, poisoned = 0, 0

-- Makes one call on a reused connection; returns what it reported.
local function try(case, accounts, n, problems)
  local warm, why = pcall(accounts.get, "ca_github_u123A")
  if not warm then
    problems[#problems + 1] = "the client is of no use any more: " .. tostring(why)
  end
  local good, result = pcall(case.call, accounts, n)
  local outcome = good and "done" or type(result) == "table" and result.outcome or "?"
  verdicts[outcome] = (verdicts[outcome] or 0) + 1
  if outcome == "?" then
    problems[#problems + 1] = "raised without an outcome: " .. tostring(result)
  end
  return outcome
end

local function judge(problems, outcome, made)
  if made > 1 then
    doubled = doubled + 1
    problems[#problems + 1] = ("carried out %d times"):format(made)
  elseif outcome == "done" and made == 0 then
    problems[#problems + 1] = "called done, but not carried out"
  elseif outcome == "failed" and made > 0 then
    problems[#problems + 1] = "called failed, but carried out"
  end
end

local function sweep(name, how)
  local case = CASES[name]
  local offsets, outcomes, problems = {}, {}, {}
  for offset in stage.points(0, size_of(case), FEW) do
    offsets[#offsets + 1] = offset
  end
  for n, offset in ipairs(offsets) do
    local rule = ("method=POST,when=request,at=%d,do=%s"):format(offset, how)
    local run = proxy.start(emulator, { rule })
    local accounts = run:client({ concurrency = 1, timeout = 10 }).connected_accounts
    problems[n] = {}
    outcomes[n] = try(case, accounts, n, problems[n])
    local seen = run:finish():of "POST"
    -- not started: the handle is broken; started twice: libcurl resent it
    if seen.asked == 0 then
      poisoned = poisoned + 1
      problems[n][1] = "nothing was sent: " .. outcomes[n]
    elseif seen.asked > 1 then
      doubled = doubled + 1
      problems[n][1] = ("begun %d times"):format(seen.asked)
    end
  end
  local made = count_changes()
  for n, offset in ipairs(offsets) do
    judge(problems[n], outcomes[n], made[case.whom(n)] or 0)
    stage.point(problems[n], ("%s, %s after %d bytes"):format(name, how, offset))
  end
  emulator:reset()
end

for _, name in ipairs { "link", "initiate", "refresh" } do
  for _, how in ipairs { "cut", "reset" } do
    sweep(name, how)
  end
end
if verdicts.unknown == 0 then
  stage.point({ "no call was unknown" }, "all")
end
emulator:stop()
stage.note("sent twice", doubled)
stage.note("poisoned", poisoned)
stage.finish "points"
