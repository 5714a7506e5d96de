-- A plan or a run lost its own --protect when the profile, or a later command line, gave one, too:
-- accounts that it had to leave alone were changed. A profile's limit replaced the plan's own.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local has = job.has
local emulator, place, ids
scene.of_host({ "--accounts", "40" }, function(...)
  emulator, place = ...
  ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 3)
  place:write("key.secret", emulator.api_key .. "\n", "600")
  place:write("vip", "user:nobody\n")
  place:write("more", ids[2] .. "\n")
end)

local function profile(line)
  host.shell("mkdir -p " .. place.path .. "/.config/composio-lua")
  place:write(".config/composio-lua/config", ("[acme]\nbase-url = %s\napi-key-file = %s\n%s\n")
    :format(emulator.url, place.path .. "/key.secret", line), "600")
  place:write(".config/composio-lua/acme.protect", "user:nobody_else\n")
end

local function run(...)
  return place:run({ "--summary", "summary.json", ... }, {
    script = ("composio.bulk(%s, function(account) account:disable() end)"):format(job.quoted(ids)),
  })
end

local function save(...)
  local saved = run("job.lua", "--save-plan", "plan", "--max-percent=100", ...)
  assert.equal(0, saved.code, saved.err)
end

-- The ids that were changed, of three.
local function changed(ended)
  assert.equal(0, ended.code, ended.err)
  local text = table.concat(job.changes(emulator), "\n")
  return { text:find(ids[1], 1, true) ~= nil, text:find(ids[2], 1, true) ~= nil,
    text:find(ids[3], 1, true) ~= nil }
end

it("adds the profile's --protect to the plan's", function()
  profile "protect = acme.protect"
  save("--profile", "acme", "--protect", "vip")
  place:write("vip", ids[1] .. "\n")
  local ended = run("apply", "plan", "--profile", "acme")
  assert.same({ false, true, true }, changed(ended))
end)

it("adds the command line's --protect to the plan's", function()
  save("--protect", "vip")
  place:write("vip", ids[1] .. "\n")
  assert.same({ false, false, true }, changed(run("apply", "plan", "--protect", "more")))
end)

it("adds the command line's --protect to the run's", function()
  emulator:faults { job.refusal { method = "PATCH" } }
  local ended = run("job.lua", "--apply", "--max-percent=100", "--protect", "vip")
  assert.equal(3, ended.code, ended.err)
  emulator:faults()
  assert.equal(2, #job.changes(emulator))
  place:write("vip", ids[1] .. "\n" .. ids[3] .. "\n")
  ended = run("resume", "last", "--failed", "--protect", "more")
  assert.equal(2, #job.changes(emulator), ended.err)
end)

it("keeps the plan's limits, whatever the profile allows", function()
  profile "stop-on = failed=100%"
  save("--profile", "acme", "--stop-on", "failed=1")
  emulator:faults { job.refusal { method = "PATCH" } }
  local ended = run("apply", "plan", "--profile", "acme", "--concurrency", "1")
  assert.equal(7, ended.code, ended.err)
end)

it("keeps each --stop-on that was given", function()
  save("--stop-on", "failed=1", "--stop-on", "unknown=5")
  has(place:read "plan", "failed=1,unknown=5")
end)
