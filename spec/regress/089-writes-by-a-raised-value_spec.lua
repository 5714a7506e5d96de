-- The host read the value that a bulk's `after` had raised when the task no longer carried
-- the item: a metamethod of that value could change accounts that no preview had shown.
-- Options with a metatable were read again while the changes were carried out.
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

local RAISE = [[
  error(setmetatable({}, {
    __index = function() pcall(accounts.disable, other) end,
    __tostring = function() print(pcall(accounts.disable, other)) return "raised" end,
  }))]]

-- The script disables the first account in its bulk; `other` is the second.
local function script(after, action, options)
  local ids = job.ids(emulator, { statuses = { "ACTIVE" } }, 2)
  return ids[1], ([[
    local accounts, other = composio.connected_accounts, %q
    composio.bulk(%s, { %q }, function(account)
      account:disable()
      %s
    end)
  ]]):format(ids[2], options or "{ after = function() " .. after .. " end }", ids[1], action or "")
end

local function apply(text)
  return place:run({ "job.lua", "--apply", "--max-percent", "100" }, { script = text })
end

describe("a value that is raised changes no account", function()
  it("in a bulk's `after`", function()
    local id, text = script(RAISE)
    local run = apply(text)
    assert.same({ "disable " .. id }, job.changes(emulator))
    assert.equal(3, run.code, run.err)
    job.has(run.out, "`after` cannot change anything")
    job.has(run.err, "raised")
  end)

  it("in a canary's check", function()
    local id, text = script(nil, nil,
      "{ canary = { count = 1, check = function() " .. RAISE .. " end } }")
    local run = apply(text)
    assert.same({ "disable " .. id }, job.changes(emulator))
    job.has(run.out, "`after` cannot change anything")
  end)

  it("in an action", function()
    local _, text = script("", RAISE)
    local run = apply(text)
    assert.same({}, job.changes(emulator))
    assert.equal(3, run.code, run.err)
    job.has(run.err, "raised")
  end)

  it("at the end of the script", function()
    local id, text = script("")
    local run = apply(text .. RAISE)
    assert.same({ "disable " .. id }, job.changes(emulator))
    job.has(run.out, "the script has ended")
  end)

  it("though its `__tostring` raises, too", function()
    local _, text = script("error(setmetatable({}, { __tostring = function() error {} end }))")
    local run = apply(text)
    assert.equal(3, run.code, run.err)
    job.has(run.err, "unknown error")
  end)
end)

it("a bulk's options run no code of the script", function()
  local _, text = script(nil, nil, [[setmetatable({}, { __index = function(_, key)
    if key == "after" or key == "canary" then
      print(key)
      planned = planned and pcall(accounts.disable, other)
    end
  end })]])
  local run = apply("planned = false\n" .. text:gsub("account:disable%(%)", "%0 planned = true"))
  assert.equal(1, run.code, run.err)
  job.has(run.err, "composio.bulk: expected a plain table, got one with a metatable")
  assert.same({}, job.changes(emulator))
end)
