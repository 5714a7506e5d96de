-- Plan files: a preview saves its plan, and `apply FILE` carries out exactly that plan,
-- later or on another machine.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"
local server = require "spec.support.server"

local has, lacks = job.has, job.lacks
local emulator, place

local TWO_KEYS = { "--accounts", "200", "--api-key", "ak_emulator", "--api-key", "ak_new" }
scene.of_host(TWO_KEYS, function(...)
  emulator, place = ...
end)

-- Saves the plan of the script as plan.json, which has to work.
local function save(script, ...)
  local run = place:run({ "job.lua", "--save-plan=plan.json", ... }, { script = script })
  assert.equal(0, run.code, run.err)
  emulator:forget()
  return run
end

local function apply(...)
  return place:run { "apply", "plan.json", "--summary=summary.json", ... }
end

local function refused(run, text)
  assert.equal(2, run.code, run.err)
  has(run.err, text)
  assert.equal(0, job.writes(emulator))
end

local function bulk_of(name, ids, call)
  local text = "composio.bulk(%q, %s, function(account) %s end)\n"
  return text:format(name, job.quoted(ids), call)
end

local function lines()
  return server.json_lines(place:read "plan.json")
end

local IRREVERSIBLE = 'composio.job { may = "irreversible" }\n'

describe("--save-plan", function()
  it("writes readable JSON lines that only you can read", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 2)
    local run = save(bulk_of("off", ids, 'account:disable { reason = "spec" }'))
    has(run.err, "plan: plan.json")
    has(run.err, "next: composio-lua apply " .. place.path .. "/plan.json")
    assert.equal("600", place:mode "plan.json")
    local list = lines()
    assert.equal(2, list[1].plan)
    assert.equal(place.path .. "/job.lua", list[1].script)
    assert.same({ "off", 2 }, { list[2].name, list[2].planned })
    for at, id in ipairs(ids) do
      assert.equal(id, list[1 + 2 * at].key)
      local change = list[2 + 2 * at]
      assert.same({ "disable", id, "ACTIVE", "spec", "job.lua:3" },
        { change.change, change.account, change.before, change.reason, change.line })
    end
    assert.same({ true, 2, 2 }, { list[#list]["end"], list[#list].items, list[#list].changes })
    assert.equal(0, job.writes(emulator))
  end)

  it("replaces a file as a whole, and leaves nothing beside it", function()
    place:write("plan.json", "an older one\n", "644")
    save(bulk_of("off", job.ids(emulator, { statuses = { "ACTIVE" } }, 1), "account:disable()"))
    lacks(place:read "plan.json", "an older one")
    assert.equal("600", place:mode "plan.json")
    local files = host.shell("ls -A " .. job.quote(place.path))
    assert.equal(1, select(2, files:gsub("plan", "")))
  end)

  it("keeps an older file when there is no whole plan", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 2)
    local disable = bulk_of("off", ids, "account:disable()")
    local page = { path = "*order_by*", action = "total_items" }
    for text, case in pairs {
      ["a listing is incomplete"] = {
        [[composio.bulk(accounts.each { toolkit_slugs = { "slack" } }, function(account)
          account:disable()
        end)]], 1, page,
      },
      ["the script needs a result that only --apply can give"] = {
        ("print(accounts.disable(%q).success)"):format(ids[1]), 1,
      },
      ["the preview did not run to its end"] = { disable .. "error 'no'", 1 },
      ["the script planned nothing"] = { "print 'nothing'", 1 },
    } do
      place:write("plan.json", "an older one\n")
      emulator:faults(case[3] and { case[3] })
      local run = place:run({ "job.lua", "--save-plan=plan.json" }, { script = case[1] })
      assert.equal(case[2], run.code, text .. run.err)
      has(run.err, "no plan is saved: " .. text)
      lacks(run.err, "next:")
      assert.equal("an older one\n", place:read "plan.json")
    end
  end)

  it("does not go with --apply, nor with what acts", function()
    local script = bulk_of("off", { "ca_github_u123A" }, "account:disable()")
    local run = place:run({ "job.lua", "--apply", "--save-plan=plan.json" }, { script = script })
    assert.equal(2, run.code)
    has(run.err, "--save-plan")
    run = place:run({ "resume", "last", "--save-plan=plan.json" }, { script = script })
    assert.equal(2, run.code)
    assert.is_nil(place:read "plan.json")
    assert.equal(0, #emulator:requests())
  end)

  it("says when the file cannot be written", function()
    local script = bulk_of("off", { "ca_github_u123A" }, "account:disable()")
    local run = place:run({ "job.lua", "--save-plan=nowhere/plan.json" }, { script = script })
    assert.equal(1, run.code)
    has(run.err, "no plan is saved")
  end)
end)

describe("apply PLAN", function()
  it("sends exactly the writes of the plan, in order within an item", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 5)
    save(bulk_of("off", ids, 'account:update { alias = "x " .. account.id } account:disable()'))
    -- what the script would do now does not matter
    emulator:tell("accounts/" .. ids[1] .. "/set", { updated_at = "2026-11-01T00:00:00.000Z" })
    local run = apply()
    assert.equal(0, run.code, run.err)
    assert.equal("apply", run.summary.mode)
    assert.same({ update = { done = 5 }, disable = { done = 5 } }, run.summary.operations)
    local order = {}
    for _, change in ipairs(emulator:changes()) do
      if change.op ~= "set" then
        order[change.account_id] = (order[change.account_id] or "") .. change.op .. " "
      end
    end
    for _, id in ipairs(ids) do
      assert.equal("alias disable ", order[id])
      order[id] = nil
    end
    assert.same({}, order)
    assert.equal(10, job.writes(emulator))
  end)

  it("runs neither selection nor action: it looks accounts up, and no more", function()
    save [[
      composio.bulk(accounts.each { statuses = { "EXPIRED" }, toolkit_slugs = { "gmail" } },
        function(account)
          print("action", account.id)
          account:update { alias = "x" }
        end)
    ]]
    local run = apply()
    assert.equal(0, run.code, run.err)
    assert.equal("", run.out)
    for _, line in ipairs(emulator:lines()) do
      lacks(line, "statuses=")
    end
  end)

  it("leaves alone what changed since, and tells: exit 3", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 4)
    save(bulk_of("name", ids, 'account:update { alias = "x " .. account.id }'))
    local client = emulator:client()
    client.connected_accounts.delete(ids[1])
    client.connected_accounts.disable(ids[2])
    client.connected_accounts.update(ids[3], { alias = "mine" })
    client:close()
    emulator:forget()
    local run = apply()
    assert.equal(3, run.code)
    assert.same({ done = 1, stale = 3 }, run.summary.operations.update)
    assert.equal(1, job.writes(emulator))
    has(run.err, ids[1] .. ": the account is gone")
    has(run.err, ids[2] .. ": the account is INACTIVE now")
    has(run.err, ids[3] .. ': the account has the alias "mine" now, but the plan saw ""')
    has(run.err, "3 items left alone: changed after the plan was made")
  end)

  it("leaves alone a create whose user has connected meanwhile", function()
    save [[composio.bulk({ { id = "new" } }, function()
      accounts.link("somebody new", "ac_GmailManaged")
    end)]]
    local client = emulator:client()
    local request = client.connected_accounts.link("somebody new", "ac_GmailManaged")
    emulator:tell("accounts/" .. request.id .. "/complete")
    client:close()
    emulator:forget()
    local run = apply()
    assert.equal(3, run.code)
    assert.equal(0, job.writes(emulator))
    has(run.err, "the user has connected after the plan was made (" .. request.id .. ")")
  end)

  it("writes nothing twice when it comes a second time", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 4)
    save(bulk_of("off", ids, "account:disable()") .. [[
      composio.bulk("new", { { id = "a" } }, function()
        accounts.link("somebody new", "ac_GmailManaged")
      end)]])
    assert.equal(0, apply().code)
    assert.equal(5, job.writes(emulator))
    emulator:forget()
    local run = apply()
    assert.equal(4, run.code, run.err)
    has(run.err, "and a plan is carried out once")
    assert.equal(0, job.writes(emulator))
  end)

  it("carries out several bulks, and runs `after` for each", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 3)
    save(([[
      composio.bulk({ name = "one", after = function(account, results)
        print("one", account.id, results.disable.success)
      end }, { %q, %q }, function(account) account:disable() end)
      composio.bulk({ name = "two", key = function(row) return row.name end,
        after = function(row, results) print("two", row.name, results.link.status) end,
      }, { { name = "r" } }, function(row) accounts.link(row.name, "ac_GmailManaged") end)
    ]]):format(ids[1], ids[2]))
    local run = apply()
    assert.equal(0, run.code, run.err)
    has(run.out, ("one\t%s\ttrue\n"):format(ids[1]))
    has(run.out, ("one\t%s\ttrue\n"):format(ids[2]))
    has(run.out, "two\tr\tINITIATED\n")
  end)

  it("carries out straight-line changes of a plan, and none that it does not hold", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 2)
    local script = ([[
      accounts.disable(%q)
      if accounts.get(%q).status == "INACTIVE" then accounts.enable(%q) end
    ]]):format(ids[1], ids[2], ids[2])
    save(script)
    local run = apply()
    assert.equal(0, run.code, run.err)
    assert.same({ "disable " .. ids[1] }, job.changes(emulator))
    emulator:reset()
    save(script)
    local client = emulator:client()
    client.connected_accounts.disable(ids[2])
    client:close()
    run = apply()
    assert.equal(7, run.code, run.err)
    has(run.err, ("enable %s is not in the plan"):format(ids[2]))
    assert.same({ "disable " .. ids[2], "disable " .. ids[1] }, job.changes(emulator))
  end)

  it("tells the script why a straight-line change was not sent", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)
    save(("print(select(2, pcall(accounts.disable, %q)))"):format(ids[1]))
    emulator:faults { job.refusal { path = "*connected_account_ids*", times = 100 } }
    local run = apply()
    emulator:faults()
    assert.equal(0, job.writes(emulator))
    has(run.out, "not sent, because the precheck failed: ")
    lacks(run.out, "the run ended before the change was carried out")
  end)

  it("does nothing for a plan without changes", function()
    local ids = job.ids(emulator, { statuses = { "INACTIVE" } }, 1)
    save(bulk_of("off", ids, "account:disable()"))
    local run = apply()
    assert.equal(0, run.code, run.err)
    has(run.err, "the plan has no changes: there is nothing to do")
    assert.equal(0, job.writes(emulator))
    local path = ".local/state/composio-lua/ledger.db"
    assert(place:read(path))
    assert.same({ { "1" } }, place:ledger "SELECT count(*) FROM run") -- the preview
  end)

  it("works from another directory, state directory and machine", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 2)
    save(bulk_of("off", ids, "account:disable()"))
    host.shell(("cd %s; mkdir else; mv plan.json else"):format(place.path))
    local run = place:run {
      "apply", "else/plan.json", "--state-dir=else/state", "--summary=summary.json",
    }
    assert.equal(0, run.code, run.err)
    assert.equal(2, job.writes(emulator))
    assert.same({ { "2", "apply" } },
      place:ledger("SELECT count(*), mode FROM change, run", "else/state"))
  end)

  it("takes the parameters that the plan had, and no others", function()
    local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)
    local script = 'local job = composio.job { params = { word = { type = "string" } } }\n'
      .. ("composio.bulk({ after = function() print(job.params.word) end }, %s,"):format(
        job.quoted(ids)
      )
      .. "function(account) account:update { alias = job.params.word } end)"
    save(script, "--word=it's")
    local run = apply "--word=other"
    refused(run, "unknown option '--word=other'")
    run = apply()
    assert.equal(0, run.code, run.err)
    assert.equal("it's\n", run.out)
    assert.equal("it's", emulator:ask("accounts/" .. ids[1]).alias)
  end)
end)

describe("a plan is refused", function()
  local ids

  before_each(function()
    ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 2)
  end)

  local function rewrite(from, to)
    local text = place:read "plan.json"
    local changed, count = text:gsub(from, to)
    assert(count > 0, from)
    place:write("plan.json", changed)
    return text
  end

  it("by another project, unless it is another key of the same", function()
    save(bulk_of("off", ids, "account:disable()"))
    local other = { env = { COMPOSIO_API_KEY = "ak_new" } }
    local run = place:run({ "apply", "plan.json" }, other)
    refused(run, "was made with another API key")
    has(run.err, "--same-project")
    run = place:run({ "apply", "plan.json", "--same-project" }, other)
    assert.equal(0, run.code, run.err)
    assert.equal(2, job.writes(emulator))
  end)

  it("by another project, also with --same-project", function()
    save(bulk_of("off", ids, "account:disable()"))
    local far = server.emulator { "--accounts", "50", "--seed", "9", "--port", "0" }
    local run = place:run({ "apply", "plan.json", "--same-project" }, {
      env = { COMPOSIO_BASE_URL = far.url },
    })
    assert.equal(2, run.code)
    has(run.err, "plan.json was made for " .. emulator.url)
    assert.equal(0, job.writes(far))
    far:stop()
    -- the same address, but accounts that nobody knows there
    rewrite(ids[1], (ids[1]:gsub("^ca_..", "ca_zz")))
    local text = place:read("plan.json"):gsub('"sha256":"%x+"', function()
      return '"sha256":"' .. ("0"):rep(64) .. '"'
    end)
    place:write("plan.json", text)
    run = place:run({ "apply", "plan.json", "--same-project" }, {
      env = { COMPOSIO_API_KEY = "ak_new" },
    })
    refused(run, "plan.json")
  end)

  it("with --same-project when its accounts are not there", function()
    save(bulk_of("off", ids, "account:disable()"))
    local client = emulator:client()
    client.connected_accounts.delete(ids[2])
    client:close()
    emulator:forget()
    local run = place:run({ "apply", "plan.json", "--same-project" }, {
      env = { COMPOSIO_API_KEY = "ak_new" },
    })
    assert.equal(4, run.code)
    has(run.err, "1 of the plan's 2 accounts, such as " .. ids[2])
    assert.equal(0, job.writes(emulator))
  end)

  it("with a changed script, or none", function()
    local script = bulk_of("off", ids, "account:disable()")
    save(script)
    place:script(script .. "-- one comment more")
    refused(apply(), "is not the one that plan.json was made with")
    os.remove(place.path .. "/job.lua")
    refused(apply(), "cannot be read")
    place:script(script)
    assert.equal(0, apply().code)
  end)

  it("when it was cut, edited or is something else", function()
    save(bulk_of("off", ids, "account:disable()"))
    local text = place:read "plan.json"
    for why, broken in pairs {
      ["a line less"] = text:gsub("[^\n]+\n$", ""),
      ["cut in a line"] = text:sub(1, -30),
      ["cut at the start"] = text:gsub("^[^\n]+\n", ""),
      ["edited"] = text:gsub('"disable"', '"enable"', 1),
      ["an account more"] = text:gsub('("change":"disable","account":")ca_[^"]+', "%1ca_other", 1),
      ["a line twice"] = text:gsub('(\n{"item":1[^\n]+)', "%1%1"),
      ["a later layout"] = text:gsub('^{"plan":2', '{"plan":3'),
      ["empty"] = "",
      ["no JSON"] = "hello\n",
      ["another JSON"] = "{}\n",
    } do
      place:write("plan.json", broken)
      local run = apply()
      assert.equal(2, run.code, why)
      has(run.err, "plan.json")
      assert.equal(0, job.writes(emulator), why)
    end
    place:write("plan.json", (text:gsub('^{"plan":2', '{"plan":3')))
    has(apply().err, "plan.json has layout 3, this composio-lua reads 2")
    refused(place:run { "apply", "nowhere.json" }, "nowhere.json")
    place:write("plan.json", text)
    assert.equal(0, apply().code)
  end)

  it("by the limits, as if it were planned now", function()
    save(bulk_of("off", ids, "account:disable()"))
    local run = apply "--max-changes=1"
    assert.equal(4, run.code)
    has(run.err, "2 changes are more than --max-changes 1")
    run = apply "--max-percent=0.5"
    assert.equal(4, run.code)
    assert.equal(0, job.writes(emulator))
  end)

  it("without --confirm for what cannot be taken back, of all bulks together", function()
    local expired = job.ids(emulator, { statuses = { "EXPIRED" } }, 3)
    local run = save(IRREVERSIBLE
      .. bulk_of("one", { expired[1], expired[2] }, "account:delete()")
      .. bulk_of("two", { expired[3] }, "account:delete()"))
    has(run.err, "/plan.json --confirm 3")
    run = apply()
    assert.equal(4, run.code)
    has(run.err, "refused: 3 irreversible changes need --confirm 3")
    assert.equal(4, apply("--confirm=2,1").code)
    assert.equal(0, job.writes(emulator))
    run = apply "--confirm=3"
    assert.equal(0, run.code, run.err)
    assert.equal(3, job.writes(emulator))
  end)

  it("and cannot be carried out by resuming the refused run", function()
    local expired = job.ids(emulator, { statuses = { "EXPIRED" } }, 1)
    save(IRREVERSIBLE .. bulk_of("one", expired, "account:delete()"))
    local run = apply()
    assert.equal(4, run.code)
    run = place:run { "resume", run.summary.run }
    assert.equal(2, run.code, run.err)
    assert.equal(0, job.writes(emulator))
    has(run.err, "run it again: composio-lua apply " .. place.path .. "/plan.json")
  end)

  it("where it would change whom --protect names", function()
    save(bulk_of("off", ids, "account:disable()"))
    place:write("never", ids[1] .. "\n")
    local run = apply "--protect=never"
    assert.equal(0, run.code, run.err)
    assert.same({ done = 1, skipped = 1 }, run.summary.operations.disable)
    assert.same({ "disable " .. ids[2] }, job.changes(emulator))
    has(run.err, ("left out: disable %s, protected by %s/never:1"):format(ids[1], place.path))
  end)

  it("where it would change an auth config or make an account that --protect names", function()
    save [[
      composio.bulk({ { id = "ac_GmailManaged" }, { id = "u one" }, { id = "u two" } },
        function(row)
          if row.id == "ac_GmailManaged" then
            composio.auth_configs.disable(row.id)
          elseif row.id == "u one" then
            accounts.link(row.id, "ac_SlackManaged")
          else
            accounts.link(row.id, "ac_GithubManage")
          end
        end)
    ]]
    place:write("never", "ca_gmail_u123_C\nuser:u two\ntoolkit:slack\n")
    local run = apply("--protect=never", "--max-percent=100")
    assert.equal(0, run.code, run.err)
    assert.equal(0, job.writes(emulator))
    assert.equal(3, run.summary.outcomes.skipped)
  end)
end)

describe("secrets", function()
  local SCRIPT = [[
    local rows = composio.csv("keys.secret", { "user", "key" }, { secret = { "key" } })
    composio.bulk({ key = function(row) return row.user end }, rows, function(row)
      accounts.initiate(row.user, "ac_StripeApiKey", {
        config = composio.auth_scheme.api_key { api_key = row.key },
      })
    end)
  ]]

  local function write(...)
    place:write("keys.secret", "user,key\n" .. table.concat({ ... }, "\n") .. "\n")
  end

  local function sent_keys()
    local keys = {}
    for _, request in ipairs(emulator:requests()) do
      if request.method == "POST" then
        keys[#keys + 1] = request.body:match "sk_canary_[%w_]+"
      end
    end
    table.sort(keys)
    return keys
  end

  it("are not in the plan, and come from selection and action again", function()
    place.secrets = { place.secrets[1], "sk_canary_plan_a", "sk_canary_plan_b" }
    write("u1,sk_canary_plan_a", "u2,sk_canary_plan_b")
    save(SCRIPT)
    local change = lines()[4]
    assert.equal(32, #change.fingerprint)
    assert.is_nil(change.body)
    local run = apply()
    assert.equal(0, run.code, run.err)
    assert.same({ "sk_canary_plan_a", "sk_canary_plan_b" }, sent_keys())
  end)

  it("that differ are told and not sent", function()
    place.secrets = { place.secrets[1], "sk_canary_plan_a", "sk_canary_plan_b", "sk_canary_plan_c" }
    write("u1,sk_canary_plan_a", "u2,sk_canary_plan_b")
    save(SCRIPT)
    write("u1,sk_canary_plan_c", "u2,sk_canary_plan_b")
    local run = apply()
    assert.equal(3, run.code, run.err)
    has(run.err, "u1: the initiate was not sent, because its credentials are not those of the plan")
    assert.same({ "sk_canary_plan_b" }, sent_keys())
    assert.same({ done = 1, stale = 1 }, run.summary.operations.initiate)
  end)

  it("that are not there any more are not sent; what is new is told", function()
    place.secrets = { place.secrets[1], "sk_canary_plan_a", "sk_canary_plan_b", "sk_canary_plan_c" }
    write("u1,sk_canary_plan_a", "u2,sk_canary_plan_b")
    save(SCRIPT)
    write("u3,sk_canary_plan_c", "u2,sk_canary_plan_b")
    local run = apply()
    has(run.err, "rows: 1 added after the plan was made, only a new run takes them: u3")
    has(run.err, "rows: 1 gone after the plan was made")
    assert.same({ "sk_canary_plan_b" }, sent_keys())
    assert.is_not.equal(0, run.code)
    lacks(run.err, "bug")
  end)
end)
