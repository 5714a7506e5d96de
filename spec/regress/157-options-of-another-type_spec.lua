-- `live = "yes"` was taken for false, `may = false` for the default, a number as a summary for
-- a summary; a report took a column twice, an empty one and a number, and wrote a file that
-- composio.csv refuses. Options of all functions are checked by one rule.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local place
scene.of_host({ "--accounts", "10" }, function(_, directory)
  place = directory
end)

local function refused(cases)
  for _, case in ipairs(cases) do
    local script, text = case[1], case[2]
    local result = place:run({ "job.lua" }, { script = script })
    assert.equal(1, result.code, script .. "\n" .. result.err)
    job.has(result.err, "job.lua:3: " .. text)
  end
end

describe("options of another type are refused, by", function()
  it("composio.report", function()
    refused {
      { [[composio.report("r", { "a" }, { live = "yes" })]],
        "composio.report: live: expected true or false, got string" },
      { [[composio.report("r", { "a" }, { raw = 1 })]],
        "composio.report: raw: expected true or false, got number" },
      { [[composio.report("r", { "a" }, true)]],
        "composio.report: expected a table of options, got boolean" },
      { [[composio.report("r", { "a" }, "raw")]],
        "composio.report: expected a table of options, got string" },
    }
  end)

  it("composio.bulk, composio.csv and composio.client", function()
    place:write("x.csv", "a\n1\n")
    refused {
      { [[composio.bulk({ allow_incomplete = "yes" }, {}, print)]],
        "composio.bulk: allow_incomplete: expected true or false, got string" },
      { [[composio.bulk({ canary = { count = "3", check = print } }, {}, print)]],
        "composio.bulk: canary: count: expected a number, got string" },
      { [[composio.csv("x.csv", {}, { secret = "a" })]],
        "composio.csv: secret: expected a list of names, got string" },
      { [[composio.csv("x.csv", {}, { secret = { "a", "a" } })]],
        "composio.csv: secret: 'a' is in the list twice, at 1 and 2" },
      { [[composio.client { base_url = true }]],
        "composio.client: base_url: expected a string, got boolean" },
    }
  end)

  it("waits, runs and history", function()
    refused {
      { [[accounts.wait_for_connection("ca_x", { timeout = "5" })]],
        "wait_for_connection: timeout: expected seconds, got string" },
      { [[accounts.wait_for_connection("ca_x", { inactive_is_failure = 1 })]],
        "wait_for_connection: inactive_is_failure: expected true or false, got number" },
      { [[composio.history { previews = "yes" }]],
        "composio.history: previews: expected true or false, got string" },
      { [[composio.runs { mode = true }]],
        "composio.runs: mode: expected a string, got boolean" },
    }
  end)

  it("composio.job", function()
    local function param(text)
      return "composio.job { params = { a = { " .. text .. " } } }"
    end
    refused {
      { "composio.job { summary = 5 }", "composio.job: summary: expected a string, got number" },
      { "composio.job { may = false }", "composio.job: may: expected a string, got boolean" },
      { "composio.job { params = 'a' }", "composio.job: params: expected a table, got string" },
      { "composio.job { stop_on = '3%' }", "composio.job: stop_on: expected a table, got string" },
      { param "type = 'string', required = 'yes'",
        "composio.job: params.a: required: expected true or false, got string" },
      { param "type = 'string', help = 5",
        "composio.job: params.a: help: expected a string, got number" },
      { param "type = 'string', min = 3",
        "composio.job: params.a: type string has no min; only integer, number and duration" },
      { param "type = 'boolean', max = 3", "composio.job: params.a: type boolean has no max" },
      { param "type = 'secret', min = 3", "composio.job: params.a: type secret has no min" },
      { param "type = 'integer', values = { '1' }",
        "composio.job: params.a: type integer has no values; only enum has" },
      { param "type = 'integer', min = 5, max = 3",
        "composio.job: params.a: min 5 is more than max 3" },
      { param "type = 'enum', values = {}",
        "composio.job: params.a: an enum needs values = { … }" },
      { param "type = 'enum', values = { 'x', 5 }",
        "composio.job: params.a: values: expected a string at place 2, got number" },
      { param "type = 'enum', values = { 'x', 'y' }, default = 'z'",
        "composio.job: params.a: default z is not one of x, y" },
      { param "type = 'string', required = true, default = 'x'",
        "composio.job: params.a: give required or default" },
    }
  end)
end)

describe("a report", function()
  it("refuses columns that composio.csv could not read", function()
    refused {
      { [[composio.report("r", { "a", "a" })]],
        "composio.report: columns: 'a' is in the list twice, at 1 and 2" },
      { [[composio.report("r", { "a", "" })]],
        "composio.report: columns: expected a string at place 2, got an empty one" },
      { [[composio.report("r", { "a", 5 })]],
        "composio.report: columns: expected a string at place 2, got number" },
      { [[composio.report("r", { "a", raw = true })]],
        "composio.report: columns: 'raw' is not a list index; options such as this follow" },
      { [[composio.report("r", { "a", nil, "b" })]],
        "composio.report: columns: the list has a hole at place 2" },
      { [[composio.report("r", { "a\1" })]], "composio.report: columns: \"a\\1\" is not a text" },
      { [[composio.report("r", { "minted_at" }, { live = true })]],
        "composio.report: live = true adds the column itself: minted_at" },
    }
  end)

  it("refuses a cell that nobody could read", function()
    refused {
      { [[composio.report("r", { "a" }):add { a = {} }]],
        "report:add: a: expected a text, a number or a boolean, got table" },
      { [[composio.report("r", { "a" }):add { a = print }]],
        "report:add: a: expected a text, a number or a boolean, got function" },
    }
    local result = place:run({ "job.lua" }, { script = [[
      composio.job { may = "read" }
      local _, err = pcall(accounts.get, "ca_none")
      composio.report("r", { "a", "b" }):add { a = err, b = accounts.get "ca_github_u123A" }
    ]] })
    assert.equal(0, result.code, result.err)
    job.has(place:read "r", "ComposioConnectedAccountNotFoundError")
    job.has(place:read "r", ",ca_github_u123A github")
  end)
end)
