-- Proves that the oracle detects contradictions: takes a true ledger and its change log,
-- falsifies one of the two, and counts the forgeries that the oracle does not detect.
-- Usage: lua5.4 spec/prove/forge.lua [short]
-- Must not know: how the oracle finds out.
package.path = (arg[0]:match "^(.*)/spec/prove/[^/]*$" or ".") .. "/?.lua;" .. package.path
local oracle = require "spec.prove.oracle"
local stage = require "spec.prove.stage"

stage.begin "oracle"
local emulator = stage.emulator()
local state, forged = stage.dir .. "/state", stage.dir .. "/forged"
local output, code = stage.shell(stage.command {
  script = stage.root .. "/spec/prove/jobs/disable.lua",
  state = state,
  url = emulator.url,
  more = { "--apply", "--limit-items", "40" },
})
assert(code == 0, output)
local changes = emulator:changes()
emulator:stop()

local function copy_list(list)
  return table.move(list, 1, #list, 1, {})
end

-- Each forgery: SQL on the ledger, an edit of the log or an exit code, and the expected
-- message.
local function forge(name, sql, edit, expected, exit)
  stage.wipe(forged)
  os.execute(("cp -r %s %s"):format(stage.quote(state), stage.quote(forged)))
  if sql ~= "" then
    local command = "printf %%s %s | sqlite3 %s/ledger.db"
    local text, failed = stage.shell(command:format(stage.quote(sql), stage.quote(forged)))
    assert(failed == 0, text)
  end
  local log = copy_list(changes)
  if edit then
    edit(log)
  end
  local said = oracle.check {
    state = forged,
    changes = log,
    exit = exit,
    secrets = { stage.API_KEY },
  }
  local found = #said == 0 and not expected
  for _, text in ipairs(said) do
    found = found or (expected and text:find(expected, 1, true) ~= nil)
  end
  stage.point(found and {} or { "the oracle says: " .. (said[1] or "nothing") }, name)
end

local FIRST = " WHERE id=(SELECT min(id) FROM change);"
local function outcome(number)
  return "UPDATE outcome SET outcome=" .. number .. FIRST
end

forge("nothing forged", "", nil, nil, 0)
forge("an intent is lost", "DELETE FROM intent" .. FIRST, nil, "without an intent")
forge("all is lost", "DELETE FROM change;", nil, "not in the plan")
forge("a log line is lost", "", table.remove, "called done, but not applied")
forge("a log line is double", "", function(log)
  log[#log + 1] = log[1]
end, "applied twice")
forge("another account", "", function(log)
  log[1] = { op = "disable", account_id = "ca_other" }
end, "not in the plan")
forge("another operation", "", function(log)
  log[1] = { op = "delete", account_id = log[1].account_id }
end, "not in the plan")
for number, word in pairs { [2] = "not tried", [4] = "same", [5] = "failed", [8] = "stale" } do
  forge("called " .. word, outcome(number), nil, "applied, but called " .. word)
end
forge("no verdict", "DELETE FROM outcome" .. FIRST, nil, "the run ended, but left")
forge("unknown, exit 0", outcome(7), nil, "exit code 0", 0)
forge("exit 8, none unknown", "UPDATE run SET exit_code=8;", nil, "nothing is unknown", 8)
forge("another exit code", "", nil, "the ledger has exit code 0", 3)
forge("a secret", "UPDATE run SET params='" .. stage.API_KEY .. "';", nil, "a secret is in")
stage.finish "forgeries"
