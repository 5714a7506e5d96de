-- The commands after `next:` named scripts, inputs, plans and key files by relative paths: typed in
-- another directory, or by cron, they found nothing. So did `resume` with the paths of its own
-- command line.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local has = job.has
local emulator, place
scene.of_host({ "--accounts", "40" }, function(...)
  emulator, place = ...
  place:write("key.secret", emulator.api_key, "600")
  place:write("users.csv", "id\n" .. table.concat(job.ids(emulator, { statuses = { "ACTIVE" } }, 4),
    "\n") .. "\n")
  host.shell("mkdir " .. place.path .. "/else")
end)

local SCRIPT = [[
  local job = composio.job {
    params = { input = { type = "file" }, report = { type = "path", default = "r.csv" } },
  }
  local report = composio.report(job.params.report, { "id" })
  composio.bulk({ key = function(row) return row.id end }, composio.csv(job.params.input),
    function(row)
      accounts.disable(row.id)
      report:add { id = row.id }
    end)
]]

-- Types a command, as it is printed, into a shell in another directory, without environment.
local function type_elsewhere(command)
  host.shell("ln -sf " .. host.program .. " " .. place.path .. "/else/composio-lua")
  local line = "cd %s/else && env -i PATH=$PATH:$PWD HOME=%s COMPOSIO_BASE_URL=%s sh -c %s"
  line = line:format(
    place.path, place.path, emulator.url, job.quote(command .. " --summary s.json"))
  return host.shell(line .. " 2>&1"), place:read "else/s.json"
end

local function next_of(run)
  return assert(run.err:match "\nnext: ([^\n]+)", run.err)
end

local WORDS = host.unlimited {
  "--api-key-file", "./key.secret", "--state-dir=state", "./job.lua", "--input", "users.csv",
  "--log", "%p.log", "--report=mine.csv",
}

local function start(...)
  place.env.COMPOSIO_API_KEY = nil
  return place:run(table.move({ ... }, 1, select("#", ...), #WORDS + 1,
    table.move(WORDS, 1, #WORDS, 1, {})), { script = SCRIPT })
end

it("after a preview", function()
  local command = next_of(start())
  for _, path in ipairs { "/key.secret ", "/state ", "/job.lua ", "/users.csv ", "/%p.log ",
    "=" .. place.path .. "/mine.csv " } do
    has(command, path)
  end
  local out, summary = type_elsewhere(command)
  has(summary, '"done":4')
  assert.is_string(place:read "mine.csv", out)
end)

it("after a saved plan", function()
  local out, summary = type_elsewhere(next_of(start("--save-plan", "plan")))
  has(summary or out, '"done":4')
  assert.is_string(place:read "mine.csv")
end)

it("after a failed change, with files of its own", function()
  emulator:faults { job.refusal { method = "PATCH" } }
  local run = start "--apply"
  assert.equal(3, run.code, run.err)
  place:write("else/hook", "#!/bin/sh\ncat >/dev/null; echo told\n", "755")
  local out, summary = type_elsewhere(next_of(run) .. " --metrics m.prom --on-end ./hook --log log")
  has(summary or out, '"done":4')
  has(out, "told")
  assert.is_string(place:read "else/m.prom")
  assert.is_string(place:read "else/log")
end)

it("after a kill while it planned", function()
  emulator:faults { { method = "GET", action = "delay", delay_ms = 2000, nth = 2 } }
  local words = table.move(WORDS, 1, #WORDS, 2, { "--apply" })
  place.env.COMPOSIO_API_KEY = nil
  place:script((SCRIPT:gsub("accounts.disable", "accounts.get(row.id) accounts.disable")))
  local process = place:start(words)
  host.wait_until(function()
    return #emulator:requests() > 0
  end, "a look-up")
  process:signal "KILL"
  process:wait()
  emulator:faults()
  local out = type_elsewhere("composio-lua resume last --state-dir ../state --api-key-file "
    .. "../key.secret")
  local command = assert(out:match "run it again: ([^\n]+)", out)
  has(command, "cd " .. place.path .. " && composio-lua run " .. place.path .. "/job.lua ")
  out = type_elsewhere(command)
  has(place:read "s.json" or out, '"done":4')
end)
