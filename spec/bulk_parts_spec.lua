-- Features of a bulk: fallbacks for changes that fail, the canary that is changed before
-- the rest, and the before-images of accounts.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local has, lacks = job.has, job.lacks
local emulator, place

scene.of_host({ "--accounts", "230" }, function(...)
  emulator, place = ...
end)

local function apply(script, ...)
  return place:run({ "job.lua", "--apply", "--summary=summary.json", ... }, { script = script })
end

local function preview(script, ...)
  return place:run({ "job.lua", "--summary=summary.json", ... }, { script = script })
end

local function refuse(method, nth, times)
  return job.refusal { method = method, nth = nth, times = times or 1 }
end

describe("`otherwise`", function()
  local ids

  before_each(function()
    ids = job.ids(emulator, { statuses = { "ACTIVE" }, toolkit_slugs = { "github" } }, 3)
  end)

  local function script(call, after)
    local text = [[
      composio.job { may = "irreversible" }
      local counts = composio.bulk({ %s }, %s, function(account)
        %s
      end)
      print(counts.done, counts.failed, counts.planned)
    ]]
    return text:format(after or "", job.quoted(ids), call)
  end
  local DELETE = 'account:delete { otherwise = "disable", reason = "spec" }'
  local GO = { "--confirm=3", "--delete-active" }

  local function go(call, after, ...)
    return apply(script(call or DELETE, after), GO[1], GO[2], ...)
  end

  it("is not sent where the change went well", function()
    local run = go()
    assert.equal(0, run.code, run.err)
    assert.equal("3\tnil\tnil\n", run.out)
    assert.same({ delete = { done = 3 }, disable = { skipped = 3 } }, run.summary.operations)
    assert.equal(3, run.summary.outcomes.done)
    assert.equal(0, run.summary.outcomes.skipped)
    assert.equal(3, job.writes(emulator))
  end)

  it("is sent where the service refused it, and makes the item good", function()
    emulator:faults { refuse("DELETE", 2) }
    local run = go(nil, nil, "--concurrency=1")
    assert.equal(0, run.code, run.err)
    assert.equal("3\tnil\tnil\n", run.out)
    assert.same({ delete = { done = 2, failed = 1 }, disable = { done = 1, skipped = 2 } },
      run.summary.operations)
    assert.equal(0, run.summary.outcomes.failed)
    local sent = job.changes(emulator)
    table.sort(sent)
    local wanted = { "delete " .. ids[1], "disable " .. ids[2], "delete " .. ids[3] }
    table.sort(wanted)
    assert.same(wanted, sent)
  end)

  it("that fails as well fails the item", function()
    emulator:faults { refuse("DELETE", 1, 9), refuse("PATCH", 2, 9) }
    local run = go(nil, nil, "--concurrency=1")
    assert.equal(3, run.code)
    assert.equal("1\t2\tnil\n", run.out)
    assert.same({ delete = { failed = 3 }, disable = { done = 1, failed = 2 } },
      run.summary.operations)
    assert.same({ 1, 2 }, { run.summary.outcomes.done, run.summary.outcomes.failed })
  end)

  it("is not sent where nobody knows: it may have happened", function()
    emulator:faults {
      { method = "DELETE", path = "*/" .. ids[2] .. "*", action = "apply_then_close" },
      { method = "GET", path = "*/" .. ids[2] .. "*", action = "close" },
    }
    local run = go(nil, nil, "--concurrency=1", "--retries=0")
    assert.equal(8, run.code, run.err)
    assert.equal(1, run.summary.outcomes.unknown)
    assert.equal(0, job.sent(emulator, "/status"))
    assert.equal(1, run.summary.operations.delete.unknown)
  end)

  it("is not sent where the account is gone or changed: all of it is stale", function()
    local run = preview(script(DELETE), "--delete-active", "--save-plan=plan.json")
    assert.equal(0, run.code, run.err)
    local client = emulator:client()
    client.connected_accounts.disable(ids[2])
    client.connected_accounts.delete(ids[3])
    client:close()
    emulator:forget()
    run = place:run { "apply", "plan.json", "--summary=summary.json", GO[1], GO[2] }
    assert.equal(3, run.code, run.err)
    assert.same({ done = 1, stale = 2 }, run.summary.operations.delete)
    assert.same({ skipped = 1, stale = 2 }, run.summary.operations.disable)
    assert.equal(2, run.summary.outcomes.stale)
    assert.equal(1, job.writes(emulator))
  end)

  it("ends the rest of its item only when it fails, too", function()
    -- disable and name the first; the second is neither deleted nor disabled
    ids = { ids[1], ids[2] }
    local second = refuse("PATCH")
    second.path = "*/" .. ids[2] .. "/status*"
    emulator:faults { refuse("DELETE", 1, 2), second }
    local call = 'account:delete { otherwise = "disable" } account:update { alias = "x" }'
    local run = apply(script(call), "--confirm=2", "--delete-active", "--concurrency=1")
    assert.equal(3, run.code, run.err)
    assert.equal(2, run.summary.operations.delete.failed)
    assert.equal(1, run.summary.outcomes.done)
    assert.equal(1, run.summary.outcomes.failed)
    assert.same({ done = 1, not_tried = 1 }, run.summary.operations.update)
  end)

  it("is told in `after`, which runs for items that ended well", function()
    emulator:faults { refuse("DELETE", 2) }
    local run = go(nil, [[after = function(account, results)
      print(account.id, results.delete.success, results[1].outcome or results.delete.outcome,
        results.delete.message, results.disable.success, results.disable.outcome)
    end]], "--concurrency=1")
    assert.equal(0, run.code, run.err)
    has(run.out, ids[1] .. "\ttrue\tnil\tnil\tfalse\tskipped\n")
    has(run.out, ids[2] .. "\tfalse\tfailed\tnot this one")
    has(run.out, "\ttrue\tnil\n")
  end)

  it("is shown in a preview as what it is", function()
    local run = preview(script(DELETE), "--delete-active")
    assert.equal(0, run.code, run.err)
    has(run.out, "otherwise")
    assert.same({ delete = { planned = 3 }, disable = { planned = 3 } }, run.summary.operations)
    assert.equal(3, run.summary.outcomes.planned)
  end)

  it("names an operation that needs nothing more, and that is there", function()
    for text, word in pairs {
      ["another operation that changes an account, got 'disabel'"] = "'disabel'",
      ["expected the name of another operation that changes an account, got 'delete'"] = "'delete'",
      ["otherwise: update needs more than an id"] = "'update'",
      ["otherwise"] = "5",
    } do
      local run = preview(script("account:delete { otherwise = " .. word .. " }"))
      assert.equal(3, run.code, word .. run.err)
      has(run.err, text)
    end
  end)

  it("must be within what the job may do, and is nothing for straight-line calls", function()
    local text = [[composio.bulk({ %q }, function(account)
      account:disable { otherwise = "delete" }
    end)]]
    local run = preview(text:format(ids[1]))
    assert.equal(4, run.code, run.err)
    has(run.err, "irreversible")
    run = apply(("accounts.disable(%q, { otherwise = 'refresh' })"):format(ids[1]))
    assert.equal(1, run.code, run.err)
    has(run.err, "otherwise")
    assert.equal(0, job.writes(emulator))
  end)
end)

describe("a canary", function()
  local ids

  before_each(function()
    ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 8)
  end)

  local function script(check, count, more)
    local text = [[
      local counts = composio.bulk({ canary = { count = %d, check = function(account)
        %s
      end }, %s }, %s, function(account) account:disable() end)
      print("counts", counts.done, counts.not_tried)
    ]]
    return text:format(count or 3, check, more or "", job.quoted(ids))
  end

  it("goes first, is looked at again, and the rest follows when all is well", function()
    local run = apply(script [[
      print("check", account.status)
      return account.status == "INACTIVE"
    ]], "--concurrency=8")
    assert.equal(0, run.code, run.err)
    local checks = select(2, run.out:gsub("check\tINACTIVE\n", ""))
    assert.equal(3, checks)
    has(run.out, "counts\t8\tnil\n")
    assert.equal(8, job.writes(emulator))
    -- the fourth was not sent before the first three were looked at
    local writes, lists = 0, 0
    for _, request in ipairs(emulator:requests()) do
      writes = writes + (request.method ~= "GET" and 1 or 0)
      if writes == 3 then
        lists = lists + (request.path:find("connected_account_ids=", 1, true) and 1 or 0)
      end
    end
    assert.is_true(lists >= 1)
  end)

  for name, check in pairs {
    ["says no"] = "return account.id ~= %q",
    ["says nothing"] = "",
    ["raises"] = "if account.id == %q then error 'not well' end return true",
    ["raises as Lua does"] = "if account.id == %q then account = nil end return account.id",
  } do
    it("whose check " .. name .. " stops the run before the rest", function()
      local text = check:find "%%q" and check:format(ids[2]) or check
      local run = apply(script(text), "--concurrency=8")
      assert.equal(7, run.code, run.err)
      assert.equal(3, job.writes(emulator))
      has(run.err, "of the first 3 items failed or missed the check; the rest is not tried")
      assert.same({ done = 3, not_tried = 5 }, run.summary.operations.disable)
      lacks(run.out, "counts")
      has(run.summary.next, "composio-lua resume ")
    end)
  end

  it("one of which fails stops the run, too", function()
    emulator:faults { refuse("PATCH", 2) }
    local run = apply(script "return true", "--concurrency=8")
    assert.equal(7, run.code, run.err)
    has(run.err, "stopped: 1 of the first 3 items failed or missed the check")
    assert.equal(3, job.writes(emulator))
    assert.same({ done = 2, failed = 1, not_tried = 5 }, run.summary.operations.disable)
  end)

  it("may be more than there are", function()
    local run = apply(script("return account.status == 'INACTIVE'", 50))
    assert.equal(0, run.code, run.err)
    has(run.out, "counts\t8\tnil\n")
  end)

  it("has its `after` as the others have", function()
    local more = "after = function(account) print('after', account.id) end"
    local run = apply(script("return true", 3, more))
    assert.equal(0, run.code, run.err)
    for _, id in ipairs(ids) do
      local pattern = "after\t" .. id:gsub("%-", "%%-") .. "\n"
      assert.equal(1, select(2, run.out:gsub(pattern, "")), id)
    end
  end)

  it("whose `after` raises stops the run as well", function()
    local text = "after = function(account) if account.id == %q then error 'x' end end"
    local more = text:format(ids[1])
    local run = apply(script("return true", 3, more))
    assert.equal(7, run.code, run.err)
    assert.equal(3, job.writes(emulator))
  end)

  it("is not asked in a preview", function()
    local run = preview(script "error 'not here'")
    assert.equal(0, run.code, run.err)
    assert.equal(8, run.summary.outcomes.planned)
  end)

  it("needs a count and a check", function()
    for text, canary in pairs {
      ["canary.count: expected a whole number of at least 1"] = "{ count = 0, check = print }",
      ["canary.check: expected a function"] = "{ count = 1 }",
      ["did you mean 'check'?"] = "{ count = 1, chek = print }",
    } do
      local run = preview(("composio.bulk({ canary = %s }, { 'ca_a' }, print)"):format(canary))
      assert.equal(1, run.code)
      has(run.err, text)
    end
  end)
end)

describe("rows", function()
  it("get the account they name by lists of a hundred", function()
    local ids = job.ids(emulator, { account_type = "ALL" }, 230)
    local run = preview(([[
      local rows = {}
      for place, id in ipairs(%s) do rows[place] = { id = id } end
      composio.bulk(rows, function(row) accounts.update(row.id, { alias = "x" }) end)
    ]]):format(job.quoted(ids)), "--max-percent=100")
    assert.equal(0, run.code, run.err)
    assert.equal(230, run.summary.outcomes.planned)
    assert.equal(3, job.lists(emulator))
    for _, line in ipairs(emulator:lines()) do
      lacks(line, "/connected_accounts/")
    end
  end)

  it("see what is so already, what is not there, and what must not be", function()
    local inactive = job.ids(emulator, { statuses = { "INACTIVE" } }, 1)[1]
    local active = job.ids(emulator, { statuses = { "ACTIVE" }, toolkit_slugs = { "gmail" } }, 1)[1]
    local run = apply(([[
      composio.bulk({
        { id = "so", account = %q, act = "disable" },
        { id = "gone", account = "ca_nobodyknows", act = "disable" },
        { id = "active", account = %q, act = "refresh" },
        { id = "well", account = %q, act = "disable" },
      }, function(row) accounts[row.act](row.account) end)
    ]]):format(inactive, active, active))
    assert.equal(3, run.code, run.err)
    assert.same({ "disable " .. active }, job.changes(emulator))
    assert.equal(1, run.summary.outcomes.same)
    assert.equal(2, run.summary.outcomes.failed)
    assert.equal(1, run.summary.outcomes.done)
    has(run.err, "failed  action  gone")
    has(run.err, "not found")
    has(run.err, "failed  action  active")
    has(run.err, "even_if_active")
    assert.equal(1, job.writes(emulator))
  end)

  it("keep how the account was, for the summary, limits and undo", function()
    local id = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1]
    local run = apply(([[
      composio.bulk({ { id = "row", account = %q } }, function(row)
        accounts.update(row.account, { alias = "new" })
        accounts.disable(row.account)
      end)
    ]]):format(id))
    assert.equal(0, run.code, run.err)
    local back = place:run { "undo", run.summary.run, "--apply" }
    assert.equal(0, back.code, back.err)
    local account = emulator:ask("accounts/" .. id)
    assert.equal("ACTIVE", account.status)
    assert.is_not.equal("new", account.alias)
  end)

  it("may refresh an ACTIVE account when they say so", function()
    local active = job.ids(emulator, { statuses = { "ACTIVE" }, toolkit_slugs = { "gmail" } }, 1)[1]
    local run = apply(([[
      composio.bulk({ %q }, function(account) account:refresh { even_if_active = true } end)
    ]]):format(active))
    assert.equal(0, run.code, run.err)
    assert.same({ refresh = { done = 1 } }, run.summary.operations)
  end)
end)
