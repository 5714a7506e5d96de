-- apply and resume with --protect sent the changes of protected users and toolkits where
-- the service's list left their accounts out: what it does not show it may have cut.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
  place:write("never", "toolkit:github\n")
end)

local EMPTY = '{"items":[],"total_items":0,"total_pages":1,"current_page":1}'
local CUT = { method = "GET", path = "*connected_account_ids=*", action = "reply", status = 200,
  body = EMPTY, content_type = "application/json" }

local function script_of()
  local ids = job.ids(emulator, { toolkit_slugs = { "github" }, statuses = { "ACTIVE" } }, 2)
  ids[3] = job.ids(emulator, { toolkit_slugs = { "gmail" }, statuses = { "ACTIVE" } }, 1)[1]
  return ("composio.bulk(%s, function(account) account:disable() end)"):format(job.quoted(ids)), ids
end

local function save()
  local script, ids = script_of()
  local run = place:run({ "job.lua", "--save-plan=plan.json" }, { script = script })
  assert.equal(0, run.code, run.err)
  return ids
end

local function carry_out(outcomes, ...)
  local words = { ... }
  for _, word in ipairs { "--protect=never", "--retries=0", "--summary=summary.json" } do
    words[#words + 1] = word
  end
  local run = place:run(words)
  assert.same(outcomes, run.summary.operations.disable)
  return run
end

it("apply asks for each account that the list leaves out", function()
  local ids = save()
  emulator:faults { CUT }
  carry_out({ done = 1, skipped = 2 }, "apply", "plan.json")
  assert.same({ "disable " .. ids[3] }, job.changes(emulator))
end)

it("apply leaves out what cannot be asked for, and a proxy's 404 does not say gone", function()
  local ids = save()
  local function wrong(id, status)
    return { method = "GET", path = "*/" .. id, action = "reply", status = status,
      body = "<html></html>", content_type = "text/html" }
  end
  emulator:faults { CUT, wrong(ids[1], 500), wrong(ids[3], 404) }
  local run = carry_out({ skipped = 3 }, "apply", "plan.json")
  assert.matches(ids[1] .. ", it is not known whether it is protected: HTTP 500", run.err)
  assert.matches(ids[3] .. ", it is not known whether it is protected: HTTP 404", run.err)
  assert.equal(0, job.writes(emulator))
end)

it("apply calls stale what is gone", function()
  local ids = save()
  local client = emulator:client()
  client.connected_accounts.delete(ids[1])
  client:close()
  carry_out({ done = 1, skipped = 1, stale = 1 }, "apply", "plan.json")
  assert.same({ "delete " .. ids[1], "disable " .. ids[3] }, job.changes(emulator))
end)

it("resume asks, too, also with --failed", function()
  for words, outcomes in pairs {
    [""] = { failed = 1, skipped = 1, done = 1 },
    ["--failed"] = { skipped = 2, done = 1 },
  } do
    emulator:reset()
    local script, ids = script_of()
    emulator:faults { job.refusal { method = "PATCH" } }
    local run = place:run({ "job.lua", "--apply", "--concurrency=1", "--stop-on=failed=1",
      "--summary=summary.json" }, { script = script })
    assert.same({ failed = 1, not_tried = 2 }, run.summary.operations.disable)
    emulator:faults { CUT }
    emulator:forget()
    carry_out(outcomes, "resume", run.summary.run, words ~= "" and words or "--retries=1")
    assert.same({ "disable " .. ids[3] }, job.changes(emulator))
  end
end)
