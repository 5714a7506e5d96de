-- A plan's counts kept the first 23 bytes of a status and looked for all of it: each change of
-- an account with a longer one made an entry of its own, and the search for the 1,025th did
-- not end.
local host = require "spec.support.host"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

local STATUS = "A_STATUS_OF_MORE_THAN_23_BYTES"
local CHANGES = 1100
local SCRIPT = ([[
  local account = accounts.get "ca_github_u123A"
  local rows = {}
  for i = 1, %d do rows[i] = { id = "row " .. i } end
  composio.bulk(rows, function() account:disable() end)
]]):format(CHANGES)

it("changes of accounts with a long status are counted as one kind", function()
  local account = { id = "ca_github_u123A", status = STATUS, user_id = "u",
    toolkit = { slug = "github" } }
  emulator:faults { { method = "GET", path = "*/ca_github_u123A", action = "reply", status = 200,
    body = account } }
  local words = host.unlimited { "job.lua", "--summary", "summary.json" }
  local run = place:run(words, { script = SCRIPT })
  assert.equal(0, run.code, run.err)
  assert.same({ disable = { planned = CHANGES } }, run.summary.operations)
  local _, kinds = (run.out .. run.err):gsub(STATUS:sub(1, 23), "")
  assert.is_true(kinds > 0, run.out)
end)
