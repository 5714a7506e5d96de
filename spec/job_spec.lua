-- composio.job: parameters as command line options, the script's help, and the highest
-- class of changes that a job may plan.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local has = job.has
local emulator, place

scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

local PARAMS = [[
  local job = composio.job {
    summary = "Does what the spec asks.",
    params = {
      days = { type = "integer", default = 90, min = 30, max = 365, help = "idle for this long" },
      ratio = { type = "number" },
      name = { type = "string", default = "x" },
      dry_cleaning = { type = "boolean", default = false },
      on = { type = "boolean", default = true },
      age = { type = "duration", default = "2d", max = "30d" },
      how = { type = "enum", values = { "soft", "hard" }, default = "soft" },
      list = { type = "file" },
    },
  }
  local p = job.params
  print(p.days, p.ratio, p.name, p.dry_cleaning, p.on, p.age, p.how, p.list)
  accounts.list()
]]

describe("parameters", function()
  it("have their defaults", function()
    local run = place:run({ "job.lua" }, { script = PARAMS })
    assert.equal("90\tnil\tx\tfalse\ttrue\t172800\tsoft\tnil\n", run.out)
    assert.equal(0, run.code)
  end)

  it("are read by their types", function()
    place:write("list.csv", "a\n1\n")
    local run = place:run({
      "job.lua", "--days", "45", "--ratio=0.5", "--name", "two words", "--dry-cleaning", "--no-on",
      "--age", "36h", "--how=hard", "--list", "list.csv",
    }, { script = PARAMS })
    assert.equal("45\t0.5\ttwo words\ttrue\tfalse\t129600\thard\tlist.csv\n", run.out)
    run = place:run({ "job.lua", "--dry_cleaning", "--days=30" }, { script = PARAMS })
    assert.equal("30\tnil\tx\ttrue\ttrue\t172800\tsoft\tnil\n", run.out)
  end)

  it("that are wrong exit 2 before any request", function()
    place:script(PARAMS)
    for text, words in pairs {
      ["--days integer: 'many' is not a whole number"] = { "--days", "many" },
      ["--days integer: '1.5' is not a whole number"] = { "--days", "1.5" },
      ["'29' is less than 30"] = { "--days=29" },
      ["'366' is more than 365"] = { "--days=366" },
      ["'x' is not a number"] = { "--ratio", "x" },
      ["'nan' is not a number"] = { "--ratio", "nan" },
      ["'2 weeks' is not a duration"] = { "--age", "2 weeks" },
      ["'31d' is more than 30d"] = { "--age", "31d" },
      ["'medium' is not one of soft, hard"] = { "--how", "medium" },
      ["'none.csv' cannot be read"] = { "--list", "none.csv" },
      ["did you mean '--days'?"] = { "--dayz", "3" },
      ["did you mean '--concurrency'?"] = { "--concurency", "3" },
      ["--name"] = { "--name" },
      ["'word' belongs to no parameter"] = { "--days", "40", "word" },
    } do
      local run = place:run { "job.lua", table.unpack(words) }
      assert.equal(2, run.code, text)
      has(run.err, text)
      assert.equal("", run.out)
    end
    assert.same({}, emulator:requests())
  end)

  it("that are required are asked for", function()
    local script = [[composio.job { params = { user = { type = "string", required = true } } }]]
    local run = place:run({ "job.lua" }, { script = script })
    assert.equal(2, run.code)
    has(run.err, "--user is missing")
    assert.equal(0, place:run({ "job.lua", "--user", "u" }, { script = script }).code)
  end)

  it("are kept in the ledger as they were given", function()
    place:run({ "job.lua", "--days", "45" }, {
      script = PARAMS .. [[composio.bulk({ "ca_none" }, function() end)]],
    })
    assert.same({ { '{"days":"45"}' } }, place:ledger "SELECT params FROM run")
  end)

  it("without a job are refused", function()
    local run = place:run({ "job.lua", "--days", "3" }, { script = "accounts.list()" })
    assert.equal(2, run.code)
    has(run.err, "--days")
    run = place:run({ "job.lua", "word" }, { script = "local x = 1" })
    assert.equal(2, run.code)
    has(run.err, "word")
    assert.same({}, emulator:requests())
  end)
end)

describe("composio.job", function()
  it("refuses what it does not know", function()
    for text, call in pairs {
      ["unknown option 'sumary' (did you mean 'summary'?)"] = [[{ sumary = "x" }]],
      ["may must be one of read, reversible, irreversible"] = [[{ may = "everything" }]],
      ["unknown option 'defualt' (did you mean 'default'?)"]
        = [[{ params = { a = { type = "string", defualt = 1 } } }]],
      ["type must be one of string"] = [[{ params = { a = { type = "text" } } }]],
      ["--apply; choose another name"] = [[{ params = { apply = { type = "boolean" } } }]],
      ["--state-dir; choose another name"] = [[{ params = { state_dir = { type = "string" } } }]],
      ["lower-case letters"] = [[{ params = { ["Tag-Name"] = { type = "string" } } }]],
      ["needs values"] = [[{ params = { a = { type = "enum" } } }]],
      ["expected a table"] = [["x"]],
    } do
      local run = place:run({ "job.lua" }, { script = "composio.job " .. call })
      assert.equal(1, run.code, text)
      has(run.err, text)
      has(run.err, "job.lua:3:")
    end
  end)

  it("is there once", function()
    local run = place:run({ "job.lua" }, { script = "composio.job {} composio.job {}" })
    assert.equal(1, run.code)
    has(run.err, "a script can call it only once")
  end)

  it("tells its parameters with --help, and nothing else happens", function()
    place:script(PARAMS .. "print 'not reached'")
    local env = { COMPOSIO_API_KEY = false, COMPOSIO_BASE_URL = "http://127.0.0.1:1" }
    local spellings = { { "job.lua", "--help" }, { "help", "job.lua" }, { "-h", "job.lua" } }
    for _, words in ipairs(spellings) do
      local run = place:run(words, { env = env })
      assert.equal(0, run.code)
      assert.equal("", run.err)
      has(run.out, "Does what the spec asks.")
      has(run.out, "--days INTEGER")
      has(run.out, "idle for this long (integer, default 90, at least 30, at most 365)")
      has(run.out, "--dry-cleaning")
      has(run.out, "(soft|hard, default soft)")
      has(run.out, "--concurrency N")
      assert.is_nil(run.out:find("not reached", 1, true))
    end
  end)

  it("cannot tell when the service is called before", function()
    local run = place:run({ "job.lua", "--help" }, { script = "accounts.list() composio.job {}" })
    assert.equal(2, run.code)
    has(run.err, "before composio.job")
    assert.same({}, emulator:requests())
  end)

  it("is told to be absent by --help of a script without", function()
    local run = place:run({ "job.lua", "--help" }, { script = "local x = 1" })
    assert.equal(0, run.code)
    has(run.out, "no parameters")
  end)
end)

describe("may", function()
  local DELETE = [[
    composio.job { may = "%s" }
    composio.bulk(accounts.each { statuses = { "INACTIVE" } }, function(account)
      pcall(account.delete, account)
      print "still here"
    end)
    print "not reached"
  ]]

  it("refuses a bulk that plans above it: exit 4, nothing written", function()
    local run = place:run({ "job.lua", "--apply" }, { script = DELETE:format "reversible" })
    assert.equal(4, run.code)
    has(run.err, "irreversible")
    has(run.err, 'may = "irreversible"')
    assert.equal("", run.out)
    assert.same({}, emulator:changes())
    local read = [[composio.job { may = "read" } accounts.disable "ca_x"]]
    run = place:run({ "job.lua", "--apply" }, { script = read })
    assert.equal(4, run.code)
    assert.same({}, emulator:changes())
  end)

  it("without a job is reversible", function()
    local run = place:run({ "job.lua", "--apply" }, { script = DELETE:gsub("^[^\n]*\n", "", 1) })
    assert.equal(4, run.code)
    assert.same({}, emulator:changes())
  end)

  it("allows what it names", function()
    local run = place:run({ "job.lua" }, { script = DELETE:format "irreversible" })
    assert.equal(0, run.code)
    has(run.out, "not reached")
  end)

  it("a straight-line call above it raises, and the run exits 4 though it was caught", function()
    local script = [[
      print(pcall(accounts.revoke, accounts.list({ statuses = { "ACTIVE" } }).items[1]))
      print "goes on"
    ]]
    for _, words in ipairs { { "job.lua" }, { "job.lua", "--apply" } } do
      local run = place:run(words, { script = script })
      assert.equal(4, run.code)
      has(run.out, "false\t")
      has(run.out, "refused: revoke ca_")
      has(run.out, "goes on")
    end
    assert.same({}, emulator:changes())
  end)

  it("counts new credentials as irreversible", function()
    local script = [[
      local new = composio.auth_scheme.api_key { api_key = "sk_canary_1" }
      accounts.update("ca_x", { credentials = new })
    ]]
    place.secrets[2] = "sk_canary_1"
    local run = place:run({ "job.lua", "--apply" }, { script = script })
    assert.equal(4, run.code)
  end)
end)
