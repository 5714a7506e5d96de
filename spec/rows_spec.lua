-- A new operation needs its row and no other change in core or bindings: a copy of
-- composio-lua whose table has three more rows (spec/rows) treats them like the product's
-- own. pause and unpause undo each other (ACTIVE to PAUSED and back); annotate sets a
-- text that a get shows under another name.
local host = require "spec.support.host"
local job = require "spec.support.job"
local proxy = require "spec.support.proxy"
local server = require "spec.support.server"

local has, lacks = job.has, job.lacks
local emulator, place, between

before_each(function()
  emulator = server.emulator({ "--accounts", "60" }, "composio-rows-emulator")
  place = host.place(emulator)
end)
after_each(function()
  if between then
    between:finish()
    between = nil
  end
  place:remove()
  emulator:stop()
end)

local function run(words, script)
  emulator:forget()
  return place:run(words, { script = script, program = server.build .. "/composio-rows-lua" })
end

local function apply(script, ...)
  return run({ "job.lua", "--apply", "--summary=summary.json", ... }, script)
end

local function active(count)
  return job.ids(emulator, { statuses = { "ACTIVE" } }, count)
end

local function bulk_of(ids, call)
  local text = "composio.bulk(%q, %s, function(account) %s end)\n"
  return text:format(call:match "%w+:(%w+)", job.quoted(ids), call)
end

-- What a get shows of the account: its status and note.
local function shown(id)
  local client = emulator:client()
  local account = client.connected_accounts.get(id)
  client:close()
  return account.status, account.details and account.details.note
end

-- The file without comments and blank texts.
local function code_of(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  if path:find "%.lua$" then
    return (text:gsub("%-%-[^\n]*", ""))
  end
  return (text:gsub("/%*.-%*/", ""))
end

it("rooms know no operation by its name", function()
  require "composio"
  local core = require "composio.core"
  local files = host.shell(("find %s/core %s/bindings -name '*.[ch]' -o -name '*.lua'"):format(
    server.root, server.root))
  local count = 0
  for path in files:gmatch "[^\n]+" do
    local name = path:match "[^/]+$"
    if name ~= "api.c" and name ~= "composio.meta.lua" then
      local code = code_of(path)
      count = count + 1
      for _, row in ipairs(core.operations()) do
        if row.class ~= "read" then
          assert.is_nil(code:find('"' .. row.name .. '"', 1, true), path .. ": " .. row.name)
          assert.is_nil(code:find("accounts%.?%(?%)?%." .. row.name .. "%f[^%w_]"), path)
        end
      end
    end
  end
  assert.is_true(count > 150)
end)

describe("operations that only the table knows", function()
  it("are functions that take an id, and methods of accounts", function()
    local ids = active(1)
    local done = apply(([[
      accounts.pause(%q)
      local account = accounts.get(%q)
      print(account.status)
      account:unpause()
      account:annotate { note = "by hand" }
      print(accounts.get(account.id).details.note)
      print(pcall(accounts.annotate, account.id, { nota = "x" }))
    ]]):format(ids[1], ids[1]))
    assert.equal(0, done.code, done.err)
    has(done.out, "PAUSED\nby hand\nfalse")
    has(done.out, "unknown option 'nota'")
  end)

  it("are planned, guarded and shown before anything is sent", function()
    local script = bulk_of(active(3), 'account:pause() account:annotate { note = "n" }')
    local preview = run({ "job.lua", "--summary=summary.json" }, script)
    assert.equal(0, preview.code, preview.err)
    assert.equal(0, job.writes(emulator))
    assert.same({ pause = { planned = 3 }, annotate = { planned = 3 } },
      preview.summary.operations)
    local refused = apply(script, "--max-changes=5")
    assert.equal(4, refused.code)
    has(refused.err, "6 changes are more than --max-changes 5")
    assert.equal(0, job.writes(emulator))
  end)

  it("are carried out, and then the same", function()
    local ids = active(3)
    local script = bulk_of(ids, 'account:pause() account:annotate { note = "n" }')
    local done = apply(script)
    assert.equal(0, done.code, done.err)
    assert.same({ pause = { done = 3 }, annotate = { done = 3 } }, done.summary.operations)
    assert.same({ "PAUSED", "n" }, { shown(ids[1]) })
    assert.same({ { "PAUSED" } },
      place:ledger "SELECT DISTINCT status_after FROM outcome WHERE status_after IS NOT NULL")
    for _, call in ipairs { "account:pause()", 'account:annotate { note = "n" }' } do
      local again = apply(bulk_of(ids, call))
      assert.equal(0, again.code, again.err)
      assert.equal(0, job.writes(emulator))
      assert.equal(3, again.summary.outcomes.same)
    end
    assert.same({ annotate = { done = 3 } },
      apply(bulk_of(ids, 'account:annotate { note = "m" }')).summary.operations)
  end)

  it("fall back, and are what others fall back to", function()
    local ids = active(2)
    emulator:faults {
      { method = "PATCH", path = "*/" .. ids[1] .. "/pause", action = "reply", status = 409,
        body = { error = { message = "no", code = 1 } } },
      { method = "PATCH", path = "*/" .. ids[2] .. "/status", action = "reply", status = 409,
        body = { error = { message = "no", code = 1 } } },
    }
    local done = apply(([[
      composio.bulk({ %q, %q }, function(account)
        if account.id == %q then
          account:pause { otherwise = "disable" }
        else
          account:disable { otherwise = "pause" }
        end
      end)
    ]]):format(ids[1], ids[2], ids[1]))
    assert.equal(0, done.code, done.err)
    assert.same({ disable = { done = 1, failed = 1 }, pause = { done = 1, failed = 1 } },
      done.summary.operations)
    assert.equal("INACTIVE", (shown(ids[1])))
    assert.equal("PAUSED", (shown(ids[2])))
  end)

  it("of an account or a note that changed since the plan are stale", function()
    local ids = active(3)
    local saved = run({ "job.lua", "--save-plan=p.jsonl" },
      bulk_of({ ids[1] }, "account:pause()")
        .. bulk_of({ ids[2], ids[3] }, 'account:annotate { note = "mine" }'))
    assert.equal(0, saved.code, saved.err)
    emulator:tell("accounts/" .. ids[1] .. "/set", { status = "EXPIRED" })
    local other = host.place(emulator)
    other:run({ "job.lua", "--apply" }, {
      script = ("accounts.annotate(%q, { note = 'yours' })"):format(ids[2]),
      program = server.build .. "/composio-rows-lua",
    })
    other:remove()
    local done = run { "apply", "p.jsonl", "--summary=summary.json" }
    assert.equal(3, done.code, done.err)
    assert.same({ pause = { stale = 1 }, annotate = { stale = 1, done = 1 } },
      done.summary.operations)
    has(done.err, "the account is EXPIRED now, but the plan saw ACTIVE")
    has(done.err, 'the account has the note "yours" now, but the plan saw ""')
  end)
end)

-- The run, through a proxy with this rule.
local function through(rule, script, ...)
  between = proxy.start(emulator, { rule })
  place.env.COMPOSIO_BASE_URL = between.url
  local done = apply(script, "--retries=0", "--concurrency=1", ...)
  place.env.COMPOSIO_BASE_URL = emulator.url
  return done
end

describe("the lost reply to an operation that only the table knows", function()
  local CALLS = { pause = "account:pause()", annotate = 'account:annotate { note = "n" }' }

  for name, call in pairs(CALLS) do
    it("is found out by its probe: " .. name, function()
      local done = through("method=PATCH,hit=2,when=reply,at=20,do=cut",
        bulk_of(active(3), call))
      assert.equal(0, done.code, done.err)
      assert.same({ [name] = { done = 3 } }, done.summary.operations)
      has(done.err, "checked 1 unknown: 1 happened, 0 did not, 0 remain unknown")
    end)

    it("stays unknown as long as nothing can be asked, and resume settles it: " .. name, function()
      local ids = active(3)
      emulator:faults {
        { method = "PATCH", path = "*/" .. ids[2] .. "/*", action = "apply_then_close" },
        { method = "GET", path = "*/" .. ids[2], action = "close" },
      }
      local done = apply(bulk_of(ids, call), "--retries=0", "--concurrency=1")
      assert.equal(8, done.code, done.err)
      assert.same({ [name] = { done = 2, unknown = 1 } }, done.summary.operations)
      emulator:faults()
      local resumed = run { "resume", done.summary.run, "--summary=summary.json" }
      assert.equal(0, resumed.code, resumed.err)
      assert.same({ [name] = { done = 3 } }, resumed.summary.operations)
    end)
  end
end)

describe("the history of an operation that only the table knows", function()
  it("tells what became what", function()
    local ids = active(1)
    local done = apply(bulk_of(ids, 'account:pause() account:annotate { note = "n" }'))
    local history = run { "history", ids[1] }
    assert.equal(0, history.code, history.err)
    has(history.out, "ACTIVE → PAUSED")
    has(history.out, "note → 'n'")
    local show = run { "show", done.summary.run }
    has(show.out, "undo " .. done.summary.run)
  end)

  it("is undone by what the rows say", function()
    local ids = active(3)
    local first = apply(bulk_of({ ids[3] }, 'account:annotate { note = "old" }'))
    assert.equal(0, first.code, first.err)
    local done = apply(bulk_of(ids, 'account:pause() account:annotate { note = "new" }'))
    emulator:tell("accounts/" .. ids[2] .. "/set", { status = "EXPIRED" })
    local preview = run { "undo", done.summary.run, "--summary=summary.json" }
    assert.equal(0, preview.code, preview.err)
    assert.same({ annotate = { planned = 2 }, unpause = { planned = 2 } },
      preview.summary.operations)
    local back = run { "undo", done.summary.run, "--apply", "--summary=summary.json" }
    assert.equal(0, back.code, back.err)
    assert.same({ annotate = { done = 2 }, unpause = { done = 2 } }, back.summary.operations)
    has(back.err, "not undone, it is EXPIRED now, but the run left it PAUSED: 1 (" .. ids[2])
    assert.same({ "ACTIVE" }, { shown(ids[1]) })
    assert.same({ "ACTIVE", "old" }, { shown(ids[3]) })
    local again = run { "undo", done.summary.run, "--apply" }
    has(again.err, "already as before the run: 2")
    lacks(again.err, "no inverse")
  end)
end)
