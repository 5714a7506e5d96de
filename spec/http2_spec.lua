-- What a server may do to the streams of an HTTP/2 connection (RFC 9113, 5.4 and 6.8), by
-- composio-h2front. What may be repeated is repeated at once. libcurl does not tell a stream
-- that the server has not taken up from one whose connection broke: then a change that must
-- not be doubled is unknown, and sent once more after look-up has shown that it did not happen.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"
local tls = require "spec.support.tls"

local emulator, place, front
scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

-- Starts the script, through a server with these rules.
local function start(rules, script)
  front = tls.unruly(emulator, rules)
  return place:start(host.unlimited { "job.lua", "--apply", "--tls-ca", front.ca, "--timeout",
    "5s", "--summary", "summary.json" },
    { script = script, env = { COMPOSIO_BASE_URL = front.url } })
end

local function finish(process, rules)
  local run = process:wait(30)
  local struck = front:stop()
  for _, rule in ipairs(rules) do
    assert.is_true(struck[rule:match "%a+"], rule .. " did not strike: " .. run.err)
  end
  return run
end

-- Fails when a user or an account was changed twice, or not at all.
local function once(count)
  local seen, all = {}, 0
  for _, change in ipairs(emulator:changes()) do
    if change.op ~= "expire" then -- logins that nobody completed
      local whom = change.op == "disable" and change.account_id or change.user_id
      assert.is_nil(seen[whom], "twice: " .. whom)
      seen[whom], all = true, all + 1
    end
  end
  assert.equal(count, all)
end

local LINKS = [[
  local rows = {}
  for n = 1, 6 do rows[n] = { user = "new " .. n } end
  composio.bulk({ key = function(row) return row.user end }, rows, function(row)
    accounts.link(row.user, "ac_GmailManaged")
  end)
]]

-- kind → how many of six links the server forwards at first
local FORWARDED = { refuse = 4, goaway = 2, drain = 4, fail = 4, cut = 6 }

for kind, forwarded in pairs(FORWARDED) do
  it("six links, when a server does " .. kind .. ", are made once each", function()
    -- while the last reply is held back, the service's clock passes the quiet time
    emulator:faults {
      { method = "POST", nth = forwarded, action = "delay", delay_ms = 800 },
    }
    local rules = { kind .. ":3-4" }
    local process = start(rules, LINKS)
    host.wait_until(function()
      return job.writes(emulator) >= forwarded
    end, "the last link")
    emulator:tell("clock/advance", { seconds = 3600 })
    local run = finish(process, rules)
    assert.equal(0, run.code, run.err)
    assert.same({ link = { done = 6 } }, run.summary.operations)
    job.lacks(run.err, "failed")
    once(6)
    -- after a GOAWAY it is a matter of moments what still takes the old connection
    if kind ~= "goaway" and kind ~= "drain" then
      job.has(run.err, kind == "cut" and "2 happened, 0 did not" or "0 happened, 2 did not")
    end
  end)
end

it("disables are repeated at once, whatever the server does", function()
  local rules = { "refuse:2", "fail:4", "cut:6", "goaway:8-9", "drain:14" }
  local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 16)
  local script = "composio.bulk(%s, function(account) account:disable() end)"
  local run = finish(start(rules, script:format(job.quoted(ids))), rules)
  assert.equal(0, run.code, run.err)
  assert.same({ disable = { done = 16 } }, run.summary.operations)
  job.lacks(run.err, "unknown")
  once(16)
end)
