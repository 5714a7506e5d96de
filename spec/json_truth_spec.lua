-- JSON values that codecs are known to change: what scripts read from replies, and the
-- bytes that are sent. The codec's own rules are in json_spec.lua.
local composio = require "composio"
local both = require "spec.support.both"
local cjson = require "cjson"
local scene = require "spec.support.scene"

local emulator, accounts

scene.of_module({ "--accounts", "30" }, function(...)
  emulator, accounts = ...
end)

-- The reply's text, as the service would write it, and what get makes of it.
local function received(text, content_type)
  emulator:faults {
    {
      action = "reply",
      status = 200,
      body = text,
      content_type = content_type or "application/json",
    },
  }
  return accounts.get "ca_x"
end

-- The bytes that link writes of this free table, after "connection_data":.
local function sent(data)
  emulator:forget()
  pcall(accounts.link, "someone", "ac_GithubManage", {
    connection_data = data,
    allow_multiple = true,
  })
  local requests = emulator:requests()
  assert.equal(1, #requests, "nothing was sent")
  return requests[1].body:match '"connection_data":(.*)}$'
end

local function refused(pattern, data)
  emulator:forget()
  local ok, err = pcall(accounts.link, "someone", "ac_GithubManage", {
    connection_data = data,
    allow_multiple = true,
  })
  assert.is_false(ok)
  assert.matches(pattern, tostring(err))
  assert.same({}, emulator:lines())
end

describe("numbers that leave", function()
  both("keep all their digits", function()
    assert.equal(
      '{"a":123456789012345678,"b":9007199254740993,"c":-9223372036854775808,"d":1}',
      sent { a = 123456789012345678, b = 2 ^ 53 + 1 | 1, c = math.mininteger, d = 1.0 }
    )
  end)

  it("that are fractions are as short as comes back the same", function()
    assert.equal('{"a":0.1,"b":1e+300,"c":100.25}', sent { a = 0.1, b = 1e300, c = 100.25 })
  end)

  it("are no NaN and no infinity", function()
    refused("connection_data%.x: JSON has no NaN", { x = 0 / 0 })
    refused("connection_data%.x: JSON has no NaN", { x = math.huge })
  end)
end)

describe("numbers that arrive", function()
  both("are integers where they are whole", function()
    local account = received '{"id":"ca_x","count":42,"big":9007199254740992,"exp":1e3}'
    assert.equal("id-42", "id-" .. account.count)
    assert.equal("integer", math.type(account.count))
    assert.equal("9007199254740992", tostring(account.big))
    assert.equal("1000", tostring(account.exp))
  end)

  it("are integers in what the emulator lists", function()
    local page = accounts.list { limit = 10 }
    assert.equal("integer", math.type(page.total_items))
    assert.equal("integer", math.type(page.total_pages))
    assert.matches("^%d+$", tostring(page.total_items))
  end)

  it("are those of JSON only", function()
    for _, number in ipairs { "NaN", "nan", "Infinity", "-Infinity", "0x10", "01", "+1", ".5" } do
      local ok, err = pcall(received, ('{"id":"ca_x","n":%s}'):format(number))
      assert.is_false(ok, number)
      assert.matches("not JSON", err.message)
      assert.equal(200, err.status)
    end
  end)
end)

describe("empty lists", function()
  both("stay lists on their way out", function()
    emulator:forget()
    pcall(accounts.update, "ca_x", { acl = { allowed_user_ids = {}, not_allowed_user_ids = {} } })
    assert.equal(
      '{"experimental":{"acl_config_for_shared":'
        .. '{"allowed_user_ids":[],"not_allowed_user_ids":[]}}}',
      emulator:requests()[1].body
    )
    assert.equal('{"a":[],"b":{}}', sent { a = composio.array {}, b = {} })
  end)

  it("stay lists when what was read is sent again", function()
    local account = received '{"id":"ca_x","requested_scopes":[],"data":{}}'
    assert.equal(0, #account.requested_scopes)
    assert.equal(
      '{"data":{},"scopes":[]}',
      sent { scopes = account.requested_scopes, data = account.data }
    )
  end)

  it("of a page can be walked and counted", function()
    local page = accounts.list { user_ids = { "nobody at all" } }
    assert.equal(0, #page.items)
    for _ in ipairs(page.items) do
      error "there is nothing"
    end
  end)
end)

describe("null that arrives", function()
  both("is an absent field", function()
    local account = received '{"id":"ca_x","alias":null,"in":{"x":null},"deleted_at":null}'
    assert.is_nil(account.alias)
    assert.is_true(not account.deleted_at)
    assert.is_nil(next(account["in"]))
    for key in pairs(account) do
      assert.is_not_equal("alias", key)
    end
  end)

  it("is an absent field of listed accounts and of the page", function()
    local page = accounts.list { limit = 100 }
    assert.is_nil(page.next_cursor)
    for _, account in ipairs(page.items) do
      assert.is_not_equal("userdata", type(account.alias))
      assert.is_not_equal("userdata", type(account.status_reason))
    end
    for account in accounts.each { account_type = "ALL" } do
      assert.is_not_equal("userdata", type(account.alias))
      assert.is_not_equal("userdata", type(account.status_reason))
    end
  end)

  it("keeps its place in a list", function()
    local account = received '{"id":"ca_x","list":[1,null,3]}'
    assert.equal(3, #account.list)
    assert.equal(composio.null, account.list[2])
  end)
end)

describe("tables that are neither list nor object", function()
  it("are refused with their path, not guessed at", function()
    refused("connection_data%.a: the list has holes", { a = { 1, nil, 3 } })
    refused("connection_data%.a: the list has holes", { a = { [1] = 1, [20] = 2 } })
    refused("connection_data%.a%.b: names and list places are mixed", { a = { b = { 1, x = 2 } } })
    refused("keys must be names", { [1.5] = 1 })
  end)
end)

describe("nesting", function()
  local function nested(depth)
    local value = "end"
    for _ = 1, depth do
      value = { n = value }
    end
    return value
  end

  it("goes to 128, either way", function()
    assert.is_string(sent(nested(100)))
    refused("nested deeper than 128", nested(200))
    received('{"id":"ca_x","n":' .. ("["):rep(100) .. ("]"):rep(100) .. "}")
    for _, depth in ipairs { 200, 2000, 100000 } do
      local text = '{"id":"ca_x","n":' .. ("["):rep(depth) .. ("]"):rep(depth) .. "}"
      local ok, err = pcall(received, text)
      assert.is_false(ok)
      assert.equal("APIError", err.name)
    end
  end)

  it("does not run for ever in a circle", function()
    local circle = {}
    circle.again = circle
    refused("nested deeper than 128", circle)
  end)
end)

describe("texts", function()
  both("leave as they are: slashes, other scripts, signs", function()
    assert.equal(
      [[{"a":"a/b é日本😀 \"\\ <&'\u0001"}]],
      sent { a = "a/b é日本😀 \"\\ <&'\1" }
    )
  end)

  it("that are no UTF-8 are refused with the byte", function()
    refused("connection_data%.a: not valid UTF%-8 at byte 3", { a = "ab\xff" })
    refused("not valid UTF%-8", { a = "\xed\xa0\x80" }) -- half of a pair
    refused("not valid UTF%-8", { a = "\xc0\xaf" }) -- longer than needed
  end)

  it("arrive with zero bytes and pairs, not with half pairs", function()
    local account = received [[{"id":"ca_x","z":"a\u0000b","pair":"\ud83d\ude00","s":"a\/b"}]]
    assert.equal("a\0b", account.z)
    assert.equal("😀", account.pair)
    assert.equal("a/b", account.s)
    local ok, err = pcall(received, [[{"id":"ca_x","half":"\ud83d"}]])
    assert.is_false(ok)
    assert.matches("not JSON", err.message)
  end)
end)

describe("the codec of other modules", function()
  it("does not change ours, whatever it is set to", function()
    local before = sent { a = { 1, 2 }, n = 0.1, big = 123456789012345678 }
    local sparse, depth = { cjson.encode_sparse_array() }, cjson.decode_max_depth()
    local precision, invalid = cjson.encode_number_precision(), cjson.decode_invalid_numbers()
    cjson.encode_sparse_array(true, 1, 1)
    cjson.encode_number_precision(3)
    cjson.decode_max_depth(1)
    cjson.decode_invalid_numbers(true)
    local ok, problem = pcall(function()
      local account = received '{"id":"ca_x","a":{"b":{"c":[1]}}}'
      assert.equal(1, account.a.b.c[1])
      assert.is_false(pcall(received, '{"id":"ca_x","n":nan}'))
      pcall(accounts.link, "someone", "ac_GithubManage", {
        connection_data = { a = { 1, 2 }, n = 0.1, big = 123456789012345678 },
        allow_multiple = true,
      })
    end)
    cjson.encode_sparse_array(table.unpack(sparse))
    cjson.encode_number_precision(precision)
    cjson.decode_max_depth(depth)
    cjson.decode_invalid_numbers(invalid)
    assert.is_true(ok, tostring(problem))
    local requests = emulator:requests()
    assert.equal(before, requests[#requests].body:match '"connection_data":(.*)}$')
  end)

  it("does not change with the locale's comma", function()
    local old = os.setlocale(nil, "numeric")
    local set = os.setlocale("de_DE.UTF-8", "numeric") or os.setlocale("C.UTF-8", "numeric")
    assert.is_string(set)
    assert.equal('{"n":0.5}', sent { n = 0.5 })
    assert.equal(0.25, received('{"id":"ca_x","n":0.25}').n)
    os.setlocale(old, "numeric")
  end)
end)

describe("a reply that is no JSON", function()
  it("keeps its status in the error, and shows how it begins", function()
    emulator:faults {
      { action = "reply", status = 502, body = "<html>Bad gateway", content_type = "text/html" },
    }
    local ok, err = pcall(accounts.get, "ca_x")
    assert.is_false(ok)
    assert.equal(502, err.status)
    assert.matches("<html>Bad gateway", err.message)
  end)

  it("is not read as one because it looks like it", function()
    local ok, err = pcall(received, '{"id":"ca_x"}', "text/html")
    assert.is_false(ok)
    assert.matches("not JSON", err.message)
    assert.equal("ca_x", received('{"id":"ca_x"}', "application/json; charset=utf-8").id)
    assert.equal("ca_x", received('{"id":"ca_x"}', "application/problem+json").id)
  end)

  it("is shown masked and short", function()
    local ok, err = pcall(received, "<" .. emulator.api_key .. ("x"):rep(5000), "text/html")
    assert.is_false(ok)
    assert.is_nil(err.message:find(emulator.api_key, 1, true))
    assert.is_true(#err.message < 400)
  end)
end)
