-- A key file that all can read was refused also on a read-only mount, where nobody can close
-- it: the secrets of containers are 0444.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "20" }, function(...)
  emulator, place = ...
end)

-- Makes the directory `mount` a read-only mount for this process.
local MOUNTED = "unshare -rm sh -c 'mount --bind mount mount && "
  .. [[mount -o remount,bind,ro mount && exec "$@"' sh]]

local function run(prefix)
  host.shell("mkdir -p " .. place.path .. "/mount")
  place:write("mount/key.secret", emulator.api_key .. "\n", "444")
  return place:run({ "job.lua", "--api-key-file", "mount/key.secret" }, {
    script = "print(#accounts.list().items)",
    env = { COMPOSIO_API_KEY = false },
    prefix = prefix,
  })
end

describe("a key file that all can read", function()
  it("is taken from a read-only mount", function()
    if host.shell "unshare -rm mount --bind /tmp /tmp 2>/dev/null && echo yes" ~= "yes" then
      io.write "regress 095: no mount can be made here, so none is tried\n"
      return
    end
    local ended = run(MOUNTED)
    assert.equal(0, ended.code, ended.err)
    assert.matches("^%d+\n$", ended.out)
  end)

  it("is refused elsewhere", function()
    local ended = run()
    assert.equal(2, ended.code, ended.err)
    job.has(ended.err, "others can read it (mode 0444)")
  end)
end)
