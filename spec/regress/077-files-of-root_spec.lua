-- One run as root in somebody's state directory (sudo), and each later run of that
-- somebody ended with 2: lock and ledger belonged to root.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

local SCRIPT = "accounts.disable(accounts.list({ statuses = { 'ACTIVE' } }).items[1])"
local SOMEBODY = "setpriv --reuid 54321 --regid 54321 --clear-groups"

local function is_root()
  return host.shell "id -u" == "0" and host.shell "command -v setpriv" ~= ""
end

local function run(prefix, ...)
  return place:run({ "job.lua", "--apply", "--state-dir", ... }, {
    script = SCRIPT,
    prefix = prefix,
  })
end

describe("what root makes in somebody's directory", function()
  before_each(function()
    host.shell(("chmod 755 %s && mkdir %s/own && chown 54321:54321 %s/own"):format(
      place.path, place.path, place.path))
  end)

  local function owners()
    return host.shell(("find %s/own -printf '%%U %%m\n' | sort -u"):format(place.path))
  end

  it("belongs to that somebody, directories as well", function()
    if not is_root() then
      return
    end
    local first = run(nil, "own/deep/state")
    assert.equal(0, first.code, first.err)
    assert.equal("54321 600\n54321 700\n54321 755", owners())
    local second = run(SOMEBODY, "own/deep/state")
    assert.equal(0, second.code, second.err)
    assert.equal(2, job.writes(emulator))
  end)

  it("and a lock that an earlier version left to root is named with its owner", function()
    if not is_root() then
      return
    end
    assert.equal(0, run(SOMEBODY, "own/state").code)
    host.shell(("chown root %s/own/state/lock-*"):format(place.path))
    local refused = run(SOMEBODY, "own/state")
    assert.equal(2, refused.code, refused.err)
    job.has(refused.err, "it belongs to root: give it to")
  end)
end)

describe("a state directory that cannot be written", function()
  it("is named, and nothing is sent", function()
    if not is_root() then
      return
    end
    host.shell(("chmod 755 %s && mkdir -m 555 %s/shut"):format(place.path, place.path))
    for _, dir in ipairs { "shut", "shut/new" } do
      local refused = run(SOMEBODY, dir)
      assert.equal(2, refused.code, refused.err)
      job.has(refused.err, dir)
      job.has(refused.err, "Permission denied")
    end
    assert.equal(0, job.writes(emulator))
  end)
end)
