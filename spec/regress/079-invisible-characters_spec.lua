-- A no-break space or a zero-width character in an id or a header made a second user who
-- looked like the first on every screen.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local place
scene.of_host({ "--accounts", "20" }, function(_, ...)
  place = ...
end)

describe("an invisible character", function()
  it("in a CSV file is warned of, and in an id shown", function()
    place:write("people.csv", "user,full\u{A0}name\nuser_1\u{200B},A\nuser_2,B\u{202F}C\n")
    local run = place:run({ "job.lua" }, {
      script = [[
        local rows = composio.csv("people.csv", { "user" })
        composio.bulk({ key = function(row) return row.user end }, rows, function(row)
          accounts.link(row.user, "ac_GmailManaged")
        end)
      ]],
    })
    assert.equal(0, run.code, run.err)
    job.has(run.err, "people.csv: row 1, column 'full\\xa0name' has an invisible character")
    job.has(run.err, "people.csv: row 2, column 'user' has an invisible character")
    job.has(run.out, "user_1\\u{200b}")
    job.lacks(run.out .. run.err, "user_1\u{200B}")
  end)

  it("in what a script prints stays as it is", function()
    local run = place:run({ "job.lua" }, { script = 'print "5\u{A0}%"' })
    assert.equal("5\u{A0}%\n", run.out)
  end)
end)
