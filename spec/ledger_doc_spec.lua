-- docs/ledger.md: its tables match the schema, its numbers match the headers, and its
-- queries return rows on a ledger that has rows of every kind.
-- Must not know: how the ledger is written.
local document = require "spec.support.document"
local host = require "spec.support.host"
local job = require "spec.support.job"
local server = require "spec.support.server"

local DOCUMENT = "docs/ledger.md"
local text = document.read(DOCUMENT)
local box, emulator
local ledger -- its file

-- A run with outcomes of several kinds: bulks, a create, a straight-line call.
local JOB = [[
local composio = require "composio"
local accounts = composio.connected_accounts
composio.bulk("idle", accounts.each { statuses = { "ACTIVE" } }, function(account)
  account:disable { reason = "idle for long" }
end)
accounts.link("someone new", "ac_GithubManage")
]]

-- The reply of a refresh is lost, and what became of it cannot be found out yet.
local LOSES_REPLY = [[
local composio = require "composio"
composio.bulk({ "ca_gmail_u123_C" }, function(account) account:refresh() end)
]]

local function run(name, script, codes)
  local file = assert(io.open(box.path .. "/home/" .. name, "wb"))
  file:write(script)
  file:close()
  local command = "COMPOSIO_BASE_URL=%s COMPOSIO_API_KEY=%s composio-lua run home/%s --apply "
    .. "--max-percent 100 --retries 0 --timeout 1s"
  local code, output = box:run(command:format(emulator.url, emulator.api_key, name))
  assert.is_true(codes[code], code .. "\n" .. output)
end

local function query(sql)
  local path = box.path .. "/home/query.sql"
  local file = assert(io.open(path, "wb"))
  file:write(sql)
  file:close()
  local command = "sqlite3 -readonly -bail %s <%s 2>&1; echo $?"
  local output = host.shell(command:format(server.quote(ledger), server.quote(path)))
  local rows, code = output:match "^(.-)\n?(%d+)$"
  return tonumber(code), rows
end

setup(function()
  box = document.sandbox()
  emulator = server.emulator { "--accounts", "60" }
  ledger = box.path .. "/home/.local/state/composio-lua/ledger.db"
  emulator:faults { job.refusal { method = "PATCH", nth = 3 } }
  run("job.lua", JOB, { [3] = true })
  emulator:faults {
    { method = "POST", path = "*/refresh", action = "apply_then_close" },
    { method = "GET", path = "*ca_gmail_u123_C*", action = "close", nth = 2, times = 0 },
  }
  run("lost.lua", LOSES_REPLY, { [8] = true, [7] = true })
end)
teardown(function()
  emulator:stop()
  box:remove()
end)

-- The tables as the document has them: name → columns, the first cells of the rows
-- below its heading.
local function tables_told()
  local tables, columns = {}, nil
  for line in text:gmatch "[^\n]+" do
    local heading = line:match "^#+ (.*)$"
    if heading then
      columns = line:find "^### " and {} or nil
      tables[heading] = columns
    elseif columns then
      for name in (line:match "^| ([^|]*)|" or ""):gmatch "`([%w_]+)`" do
        columns[#columns + 1] = name
      end
      table.sort(columns)
    end
  end
  return tables
end

describe("the ledger's document", function()
  it("has every table with every column, and no other", function()
    local real = {}
    local _, tables = query "SELECT name FROM sqlite_schema WHERE type = 'table';"
    for name in tables:gmatch "%S+" do
      real[name] = {}
      local _, columns = query(("SELECT name FROM pragma_table_info('%s');"):format(name))
      for column in columns:gmatch "%S+" do
        table.insert(real[name], column)
      end
      table.sort(real[name])
    end
    assert.same(real, tables_told())
  end)

  it("names the version of the schema", function()
    local _, version = query "PRAGMA user_version;"
    assert.truthy(text:find("is the version of the schema, " .. version .. " today", 1, true))
  end)

  it("has the outcomes' numbers", function()
    local told, real = {}, {}
    for number, word in text:gmatch "\n| (%d) | (%l[%l ]*) |" do
      told[tonumber(number)] = word
    end
    local header = host.shell(
      "cat " .. server.quote(server.root) .. "/core/ledger/*.h | grep -A 14 '^enum ca_outcome {'"
    )
    local number = 0
    for word in header:gsub("/%*.-%*/", ""):match("{(.-)}"):gmatch "CA_([%u_]+)" do
      real[number] = word:lower():gsub("_", " ")
      number = number + 1
    end
    assert.equal(10, number)
    assert.same(real, told)
  end)

  it("tells how ids are made", function()
    local _, wrong = query [[
      SELECT count(*) FROM change c LEFT JOIN item i ON i.id = c.id >> 15
      LEFT JOIN run r ON r.id = c.id >> 41 AND r.id = i.id >> 26 WHERE r.id IS NULL;
    ]]
    assert.equal("0", wrong)
    local _, all = query "SELECT count(*) FROM change WHERE id BETWEEN 1 << 41 AND 2 << 41;"
    assert.is_true(tonumber(all) > 20)
  end)

  it("is followed by what the program wrote: something of everything", function()
    local code, words = query(document.blocks(DOCUMENT)[2].text
      .. "SELECT group_concat(DISTINCT outcome) FROM what;")
    assert.equal(0, code, words)
    for _, word in ipairs { "done", "failed", "unknown" } do
      assert.truthy(words:find(word, 1, true), words)
    end
  end)
end)

describe("of the ledger's document", function()
  local views

  for _, block in ipairs(document.blocks(DOCUMENT)) do
    if block.language == "sql" and block.mark == "views" then
      views = block.text
    elseif block.language == "sql" then
      it(("the query in line %d gives rows"):format(block.line), function()
        local code, rows = query(views .. block.text)
        assert.equal(0, code, rows)
        assert.is_true(#rows > 0, block.text)
      end)
    elseif block.language == "sh" then
      it(("the command in line %d works"):format(block.line), function()
        local code, output = box:run(block.text)
        assert.equal(0, code, output)
        assert.truthy(output:find("ok", 1, true), output)
      end)
    end
  end
end)
