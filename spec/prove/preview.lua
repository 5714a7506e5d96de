-- Previews every shipped job and every job of the sweeps, with and without their options:
-- the service must receive no request that writes, and the ledger must have no intent.
-- Usage: lua5.4 spec/prove/preview.lua [short]
-- Must not know: what the jobs do.
package.path = (arg[0]:match "^(.*)/spec/prove/[^/]*$" or ".") .. "/?.lua;" .. package.path
local oracle = require "spec.prove.oracle"
local stage = require "spec.prove.stage"

local ACCOUNTS = { 30, 400, 2000 }
-- Options of the host, and parameters that shipped jobs know.
local HOST = { {}, { "--concurrency", "1" }, { "--show", "all", "-vv" }, { "--limit-items", "50" } }
-- Guards that pass everything, and the default guards, which exit with 4.
local GUARDS = { stage.join(stage.OPEN, { "--delete-active" }), {} }
local PARAMS = {
  refresh_expired = { {}, { "--people", "refresh" }, { "--people", "link" } },
  disable_idle = { {}, { "--days", "1", "--shared" } },
}
local ENDINGS = { { [0] = true, [1] = true }, { [0] = true, [1] = true, [4] = true } }

stage.begin "preview"
local state = stage.dir .. "/state"

local function check(emulator, script, words, endings)
  local name = script:match "([%w_]+)%.lua$"
  stage.wipe(state)
  local output, code = stage.shell(
    "cd " .. stage.quote(stage.dir) .. " && " .. stage.command {
      script = script,
      state = state,
      url = emulator.url,
      more = words,
    }
  )
  local problems, ledger = oracle.check {
    state = state,
    changes = stage.changes(emulator),
    secrets = { stage.API_KEY, stage.SECRET },
    kept = true,
  }
  for _, request in ipairs(emulator:requests()) do
    if request.method ~= "GET" then
      problems[#problems + 1] = "sent: " .. request.method .. " " .. request.path
    end
  end
  for _, row in ipairs(ledger and ledger.changes or {}) do
    if row.intended == 1 or row.outcome then
      problems[#problems + 1] = "the ledger has an intent or an outcome of " .. row.operation
    end
  end
  if not ledger or #ledger.changes == 0 then
    -- a job that plans nothing would prove nothing
    problems[#problems + 1] = "nothing was planned: " .. output:sub(1, 500)
  end
  if not endings[code] then
    problems[#problems + 1] = ("exit %d: %s"):format(code, output:sub(1, 500))
  end
  stage.point(problems, name .. " " .. table.concat(words, " "))
  if #problems > 0 then
    emulator:reset()
  end
  emulator:forget()
end

local scripts = {}
for _, place in ipairs { "/scripts", "/spec/prove/jobs" } do
  local list = stage.shell("ls " .. stage.quote(stage.server.root .. place) .. "/*.lua")
  for path in list:gmatch "[^\n]+" do
    scripts[#scripts + 1] = path
  end
end

for _, count in ipairs(ACCOUNTS) do
  local emulator = stage.emulator { "--accounts", tostring(count) }
  for _, script in ipairs(scripts) do
    for place, options in ipairs(HOST) do
      for _, params in ipairs(PARAMS[script:match "([%w_]+)%.lua$"] or { {} }) do
        for guarded, guards in ipairs(GUARDS) do
          local words = stage.join(guards, options, params)
          if not stage.short or (place == 1 and count == 400) then
            check(emulator, script, words, ENDINGS[guarded])
          end
        end
      end
    end
  end
  emulator:stop()
end
stage.finish "runs"
