-- A service that says secrets back, in each spelling, in each place of a reply, at each step
-- of a run: cut at any length by those who write it, and split over two packets. The secrets
-- are the API key, a secret column, a secret parameter and a credential that the script
-- knows. None may stand in anything that a run writes: output, log, ledger, plan, summary,
-- metrics, report, what --on-end gets.
-- Usage: spec/lua spec/prove/masking.lua [short]
-- Must not know: who masks.
package.path = (arg[0]:match "^(.*)/spec/prove/[^/]*$" or ".") .. "/?.lua;" .. package.path
local cjson = require "cjson"
local canary = require "spec.support.canary"
local proxy = require "spec.support.proxy"
local stage = require "spec.prove.stage"

stage.begin "masking"
stage.spread(2, "replies")
local emulator = stage.emulator { "--accounts", "60", "--api-key", canary.KEY }
local column, param, typed = canary.new "column", canary.new "param", canary.new "typed"
-- The last is a secret only while its own call lasts: a script's text is not.
local SECRETS = { canary.KEY, column, param, typed }

-- Those that are given to the run lie elsewhere than what it writes.
local given, place = stage.dir .. "/given", stage.dir .. "/place"
assert(os.execute(("mkdir %s %s"):format(given, place)))

local function quoted(text)
  return '"' .. text:gsub('"', '""') .. '"'
end

stage.write(given .. "/rows.csv", ("user,token\nrow_1,%s\nrow_2,%s\n"):format(
  quoted(column), quoted(column)))
stage.write(given .. "/token.secret", param)
os.execute("chmod 600 " .. given .. "/token.secret")
stage.write(given .. "/hook",
  ("#!/bin/sh\ncat >>%s/hooked\nenv >>%s/hooked\n"):format(place, place))
os.execute("chmod 755 " .. given .. "/hook")
stage.write(given .. "/job.lua", ([==[
local composio = require "composio"
local accounts = composio.connected_accounts
local job = composio.job { params = { token = { type = "secret", required = true } } }
local scheme = composio.auth_scheme
local report = composio.report("%s/report.csv", { "user", "reason" })
local rows = composio.csv("%s/rows.csv", { "user", "token" }, { secret = { "token" } })
composio.bulk({ name = "keys", key = function(row) return row.user end,
  after = function(row, results)
    local good, why = pcall(accounts.get, results.initiate.id)
    report:add { user = row.user, reason = good and why.status_reason or tostring(why) }
  end,
}, rows, function(row)
  accounts.initiate(row.user, "ac_AirtblBearer", { allow_multiple = true,
    config = scheme.bearer_token { token = row.token } })
end)
composio.bulk({ name = "links" }, { { id = "someone" } }, function(row)
  accounts.link(row.id, "ac_GithubManage", { allow_multiple = true,
    connection_data = { generic_api_key = %q } })
end)
composio.bulk("idle", { "ca_github_u123A", "ca_slack_u123_B" }, function(account)
  account:disable { reason = "with " .. job.params.token .. (account.status_reason or "") }
end)
accounts.disable "ca_github_u123A"
local good, why = pcall(accounts.update, "ca_slack_u123_B", { alias = "new" })
print(good or #tostring(why))
error(why)
]==]):format(place, given, typed))
-- Texts of the script's own, in which the secret parameter stands behind so many bytes.
stage.write(given .. "/raise.lua", [==[
local composio = require "composio"
local params = { token = { type = "secret", required = true }, at = { type = "integer" } }
local job = composio.job { params = params }
local text = ("x"):rep(job.params.at) .. job.params.token .. ("y"):rep(300)
composio.bulk("raises", { { id = "one" } }, function() error(text) end)
composio.bulk("skips", { { id = "two" } }, function() composio.skip(text) end)
composio.bulk("reasons", { "ca_slack_u123_B" }, function(account)
  account:disable { reason = text }
end)
composio.bulk({ name = "after", after = function() error(text, 0) end }, { "ca_github_u123A" },
  function(account) account:disable() end)
error(text)
]==])

-- ---- spellings and places ----

local function percent(secret, format)
  return (secret:gsub("[^%w%-._~]", function(byte)
    return format:format(byte:byte())
  end))
end

local function base64(text)
  local pipe = assert(io.popen("printf %s " .. stage.quote(text) .. " | base64 -w0"))
  local out = pipe:read "a"
  pipe:close()
  return out
end

local function spellings(secret)
  local json = cjson.encode(secret):sub(2, -2)
  return {
    secret, base64(secret), base64("u:" .. secret), base64("us:" .. secret),
    percent(secret, "%%%02X"), percent(secret, "%%%02x"), json, (json:gsub("\\/", "/")),
  }
end

local function envelope(member, text)
  local error = { message = "no", slug = "X_No", code = 1 }
  error[member] = member == "errors" and { text, text } or text
  return { body = { error = error } }
end

local function account(member, text)
  local item = {
    id = "ca_github_u123A", user_id = "user_123", status = "ACTIVE", is_disabled = false,
    toolkit = { slug = "github" }, auth_config = { id = "ac_GithubManage", auth_scheme = "OAUTH2" },
  }
  item[member] = text
  return item
end

-- What is said where: returns the members of a fault rule.
local PLACES = {
  function(text) return envelope("message", text) end,
  function(text) return envelope("slug", text) end,
  function(text) return envelope("suggested_fix", text) end,
  function(text) return envelope("request_id", text) end,
  function(text) return envelope("errors", text) end,
  function(text) return { body = { message = text } } end,
  function(text) return { body = { text } } end,
  function(text) return { body = "<html>" .. text, content_type = "text/html" } end,
  function(text) return { body = text, content_type = "text/plain" } end,
  function(text) return { body = "", headers = { ["x-request-id"] = text } } end,
  function(text) return { body = "", headers = { Location = "https://x.example/" .. text } } end,
  function(text) return { body = "", headers = { Location = "https://" .. text .. "/x" } } end,
  function(text) return { body = "", headers = { Server = text, ["Retry-After"] = text } } end,
  function(text)
    return { body = { items = { account("status_reason", text) }, total_items = 1 } }
  end,
  function(text) return { body = account("status_reason", text) } end,
  function(text) return { body = account("status", text) } end,
}
local ERRORS = 13 -- the places after them are of an account
local STATUSES = { 200, 302, 400, 401, 404, 409, 429, 500, 502 }
-- Which requests get the reply.
local MOMENTS = {
  { method = "GET", path = "*connected_account_ids=*" },
  { method = "GET", path = "*user_ids=*" },
  { method = "GET", path = "*/connected_accounts/ca_*" },
  { method = "POST", path = "*/connected_accounts" },
  { method = "POST", path = "*/link" },
  { method = "PATCH", path = "*ca_github*" },
  { method = "PATCH", path = "*ca_slack*" },
}

-- ---- a run ----

local FILES = { "--log", "log", "--summary", "summary.json", "--metrics", "metrics" }

local function run(url, more, script)
  stage.wipe(place)
  assert(os.execute("mkdir " .. place))
  local command = ("cd %s; COMPOSIO_BASE_URL=%s COMPOSIO_API_KEY=%s timeout -k 5 60 "):format(
    place, stage.quote(url), stage.quote(canary.KEY)) .. stage.server.build .. "/composio-lua"
  local words = stage.join({
    "run", given .. (script or "/job.lua"), "--token-file", given .. "/token.secret",
    "--state-dir", "state",
    "--retries", "0", "--settle-wait", "0", "--timeout", "2s", "--on-end", given .. "/hook",
  }, FILES, stage.OPEN, more)
  for _, word in ipairs(words) do
    command = command .. " " .. stage.quote(word)
  end
  local _, _, code = os.execute(command .. " >out 2>err </dev/null")
  stage.note("exit " .. code, 1)
  return code
end

local WAYS = {
  { "--apply", "-vv" },
  { "--apply", "-vv", "--log-format", "json", "--concurrency", "1" },
  { "--save-plan", "plan", "--show", "all" },
  { "--apply", "--cron" },
  { "--apply", "-q" },
}

local function point(url, way, how)
  local code = run(url, way)
  local problems = canary.search(place)
  if code > 9 then
    problems[#problems + 1] = ("exit %d: %s"):format(code, stage.read(place .. "/err"):sub(-800))
  end
  stage.point(problems, how)
end

local function header_safe(rule)
  for name, value in pairs(rule.headers or {}) do
    rule.headers[name] = value:gsub("[%c]", " ")
  end
  return rule
end

-- All secrets in one spelling, in one place, at one step; the status and the way change with
-- them.
local turn = 0

local function replies()
  local kinds, spelled = #spellings(canary.KEY), {}
  for number, secret in ipairs(SECRETS) do
    spelled[number] = spellings(secret)
  end
  for place_number, make in ipairs(PLACES) do
    for spelling = 1, kinds do
      for moment_number, moment in ipairs(MOMENTS) do
        turn = turn + 1
        if stage.mine() and (not stage.short or turn % 100 == 1) then
          local said = {}
          for number, list in ipairs(spelled) do
            said[number] = list[spelling]
          end
          said[#said] = moment.path:find "/link" and said[#said] or nil
          local status = STATUSES[turn % #STATUSES + 1]
          -- what a good reply says of an account is the service's, and kept as it is
          status = place_number > ERRORS and status == 200 and 400 or status
          local rule = header_safe(make(table.concat(said, " ")))
          rule.action, rule.status, rule.times = "reply", status, 1000
          rule.method, rule.path = moment.method, moment.path
          emulator:reset()
          emulator:faults { rule }
          point(emulator.url, WAYS[turn % #WAYS + 1],
            ("place %d, spelling %d, step %d, status %d"):format(
              place_number, spelling, moment_number, status))
        end
      end
    end
  end
end

-- Adds which files hold the beginning of a secret.
local function find_half(secret, problems)
  local found = stage.shell(("grep -rlaF -- %s %s"):format(
    stage.quote(secret:sub(1, 14)), stage.quote(place)))
  for path in found:gmatch "[^\n]+" do
    problems[#problems + 1] = ("the beginning of '%s' is in %s"):format(secret, path)
  end
end

-- Whoever writes a text of a limited length must not cut a secret in two: what stands before
-- the cut is no secret as a whole, and was not masked.
local function cuts()
  for at in stage.points(0, 2200 // 9, 8) do
    if stage.mine() then
      local problems, way = {}, WAYS[at % #WAYS + 1]
      emulator:reset()
      if at % 2 == 0 then
        local secret = SECRETS[at // 2 % (#SECRETS - 1) + 1]
        local text = ("x"):rep(at * 9) .. secret .. ("y"):rep(300)
        local rule = at % 4 == 0 and envelope("message", text) or { body = text }
        rule.action, rule.status, rule.times = "reply", 400, 1000
        rule.method = ({ "PATCH", "POST", "GET" })[at // 4 % 3 + 1]
        emulator:faults { rule }
        run(emulator.url, way)
        find_half(secret, problems)
      else
        run(emulator.url, stage.join(way, { "--at", tostring(at * 9) }), "/raise.lua")
        find_half(param, problems)
      end
      stage.point(problems, ("cut behind %d bytes"):format(at * 9))
    end
  end
end

-- A reply that comes in two packets, the first of which ends within the secret.
local function splits()
  for at in stage.points(1, 24, 2) do
    if stage.mine() then
      local secret = SECRETS[at % (#SECRETS - 1) + 1]
      emulator:reset()
      emulator:faults {
        { method = "PATCH", action = "reply", status = 400, times = 1000,
          body = ("no: %s %s"):format(secret, secret) },
      }
      local through = proxy.start(emulator, {
        ("method=PATCH,when=reply,at=body+%d,do=stall,ms=30"):format(at),
      })
      point(through.url, WAYS[at % #WAYS + 1], ("split at %d"):format(at))
      through:finish()
    end
  end
end

replies()
cuts()
splits()
emulator:stop()
stage.finish "replies"
