-- What an operator must give before a run changes anything: the confirmed number of
-- irreversible changes, and the accounts to protect.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"
local server = require "spec.support.server"

local has = job.has
local emulator, place

-- Deletes the INACTIVE accounts, and then the EXPIRED ones.
local JOB = [[
local job = composio.job { may = "irreversible" }
composio.bulk("gone", accounts.each { statuses = { "INACTIVE" } }, function(account)
  account:delete()
end)
]]
local SECOND = [[
composio.bulk("old", accounts.each { statuses = { "EXPIRED" } }, function(account)
  account:delete()
end)
]]

scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

local function accounts_of(status)
  local page = emulator:client().connected_accounts.list { statuses = { status }, limit = 100 }
  return #page.items
end

local function run(...)
  return place:run { "job.lua", "--max-percent=100", "--summary", "summary.json", ... }
end

local function refused(result, text)
  assert.equal(4, result.code, result.err)
  has(result.err, text)
  assert.same({}, emulator:changes())
end

describe("changes that cannot be taken back", function()
  it("need their number, which the preview's next command carries", function()
    place:script(JOB)
    local count = accounts_of "INACTIVE"
    assert.is_true(count > 1)
    local preview = run()
    assert.equal(0, preview.code, preview.err)
    has(preview.out, ", " .. count .. " irreversible")
    local next = ("composio-lua %s/job.lua --max-percent=100 --summary %s/summary.json --apply "
      .. "--confirm %d"):format(place.path, place.path, count)
    assert.equal(next, preview.summary.next)
    local need = ("refused: %d irreversible changes need --confirm %d"):format(count, count)
    refused(run "--apply", need)
    refused(run("--apply", "--confirm", "1"), need .. " (--confirm 1 was given)")
    refused(run("--apply", "--confirm=" .. count + 1), need)
    local apply = run("--apply", "--confirm", tostring(count))
    assert.equal(0, apply.code, apply.err)
    assert.equal(count, #emulator:changes())
  end)

  it("of several plans need a number each, in their order", function()
    place:script(JOB .. SECOND)
    local gone, old = accounts_of "INACTIVE", accounts_of "EXPIRED"
    assert.is_true(old > 0 and gone ~= old)
    assert.matches(" %-%-confirm " .. gone .. "," .. old .. "$", run().summary.next)
    refused(run("--apply", "--confirm", old .. "," .. gone),
      ("--confirm %d (--confirm %d,%d was given)"):format(gone, old, gone))
    local apply = run("--apply", "--confirm", gone .. "," .. old)
    assert.equal(0, apply.code, apply.err)
    assert.equal(gone + old, #emulator:changes())
  end)

  it("are none where none is planned: a number that is given does no harm", function()
    place:script [[
      composio.bulk(accounts.each { statuses = { "ACTIVE" }, limit = 3 }, function(account)
        account:disable()
      end)
    ]]
    assert.equal(0, run("--apply", "--confirm", "7").code)
  end)

  -- The program on a terminal; what is typed follows the question.
  local function typed(text, ...)
    local words = {}
    for place_in_list, word in ipairs { host.program, ... } do
      words[place_in_list] = server.quote(word)
    end
    local env = ("HOME=%s COMPOSIO_BASE_URL=%s COMPOSIO_API_KEY=%s"):format(
      server.quote(place.path), emulator.url, emulator.api_key)
    local script = ([[
      cd %s; export %s; rm -f seen
      { for i in $(seq 500); do grep -q 'Type ' seen 2>/dev/null && break; sleep 0.02; done
        printf %s; sleep 0.5; } | script -qefc %s seen >/dev/null
      echo $?
    ]]):format(server.quote(place.path), env, server.quote(text),
      server.quote(table.concat(words, " ")))
    local code = tonumber(host.shell(script):match "%d+$")
    return code, place:read("seen"):gsub("\r", "")
  end

  it("are asked for on a terminal, and only that number carries them out", function()
    place:script(JOB)
    local count = accounts_of "INACTIVE"
    local question = ("%d irreversible changes (delete %d). Type %d to carry them out: "):format(
      count, count, count)
    for _, answer in ipairs { "yes\\r", count + 1 .. "\\r", "\\r", "\\004", count .. "x\\r" } do
      local code, seen = typed(answer, "job.lua", "--max-percent=100", "--apply")
      assert.equal(4, code, seen)
      has(seen, question)
      has(seen, ("refused: %d irreversible changes were not confirmed"):format(count))
      assert.same({}, emulator:changes())
    end
    local code, seen = typed("\\003", "job.lua", "--max-percent=100", "--apply")
    assert.equal(130, code, seen)
    assert.same({}, emulator:changes())
    code, seen = typed(count .. "\\r", "job.lua", "--max-percent=100", "--apply")
    assert.equal(0, code, seen)
    assert.equal(count, #emulator:changes())
  end)

  it("are not asked for with -q or when the number is given", function()
    place:script(JOB)
    local words = { "job.lua", "--max-percent=100", "--apply" }
    local code, seen = typed("", "-q", table.unpack(words))
    assert.equal(4, code)
    assert.is_nil(seen:find("Type ", 1, true))
    code, seen = typed("", "job.lua", "--max-percent=100", "--apply", "--confirm=1")
    assert.equal(4, code)
    assert.is_nil(seen:find("Type ", 1, true))
    assert.same({}, emulator:changes())
  end)

  it("outside of bulks may be as many as the number says", function()
    place:script [[
      local job = composio.job { may = "irreversible" }
      for _, account in ipairs(accounts.list({ statuses = { "INACTIVE" } }).items) do
        account:delete()
      end
    ]]
    local count = accounts_of "INACTIVE"
    assert.matches(" %-%-confirm " .. count .. "$", run().summary.next)
    refused(run "--apply", "refused: 1 irreversible change needs --confirm 1 or more")
    assert.equal(0, run("--apply", "--confirm", tostring(count + 3)).code)
    assert.equal(count, #emulator:changes())
    emulator:reset()
    local stopped = run("--apply", "--confirm", "1")
    assert.equal(7, stopped.code)
    has(stopped.err, "refused: 2 irreversible changes need --confirm 2 or more")
    assert.equal(1, #emulator:changes())
  end)
end)

describe("--protect", function()
  local ALL = [[
    composio.bulk("all", accounts.each { statuses = { "ACTIVE" } }, function(account)
      account:disable()
    end)
  ]]

  it("refuses a line that protects nobody, with its place", function()
    place:script(ALL)
    for text, why in pairs {
      ["ca_x\nuser:\n"] = "keep.txt:2: nothing follows user:",
      ["\n\nusers:bob"] = "keep.txt:3: expected an id (ca_… or ac_…), user:ID or toolkit:SLUG",
      ["account:ca_x"] = "keep.txt:1: expected an id",
      ["gmail"] = "keep.txt:1: expected an id",
      ["ca_x\tboss"] = "keep.txt:1: the line has a control byte",
      ["ca_x # the boss"] = "keep.txt:1: an id or a toolkit is printable ASCII without blanks",
      ["toolkit: \r\n"] = "keep.txt:1: nothing follows toolkit:",
      ["user:\xff"] = "keep.txt:1: the line is not valid UTF-8",
      ["ca_x\0"] = "keep.txt:1: the line has a control byte",
    } do
      place:write("keep.txt", text)
      local result = run("--apply", "--protect", "keep.txt")
      assert.equal(2, result.code, text)
      has(result.err, why)
    end
    has(run("--apply", "--protect", "nosuch.txt").err, "cannot read nosuch.txt")
    assert.same({}, emulator:requests())
  end)

  it("warns of a file that protects nobody", function()
    place:script(ALL)
    place:write("keep.txt", "\xEF\xBB\xBF# nobody\r\n\r\n")
    local result = run("--protect", "keep.txt")
    assert.equal(0, result.code, result.err)
    has(result.err, "warning: --protect keep.txt lists nothing to protect")
  end)

  it("keeps accounts, users and toolkits out of every plan, and says so", function()
    place:script(ALL)
    local total = accounts_of "ACTIVE"
    place:write("keep.txt", "\xEF\xBB\xBF# these\r\nca_github_u123A\r\n\r\nuser:user_456\r\n")
    place:write("more.txt", "toolkit:GMAIL")
    local kept = 0
    for account in emulator:client().connected_accounts.each { statuses = { "ACTIVE" } } do
      if account.id == "ca_github_u123A" or account.user_id == "user_456"
        or account.toolkit.slug == "gmail" then
        kept = kept + 1
      end
    end
    assert.is_true(kept >= 3 and kept < total)
    local words = { "--protect", "keep.txt", "--protect", "more.txt" }
    local preview = run(table.unpack(words))
    assert.equal(kept, preview.summary.outcomes.skipped, preview.err)
    assert.equal(total - kept, preview.summary.outcomes.planned)
    words[#words + 1] = "--apply"
    local apply = run(table.unpack(words))
    assert.equal(0, apply.code, apply.err)
    assert.equal(kept, apply.summary.outcomes.skipped)
    assert.equal(total - kept, #emulator:changes())
    local shown = place:run({ "show", "last", "--show", "all" }).out
    assert.matches("ca_github_u123A  skipped [^\n]*protected by keep.txt:2", shown)
    has(shown, "protected by keep.txt:4")
    has(shown, "protected by more.txt:1")
  end)
end)
