-- A preview's expected status was pasted into the text that guards read, by a
-- function that scripts could reach: a protected ACTIVE account passed for an
-- INACTIVE one of another toolkit, and was deleted.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

describe("the service's word on an account", function()
  it("is set by no function that a script reaches", function()
    local run = place:run({ "job.lua" }, {
      script = [[
        local reached, core = pcall(require, "composio.core")
        print(reached, reached and core.with_status)
      ]],
    })
    assert.equal("false\tfalse\n", run.out, run.err)
  end)

  it("is what a preview plans of it, one change after the other", function()
    local run = place:run(host.unlimited { "job.lua" }, {
      script = [[
        local account = accounts.list({ statuses = { "ACTIVE" }, limit = 1 }).items[1]
        account:disable()
        print(account:disable().same)
        account:enable()
      ]],
    })
    assert.equal(0, run.code, run.err)
    assert.matches("^true\n", run.out, run.err)
    job.has(run.err, "--apply makes 2 changes")
  end)

  it("is left open for an account that was not read", function()
    local run = place:run(host.unlimited { "job.lua" }, {
      script = [[
        local read = accounts.get
        accounts.get = function(id)
          local account = read(id)
          return { id = account.id, status = account.status }
        end
        local id = accounts.list({ statuses = { "ACTIVE" }, limit = 1 }).items[1].id
        accounts.disable(id)
        accounts.disable({ id = id })
      ]],
    })
    assert.equal(0, run.code, run.err)
    job.has(run.err, "--apply makes")
  end)
end)

describe("undo", function()
  it("puts back what the service said, not what the script put in its place", function()
    emulator:reset()
    local run = place:run(host.unlimited { "job.lua", "--apply" }, {
      script = [[
        local id = accounts.list({ statuses = { "ACTIVE" }, limit = 1 }).items[1].id
        accounts.update(id, { alias = "first" })
      ]],
    })
    assert.equal(0, run.code, run.err)
    run = place:run(host.unlimited { "job.lua", "--apply" }, {
      script = [[
        local read = accounts.get
        accounts.get = function(id)
          local account = read(id)
          return { id = account.id, status = account.status }
        end
        local id = accounts.list({ statuses = { "ACTIVE" }, limit = 1 }).items[1].id
        accounts.update(id, { alias = "changed" })
        print(id)
      ]],
    })
    assert.equal(0, run.code, run.err)
    local id = run.out:match "ca_%S+"
    local undo = place:run(host.unlimited { "undo", "last", "--apply" })
    assert.equal(0, undo.code, undo.err)
    local get = ("print(accounts.get(%q).alias)"):format(id)
    local shown = place:run({ "job.lua" }, { script = get })
    assert.equal("first\n", shown.out, undo.err)
  end)
end)
