-- Guards called functions that the script could replace: with another `list`, a project
-- of 60 accounts passed for one of a million under --max-percent, and with another `get`
-- a script's word stood for an account's.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"
local server = require "spec.support.server"

local emulator, place
scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

local MANY = [[
  local ids = {}
  for account in accounts.each { statuses = { "ACTIVE" } } do ids[#ids + 1] = account.id end
  %s
  local function none() return { items = {}, total_items = 1000000 } end
  for _, name in ipairs { "list", "get", "each" } do
    accounts[name], composio.auth_configs[name] = none, none
  end
  composio.connected_accounts = setmetatable({}, { __index = accounts })
  %s
]]

-- Each is what a script may do to pass the guard.
local TRICKS = {
  ["the resource's functions"] = "",
  ["Lua's own functions"] = [[
    local call = pcall
    math.tointeger = function() return 1000000 end
    pcall = function(f, ...)
      local all = table.pack(call(f, ...))
      if type(all[2]) == "table" and all[2].total_items then all[2].total_items = 1000000 end
      return table.unpack(all)
    end
    table.move = function(_, _, _, _, to) return to end
  ]],
}
local CALLS = {
  ["a bulk"] = "composio.bulk(ids, function(account) account:disable() end)",
  ["straight-line calls"] = "for _, id in ipairs(ids) do accounts.disable(id) end",
}

describe("--max-percent counts the project itself", function()
  for trick, text in pairs(TRICKS) do
    for kind, call in pairs(CALLS) do
      it(("in %s, whatever the script makes of %s"):format(kind, trick), function()
        local run = place:run({ "job.lua", "--apply" }, { script = MANY:format(text, call) })
        assert.is_true(run.code == 4 or kind ~= "a bulk" and run.code == 7, run.err)
        job.has(run.err, "of the project's 60 accounts")
      end)
    end
  end
end)

describe("an account that another client read", function()
  it("is no word of this service", function()
    local other = server.emulator { "--accounts", "60" }
    local id = "ca_github_u123A"
    local run = place:run(host.unlimited { "job.lua", "--apply" }, {
      script = ([[
        local other = composio.client { base_url = %q, api_key = %q }
        local account = other.connected_accounts.get(%q)
        accounts.disable(account)
        local foreign = other.connected_accounts.each { connected_account_ids = { %q } }
        composio.bulk(foreign, function(one)
          accounts.update(one, { alias = "new" })
        end)
      ]]):format(other.url, other.api_key, id, id),
    })
    other:stop()
    assert.equal(0, run.code, run.err)
    local asked = 0
    for _, request in ipairs(emulator:requests()) do
      asked = asked + (request.method == "GET" and request.path:find(id, 1, true) and 1 or 0)
    end
    assert.is_true(asked >= 2, "asked " .. asked)
    assert.same({ "disable " .. id, "alias " .. id }, job.changes(emulator))
  end)
end)

describe("an account's before-image", function()
  it("is the service's, whatever `get` the script puts in", function()
    local id = job.ids(emulator, { statuses = { "ACTIVE" } }, 1)[1]
    local run = place:run(host.unlimited { "job.lua", "--apply" }, {
      script = ([[
        local get = accounts.get
        accounts.get = function() return get %q end
        accounts.disable(%q)
      ]]):format("ca_github_u123A", id),
    })
    assert.equal(0, run.code, run.err)
    assert.same({ "disable " .. id }, job.changes(emulator))
  end)
end)
