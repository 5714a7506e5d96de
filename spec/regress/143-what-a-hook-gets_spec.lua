-- --on-end with a file that is not there was told twice, and a hook got variables of the
-- environment that held the value of a secret parameter.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local has, lacks = job.has, job.lacks
local place
scene.of_host({ "--accounts", "20" }, function(_, ...)
  place = ...
end)

it("a missing hook is told once", function()
  local run = place:run({ "job.lua", "--on-end", "./none" }, { script = "print(1)" })
  assert.equal(2, run.code)
  assert.equal("composio-lua: cannot run --on-end ./none: No such file or directory\n", run.err)
end)

it("a hook gets no secret of a script", function()
  place:write("hook", "#!/bin/sh\nenv >got\n", "755")
  local SECRET = "correct-horse-battery"
  local run = place:run(host.unlimited { "job.lua", "--on-end", "./hook" }, {
    script = 'composio.job { params = { token = { type = "secret", required = true } } }',
    env = { COMPOSIO_PARAM_TOKEN = SECRET, TOKEN = SECRET, COMPOSIO_PARAM_OTHER = "x", KEPT = "y" },
  })
  assert.equal(0, run.code, run.err)
  local got = place:read "got"
  has(got, "KEPT=y")
  lacks(got, SECRET)
  lacks(got, "COMPOSIO_")
end)
