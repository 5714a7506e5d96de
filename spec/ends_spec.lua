-- What stands where when the end of a run fails, as docs/runs.md says: the report, the plan,
-- standard output. The ledger: regress/012; the summary, metrics, log and hook: regress/140.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local has, lacks = job.has, job.lacks
local emulator, place
scene.of_host({ "--accounts", "20" }, function(...)
  emulator, place = ...
end)

local function script(path)
  return ([[
    local report = composio.report(%q, { "id" })
    composio.bulk({ after = function(account) report:add { id = account.id } end },
      accounts.each { statuses = { "ACTIVE" } }, function(account) account:disable() end)
  ]]):format(path)
end

local function run(text, ...)
  return place:run(host.unlimited { "job.lua", ... }, { script = text })
end

local function count(text)
  return select(2, text:gsub("\r\n", "")) - 1 -- not the header
end

it("a report that cannot be put in place is in FILE.partial, and resume writes it", function()
  local once = 'os.execute "test -e once || mkdir r.csv once"'
  local ended = run(script "r.csv" .. once, "--apply", "--allow", "os", "--summary",
    "summary.json")
  assert.equal(1, ended.code, ended.err)
  local done = #emulator:changes()
  assert.equal(done, ended.summary.outcomes.done)
  has(ended.err, "the report r.csv cannot be renamed into place: Is a directory")
  has(ended.err, "report: r.csv is as it was, the rows are in r.csv.partial")
  assert.equal("composio-lua resume " .. ended.summary.run .. " --allow os", ended.summary.next)
  host.shell("rmdir " .. place.path .. "/r.csv")
  local again = place:run { "resume", ended.summary.run, "--allow", "os" }
  assert.equal(0, again.code, again.err)
  assert.equal(done, count(place:read "r.csv"))
  assert.is_nil(place:read "r.csv.partial")
  assert.equal(done, #emulator:changes())
end)

it("a plan that cannot be saved is not there, and no command names it", function()
  local ended = run(script "r.csv", "--save-plan", "nowhere/plan")
  assert.equal(1, ended.code, ended.err)
  has(ended.err, "no plan is saved: ")
  lacks(ended.err, "next:")
end)

it("a full standard output is 1 instead of 0, but not for a run that acts", function()
  for _, mode in ipairs { "", "--apply" } do
    place:script(script "r.csv" .. "print 'x'")
    local ended = place:run(host.unlimited { "job.lua", mode ~= "" and mode or nil },
      { redirect = ">/dev/full 2>err" })
    assert.equal(mode == "" and 1 or 0, ended.code)
    has(place:read "err", "stdout cannot be written: what was printed is not complete")
  end
end)

describe("a report to no regular file", function()
  it("gets header and rows at once, and all of them again by resume", function()
    emulator:faults { job.refusal { method = "PATCH" } }
    local ended = run(script "-", "--apply")
    assert.equal(3, ended.code, ended.err)
    local rows = count(ended.out)
    local again = place:run { "resume", "last", "--failed" }
    assert.equal(0, again.code, again.err)
    assert.equal(rows + 1, count(again.out))
    assert.matches("^id\r\n", again.out)
    assert.equal("", host.shell("ls " .. place.path .. " | grep partial || true"))
  end)

  it("keeps what was written, whatever the exit code", function()
    local ended = run(script "-" .. "error 'no'", "--apply")
    assert.equal(1, ended.code)
    assert.equal(#emulator:changes(), count(ended.out))
  end)

  it("is refused when it cannot be written, by a preview, too", function()
    host.shell(("mkdir %s/dir && mkfifo %s/fifo"):format(place.path, place.path))
    for _, mode in ipairs { "--show=all", "--apply" } do
      has(run(script "dir", mode).err, "the report dir cannot be written: Is a directory")
    end
    assert.equal(0, run(script "fifo").code)
    local ended = run(script "fifo", "--apply")
    assert.equal(1, ended.code)
    has(ended.err, "the report fifo cannot be written, since nobody reads it")
    assert.equal(0, #emulator:changes())
  end)
end)

it("a cell that looks like a formula gains or loses a quote where one side alone is raw", function()
  local write = [[
    composio.job { may = "read" }
    local report = composio.report("r.csv", { "a", "b" }, { raw = %s })
    report:add { a = "=1", b = -1 }
    report:add { a = "'=1", b = "x" }
  ]]
  local read = [[for row in composio.csv("r.csv", {}, { raw = %s }) do print(row.a, row.b) end]]
  for _, case in ipairs {
    { false, false, "=1\t-1\n'=1\tx\n" }, { true, true, "=1\t-1\n'=1\tx\n" },
    { false, true, "'=1\t-1\n''=1\tx\n" }, { true, false, "=1\t-1\n=1\tx\n" },
  } do
    assert.equal(0, run(write:format(case[1])).code)
    assert.equal(case[3], run(read:format(case[2])).out)
  end
end)
