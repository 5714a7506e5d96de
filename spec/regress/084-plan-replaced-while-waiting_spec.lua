-- A plan whose file was replaced while `apply` waited for the lock was carried out under the
-- digest of the one that had been checked.
local digest = require "spec.support.digest"
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

local OFF = [[local some = accounts.each { toolkit_slugs = { "%s" }, statuses = { "ACTIVE" } }
composio.bulk("off", some, function(account)
  account:disable()
end)]]

local function save(toolkit, name)
  place:script(OFF:format(toolkit))
  local run = place:run(host.unlimited { "job.lua", "--save-plan", name })
  assert.equal(0, run.code, run.err)
end

-- Applies the plan; `replace` runs while it waits for the lock.
local function apply_while(replace)
  local holder = place:start { "hold.lua", "--apply" }
  holder:wait_for "holds"
  local waiting = place:start(host.unlimited { "apply", "plan", "--lock-wait=30s" })
  waiting:wait_for "waiting for the lock"
  replace()
  holder:signal "KILL"
  holder:wait()
  return waiting:wait(40)
end

before_each(function()
  place:script("composio.job {} print 'holds' composio.sleep(60)", "hold.lua")
  save("github", "other")
  save("gmail", "plan")
end)

local function refused(replace)
  local run = apply_while(replace)
  job.has(run.err, "plan was replaced after it was checked; apply it again")
  assert.equal(2, run.code)
  assert.equal(0, job.writes(emulator))
end

it("another plan in its place is refused", function()
  refused(function()
    place:write("plan", place:read "other") -- into the same file, as cp does
  end)
end)

it("an edited plan in its place is refused", function()
  refused(function()
    local edited = place:read("plan"):gsub('"disable"', '"enable"', 1)
    place:write("new", digest.forged(edited))
    os.rename(place.path .. "/new", place.path .. "/plan")
  end)
end)

it("the plan that was checked is carried out after the wait, and once", function()
  local run = apply_while(function()
    place:write("plan", place:read "plan")
  end)
  assert.equal(0, run.code, run.err)
  assert.is_true(job.writes(emulator) > 0)
  assert.equal(4, place:run(host.unlimited { "apply", "plan" }).code)
end)
