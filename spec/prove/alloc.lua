-- Makes every allocation of a small script fail: the first, the second, … up to the last;
-- each alone (Lua then collects garbage and retries), each with the next one, and each
-- with all that follow. The script must end with an out-of-memory error or succeed without
-- that memory, what it reports of its change must be true, and nothing may crash, leak or
-- stay open.
-- Usage: composio-alloc spec/prove/alloc.lua [short]   (under AddressSanitizer)
-- Must not know: who allocates what.
package.path = (arg[0]:match "^(.*)/spec/prove/[^/]*$" or ".") .. "/?.lua;" .. package.path
local stage = require "spec.prove.stage"
-- luacheck: globals alloc_try alloc_pin

local FEW = 60 -- of each width, in short mode
local EVER = 1 << 30

stage.begin "alloc"
alloc_pin(assert(package.searchpath("cjson", package.cpath)))
local emulator = stage.emulator { "--accounts", "30" }
local direct = emulator:client().connected_accounts
local script = stage.root .. "/spec/prove/alone.lua"
local argument = emulator.url .. " " .. emulator.api_key
local ID = "ca_github_u123A"
-- What a listing without a query returns. libcurl 7.88 sends a request without its query
-- when it cannot allocate its copy of the query. The sweep accepts that at one point
-- only (a single failed allocation), and only once.
local PAGE = 20

local function try(n, width)
  if direct.get(ID).status ~= "ACTIVE" then
    direct.enable(ID)
  end
  local made, err, verdict = alloc_try(script, argument, n, width)
  local applied = direct.get(ID).status == "INACTIVE"
  local problem
  if err == "" then
    problem = "raised nothing that says why"
  elseif err and err:find "a part of the page" then
    problem = err:find(": " .. PAGE .. "$") and width == 1 and "no query" or "raised " .. err
  elseif not err and verdict ~= "done" then
    problem = "raised nothing, but " .. tostring(verdict)
  elseif verdict == "done" and not applied then
    problem = "called done, but not applied"
  elseif (verdict == "failed" or verdict == "not asked") and applied then
    problem = "called " .. verdict .. ", but applied"
  end
  return made, err, problem
end

local total = try(EVER, 1)
local errors, forgotten = {}, 0
for _, width in ipairs { 1, 2, EVER } do
  for n in stage.points(1, total, FEW) do
    local _, err, problem = try(n, width)
    if problem then -- a request that was sent may arrive late: check again
      _, err, problem = try(n, width)
    end
    if problem == "no query" then
      forgotten = forgotten + 1
      problem = forgotten > 1 and problem or nil
    end
    errors[err or "none"] = (errors[err or "none"] or 0) + 1
    local how = ("allocation %d of %d, %d of them"):format(n, total, width)
    stage.point({ problem and problem .. ": " .. tostring(err) }, how)
  end
end
if os.getenv "PROVE_KEEP" then
  for text, count in pairs(errors) do
    io.stderr:write(("%6d %s\n"):format(count, text))
  end
end
emulator:stop()
stage.finish "points"
