-- composio.csv, composio.report and composio.ago.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local has = job.has
local place

scene.of_host({ "--accounts", "10" }, function(_, directory)
  place = directory
end)

local function run(script, ...)
  return place:run({ "job.lua", ... }, { script = script })
end

describe("composio.csv", function()
  local READ = [[
    for row in composio.csv("x.csv", %s) do
      local names = {}
      for name in pairs(row) do names[#names + 1] = name end
      table.sort(names)
      for place, name in ipairs(names) do names[place] = ("%%s=%%q"):format(name, row[name]) end
      print(table.concat(names, " "))
    end
  ]]

  local function rows(text, columns)
    place:write("x.csv", text)
    return run(READ:format(columns or "{}"))
  end

  it("gives rows by the names of the header", function()
    local result = rows 'user,mail\nann,ann@x\n"o, bob","say ""hi"""\n'
    assert.equal(0, result.code, result.err)
    assert.equal('mail="ann@x" user="ann"\nmail="say \\"hi\\"" user="o, bob"\n', result.out)
  end)

  it("takes files as spreadsheets write them", function()
    for _, text in ipairs {
      "\239\187\191a,b\r\n1,2\r\n",
      "a,b\n1,2",
      'a,b\r\n"1","2"\r\n\r\n',
      "a , b\n 1 , 2 \n",
      "\239\187\191\"a\",b\n1,2\n",
    } do
      local result = rows(text)
      assert.equal(0, result.code, result.err)
      assert.equal('a="1" b="2"\n', result.out)
    end
  end)

  it("keeps line ends and empty cells", function()
    assert.equal('a="1\\\n2" b=""\n', rows('a,b\n"1\n2",\n').out)
  end)

  it("names file, row and column of what is wrong", function()
    for text, case in pairs {
      ["x.csv: the file has no header line"] = { "" },
      ["x.csv: two columns are called 'a'"] = { "a,a\n1,2\n" },
      ["x.csv: column 2 of the header has no name"] = { "a,\n1,2\n" },
      ["x.csv: row 3 has 1 cells, the header has 2"] = { "a,b\n1,2\n3\n" },
      ["x.csv: row 2 has 3 cells, the header has 2"] = { "a,b\n1,2,3\n" },
      ["x.csv: row 3, column 'b' is empty"] = { "a,b\n1,2\n3,\n", '{ "a", "b" }' },
      ["x.csv: there is no column 'c', only: a, b"] = { "a,b\n1,2\n", '{ "c" }' },
      ["x.csv: there is no column 'k', only: a, b"] = {
        "a,b\n1,2\n", '{ "a" }, { secret = { "k" } }',
      },
      ["composio.csv: raw: expected true or false, got string"] = {
        "a\n1\n", '{ "a" }, { raw = "true" }',
      },
      ["composio.csv: expected a table of options, got string"] = { "a\n1\n", '{ "a" }, "raw"' },
      ["x.csv: column 2 of the header contains a control byte"] = { "a,\"\1\"\n1,2\n" },
      ["x.csv: row 2, column 'b' is not valid UTF-8"] = { "a,b\n1,\255\n" },
      ["x.csv: row 2: a quote is misplaced or not closed"] = { 'a,b\n1,"2"x"\n' },
      ["x.csv: row 3: a quote is misplaced or not closed"] = { 'a,b\n1,2\n3,"4\n' },
    } do
      local result = rows(table.unpack(case))
      assert.equal(1, result.code, text)
      has(result.err, text)
      has(result.err, "job.lua:3:")
    end
    local result = run [[composio.csv("none.csv")]]
    assert.equal(1, result.code)
    has(result.err, "cannot read none.csv: No such file")
  end)

  it("needs little memory for a file of any size", function()
    local line = ("x"):rep(200)
    local file = assert(io.open(place.path .. "/x.csv", "w"))
    file:write "a,b\n"
    for i = 1, 100000 do
      file:write(line, ",", i, "\n")
    end
    file:close()
    local result = run([[
      local n, last = 0, nil
      for row in composio.csv "x.csv" do n, last = n + 1, row.b end
      print(n, last)
    ]], "--memory", "8")
    assert.equal("100000\t100000\n", result.out)
  end)

  it("refuses options it does not know", function()
    place:write("x.csv", "a\n1\n")
    local result = run [[composio.csv("x.csv", {}, { secrets = { "a" } })]]
    has(result.err, "did you mean 'secret'?")
    result = run [[composio.csv("x.csv", "a")]]
    has(result.err, "expected a list of names")
  end)
end)

describe("composio.report", function()
  local REPORT = [[
    local report = composio.report("out.csv", { "user", "text" })
    report:add { user = "ann", text = "a, \"b\"\nc" }
    report:add { user = "=1+1", text = "@x" }
    report:add { user = "-5", text = -5 }
    report:add { text = "alone" }
  ]]

  it("is a file that only its owner reads, neutral to spreadsheets", function()
    local result = run(REPORT, "--apply")
    assert.equal(0, result.code, result.err)
    assert.equal(
      'user,text\r\nann,"a, ""b""\nc"\r\n"\'=1+1","\'@x"\r\n"\'-5",-5\r\n,alone\r\n',
      place:read "out.csv"
    )
    assert.equal("600", place:mode "out.csv")
    has(result.err, "report: out.csv, 4 rows")
    assert.equal("out.csv", host.shell("cd " .. place.path .. " && ls | grep csv"))
  end)

  it("keeps every cell when raw", function()
    run('composio.report("r.csv", { "a" }, { raw = true }):add { a = "=1" }', "--apply")
    assert.equal("a\r\n=1\r\n", place:read "r.csv")
  end)

  it("is not written in a preview, which names it", function()
    place:write("out.csv", "older")
    local result = run(REPORT)
    assert.equal(0, result.code, result.err)
    assert.equal("older", place:read "out.csv")
    has(result.err, "report: --apply writes out.csv")
  end)

  it("replaces an older one whole, also behind a link", function()
    place:write("target", "older")
    os.execute(("ln -s target %s/out.csv"):format(place.path))
    run(REPORT, "--apply")
    assert.equal("older", place:read "target")
    has(place:read "out.csv", "user,text")
  end)

  it("stays as it was when the script fails, its rows beside it", function()
    place:write("out.csv", "older")
    local result = run(REPORT .. "error 'late'", "--apply")
    assert.equal(1, result.code)
    assert.equal("older", place:read "out.csv")
    has(place:read "out.csv.partial", "alone")
    assert.equal("600", place:mode "out.csv.partial")
    has(result.err, "report: out.csv is as it was, the rows are in out.csv.partial")
    local again = run(REPORT, "--apply")
    assert.equal(0, again.code, again.err)
    local aside = again.err:match "they are now in (out%.csv%.%S+%.partial)"
    has(place:read(aside), "alone")
    has(place:read "out.csv", "alone")
    assert.is_nil(place:read "out.csv.partial")
  end)

  it("replaces an older one also without rows", function()
    place:write("out.csv", "older")
    local result = run([[composio.report("out.csv", { "a" })]], "--apply")
    assert.equal(0, result.code, result.err)
    assert.equal("a\r\n", place:read "out.csv")
  end)

  it("of a job that may only read needs no --apply and no lock", function()
    local script = [[composio.job { may = "read" }]] .. REPORT .. [[print "open" repeat
      composio.sleep(0.02)
    until not pcall(composio.csv, "wait.csv")]]
    place:write("wait.csv", "a\n")
    local first = place:start({ "job.lua" }, { script = script })
    host.wait_until(function()
      return (place:read "out.csv.partial" or ""):find "alone"
    end)
    local second = place:run { "job.lua" }
    assert.equal(75, second.code, second.err)
    has(second.err, "another run writes the report out.csv")
    os.remove(place.path .. "/wait.csv")
    assert.equal(0, first:wait(20).code)
    has(place:read "out.csv", "alone")
    assert.is_nil(place:read "out.csv.partial")
  end)

  it("is read back by composio.csv, byte for byte", function()
    local texts = [[
      composio.job { may = "read" }
      local texts = {
        "=1", "+a", "-", "@x", "\tb\t", "'=1", "''+", "'", "'a", " blank ", "", "a\rb", '"',
        "x,\ny",
      }
    ]]
    local result = run(texts .. [[
      local report = composio.report("back.csv", { "text", "=column" })
      for _, text in ipairs(texts) do report:add { text = text } end
      local single = composio.report("single.csv", { "one" })
      single:add {} single:add { one = "x" }
    ]])
    assert.equal(0, result.code, result.err)
    result = run(texts .. [[
      local at = 0
      for row in composio.csv "back.csv" do
        at = at + 1
        assert(row.text == texts[at], ("%q is not %q"):format(row.text, texts[at]))
        assert(row["=column"] == "")
      end
      assert(at == #texts)
      for row in composio.csv "single.csv" do print(row.one) end
      for row in composio.csv("back.csv", {}, { raw = true }) do print(row.text) break end
    ]])
    assert.equal(0, result.code, result.err)
    assert.equal("\nx\n'=1\n", result.out)
  end)

  it("without rows of a run that changed nothing leaves the older one", function()
    place:write("out.csv", "older")
    run([[composio.report("out.csv", { "a" }) error "early"]], "--apply")
    assert.equal("older", place:read "out.csv")
    assert.equal("out.csv", host.shell("cd " .. place.path .. " && ls | grep csv"))
  end)

  it("that cannot be written is told: at once, or when the disk is full", function()
    local result = run([[composio.report("no/dir/out.csv", { "a" })]], "--apply")
    assert.equal(1, result.code)
    has(result.err, "no/dir/out.csv cannot be written: No such file")
    if host.shell "id -u" ~= "0" or host.shell "command -v prlimit" == "" then
      return
    end
    local big = [[
      local report = composio.report("out.csv", { "a" })
      for i = 1, 5000 do report:add { a = ("x"):rep(100) } end
    ]]
    place:script(big)
    result = place:run({ "job.lua", "--apply" }, { prefix = "prlimit --fsize=400000 --core=0" })
    assert.equal(1, result.code, result.err)
    has(result.err, "out.csv cannot be written: File too large")
    assert.is_nil(place:read "out.csv")
  end)

  it("writes to a pipe, a device or stdout, and replaces none", function()
    host.shell(("mkfifo %s/pipe && mkdir -p %s/dir"):format(place.path, place.path))
    for name, why in pairs { pipe = "nobody reads it", dir = "Is a directory" } do
      local script = ("composio.report(%q, { 'a' }):add { a = 1 }"):format(name)
      local result = run(script, "--apply")
      assert.equal(1, result.code, result.err)
      has(result.err, why)
    end
    local pipe = ("test -p %s/pipe && echo still"):format(place.path)
    assert.equal("still", host.shell(pipe))
    local script = "composio.job { may = 'read' } composio.report(%q, { 'a' }):add { a = 1 }"
    local reader = io.popen(("timeout 20 cat %s/pipe"):format(place.path))
    local result
    host.wait_until(function() -- until the reader has opened it
      result = run(script:format "pipe")
      return result.code == 0
    end, "the pipe")
    assert.equal("a\r\n1\r\n", reader:read "a")
    reader:close()
    assert.equal("still", host.shell(pipe))
    assert.equal("a\r\n1\r\n", run(script:format "-").out)
    assert.equal(0, run(script:format "/dev/null").code)
    result = run(script:format "/dev/full")
    assert.equal(1, result.code, result.err)
    has(result.err, "/dev/full cannot be written")
    assert.equal("c", host.shell("stat -c %F /dev/null"):sub(1, 1))
  end)

  it("refuses wrong columns, rows and options", function()
    for text, script in pairs {
      ["did you mean 'user'?"] = [[composio.report("o", { "user" }):add { uzer = 1 }]],
      ["columns: the list is empty"] = [[composio.report("o", {})]],
      ["did you mean 'raw'?"] = [[composio.report("o", { "a" }, { row = true })]],
      ["called with a colon"] = [[composio.report("o", { "a" }).add { a = 1 }]],
      ["o is already the file of another report"] = [[
        composio.report("o", { "a" }) composio.report("o", { "b" })
      ]],
      ["expected a path"] = [[composio.report("", { "a" })]],
    } do
      local result = run(script, "--apply")
      assert.equal(1, result.code)
      has(result.err, text)
    end
  end)
end)

describe("composio.ago", function()
  it("is a time as the service writes it", function()
    local result = run [[
      print(composio.ago "0s" > composio.ago "1s", composio.ago "1d" == composio.ago "24h",
        composio.ago(90) == composio.ago "90s", #composio.ago "1m")
      local now = os.time()
      print(composio.ago "10d" == os.date("!%Y-%m-%dT%H:%M:%S.000Z", now - 864000))
      for account in accounts.each { account_type = "ALL" } do
        assert(account.updated_at < composio.ago "0s")
        assert(account.updated_at > composio.ago "10000d")
      end
    ]]
    assert.equal("true\ttrue\ttrue\t24\ntrue\n", result.out)
  end)

  it("refuses what is no duration", function()
    for _, argument in ipairs { "'90 days'", "''", "nil", "-5", "'1w'", "{}" } do
      local result = run("composio.ago(" .. argument .. ")")
      assert.equal(1, result.code)
      has(result.err, "composio.ago: expected a duration")
    end
  end)
end)
