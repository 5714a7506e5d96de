-- A run of the same script was killed. `apply PLAN` then made its accounts a second time, from
-- a plan saved before or after it; the preview that was refused had saved that plan.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

local LINKS = [[
  composio.bulk({ key = function(row) return row.user end }, composio.csv "users.csv",
    function(row) accounts.link(row.user, "ac_GmailManaged") end)
]]

local function words(...)
  return host.unlimited { "job.lua", "--concurrency=2", ... }
end

local function links()
  return job.sent(emulator, "/link")
end

local function write_users()
  local users = { "user" }
  for number = 1, 20 do
    users[#users + 1] = "new " .. number
  end
  place:write("users.csv", table.concat(users, "\n") .. "\n")
end

-- Kills a run when some links are made.
local function kill()
  emulator:faults { { method = "POST", action = "delay", delay_ms = 40 } }
  local process = place:start(words "--apply", { script = LINKS })
  host.wait_until(function()
    return links() >= 6
  end)
  process:signal "KILL"
  process:wait()
  emulator:faults()
end

local function apply(...)
  return place:run { "apply", "plan", "--max-percent=100", ... }
end

it("a plan that makes accounts is refused, or carried out anew", function()
  write_users()
  assert.equal(0, place:run(words "--save-plan=plan", { script = LINKS }).code)
  kill()
  local before = links()
  local run = apply()
  assert.equal(4, run.code, run.err)
  job.has(run.err, "was interrupted")
  job.has(run.err, "composio-lua resume 20")
  assert.equal(before, links())
  run = apply "--anew"
  assert.equal(0, run.code, run.err)
  assert.equal(before + 20, links())
end)

it("a plan is carried out when the interrupted run is finished", function()
  write_users()
  assert.equal(0, place:run(words "--save-plan=plan", { script = LINKS }).code)
  kill()
  local id = apply().err:match "resume ([^%s`]+)"
  assert.equal(0, place:run({ "resume", id, "--timeout=2s" }).code)
  assert.equal(0, apply().code)
end)

it("a preview that is refused saves no plan", function()
  write_users()
  kill()
  local run = place:run(words "--save-plan=plan", { script = LINKS })
  assert.equal(4, run.code, run.err)
  job.has(run.err, "no plan is saved: the preview was refused")
  assert.is_nil(place:read "plan")
  run = place:run(words("--save-plan=plan", "--anew"), { script = LINKS })
  assert.equal(0, run.code, run.err)
end)

-- Runs the last command of the text, up to a quote or the line's end, as it is printed.
local function run_command(text)
  local command = assert(text:match ".*composio%-lua (%l+ [^`\n]+)", text)
  local list = {}
  for word in command:gmatch "%S+" do
    list[#list + 1] = word:gsub("'", "")
  end
  job.has(command, "--state-dir")
  return place:run(list), command
end

it("the commands in refusals have the options that they need", function()
  write_users()
  local where = { "--state-dir=elsewhere", "--base-url=" .. emulator.url }
  local function at(list)
    return table.move(where, 1, #where, #list + 1, list)
  end
  assert.equal(0, place:run(at(words "--save-plan=plan"), { script = LINKS }).code)
  emulator:faults { job.refusal { path = "*/link", times = 20 } }
  local list = at { "apply", "plan", "--stop-on=failed=1", "--concurrency=1", "--max-percent=100" }
  place:run(list, { script = LINKS })
  emulator:faults()
  -- the plan's own run is left open
  local refused = place:run(at { "apply", "plan" })
  job.has(refused.err, "is not finished; finish it: composio-lua resume")
  local like = place:run(at(words "--apply"))
  assert.equal(4, like.code, like.err)
  local run, command = run_command(like.err)
  job.has(command, "--base-url " .. emulator.url)
  job.has(command, "--failed")
  assert.equal(0, run.code, run.err)
  run, command = run_command(place:run(at { "apply", "plan" }).err)
  job.has(command, "run " .. place.path .. "/job.lua")
  job.has(command, "--base-url " .. emulator.url)
  job.has(run.err, "20 changes")
end)
