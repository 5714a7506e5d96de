-- --protect FILE: accounts that no run changes, whatever its script plans.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local has, lacks = job.has, job.lacks
local emulator, place

scene.of_host({ "--accounts", "200" }, function(...)
  emulator, place = ...
end)

-- The run with the lines in the file "never".
local function run_with(lines, script, ...)
  place:write("never", table.concat(lines, "\n") .. "\n")
  return place:run(
    { "job.lua", "--protect", "never", "--summary", "summary.json", ... },
    { script = script }
  )
end

local DISABLE = [[
  composio.bulk(accounts.each { statuses = { "ACTIVE" } }, function(account)
    account:disable()
  end)
]]

local function bulk_of(ids, call)
  return ("composio.bulk(%s, function(account) %s end)"):format(job.quoted(ids), call)
end

describe("a protected account", function()
  it("is left out by its id, skipped, and its reason is shown", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 3)
    local script = bulk_of(ids, "account:disable()")
    local run = run_with({ "# the boss", ids[2] }, script)
    assert.equal(0, run.code, run.err)
    has(run.out, "left out of the plan:")
    has(run.out, ids[2])
    has(run.out, "protected by never:2")
    has(run.out, "1 protected")
    assert.equal(2, run.summary.outcomes.planned)
    assert.equal(1, run.summary.outcomes.skipped)
    run = run_with({ "# the boss", ids[2] }, script, "--apply")
    assert.equal(0, run.code, run.err)
    assert.same({ done = 2, skipped = 1 }, run.summary.operations.disable)
    for _, change in ipairs(job.changes(emulator)) do
      lacks(change, ids[2])
    end
  end)

  it("is left out by its user, spelled as it is", function()
    local user = "user_123"
    local run = run_with({ "user:" .. user }, DISABLE, "--apply", "--max-percent=100")
    assert.equal(0, run.code, run.err)
    assert.equal(2, run.summary.operations.disable.skipped) -- two of the three are ACTIVE
    for _, change in ipairs(emulator:changes()) do
      assert.is_not.equal(user, change.user_id)
    end
    emulator:reset()
    run = run_with({ "user:USER_123" }, DISABLE, "--apply", "--max-percent=100")
    assert.is_nil(run.summary.operations.disable.skipped)
  end)

  it("is left out by a user that has blanks, commas, or no Latin letters", function()
    for _, user in ipairs { "smith, john", "jösé 日本", "😀 team" } do
      local ids = job.ids(emulator, { account_type = "ALL" })
      local client = emulator:client()
      local mine
      for account in client.connected_accounts.each { account_type = "ALL" } do
        mine = account.user_id == user and account.id or mine
      end
      client:close()
      assert(mine, user)
      assert(#ids > 100)
      local run = run_with({ "user:" .. user }, bulk_of({ mine }, 'account:update { alias = "x" }'))
      assert.equal(1, run.summary.outcomes.skipped, user)
    end
  end)

  it("is left out by its toolkit, in any case", function()
    local run = run_with({ "toolkit:GitHub" }, DISABLE, "--apply", "--max-percent=100")
    assert.equal(0, run.code, run.err)
    assert.is_true(run.summary.operations.disable.skipped > 5)
    local client = emulator:client()
    for account in
      client.connected_accounts.each { statuses = { "ACTIVE" }, toolkit_slugs = { "github" } }
    do
      assert.equal("ACTIVE", account.status)
    end
    for _, change in ipairs(emulator:changes()) do
      assert.is_not.equal("github", client.connected_accounts.get(change.account_id).toolkit.slug)
    end
    client:close()
  end)

  it("is said to be so by the first of several lines and files that name it", function()
    local id = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1]
    local lines = { "toolkit:GITHUB" }
    for number = 1, 300 do
      lines[#lines + 1] = ("ca_none_%d"):format(number * 7919 % 300)
    end
    lines[#lines + 1], lines[#lines + 2], lines[#lines + 3] = "  " .. id, id, "toolkit:github"
    place:write("also", id .. "\nca_none_0\n")
    local run = run_with(lines, bulk_of({ id }, "account:disable()"), "--protect", "also")
    assert.equal(0, run.code, run.err)
    has(run.out, "protected by never:302")
    run = run_with({ "user:nobody" }, bulk_of({ id }, "account:disable()"), "--protect", "also")
    has(run.out, "protected by also:1")
  end)

  it("wins over everything: limits, confirmation, --delete-active, a caught error", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 2)
    local script = 'composio.job { may = "irreversible" }\n' .. bulk_of(ids, "account:delete()")
    local run = run_with({ ids[1] }, script, "--apply", "--delete-active", "--confirm=1")
    assert.equal(0, run.code, run.err)
    assert.same({ done = 1, skipped = 1 }, run.summary.operations.delete)
    assert.same({ "delete " .. ids[2] }, job.changes(emulator))
  end)

  it("has none of its item's changes sent, nor an `otherwise`", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)
    local script = 'composio.job { may = "irreversible" }\n'
      .. bulk_of(ids, 'account:update { alias = "x" } account:delete { otherwise = "disable" }')
    local run = run_with(ids, script, "--apply")
    assert.equal(0, run.code, run.err)
    assert.equal(0, job.writes(emulator))
    assert.equal(1, run.summary.outcomes.skipped)
  end)

  it("is left out of straight-line changes: the call raises", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 2)
    local script = ([[
      for _, id in ipairs(%s) do
        print(pcall(accounts.disable, id))
      end
    ]]):format(job.quoted(ids))
    local run = run_with({ ids[1] }, script, "--apply")
    has(run.out, "protected by never:1")
    assert.same({ "disable " .. ids[2] }, job.changes(emulator))
    assert.equal(1, run.summary.outcomes.skipped)
  end)
end)

describe("creates", function()
  local SCRIPT = [[
    composio.bulk({ { id = "one" }, { id = "two" } }, function(row)
      accounts.link("user " .. row.id, row.id == "one" and "ac_GmailManaged" or "ac_GithubManage")
    end)
  ]]

  it("for a protected user are left out", function()
    local run = run_with({ "user:user one" }, SCRIPT, "--apply")
    assert.equal(0, run.code, run.err)
    assert.same({ done = 1, skipped = 1 }, run.summary.operations.link)
    local changes = emulator:changes()
    assert.equal(1, #changes)
    assert.equal("user two", changes[1].user_id)
  end)

  it("in a protected toolkit are left out", function()
    local run = run_with({ "toolkit:github" }, SCRIPT, "--apply")
    assert.equal(0, run.code, run.err)
    assert.same({ done = 1, skipped = 1 }, run.summary.operations.link)
    assert.equal("user one", emulator:changes()[1].user_id)
  end)

  it("with a protected auth config are left out", function()
    local run = run_with({ "ac_GmailManaged" }, SCRIPT, "--apply")
    assert.equal(0, run.code, run.err)
    assert.same({ done = 1, skipped = 1 }, run.summary.operations.link)
    assert.equal("user two", emulator:changes()[1].user_id)
  end)
end)

describe("an auth config", function()
  local SCRIPT = [[
    composio.bulk({ { id = "ac_GmailManaged" } }, function(row)
      composio.auth_configs.disable(row.id)
    end)
  ]]

  local function skipped(lines)
    local run = run_with(lines, SCRIPT, "--apply", "--max-percent=100")
    assert.equal(0, run.code, run.err)
    assert.equal(0, job.writes(emulator))
    assert.same({ skipped = 1 }, run.summary.operations["auth_configs.disable"])
    return run
  end

  it("is protected by its id and its toolkit", function()
    skipped { "ac_GmailManaged" }
    skipped { "toolkit:gmail" }
  end)

  it("is protected when an account below it is, and that one is named", function()
    has(skipped({ "ca_gmail_u123_C" }).err, "(account ca_gmail_u123_C)")
    has(skipped({ "user:user_123" }).err, "(account ca_gmail_u123_C)")
  end)

  it("is changed when none is", function()
    local run = run_with({ "toolkit:slack" }, SCRIPT, "--apply", "--max-percent=100")
    assert.equal(0, run.code, run.err)
    assert.equal(1, job.writes(emulator))
  end)
end)

describe("the file", function()
  it("may be several, which add up", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 3)
    place:write("more", ids[1] .. "\n")
    local run = run_with({ ids[2] }, bulk_of(ids, "account:disable()"), "--protect=more", "--apply")
    assert.equal(0, run.code, run.err)
    assert.same({ "disable " .. ids[3] }, job.changes(emulator))
  end)

  it("that cannot be read or understood ends the run before anything", function()
    for text, line in pairs {
      ["never:1: expected an id"] = "acount:ca_x",
      ["never:1: nothing follows"] = "user:",
      ["never:1: an id or a toolkit is printable ASCII"] = "ca_x # the boss",
    } do
      local run = run_with({ line }, DISABLE, "--apply")
      assert.equal(2, run.code, line)
      has(run.err, text)
      assert.equal(0, #emulator:requests())
    end
    local run = run_with({ "ca_x" }, DISABLE, "--apply", "--protect=nowhere")
    assert.equal(2, run.code)
    has(run.err, "nowhere")
  end)

  it("that protects nobody is told", function()
    local run = run_with({ "# nobody yet" }, bulk_of({ "ca_github_u123A" }, "account:disable()"))
    has(run.err, "warning: --protect never lists nothing to protect")
  end)
end)
