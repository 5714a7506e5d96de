-- When the service went away in the middle of a bulk, each change that was left failed by
-- itself, and a plain resume left them failed.
local host = require "spec.support.host"
local job = require "spec.support.job"
local server = require "spec.support.server"

local IDLE = [[
  composio.bulk(accounts.each { statuses = { "ACTIVE" } }, function(account)
    account:disable()
  end)
]]

describe("a service that goes away in the middle of a bulk", function()
  local emulator
  setup(function()
    emulator = server.emulator { "--accounts", "400" }
  end)
  teardown(function()
    emulator:stop()
  end)

  for name, fault in pairs {
    ["and cuts connections"] = { action = "close" },
    ["behind a gateway that says 502"] = { action = "reply", status = 502, body = "<html>bad" },
  } do
    it(name .. ": the run stops, and a plain resume finishes it", function()
      emulator:reset()
      local place = host.place(emulator)
      fault.method = "PATCH"
      local rules = {}
      for nth = 1, 10 do
        rules[nth] = { method = "PATCH", action = "delay", delay_ms = 1, nth = nth }
      end
      rules[#rules + 1] = fault
      emulator:faults(rules)
      local words = host.unlimited { "job.lua", "--apply", "--retries", "1", "--concurrency", "4",
        "--summary", "summary.json" }
      local run = place:run(words, { script = IDLE })
      assert.equal(7, run.code, run.err)
      job.has(run.err, "attempts in a row had no answer")
      assert.equal(0, run.summary.outcomes.failed)
      assert.is_true(run.summary.outcomes.unknown < 30)
      assert.equal(10, run.summary.outcomes.done)
      local all = 10 + run.summary.outcomes.unknown + run.summary.outcomes.not_tried
      local next_line = "composio-lua resume %s --concurrency 4 --retries 1"
      assert.equal(next_line:format(run.summary.run), run.summary.next)
      emulator:faults()
      run = place:run { "resume", run.summary.run, "--summary", "summary.json" }
      assert.equal(0, run.code, run.err)
      assert.equal(all, run.summary.outcomes.done)
      assert.equal(all, #job.changes(emulator))
      place:remove()
    end)
  end
end)
