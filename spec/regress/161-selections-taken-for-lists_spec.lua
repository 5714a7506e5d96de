-- `for _, account in ipairs(accounts.each {})`, `pairs` and `#` took a selection for an empty
-- list and said nothing. `for account in accounts.each do` without the call never ended.
-- `accounts:disable(id)` blamed the id, `accounts:list()` an option called get.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "10" }, function(...)
  emulator, place = ...
end)

local function refused(text, scripts)
  for _, script in ipairs(scripts) do
    local result = place:run({ "job.lua", "--cpu", "5s" }, { script = script })
    assert.equal(1, result.code, script .. "\n" .. result.err)
    job.has(result.err, "job.lua:3: " .. text)
  end
  assert.same({}, emulator:changes())
end

it("a selection is not a list", function()
  refused("accounts.each {…} is not a list: write for account in accounts.each {…} do", {
    "for _, a in ipairs(accounts.each {}) do print(a) end",
    "for _, a in pairs(accounts.each {}) do print(a) end",
    "print(#accounts.each {})",
    "print(accounts.each {}[1])",
    "print(#accounts.each {}.items)",
    "print(#accounts.each({}):walk())",
    "for _, a in ipairs(accounts.each({}):walk()) do print(a) end",
  })
  place:write("x.csv", "a\n1\n")
  refused("composio.csv(…) is not a list: write for row in composio.csv(…) do", {
    "for _, a in ipairs(composio.csv 'x.csv') do print(a) end",
    "for _, a in pairs(composio.csv 'x.csv') do print(a) end",
    "print(#composio.csv 'x.csv')",
  })
end)

it("a loop over the function itself ends at once", function()
  refused("connected_accounts.each: call it: for … in connected_accounts.each {} do", {
    "for account in accounts.each do print(account) end",
  })
  refused("composio.runs: call it: for … in composio.runs {} do", {
    "for run in composio.runs do print(run) end",
  })
  refused("composio.history: call it: for … in composio.history {} do", {
    "for change in composio.history do print(change) end",
  })
end)

it("a colon in the place of the dot is named", function()
  for name, calls in pairs {
    ["connected_accounts.disable"] = {
      "accounts:disable 'ca_x'", "accounts:disable { id = 'ca_x' }",
    },
    ["connected_accounts.get"] = { "accounts:get 'ca_x'", "accounts:get()" },
    ["connected_accounts.list"] = { "accounts:list()", "accounts:list { limit = 1 }" },
    ["connected_accounts.each"] = { "accounts:each()", "accounts:each { limit = 1 }" },
    ["connected_accounts.link"] = { "accounts:link('u', 'ac')", "accounts:link('u', 'ac', {})" },
    ["connected_accounts.refresh"] = { "accounts:refresh 'ca_x'" },
    ["connected_accounts.update"] = { "accounts:update('ca_x', { alias = 'x' })" },
    ["wait_for_connection"] = { "accounts:wait_for_connection 'ca_x'" },
    ["auth_configs.list"] = { "composio.auth_configs:list()" },
    ["auth_configs.get"] = { "composio.auth_configs:get 'ac_x'" },
    ["composio.runs"] = { "composio:runs {}" },
    ["composio.history"] = { "composio:history {}" },
  } do
    refused(name .. ": call it with a dot, not with a colon", calls)
  end
end)

it("a dot in the place of the colon is named", function()
  local result = place:run({ "job.lua", "--apply" }, { script = [[
    local request = accounts.link("u", "ac_GmailManaged")
    print(pcall(function() request.wait_for_connection() end))
  ]] })
  job.has(result.out, "job.lua:4: wait_for_connection() is a method of connection requests")
end)

it("a sleep of less than nothing says what it takes", function()
  refused("composio.sleep: expected seconds, at least 0 and at most a year", {
    "composio.sleep(-1)", "composio.sleep(0/0)", "composio.sleep()", "composio.sleep '1s'",
  })
end)
