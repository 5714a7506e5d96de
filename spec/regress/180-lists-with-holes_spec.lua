-- A list with a hole lost what came after it, or all of it, with exit 0: rows and ids of
-- composio.bulk, and filters.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "10" }, function(...)
  emulator, place = ...
end)

local function refused(cases)
  for script, text in pairs(cases) do
    local run = place:run({ "job.lua" }, { script = script })
    assert.equal(1, run.code, script .. "\n" .. run.err)
    job.has(run.err, "job.lua:3: " .. text)
  end
  assert.same({}, emulator:changes())
end

it("composio.bulk refuses a hole in its rows, ids and accounts", function()
  local where = "composio.bulk: the selection: "
  refused {
    ["composio.bulk({ { id = 'a' }, nil, { id = 'b' } }, print)"] = where
      .. "the list has a hole at place 2",
    ["composio.bulk({ nil, { id = 'b' } }, print)"] = where .. "the list has a hole at place 1",
    ["composio.bulk({ [1] = { id = 'a' }, [4] = { id = 'b' } }, print)"] = where
      .. "the list has a hole at place 2",
    ["composio.bulk({ [2] = { id = 'b' } }, print)"] = where .. "the list has a hole at place 1",
    ["composio.bulk({ 'ca_a', nil, 'ca_b' }, print)"] = where .. "the list has a hole at place 2",
    ["composio.bulk({ nil, 'ca_b' }, print)"] = where .. "the list has a hole at place 1",
    ["local l = accounts.list({}).items l[3] = nil composio.bulk(l, print)"] = where
      .. "the list has a hole at place 3",
    ["composio.bulk({ { id = 'a' }, concurrency = 2 }, print)"] = where
      .. "'concurrency' is not a list index",
    ["composio.bulk({ 'ca_a', [0] = 'ca_b' }, print)"] = where .. "'0' is not a list index",
    ["composio.bulk({ 'ca_a', [1.5] = 'ca_b' }, print)"] = where .. "'1.5' is not a list index",
  }
end)

it("so do the filters and other lists", function()
  refused {
    ["accounts.list { statuses = { 'ACTIVE', nil, 'EXPIRED' } }"] =
      "connected_accounts.list: statuses: the list has a hole at place 2",
    ["accounts.each { user_ids = { [1] = 'a', [3] = 'b' } }"] =
      "connected_accounts.list: user_ids: the list has a hole at place 2",
    ["accounts.list { user_ids = { 'a', other = 'b' } }"] =
      "connected_accounts.list: user_ids: 'other' is not a list index",
    ["composio.auth_configs.list { toolkit_slugs = { nil, 'x' } }"] =
      "auth_configs.list: toolkit_slugs: the list has a hole at place 1",
    ["composio.report('r', { [1] = 'a', [3] = 'b' })"] =
      "composio.report: columns: the list has a hole at place 2",
    ["accounts.link('u', 'ac_GmailManaged', "
      .. "{ acl_config_for_shared = { allowed_user_ids = { 'a', nil, 'b' } } })"] =
      "connected_accounts.link: ",
  }
end)

it("lists without a hole, an empty one and what a script has cut are taken", function()
  local run = place:run({ "job.lua" }, { script = [[
    composio.bulk({}, print)
    local items = accounts.list({}).items
    table.remove(items, 2)
    items[#items] = nil
    composio.bulk("cut", items, function() end)
    composio.bulk("ids", { "ca_github_u123A" }, function() end)
  ]] })
  assert.equal(0, run.code, run.err)
end)
