-- One writing run at a time, per project and state directory.
local cjson = require "cjson"
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local has = job.has
local emulator, place

local STATE = ".local/state/composio-lua"
-- Says "ready" once it holds the lock, and ends when the file `go` is there.
local HOLDS = [[
accounts.disable(composio.connected_accounts.list({ statuses = { "ACTIVE" } }).items[1])
print "ready"
while not io.open("go") do composio.sleep(0.02) end
]]
local WRITES = [[
accounts.disable(accounts.list({ statuses = { "ACTIVE" } }).items[1])
print "wrote"
]]

scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)
before_each(function()
  place:script(HOLDS, "holds.lua")
  place:script(WRITES, "writes.lua")
end)

local function hold(...)
  local process = place:start { "holds.lua", "--apply", "--allow", "io", ... }
  process:wait_for "ready"
  return process
end

local function let_go(process)
  place:write("go", "")
  local run = process:wait()
  os.remove(place.path .. "/go")
  return run
end

local function lock_file(dir)
  return host.shell("ls -d " .. place.path .. "/" .. (dir or STATE) .. "/lock-* 2>/dev/null")
end

local function now()
  return tonumber(host.shell "date +%s.%N")
end

describe("the lock", function()
  it("is held by one run; a second says by whom, and writes nothing", function()
    local first = hold()
    local before = #emulator:changes()
    local run = place:run { "writes.lua", "--apply" }
    assert.equal(75, run.code)
    assert.equal("", run.out)
    local id = place:ledger("SELECT name FROM run")[1][1]
    has(run.err, "another run holds the lock: holds.lua (run " .. id .. ", pid " .. first.pid)
    assert.matches(" by [%w_-]+@[%w._-]+ since %d%d:%d%d:%d%dZ; %-%-lock%-wait 5m waits", run.err)
    assert.equal(1, select(2, run.err:gsub("\n", "")))
    assert.equal(before, #emulator:changes())
    assert.equal(1, #place:ledger "SELECT 1 FROM run")
    assert.equal(0, let_go(first).code)
    assert.equal(0, place:run({ "writes.lua", "--apply" }).code)
  end)

  it("is a file of its own that says who holds it, and nothing when nobody does", function()
    local first = hold()
    local path = lock_file()
    assert.matches("/lock%-%x+$", path)
    assert.equal("600", host.shell("stat -c %a " .. path))
    local name = path:sub(#place.path + 2)
    local line = place:read(name)
    assert.equal(1, select(2, line:gsub("\n", "")))
    local holder = cjson.decode(line)
    assert.equal(tonumber(first.pid), holder.pid)
    assert.equal("holds.lua", holder.script)
    assert.equal(place:ledger("SELECT name FROM run")[1][1], holder.run)
    assert.equal(host.shell "id -un", holder.who)
    assert.equal(host.shell "uname -n", holder.host)
    assert.matches("^%d+%-%d+%-%d+T%d+:%d+:%d+%.%d+Z$", holder.since)
    let_go(first)
    assert.equal("", place:read(name))
  end)

  it("is waited for when asked, and taken at once when it is free", function()
    local first = hold()
    local waiting = place:start { "writes.lua", "--apply", "--lock-wait", "30s" }
    waiting:wait_for "waiting for the lock that holds.lua (run "
    host.shell "sleep 0.3"
    local free = now()
    first:signal "KILL"
    first:wait()
    waiting:wait_for "wrote"
    assert.is_true(now() - free < 2)
    local run = waiting:wait()
    assert.equal(0, run.code)
    assert.equal(1, select(2, run.err:gsub("waiting for the lock", "")), "said once")
  end)

  it("is waited for no longer than asked", function()
    local first = hold()
    local began = now()
    local run = place:run { "writes.lua", "--apply", "--lock-wait=0.5" }
    assert.equal(75, run.code)
    has(run.err, "another run still holds the lock: holds.lua")
    assert.is_true(now() - began >= 0.5)
    let_go(first)
  end)

  it("is waited for until a signal", function()
    local first = hold()
    for signal, code in pairs { INT = 130, TERM = 143 } do
      local waiting = place:start { "writes.lua", "--apply", "--lock-wait", "30s" }
      waiting:wait_for "waiting for the lock"
      waiting:signal(signal)
      local run = waiting:wait()
      assert.equal(code, run.code)
      has(run.err, "interrupted by SIG" .. signal)
    end
    assert.equal(1, #emulator:changes())
    let_go(first)
  end)

  it("dies with its holder, whose name nobody believes any more", function()
    local first = hold()
    first:signal "KILL"
    first:wait()
    local name = lock_file():sub(#place.path + 2)
    has(place:read(name), '"script":"holds.lua"')
    local run = place:run { "writes.lua", "--apply" }
    assert.equal(0, run.code, run.err)
    place:write(name, '{"pid":4194304,"script":"dead","host":"' .. host.shell "uname -n" .. '"}\n')
    run = place:run({ "writes.lua", "--apply" }, {
      prefix = "flock " .. lock_file() .. " env",
    })
    assert.equal(75, run.code)
    has(run.err, "a process that has not written its name")
    assert.is_nil(run.err:find("dead", 1, true))
  end)

  it("is none of previews, nor in their way", function()
    assert.equal(0, place:run({ "writes.lua" }).code)
    assert.equal("", lock_file())
    local first = hold()
    local run = place:run { "writes.lua" }
    assert.equal(0, run.code)
    assert.equal("", run.err:match "lock" or "")
    let_go(first)
  end)

  it("is one for each project and state directory", function()
    local first = hold()
    assert.equal(0, place:run({ "writes.lua", "--apply", "--state-dir", "other" }).code)
    local url = emulator.url:gsub("127%.0%.0%.1", "localhost")
    assert.equal(0, place:run({ "writes.lua", "--apply", "--base-url", url }).code)
    assert.equal(75, place:run({ "writes.lua", "--apply" }).code)
    let_go(first)
  end)

  it("is not handed on to the emulator that a run starts", function()
    local process = place:start({
      "holds.lua", "--apply", "--allow", "io", "--emulator=20", "--state-dir", "own",
    }, { env = { COMPOSIO_BASE_URL = false, COMPOSIO_API_KEY = false } })
    process:wait_for "ready"
    local children = ("/proc/%s/task/%s/children"):format(process.pid, process.pid)
    local child = host.shell("cat " .. children):match "%d+"
    has(host.shell(("ls -l /proc/%s/fd"):format(process.pid)), "/own/lock-")
    assert.is_nil(host.shell(("ls -l /proc/%s/fd"):format(child)):find("/own/lock-", 1, true))
    let_go(process)
  end)

  it("that cannot be made ends the run with 2, its path, and nothing sent", function()
    place:run { "writes.lua", "--apply" }
    local path = lock_file()
    local before = #emulator:changes()
    for _, make in ipairs { "mkdir ", "ln -s /dev/null ", "mkfifo " } do
      os.execute("rm -rf " .. path .. " && " .. make .. path)
      local run = place:run { "writes.lua", "--apply" }
      assert.equal(2, run.code, make)
      has(run.err, path:match "[^/]+$")
    end
    assert.equal(before, #emulator:changes())
  end)

  it("lets eight that start together write one after the other", function()
    local ids, processes = {}, {}
    for account in emulator:client().connected_accounts.each { statuses = { "ACTIVE" } } do
      ids[#ids + 1] = ("%q"):format(account.id)
    end
    emulator:reset()
    place:script(([[
      local job = composio.job { params = { name = { type = "string" } } }
      composio.bulk({ %s }, function(id) accounts.update(id, { alias = job.params.name }) end)
    ]]):format(table.concat(ids, ", ", 1, 5)), "alias.lua")
    for n = 1, 8 do
      processes[n] = place:start {
        "alias.lua", "--apply", "--lock-wait", "60s", "--name", "run " .. n, "--retries=0",
      }
    end
    for n = 1, 8 do
      assert.equal(0, processes[n]:wait().code)
    end
    local count, blocks, last = 0, 0, nil
    for _, request in ipairs(emulator:requests()) do
      local name = request.method == "PATCH" and cjson.decode(request.body).alias
      if name then
        count = count + 1
        blocks = blocks + (name ~= last and 1 or 0)
        last = name
      end
    end
    assert.equal(40, count)
    assert.equal(8, blocks)
  end)
end)
