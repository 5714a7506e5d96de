-- Under --cron and -q, a log, a summary or metrics that could not be written were told nowhere
-- when the run ended with 0.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local has = job.has
local place
scene.of_host({ "--accounts", "40" }, function(_, ...)
  place = ...
end)

local SCRIPT = [[
  composio.bulk(accounts.each { statuses = { "ACTIVE" } }, function(a) a:disable() end)
]]
local LOUD = [[
  warn "@on"
  for i = 1, 60 do
    print(i)
    warn(i)
  end
  error "no"
]]

local function run(...)
  return place:run(host.unlimited { "job.lua", ... }, { script = SCRIPT })
end

for _, quiet in ipairs { "--cron", "-q" } do
  it(quiet .. " tells what could not be written, and changes nothing else", function()
    place:write("fails", "#!/bin/sh\nexit 3\n", "755")
    for _, words in ipairs {
      { "--log", "/dev/full", "the log /dev/full is not complete: it could not be written" },
      { "--summary", "/dev/full", "cannot write the summary to /dev/full: No space left" },
      { "--metrics", "nowhere/m.prom", "cannot write the metrics to nowhere/m.prom: No such" },
      { "--on-end", "./fails", "--on-end ./fails exited with 3" },
    } do
      local night = run(quiet, words[1], words[2])
      assert.equal(0, night.code)
      assert.equal("", night.out)
      has(night.err, "composio-lua: " .. words[3])
      assert.equal(1, select(2, night.err:gsub("\n", "")), night.err)
    end
  end)
end

it("says so once when the run failed, too, within forty lines", function()
  local night = place:run({ "job.lua", "--cron", "--log", "/dev/full", "--summary", "/dev/full",
    "--metrics", "nowhere/m.prom" }, { script = LOUD })
  assert.equal(1, night.code)
  for _, what in ipairs { "the log /dev/full", "the summary to", "the metrics to" } do
    assert.equal(1, select(2, night.err:gsub(what, "")), night.err)
  end
  assert.is_true(select(2, night.err:gsub("\n", "")) <= 40, night.err)
end)
