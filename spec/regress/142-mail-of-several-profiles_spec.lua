-- The mail of --profile a,b did not say which profile it was about, --profile a,a ran twice, and
-- the 65th profile was left out without a word.
-- The mail about a file that could not be written began with "the script raised an error".
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local has, lacks = job.has, job.lacks
local emulator, place
scene.of_host({ "--accounts", "40" }, function(...)
  emulator, place = ...
end)

it("the mail names the profile", function()
  host.shell("mkdir -p " .. place.path .. "/.config/composio-lua")
  local text = ""
  for _, name in ipairs { "one", "two" } do
    text = text .. ("[%s]\nbase-url = %s\napi-key-file = ../../key.secret\n"):format(name,
      emulator.url)
  end
  place:write(".config/composio-lua/config", text, "600")
  place:write("key.secret", emulator.api_key, "600")
  local run = place:run({ "job.lua", "--profile", "one,two", "--cron" }, { script = "error 'no'" })
  assert.equal(1, run.code)
  has(run.err, "job (profile one) ended with 1: the script raised an error\n")
  has(run.err, "job (profile two) ended with 1: the script raised an error\n")
end)

it("a profile twice, and more than 64, are refused", function()
  local run = place:run({ "job.lua", "--profile", "one,two,one" }, { script = "print 'ran'" })
  assert.equal(2, run.code)
  has(run.err, "--profile one,two,one names one twice")
  local names = {}
  for number = 1, 65 do
    names[number] = "p" .. number
  end
  run = place:run { "job.lua", "--profile", table.concat(names, ",") }
  assert.equal(2, run.code)
  has(run.err, "--profile takes at most 64 profiles")
  lacks(run.out, "ran")
end)

it("a report or plan that cannot be written is not called an error of the script", function()
  local HEAD = "job ended with 1: a file could not be written\n"
  local run = place:run(host.unlimited { "job.lua", "--cron", "--save-plan", "nowhere/plan" },
    { script = "composio.bulk(accounts.each {}, function(a) a:update { alias = 'x' } end)" })
  assert.equal(1, run.code, run.err)
  has(run.err, HEAD)
  run = place:run({ "job.lua", "--cron", "--allow", "io,os" }, { script = [[
    composio.job { may = "read" }
    composio.report("r.csv", { "id" }):add { id = "x" }
    os.execute "mkdir r.csv"
  ]] })
  assert.equal(1, run.code, run.err)
  has(run.err, HEAD)
end)

it("a limit is named", function()
  local run = place:run({ "job.lua", "--cron", "--instructions", "100000" },
    { script = "while true do end" })
  assert.equal(1, run.code, run.err)
  has(run.err, "job ended with 1: the script hit a limit\n")
end)
