-- Listed accounts in the host: each member is read when a script first asks
-- for it, and no script can tell.
local scene = require "spec.support.scene"

local emulator, place

scene.of_host({ "--accounts", "40", "--mask", "raw" }, function(...)
  emulator, place = ...
end)

local function lines(script)
  local result = place:run({ "job.lua" }, { script = script })
  assert.equal(0, result.code, result.err)
  return (result.out:gsub("\t", " "))
end

-- Runs the script with the items of one made-up page.
local function listed(items, script)
  emulator:faults {
    {
      action = "reply",
      status = 200,
      body = '{"items":[' .. items .. '],"next_cursor":null,"total_items":1}',
      content_type = "application/json",
    },
  }
  return lines(script)
end

local FIRST = "local account = accounts.each { account_type = 'ALL' }:walk()()\n"

-- What each gives against what list gives, which the codec decoded whole.
local COMPARE = [[
  local function count(value, how)
    local n = 0
    for _, inner in how(value) do
      n = n + 1 + (type(inner) == "table" and count(inner, how) or 0)
    end
    return n
  end
  local function same(a, b, how)
    if type(a) ~= "table" or type(b) ~= "table" then
      return rawequal(a, b) and math.type(a) == math.type(b)
    end
    for key, value in how(a) do
      if not same(value, rawget(b, key), how) then
        error("differs at " .. tostring(key))
      end
    end
    return count(a, how) == count(b, how)
  end
  local whole = {}
  for _, account in ipairs(accounts.list { account_type = "ALL", limit = 100 }.items) do
    whole[account.id] = account
  end
  local seen = 0
  for account in accounts.each { account_type = "ALL" } do
    seen = seen + 1
    %s
    assert(same(account, whole[account.id], %s))
  end
  print(seen)
]]
local WALKS = {
  ["pairs"] = "pairs",
  ["next"] = "function(t) return next, t end",
}
local TOUCHES = {
  ["nothing was touched"] = "",
  ["a text was"] = "local _ = account.status, account.alias",
  ["a part of a part was"] = "local _ = account.state.val and account.state.val.access_token",
  ["all were, raw"] = "for key in pairs(whole[account.id]) do rawget(account, key) end",
}

describe("an account of each", function()
  for touched, touch in pairs(TOUCHES) do
    for name, walk in pairs(WALKS) do
      it(("has by %s what the reply holds, when %s"):format(name, touched), function()
        assert.equal("40\n", lines(COMPARE:format(touch, walk)))
      end)
    end
  end

  it("is written whole by lua-cjson", function()
    assert.equal(
      "true true true\n",
      lines(FIRST .. [[
        local cjson = require "cjson"
        local mine = cjson.new()
        local circle = {}
        circle.circle, circle.again = circle, circle
        local text = cjson.encode { { account } }
        local back = cjson.decode(text)[1][1]
        local n, m = 0, 0
        for _ in pairs(account) do n = n + 1 end
        for _ in pairs(back) do m = m + 1 end
        print(n == m, back.state.authScheme == account.state.authScheme,
          #mine.encode(account) == #cjson.encode(account) and not pcall(cjson.encode, circle))
      ]])
    )
  end)

  it("keeps what a script writes and forgets what it takes away", function()
    assert.equal(
      "nil nil mine 7 nil nil\nnil nil mine 7 nil nil\n",
      lines(FIRST .. [[
        local function show()
          print(account.status, account.user_id, account.note, account.toolkit.n, account.alias,
            account.created_at)
        end
        account.status = nil
        account.note = "mine"
        account.toolkit.n = 7
        local _ = account.user_id
        account.user_id = nil
        rawset(account, "alias", nil)
        rawset(account, "created_at", 1)
        rawset(account, "created_at", nil)
        show()
        next(account)
        show()
      ]])
    )
  end)

  it("is the same table wherever a member is asked for", function()
    assert.equal(
      "true true true false\n",
      lines(FIRST .. [[
        local heir = setmetatable({}, { __index = account })
        print(account.state == account.state, heir.state == account.state,
          type(account.disable) == "function", getmetatable(account))
      ]])
    )
  end)
end)

describe("an unusual account", function()
  it("is what the codec makes of it", function()
    assert.equal(
      "1 nil é😀 2 x\n",
      listed(
        [[{"id":"ca_x","a":0,"a":1,"b":1,"b":null,"\u0061b":2,"c":"\u00e9\ud83d\ude00","d":"x"}]],
        FIRST .. "print(account.a, account.b, account.c, account.ab, account.d)"
      )
    )
  end)

  it("may have many members", function()
    local members = { '"id":"ca_x"' }
    for i = 1, 70 do
      members[#members + 1] = ('"m%d":%d'):format(i, i)
    end
    assert.equal(
      "1 63 64 70 71\n",
      listed("{" .. table.concat(members, ",") .. "}", FIRST .. [[
        local n = 0
        for _ in pairs(account) do n = n + 1 end
        print(account.m1, account.m63, account.m64, account.m70, n)
      ]])
    )
  end)

  it("has numbers as get has them", function()
    assert.equal(
      "1 -7 1000 0.25 9007199254740992 float 1e+300 integer\n",
      listed(
        [[{"id":"ca_x","n":[1,-7,1e3,0.25,9007199254740992,9007199254740993000,1e300,]]
          .. "1."
          .. ("0"):rep(80)
          .. "]}",
        FIRST .. [[
          local n = account.n
          print(n[1], n[2], n[3], n[4], n[5], math.type(n[6]), n[7], math.type(n[8]))
        ]]
      )
    )
  end)

  it("is refused where the codec would refuse it", function()
    for _, items in ipairs {
      [[{"id":"ca_x","data":{"half":"\ud83d"}}]],
      [[{"id":"ca_x","n":01}]],
      [[{"id":"ca_x","n":{"a":]] .. ("["):rep(130) .. ("]"):rep(130) .. "}}",
      [[{"user_id":"without id"}]],
      [[{"id":7}]],
      [["ca_x"]],
    } do
      local out = listed(items, 'print(pcall(accounts.each { account_type = "ALL" }:walk()))')
      assert.matches("^false APIError: connected_accounts.list: HTTP 200, but the reply ", out)
    end
  end)
end)
