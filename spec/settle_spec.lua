-- Lost replies: the end of the run, or resume, settles each change whose outcome is
-- unknown and reports the true outcome. Nothing happens twice.
local host = require "spec.support.host"
local job = require "spec.support.job"
local proxy = require "spec.support.proxy"
local scene = require "spec.support.scene"

local has, lacks = job.has, job.lacks
local emulator, place, between

scene.of_host({ "--accounts", "200" }, function(...)
  emulator, place = ...
end)
after_each(function()
  if between then
    between:finish()
    between = nil
  end
end)

-- The run, through a proxy with these rules. A reply breaks off after twenty bytes:
-- where not one came libcurl sends what may be repeated again by itself.
local function through(rules, script, ...)
  between = proxy.start(emulator, rules)
  place.env.COMPOSIO_BASE_URL = between.url
  return place:run(
    { "job.lua", "--apply", "--retries=0", "--timeout=5s", "--summary=summary.json", ... },
    { script = script }
  )
end

local function bulk_of(ids, call)
  local text = "composio.bulk(%s, function(account) %s end)"
  return 'composio.job { may = "irreversible" }\n' .. text:format(job.quoted(ids), call)
end

local function once(op, ids)
  local seen = {}
  for _, change in ipairs(emulator:changes()) do
    if change.op == op then
      assert.is_nil(seen[change.account_id], "twice: " .. change.account_id)
      seen[change.account_id] = true
    end
  end
  for _, id in ipairs(ids) do
    assert.is_true(seen[id], "never: " .. id)
    seen[id] = nil
  end
  assert.is_nil(next(seen))
end

-- name, method, filter, call, op in the emulator's log, operation
local OPERATIONS = {
  { "disable", "PATCH", { statuses = { "ACTIVE" } }, "account:disable()", "disable" },
  { "enable", "PATCH", { statuses = { "INACTIVE" } }, "account:enable()", "enable" },
  { "update", "PATCH", { statuses = { "ACTIVE" } },
    "account:update { alias = 'x ' .. account.id }", "alias" },
  { "update", "PATCH", { statuses = { "ACTIVE" }, account_type = "SHARED" },
    "account:update { acl = { allow_all_users = false, allowed_user_ids = { 'me' } } }", "acl" },
  { "delete", "DELETE", { statuses = { "EXPIRED" } }, "account:delete()", "delete" },
  { "revoke", "POST", { statuses = { "ACTIVE" }, auth_config_ids = { "ac_GithubManage" } },
    "account:revoke()", "revoke" },
}

describe("the lost reply to", function()
  for _, case in ipairs(OPERATIONS) do
    local operation, method, filter, call, op = table.unpack(case)
    it(op .. " that was carried out is done", function()
      local ids = job.ids(emulator, filter, 3)
      local confirm = (op == "delete" or op == "revoke") and "--confirm=3" or "-v"
      local run = through({ ("method=%s,hit=2,when=reply,at=20,do=cut"):format(method) },
        bulk_of(ids, call), confirm, "--concurrency=1")
      assert.equal(0, run.code, run.err)
      assert.same({ [operation] = { done = 3 } }, run.summary.operations)
      once(op, ids)
    end)

    it(op .. " that never arrived is failed or done, never both", function()
      local ids = job.ids(emulator, filter, 3)
      local confirm = (op == "delete" or op == "revoke") and "--confirm=3" or "-v"
      local run = through({ ("method=%s,hit=2,when=request,at=end,do=reset"):format(method) },
        bulk_of(ids, call), confirm, "--concurrency=1")
      local counts = run.summary.operations[operation]
      local happened, count = {}, 0
      for _, change in ipairs(emulator:changes()) do
        if change.op == op and not happened[change.account_id] then
          happened[change.account_id], count = true, count + 1
        end
      end
      assert.equal(count, counts.done)
      assert.equal(3, counts.done + (counts.failed or 0))
      assert.equal(counts.failed and 3 or 0, run.code, run.err)
      assert.is_nil(counts.unknown)
    end)
  end
end)

describe("at the end of a run", function()
  it("it is told how many were asked about, and what came of it", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 4)
    local run = through({
      "method=PATCH,hit=1-2,when=reply,at=20,do=cut",
    }, bulk_of(ids, "account:disable()"), "--concurrency=1")
    assert.equal(0, run.code, run.err)
    has(run.err, "checked 2 unknown: 2 happened, 0 did not, 0 remain unknown")
    assert.same({ disable = { done = 4 } }, run.summary.operations)
    once("disable", ids)
  end)

  it("creates that were made are done, those that were not are sent once more", function()
    -- of six, the second and fourth were made and nobody was told, the third
    -- and sixth never arrived
    local script = [[
      local rows = {}
      for n = 1, 6 do rows[n] = { user = "new " .. n } end
      composio.bulk({ key = function(row) return row.user end }, rows, function(row)
        if row.user:find "[12346]" then
          accounts.link(row.user, "ac_GmailManaged")
        else
          accounts.initiate(row.user, "ac_StripeApiKey", {
            config = composio.auth_scheme.api_key { api_key = "a key " .. row.user },
          })
        end
      end)
    ]]
    local run = through({
      "method=POST,hit=2,when=reply,at=0,do=cut",
      "method=POST,hit=3,when=request,at=0,do=reset",
      "method=POST,hit=4,when=reply,at=body+5,do=cut",
      "method=POST,hit=6,when=request,at=body+1,do=reset",
    }, script, "--concurrency=1")
    assert.equal(0, run.code, run.err)
    assert.equal(6, run.summary.outcomes.done, run.err)
    local users = {}
    for _, change in ipairs(emulator:changes()) do
      assert.is_nil(users[change.user_id])
      users[change.user_id] = true
    end
    assert.equal(6, #emulator:changes())
  end)

  it("a refresh that came, a create doubled by somebody else, and one of a comma", function()
    local ids = job.ids(emulator, { statuses = { "EXPIRED" }, toolkit_slugs = { "gmail" } }, 2)
    local script = ([[
      composio.bulk("refresh", { %q }, function(account) account:refresh() end)
      composio.bulk({ name = "link", key = function(row) return row.user end },
        { { user = "doubled" }, { user = "with, comma" } }, function(row)
          accounts.link(row.user, "ac_SlackManaged", { allow_multiple = true })
        end)
    ]]):format(ids[1])
    -- while the reply is held back, somebody else makes one for the same user
    between = proxy.start(emulator, {
      "method=POST,hit=1,when=reply,at=0,do=reset",
      "method=POST,hit=2,when=reply,at=0,do=stall,ms=4000",
      "method=POST,hit=3,when=reply,at=0,do=reset",
    })
    place.env.COMPOSIO_BASE_URL = between.url
    local process = place:start({
      "job.lua", "--apply", "--retries=0", "--timeout=1", "--concurrency=1",
      "--summary=summary.json",
    }, { script = script })
    host.wait_until(function()
      return job.writes(emulator) >= 2
    end, "the second change")
    local client = emulator:client()
    client.connected_accounts.link("doubled", "ac_SlackManaged", { allow_multiple = true })
    client:close()
    local run = process:wait()
    assert.equal(0, run.code, run.err)
    assert.same({ refresh = { done = 1 }, link = { done = 2 } }, run.summary.operations)
    has(run.err, "doubled")
    local made = 0
    for _, change in ipairs(emulator:changes()) do
      made = made + (change.user_id == "doubled" and 1 or 0)
    end
    assert.equal(2, made) -- ours and theirs
    assert.matches("2 accounts", run.err)
  end)
end)

describe("`after`", function()
  local function script(ids, options, call)
    return ([[
      composio.job { may = "irreversible" }
      local counts = composio.bulk({ %s after = function(account, results)
        print("after", account.id, results[1].success, results[1].earlier)
      end }, %s, function(account) %s end)
      print("counts", counts.done, counts.unknown, counts.failed)
    ]]):format(options, job.quoted(ids), call or "account:disable()")
  end
  local LOST = "method=PATCH,hit=2,when=reply,at=20,do=cut"

  it("runs for what turned out to be done, before the bulk returns", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 3)
    local run = through({ LOST }, script(ids, ""), "--concurrency=1")
    assert.equal(0, run.code, run.err)
    for _, id in ipairs(ids) do
      local pattern = "after\t" .. id:gsub("%-", "%%-") .. "\ttrue"
      assert.equal(1, select(2, run.out:gsub(pattern, "")), run.out)
    end
    has(run.out, ids[2] .. "\ttrue\ttrue\n") -- its reply is not known
    has(run.out, "counts\t3\tnil\tnil\n")
    has(run.err, "checked 1 unknown: 1 happened")
  end)

  it("runs after the rest of an item whose first change turned out to be done", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)
    local call = "account:disable() account:update { alias = 'x ' .. account.id }"
    local run = through({ "method=PATCH,hit=1,when=reply,at=20,do=cut" }, script(ids, "", call))
    assert.equal(0, run.code, run.err)
    has(run.out, ("after\t%s\ttrue\ttrue\n"):format(ids[1]))
    assert.same({ disable = { done = 1 }, update = { done = 1 } }, run.summary.operations)
  end)

  it("runs with a canary as well, for those behind it", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 4)
    local canary = "canary = { count = 1, check = function() return true end },"
    local run = through({ "method=PATCH,hit=3,when=reply,at=20,do=cut" }, script(ids, canary),
      "--concurrency=1")
    assert.equal(0, run.code, run.err)
    assert.equal(4, select(2, run.out:gsub("after\t", "")), run.out)
  end)
end)

describe("a server that is gone", function()
  it("leaves what may have happened unknown: exit 8, and resume settles it", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 6)
    -- before a byte of the reply: libcurl tries again by itself, and finds nobody
    local run = through({
      "method=PATCH,hit=2,when=reply,at=0,do=down,ms=3000",
    }, bulk_of(ids, "account:disable()"), "--concurrency=1", "--timeout=2")
    assert.equal(8, run.code, run.err)
    assert.equal(1, run.summary.operations.disable.unknown)
    has(run.err, "may or may not have been changed")
    has(run.summary.next, "composio-lua resume " .. run.summary.run)
    lacks(run.err, "is finished")
    host.shell "sleep 3"
    local rest = place:run {
      "resume", run.summary.run, "--failed", "--summary=summary.json",
    }
    assert.equal(0, rest.code, rest.err)
    assert.same({ disable = { done = 6 } }, rest.summary.operations)
    once("disable", ids)
  end)
end)

describe("what the service does not show", function()
  it("stays unknown and is repeated only where that does no harm", function()
    local keys = { auth_config_ids = { "ac_StripeApiKey" }, statuses = { "ACTIVE" } }
    local ids = job.ids(emulator, keys, 2)
    local call = "account:update { credentials = composio.auth_scheme.api_key { "
      .. "api_key = 'new of ' .. account.id } }"
    local run = through({ "method=PATCH,hit=1,when=reply,at=20,do=cut" }, bulk_of(ids, call),
      "--confirm=2", "--concurrency=1")
    assert.equal(8, run.code, run.err)
    has(run.err, "the service shows credentials masked, so they cannot be compared")
    assert.same({ done = 1, unknown = 1 }, run.summary.operations.update)
    local rest = place:run { "resume", run.summary.run, "--summary=summary.json" }
    assert.equal(0, rest.code, rest.err)
    assert.same({ done = 2 }, rest.summary.operations.update)
    for _, id in ipairs(ids) do
      assert.equal("new of " .. id, emulator:ask("accounts/" .. id).state.val.api_key)
    end
  end)
end)
