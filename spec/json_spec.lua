-- JSON between Lua and the wire: the Lua values of replies, and the JSON of tables that
-- scripts pass.
local composio = require "composio"
local core = require "composio.core"
local raised = require "spec.support.raised"
local decode, encode = core.json_decode, core.json_encode

describe("decoding", function()
  it("makes integers of integral numbers up to 2^53", function()
    for text, value in pairs {
      ["0"] = 0,
      ["-0"] = 0,
      ["88"] = 88,
      ["-1"] = -1,
      ["1e3"] = 1000,
      ["2.0"] = 2,
      ["9007199254740992"] = 2 ^ 53 | 0,
      ["-9007199254740992"] = -(2 ^ 53) | 0,
    } do
      local got = decode(('{"a":[%s]}'):format(text)).a[1]
      assert.equal("integer", math.type(got), text)
      assert.equal(value, got)
      assert.equal("integer", math.type(decode(text)), text)
    end
  end)

  it("leaves other numbers floats", function()
    for text, value in pairs { ["0.5"] = 0.5, ["1e300"] = 1e300, ["18014398509481984"] = 2 ^ 54 } do
      local got = decode("[" .. text .. "]")[1]
      assert.equal("float", math.type(got), text)
      assert.equal(value, got)
    end
  end)

  it("leaves out null fields, and keeps null in lists", function()
    local value = decode '{"alias":null,"list":[1,null,3],"in":{"x":null,"y":1}}'
    assert.is_nil(rawget(value, "alias"))
    assert.same({ y = 1 }, value["in"])
    assert.equal(composio.null, value.list[2])
    assert.equal(3, #value.list)
  end)

  it("keeps known lists lists when they are empty", function()
    for _, name in ipairs {
      "items",
      "requested_scopes",
      "allowed_user_ids",
      "not_allowed_user_ids",
      "revoked_tokens",
    } do
      assert.equal(('{"%s":[]}'):format(name), encode(decode(('{"%s":[]}'):format(name))))
    end
    assert.equal('{"data":{}}', encode(decode '{"data":{}}'))
    assert.equal('{"scopes":{"a":1}}', encode(decode '{"scopes":{"a":1}}'))
  end)

  it("survives what a correction might trip over", function()
    local parts = {}
    for i = 1, 300 do
      parts[i] = ('"k%d":%s'):format(i, i % 3 == 0 and "null" or i % 3 == 1 and i or '{"n":null}')
    end
    local value = decode("{" .. table.concat(parts, ",") .. "}")
    local count = 0
    for key, member in pairs(value) do
      count = count + 1
      local number = math.tointeger(tonumber(key:sub(2)))
      if number % 3 == 1 then
        assert.equal(number, member)
      else
        assert.is_nil(next(member))
      end
    end
    assert.equal(200, count)
  end)

  it("refuses what is not JSON", function()
    for _, text in ipairs {
      "",
      "<html>",
      "{",
      '{"a":1} x',
      "[nan]",
      "[NaN]",
      "[Infinity]",
      "[-Infinity]",
      "[inf]",
      "[0x10]",
      "[01]",
      "[+1]",
      "[1,]",
      "{a:1}",
      "['a']",
      '["\\ud800"]',
    } do
      raised(pcall(decode, text))
    end
  end)

  it("refuses what is nested deeper than 128, and encoding does, too", function()
    local function nested(depth)
      return ("["):rep(depth) .. "1" .. ("]"):rep(depth)
    end
    local deepest = decode(nested(128))
    assert.equal(nested(128), encode(deepest))
    raised(pcall(encode, { deepest }))
    raised(pcall(decode, nested(129)))
  end)

  it("does not touch other users' cjson, nor they ours", function()
    local cjson = require "cjson"
    assert.equal("float", math.type(cjson.decode("[1]")[1]))
    cjson.decode_max_depth(2)
    cjson.decode_invalid_numbers(true)
    assert.equal(1, decode("[[[1]]]")[1][1][1])
    raised(pcall(decode, "[nan]"))
    cjson.decode_max_depth(1000)
  end)
end)

describe("encoding", function()
  it("sorts keys and writes integers exactly", function()
    assert.equal(
      '{"a":9007199254740993,"b":[1,2.5,true,false,null],"c":{"d":-1}}',
      encode { c = { d = -1 }, b = { 1, 2.5, true, false, composio.null }, a = 2 ^ 53 + 1 | 1 }
    )
    assert.equal("[123456789012345678]", encode { 123456789012345678 })
  end)

  it("writes floats so short that they come back the same", function()
    for _, number in ipairs { 0.1, 1 / 3, 1e300, 5e-324, 1.7976931348623157e308, 100.5, 0.3 } do
      local text = encode { number }
      assert.equal(number, tonumber(text:sub(2, -2)), text)
    end
    assert.equal("[0.1,5]", encode { 0.1, 5.0 })
  end)

  it("tells [] from {}", function()
    assert.equal("{}", encode {})
    assert.equal("[]", encode(composio.array {}))
    assert.equal("[]", encode(composio.array()))
    assert.equal('{"a":[],"b":{}}', encode { a = composio.array {}, b = {} })
    assert.equal("[1]", encode(composio.array { 1 }))
  end)

  it("writes text as it is: no escaped slash, raw non-ASCII, escaped controls", function()
    assert.equal([["a/b é日本😀 \"\\ \n\u0001\u0000"]], encode 'a/b é日本😀 "\\ \n\1\0')
  end)

  it("comes back the same after a round trip", function()
    for _, text in ipairs {
      [[{"items":[],"total_items":0}]],
      [=[{"a":[1,[2,[3,{"b":"c"}]]],"d":{"e":{"f":false}}}]=],
      [["plain"]],
      [[{"":1,"é":2}]],
    } do
      assert.equal(text, encode(decode(text)))
    end
  end)

  local cyclic = {}
  cyclic.self = cyclic
  local cases = {
    ["a hole"] = { { 1, nil, 3 }, "config: the list has holes" },
    ["a hole at the start"] = { { [2] = "x" }, "config: the list has holes" },
    ["mixed keys"] = { { list = { 1, x = 2 } }, "config%.list: names and list places are mixed" },
    ["a float key"] = { { [1.5] = 1 }, "config: keys must be names" },
    ["a boolean key"] = { { [true] = 1 }, "config: keys must be names" },
    ["a zero key"] = { { [0] = 1 }, "config: keys must be names" },
    ["a function"] = { { a = { b = { print } } }, "config%.a%.b%[1%]: a function cannot be sent" },
    ["a userdata"] = { { io.stdout }, "config%[1%]: a userdata cannot be sent" },
    ["a thread"] = { { coroutine.create(print) }, "config%[1%]: a thread cannot be sent" },
    ["NaN"] = { { 0 / 0 }, "config%[1%]: JSON has no NaN" },
    ["infinity"] = { { x = -1 / 0 }, "config%.x: JSON has no NaN and no infinity" },
    ["bad UTF-8"] = { { x = "ab\xff" }, "config%.x: not valid UTF%-8 at byte 3" },
    ["a bad name"] = { { ["\xff"] = 1 }, "this name cannot be sent" },
    ["a masked secret"] = { { api_key = "REDACTED" }, "config%.api_key: this is a secret" },
    ["a short masked secret"] = { { token = "sk-1..." }, "config%.token: this is a secret" },
    ["a cycle"] = { cyclic, "nested deeper than 128" },
    ["a name in an array"] = { composio.array { x = 1 }, "a composio%.array holds a name" },
  }
  for name, case in pairs(cases) do
    it("refuses " .. name .. ", with its path and the script's line", function()
      local _, text = raised(pcall(encode, case[1], "config"))
      assert.matches(case[2], text)
      assert.matches("^[^ ]*json_spec%.lua:%d+: ", text)
    end)
  end

  it("reads no metamethods", function()
    local calls = 0
    local odd = setmetatable({ a = 1 }, {
      __index = function() calls = calls + 1 end,
      __pairs = function() calls = calls + 1 end,
      __len = function() calls = calls + 1 end,
    })
    assert.equal('{"a":1}', encode(odd))
    assert.equal(0, calls)
  end)
end)

describe("composio.array", function()
  it("marks the table itself", function()
    local list = { 1 }
    assert.equal(list, composio.array(list))
    assert.equal(list, composio.array(composio.array(list)))
  end)

  it("takes tables only, without a metatable of their own", function()
    local _, text = raised(pcall(composio.array, 1))
    assert.matches("expected a table, got number", text)
    _, text = raised(pcall(composio.array, setmetatable({}, {})))
    assert.matches("a metatable of its own", text)
  end)
end)
