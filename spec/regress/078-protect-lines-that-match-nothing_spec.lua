-- Lines of --protect with quotes, with a comment behind, or cut from a CSV file
-- protected nobody in silence; so did a misspelled user.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "200" }, function(...)
  emulator, place = ...
end)

local DISABLE = [[
  composio.bulk("all", accounts.each { statuses = { "ACTIVE" } }, function(account)
    account:disable()
  end)
]]

local function run(lines, ...)
  place:write("never", table.concat(lines, "\n") .. "\n")
  return place:run({ "job.lua", "--protect", "never", "--max-percent", "100", ... }, {
    script = DISABLE,
  })
end

describe("a line of --protect", function()
  it("of a wrong kind refuses the file, with its number", function()
    for _, line in ipairs {
      "ops@example.com", "user_123", "id,user,toolkit", 'user:"x"', "user:'x'", "user:x # note",
      "user:", "toolkit:", 'toolkit:"slack"', "toolkit:slack,", "toolkit:slack # no", "ca_abc;",
      '"ca_abc"', "ca_abc,user_1", "ca_abc #boss", "User:x", "user :x", "users:x", "id:", "id:x",
      "slack", "ca_\u{200B}abc", "user:x\ty", "user:\xff", "account:ca_abc", "* ca_abc",
    } do
      local refused = run { "# fine", line }
      assert.equal(2, refused.code, line)
      job.has(refused.err, "never:2: ")
      assert.same({}, emulator:requests())
    end
  end)

  it("may say id:", function()
    local id = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1]
    local shown = run { "id:" .. id }
    assert.equal(0, shown.code, shown.err)
    job.has(shown.out, "protected by never:1")
    job.lacks(shown.err, "matched no account")
  end)

  it("that matched no account is told, and under -q in the log", function()
    local lines = { "user:user_123", "user:user_1234567", " user:nobody ", "toolkit:none" }
    local shown = run(lines)
    job.has(shown.err, "3 lines of --protect matched no account of this run: "
      .. "never:2, never:3, never:4")
    local quiet = run(lines, "-q", "--log", "log")
    assert.equal("", quiet.err)
    job.has(place:read "log", "3 lines of --protect matched no account")
  end)

  it("with an invisible character is warned of", function()
    job.has(run({ "user:user_123\u{A0}" }).err, "warning: never:1 has an invisible character")
  end)
end)
