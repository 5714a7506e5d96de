-- Lets every allocation of a small script fail: the first, the second, … until
-- none is left; each alone (Lua then collects and tries again), each with the
-- next, and each with all that follow. The script has to end with an error that
-- says so or to do without, what it says of its change has to be true, nothing
-- may crash, leak or stay open.
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
-- What a listing without a query gives. libcurl 7.88 sends a request without
-- its query when the one copy that it makes of it gets no memory; that is the
-- single point (of one alone) that is let pass, and only once.
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
    if problem then -- what had left may have arrived later: once more
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
