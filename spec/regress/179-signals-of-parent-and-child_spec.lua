-- Under --resume-first and with several profiles a run is a child process. The second signal, and
-- kill -9, ended only its parent: the run held the lock and went on writing.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

local SCRIPT = [[
  composio.bulk(accounts.each { statuses = { "ACTIVE" } }, function(account)
    account:disable()
  end)
]]

local function shared_by(words)
  host.shell("mkdir -p " .. place.path .. "/.config/composio-lua")
  place:write("key.secret", emulator.api_key .. "\n", "600")
  local profile = "[%s]\nbase-url = %s\napi-key-file = %s/key.secret\n"
  local text = ""
  for _, name in ipairs { "a", "b" } do
    text = text .. profile:format(name, emulator.url, place.path)
  end
  place:write(".config/composio-lua/config", text, "600")
  emulator:faults { { method = "PATCH", action = "delay", delay_ms = 300 } }
  local process = place:start(host.unlimited { "job.lua", "--apply", "--concurrency=2", "-v",
    table.unpack(words) }, { script = SCRIPT })
  host.wait_until(function()
    return job.writes(emulator) > 0
  end, "the first change")
  return process, host.shell("ps -o pid= --ppid " .. process.pid):match "%d+"
end

local function is_alive(pid)
  return host.shell("kill -0 " .. pid .. " 2>/dev/null && echo yes") == "yes"
end

local FORMS = {
  ["--resume-first"] = { "--resume-first" },
  ["several profiles"] = { "--profile=a,b" },
}

for name, words in pairs(FORMS) do
  describe("with " .. name, function()
    it("the first signal ends the run in good order", function()
      local process, child = shared_by(words)
      process:signal "TERM"
      local run = process:wait(20)
      assert.equal(143, run.code, run.err)
      job.has(run.err, "interrupted by SIGTERM")
      assert.is_false(is_alive(child))
      assert.same({ { "143" } }, place:ledger "SELECT exit_code FROM run")
    end)

    it("the second one ends both at once", function()
      local process, child = shared_by(words)
      emulator:faults { { method = "PATCH", action = "delay", delay_ms = 4000 } }
      host.wait_until(function()
        return job.writes(emulator) > 2
      end, "the slow changes")
      process:signal "TERM"
      host.shell "sleep 0.3"
      process:signal "TERM"
      local from = os.time()
      local run = process:wait(20)
      assert.is_true(os.time() - from <= 2)
      assert.equal(143, run.code, run.err)
      assert.is_false(is_alive(child))
      local writes = job.writes(emulator)
      assert.same({ { "1" } }, place:ledger "SELECT exit_code IS NULL FROM run")
      host.shell "sleep 0.2"
      assert.equal(writes, job.writes(emulator))
    end)

    it("a terminal's signal, which reaches both, counts once", function()
      local process, child = shared_by(words)
      host.shell(("kill -INT %s %s"):format(process.pid, child))
      local run = process:wait(20)
      assert.equal(130, run.code, run.err)
      assert.same({ { "130" } }, place:ledger "SELECT exit_code FROM run")
    end)

    it("kill -9 of the parent ends the run in good order", function()
      local process, child = shared_by(words)
      process:signal "KILL"
      host.wait_until(function()
        return not is_alive(child)
      end, "the end of the run")
      process:wait()
      assert.same({ { "143" } }, place:ledger "SELECT exit_code FROM run")
      assert.is_true(job.writes(emulator) < 20)
    end)
  end)
end
