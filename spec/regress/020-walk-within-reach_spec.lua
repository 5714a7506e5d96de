-- A script could reach the set of ids inside a walk, and what it gave to it ended the
-- whole process, as did what it gave to the iterator of pairs(account); it could
-- replace the walk's list as well.
require "composio"
local core = require "composio.core"
local scene = require "spec.support.scene"

local place
scene.of_host({ "--accounts", "20" }, function(_, new_place)
  place = new_place
end)

it("a script reaches nothing inside of walks and selections", function()
  local run = place:run({ "job.lua" }, { script = [[
    local selection = accounts.each {}
    local walk = selection:walk()
    print(walk() ~= nil, next(selection), next(walk), walk.ids, walk.cursors, selection.list)
    local fake = function() return { items = { "s" }, total_items = 2 } end
    walk.list, selection.list = fake, fake
    local count = 1
    for account in walk do count = count + 1 end
    print(count, walk:listing().complete)
    for account in selection do count = count + 1 end
    print(count, selection:listing().complete)
    print(pcall(walk.listing))
    print(pcall(selection.listing, walk))
    print(pcall(pairs(selection()), 1))
  ]] })
  assert.equal(0, run.code, run.err)
  assert.matches("^true\tnil\tnil\tnil\tnil\tnil\n(%d+)\ttrue\n(%d+)\ttrue\n", run.out)
  assert.equal(2, select(2, run.out:gsub("call it with a colon", "")), run.out)
  assert.matches("false\tbad argument #1.-table expected", run.out)
end)

it("the set of ids raises an error for what is no id", function()
  local ids = core.idset()
  for _, wrong in ipairs { true, print, {} } do
    assert.has_error(function() ids:add(wrong) end)
  end
  assert.is_true(ids:add "a")
  assert.is_false(ids:add "a")
end)
