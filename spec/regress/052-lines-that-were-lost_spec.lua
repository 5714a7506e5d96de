-- A tail call leaves no frame of its caller, and an error object named no line at all:
-- what a script did wrong had no position. Errors of pairs, `.` for `:` and some wrong
-- arguments named our own files.
local composio = require "composio"
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local place
scene.of_host({ "--accounts", "30" }, function(_, found)
  place = found
end)

local function run_of(script, ...)
  return place:run({ "job.lua", ... }, { script = script })
end

-- Returns the number of the line in which the script is written `here`.
local function line_of(script)
  local first = tonumber(run_of("error 'probe'").err:match "job%.lua:(%d+): probe")
  return first + select(2, script:match("^(.-)here"):gsub("\n", ""))
end

describe("the script's line is named", function()
  local scripts = {
    ["of a tail call in an action"] = [[
      composio.bulk("b", accounts.each {}, function(account) here
        local options = { resaon = "x" }
        return account:disable(options)
      end)]],
    ["of a tail call in the script"] = [[
      local function get(id)
        return accounts.get(id) here
      end
      local _ = get "ca_nope"]],
    ["of a tail call of Lua in the script"] = [[
      local function disable(id)
        return accounts.disable(id)
      end
      local _ = disable "x y" here]],
    ["of a tail call in a task"] = [[
      local task = composio.spawn(function() here
        local id = "x y"
        return accounts.disable(id)
      end)
      task:join()]],
    ["of a call that is a task"] = [[
      local task = composio.spawn(accounts.get, "ca_nope") here
      task:join()]],
    ["of a tail call in a coroutine"] = [[
      local get = coroutine.wrap(function()
        return accounts.disable "x y"
      end)
      local _ = get() here]],
    ["of an error object"] = [[
      local id = "ca_nope"
      local _ = accounts.get(id) here]],
    ["of an error object in an action"] = [[
      composio.bulk("b", accounts.each {}, function()
        local _ = accounts.get "ca_nope" here
      end)]],
    ["of a refused value"] = [[
      local _ = accounts.disable "x y" here]],
  }
  for name, script in pairs(scripts) do
    it(name, function()
      local line = line_of(script)
      local run = run_of((script:gsub("here", "")))
      assert.is_true(run.code ~= 0, run.err)
      local first = run.err:match "job%.lua:(%d+): "
      assert.equal(line, tonumber(first), run.err)
      assert.is_nil(run.err:find("composio/", 1, true), run.err)
    end)
  end

  it("in the field `where`, also in stock Lua", function()
    local _, err = pcall(composio.connected_accounts.disable, "x y")
    assert.matches("^%.?/?spec/regress/052.*:%d+$", err.where)
    local run = run_of [[
      local ok, err = pcall(accounts.get, "ca_nope")
      print(ok, err.where)]]
    assert.matches("^false\t.*job%.lua:%d+\n$", run.out)
  end)
end)

describe("our own files are not blamed", function()
  local wrong = {
    ["composio.ago(math.huge)"] = "expected a duration .* got inf",
    ["composio.ago(0/0)"] = "expected a duration",
    ["composio.ago '99999999999d'"] = "expected a duration",
    ["local a = accounts.list {}.items[1] a.is_usable()"] = "call it with a colon",
    ["local a = accounts.list {}.items[1] a.history()"] = "call it with a colon",
    ["local a = accounts.list {}.items[1] a.decode()"] = "call it with a colon",
    ["local a = accounts.list {}.items[1] a.disable()"] = "expected an id or an account",
    ["accounts:disable('ca_1', {})"] = "with a dot, not with a colon",
    ["composio.bulk('b', accounts.each {}:walk(), print)"] = "got its walk",
  }
  for script, words in pairs(wrong) do
    it("for " .. script, function()
      local run = run_of(script)
      assert.equal(1, run.code, run.err)
      assert.matches("job%.lua:%d+: ", run.err)
      assert.matches(words, run.err)
      assert.is_nil(run.err:find("composio/", 1, true), run.err)
    end)
  end
end)

describe("a planned change", function()
  it("says that pairs of it is not known, and who it is about", function()
    local run = place:run(host.unlimited { "job.lua" }, { script = [[
      local config = accounts.list {}.items[1].auth_config.id
      composio.bulk("b", { { id = "user_new" } }, function(row)
        local planned = accounts.link(row.id, config)
        print(planned, planned.user_id)
        local ok, err = pcall(pairs, planned)
        print(ok, (err:gsub("^.-: ", "")))
      end)
      composio.bulk("c", accounts.each { statuses = { "ACTIVE" } }, function(account)
        local planned = account:disable()
        assert(tostring(planned) == "planned disable of " .. account.id)
      end)
    ]] })
    assert.equal(0, run.code, run.err)
    assert.matches("^planned link of user_new\tuser_new\n", run.out)
    assert.matches("\nfalse\t'all fields' of this link is not known while planning", run.out)
    job.has(run.out, "plan c: ")
    assert.is_nil(run.err:find("failed", 1, true), run.err)
  end)
end)
