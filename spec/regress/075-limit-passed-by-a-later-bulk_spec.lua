-- A preview said that --apply would refuse all changes, since its second bulk passes
-- --max-changes; --apply carried out the first bulk, and exited 4: "nothing was written".
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

local function bulks(first, second)
  return ([[
    local left = { one = %d, two = %d }
    for _, name in ipairs { "one", "two" } do
      composio.bulk(name, accounts.each { statuses = { "ACTIVE" } }, function(account)
        if left[name] > 0 then
          left[name] = left[name] - 1
          account:disable()
        end
      end)
    end
  ]]):format(first, second)
end

describe("a bulk that passes --max-changes", function()
  local limits = { "--max-changes", "3", "--max-percent", "100" }

  local function run(script)
    return place:run({ "job.lua", table.unpack(limits) }, { script = script })
  end

  it("is refused whole, after what the bulk before it changed: exit 7", function()
    local preview = run(bulks(2, 3))
    assert.equal(4, preview.code)
    job.has(preview.err, "--apply makes 2 changes and refuses what follows")
    local apply = place:run { "job.lua", "--apply", table.unpack(limits) }
    assert.equal(7, apply.code, apply.err)
    assert.equal(2, job.writes(emulator))
  end)

  it("is refused whole when it is the first: exit 4, and nothing is sent", function()
    local preview = run(bulks(5, 1))
    assert.equal(4, preview.code)
    job.has(preview.err, "--apply would refuse these")
    local apply = place:run { "job.lua", "--apply", table.unpack(limits) }
    assert.equal(4, apply.code, apply.err)
    assert.equal(0, job.writes(emulator))
  end)
end)
