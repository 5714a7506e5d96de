-- In a state directory that a group may write to, lock and ledger were open to the first
-- user alone: each other user of the group ended with 2.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

local SCRIPT = "accounts.disable(accounts.list({ statuses = { 'ACTIVE' } }).items[1])"

local function user(id, group)
  return ("setpriv --reuid %d --regid %d --groups %d"):format(id, id, group)
end

local ONE, OTHER, STRANGER = user(54321, 54400), user(54322, 54400), user(54323, 54323)

-- Without root nobody can be somebody else: these specs are left out then.
local function can_be_others()
  return host.shell "id -u" == "0" and host.shell "command -v setpriv" ~= ""
end

local function own(mode)
  host.shell(("chmod 755 %s && mkdir %s/own && chown 54321:54400 %s/own && chmod %s %s/own"):format(
    place.path, place.path, place.path, mode, place.path))
end

local function run(prefix, ...)
  return place:run({ "job.lua", "--apply", "--state-dir", "own", ... }, {
    script = SCRIPT,
    prefix = prefix,
  })
end

local function files()
  return host.shell(("find %s/own -type f -printf '%%G %%m\n' | sort -u"):format(place.path))
end

for _, mode in ipairs { "2770", "0770" } do
  it("each user of the group can take the lock and write the ledger: " .. mode, function()
    if not can_be_others() then
      return
    end
    own(mode)
    for _, prefix in ipairs { ONE, OTHER, ONE } do
      local done = run(prefix)
      assert.equal(0, done.code, done.err)
      assert.equal("54400 660", files())
    end
    assert.equal(3, job.writes(emulator))
    local refused = run(STRANGER)
    assert.equal(2, refused.code, refused.err)
    job.has(refused.err, "Permission denied")
  end)

  it("also while one of them is at work: " .. mode, function()
    if not can_be_others() then
      return
    end
    own(mode)
    local process = place:start({ "job.lua", "--apply", "--state-dir", "own" }, {
      script = SCRIPT .. " print 'ready' composio.sleep(30)",
      prefix = ONE,
    })
    process:wait_for "ready"
    assert.equal("54400 660", files()) -- SQLite's log, too
    local held = run(OTHER)
    assert.equal(75, held.code, held.err)
    local listed = place:run({ "runs", "--state-dir", "own" }, { prefix = OTHER })
    assert.equal(0, listed.code, listed.err)
    job.has(listed.out, "job")
    process:signal "TERM"
    assert.equal(143, process:wait().code)
  end)
end

it("a directory that is opened to the group later is shared from its owner's next run", function()
  if not can_be_others() then
    return
  end
  own "700"
  assert.equal(0, run(ONE).code)
  assert.equal("54321 600", files())
  host.shell(("chmod 2770 %s/own"):format(place.path))
  assert.equal(0, run(ONE).code)
  assert.equal("54400 660", files())
  local done = run(OTHER)
  assert.equal(0, done.code, done.err)
end)
