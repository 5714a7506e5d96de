-- The release module in the stock interpreter, as `make test` runs it with
-- spec/lua: nothing but composio.so on its path.
local server = require "spec.support.server"

local module = server.build .. "/composio.so"

-- Runs a script in a Lua of its own; its output, and whether it exited with
-- 0. before: shell words in front.
local function run(script, environment, before)
  local name = os.tmpname()
  local file = assert(io.open(name, "wb"))
  file:write(script)
  file:close()
  local command = "%s env -u COMPOSIO_API_KEY LUA_CPATH=%s %s " .. server.lua .. " %s 2>&1"
  local path = server.quote(server.build .. "/?.so;;")
  local pipe = assert(io.popen(command:format(before or "", path, environment or "", name)))
  local text = pipe:read "a"
  local ok = pipe:close()
  os.remove(name)
  return text, ok
end

describe("composio.so", function()
  local emulator, environment

  setup(function()
    emulator = server.emulator { "--accounts", "150" }
    environment = "COMPOSIO_BASE_URL=%s COMPOSIO_API_KEY=%s"
    environment = environment:format(emulator.url, emulator.api_key)
  end)
  teardown(function()
    emulator:stop()
  end)

  it("exports luaopen_composio alone, and brings no Lua of its own", function()
    local pipe = assert(io.popen("nm -D --defined-only " .. module .. "; ldd " .. module))
    local text = pipe:read "a"
    pipe:close()
    local symbols = {}
    for name in text:gmatch "%x+ [TDBRVW] ([%w_]+)" do
      symbols[#symbols + 1] = name
    end
    assert.same({ "luaopen_composio" }, symbols)
    assert.is_nil(text:find "liblua")
  end)

  it("finds no function of Lua's missing before it can say so", function()
    local pipe = assert(io.popen("nm -D --undefined-only " .. module))
    local weak, strong = {}, {}
    for line in pipe:lines() do
      local kind, name = line:match "(%a) (luaL?_%w+)$"
      if kind == "w" then
        weak[name] = true
      elseif kind then
        strong[#strong + 1] = name
      end
    end
    pipe:close()
    assert.same({ "luaL_error" }, strong)
    -- either may be what a Lua 5.4 has
    assert.is_true(weak.lua_closethread and weak.lua_resetthread)
  end)

  for program, name in pairs {
    ["lua5.1"] = "Lua 5.1",
    ["lua5.2"] = "Lua 5.2",
    ["lua5.3"] = "Lua 5.3",
    luajit = "LuaJIT",
  } do
    if os.execute("command -v " .. program .. " >/dev/null") then
      it("is refused by " .. name .. " with words", function()
        local command = "env -i LUA_CPATH=%s %s -e \"require 'composio'\" 2>&1"
        local pipe = assert(io.popen(command:format(server.quote(module), program)))
        local text = pipe:read "a"
        assert.is_nil(pipe:close())
        assert.matches(": composio needs Lua 5.4; this is " .. name .. "\n", text, 1, true)
      end)
    else
      print(("SKIPPED: the module in %s; Debian: apt install %s"):format(name, program))
    end
  end

  for number, name in pairs { [505] = "Lua 5.5", [600] = "Lua 6.0" } do
    it("is refused with words by what says it is " .. name, function()
      local command = ("%s/composio-other-lua %s %d 2>&1"):format(server.build, module, number)
      local pipe = assert(io.popen(command))
      local text = pipe:read "a"
      assert.is_truthy(pipe:close())
      assert.equal("composio needs Lua 5.4; this is " .. name, text)
    end)
  end

  it("is text inside, the host bytecode", function()
    local function holds(path, text)
      local file = assert(io.open(server.build .. path, "rb"))
      local all = file:read "a"
      file:close()
      return all:find(text, 1, true) ~= nil
    end
    local source, bytecode = "local composio = {\n  _VERSION", "\27LuaT"
    assert.is_true(holds("/composio.so", source))
    assert.is_false(holds("/composio.so", bytecode))
    assert.is_true(holds("/composio-lua", bytecode))
    assert.is_false(holds("/composio-lua", source))
  end)

  it("names its own files and lines in tracebacks", function()
    local text = run [[
      xpcall(require "composio".ago, function(why)
        print(debug.traceback(why))
      end, {})
    ]]
    assert.matches("\n%s+composio/time.lua:%d+: in function 'composio.ago'\n", text)
  end)

  it("is all that require needs", function()
    local text, ok = run "print(type(require 'composio'.connected_accounts.list))"
    assert.is_truthy(ok)
    assert.equal("function\n", text)
  end)

  it("is not opened without lua-cjson, and says what to install", function()
    local path = "LUA_CPATH=" .. server.quote(server.build .. "/?.so")
    local text, ok = run("require 'composio'", path)
    assert.is_nil(ok)
    local words = "composio needs lua-cjson: not found; install it (Debian: apt install lua-cjson;"
    assert.matches(words, text, 1, true)
  end)

  it("says why a lua-cjson that is there cannot be loaded", function()
    local text, ok = run [[
      package.preload.cjson = function() error "torn" end
      require "composio"
    ]]
    assert.is_nil(ok)
    assert.matches("composio needs lua%-cjson: cannot be loaded: .*torn", text)
  end)

  it("acts at once in the main chunk, like any SDK", function()
    local text, ok = run(
      [[
        local accounts = require "composio".connected_accounts
        local count = 0
        for account in accounts.each { account_type = "ALL" } do
          count = count + 1
        end
        print(count)
        accounts.disable "ca_github_u123A"
        print(accounts.get "ca_github_u123A".status)
      ]],
      environment
    )
    assert.is_truthy(ok)
    assert.equal("150\nINACTIVE\n", text)
    assert.equal("disable", emulator:changes()[1].op)
  end)

  it("runs tasks with composio.run", function()
    local text = run(
      [[
        local composio = require "composio"
        local accounts = composio.connected_accounts
        composio.run(function()
          local tasks = {}
          for _, account in ipairs(accounts.list { limit = 20 }.items) do
            tasks[#tasks + 1] = composio.spawn(accounts.get, account.id)
          end
          for place, task in ipairs(tasks) do
            assert(task:join().id)
          end
          print(#tasks)
        end)
      ]],
      environment
    )
    assert.equal("20\n", text)
  end)

  it("sends escapes, two values and second pages as they are meant", function()
    emulator:reset()
    local text, ok = run(
      [[
        print("with libcurl " .. require "composio".versions()[1].runs)
        local accounts = require "composio".connected_accounts
        local page = accounts.list { statuses = { "ACTIVE", "EXPIRED" }, limit = 10 }
        accounts.list { statuses = { "ACTIVE", "EXPIRED" }, limit = 10, cursor = page.next_cursor }
        accounts.list { limit = 1 }
        accounts.list { user_ids = { 'a b+c&d/e%f?g#h"i', "é" }, limit = 1 }
        accounts.disable "ca_github_u123A"
        pcall(accounts.get, "ca/1%2")
        local options = { even_if_active = true, redirect_url = "https://x.example/?a=b" }
        accounts.refresh("ca_gmail_u123_C", options)
      ]],
      environment
    )
    assert.is_truthy(ok, text)
    local wanted = {
      "GET /connected_accounts?statuses=ACTIVE%2CEXPIRED&limit=10",
      "GET /connected_accounts?statuses=ACTIVE%2CEXPIRED&limit=10&cursor=Mi0xMA%3D%3D",
      "GET /connected_accounts?limit=1",
      "GET /connected_accounts?user_ids=a%20b%2Bc%26d%2Fe%25f%3Fg%23h%22i%2C%C3%A9&limit=1",
      "PATCH /connected_accounts/ca_github_u123A/status",
      "GET /connected_accounts/ca%2F1%252",
      "POST /connected_accounts/ca_gmail_u123_C/refresh"
        .. "?redirect_url=https%3A%2F%2Fx.example%2F%3Fa%3Db",
    }
    assert.same(wanted, emulator:lines(), text)
  end)

  it("warns of a library that is known to do harm, once and when asked to", function()
    local claims = environment
      .. " COMPOSIO_OTHER_LIBCURL=8.11.1 LD_PRELOAD="
      .. server.quote(server.build .. "/composio-other-library.so")
    local script = [[
      local composio = require "composio"
      composio.connected_accounts.list { limit = 1 }
      composio.client().connected_accounts.list { limit = 1 }
    ]]
    local warning = "Lua warning: composio: libcurl 8.11.1: it closes a file descriptor twice"
    local asked = run('warn "@on"' .. script, claims)
    local first = assert(asked:find(warning, 1, true), asked)
    assert.is_nil(asked:find(warning, first + 1, true))
    assert.equal("", (run(script, claims)))
  end)

  it("says which words need the host", function()
    for _, call in ipairs {
      "composio.bulk('x', {}, print)",
      "composio.job {}",
      "composio.csv 'x.csv'",
      "composio.report('x.csv', { 'a' })",
    } do
      local text, ok = run("local composio = require 'composio' " .. call)
      assert.is_nil(ok)
      assert.matches("needs the host: run this script with composio%-lua", text)
    end
  end)

  it("reports an error as one good line", function()
    local text, ok = run("require 'composio'.connected_accounts.get 'ca_nosuch'", environment)
    assert.is_nil(ok)
    assert.matches("ComposioConnectedAccountNotFoundError: connected_accounts%.get ca_nosuch", text)
  end)

  it("tells of tasks that nobody waited for", function()
    local text = run "local c = require 'composio' c.spawn(print, 'ran')"
    assert.matches("1 tasks were spawned and never finished", text)
    assert.is_nil(text:find "\nran")
  end)

  for _, place in ipairs { "composio.sleep(30)", "composio.run(composio.sleep, 30)" } do
    it("is interrupted by Ctrl-C in " .. place, function()
      local start = os.time()
      local text, ok = run(
        "local composio = require 'composio' " .. place,
        environment,
        "timeout --signal=INT 0.5"
      )
      assert.is_nil(ok)
      assert.matches("interrupted!", text)
      assert.is_true(os.time() - start < 10)
    end)
  end

  it("changes nothing that Lua or lua-cjson has", function()
    local text, ok = run(
      [[
        local cjson = require "cjson"
        local function look(seen, value, name)
          if type(value) ~= "table" or seen[value] then
            return
          end
          local copy = { metatable = getmetatable(value) }
          seen[value] = copy
          for key, inner in next, value do
            copy[key] = inner
            look(seen, inner, key)
          end
        end
        local function all()
          local seen = {}
          look(seen, _G)
          look(seen, cjson)
          look(seen, require "cjson.safe")
          return seen
        end
        local before = all()
        local composio = require "composio"
        local account = composio.connected_accounts.get "ca_github_u123A"
        account:decode()
        for _ in composio.connected_accounts.each() do end
        local after = all()
        local function differs(one, other)
          for value, copy in next, one do
            local grows = value == package.loaded or value == package.preload or not other[value]
            for key, inner in next, copy do
              if not grows and not rawequal(other[value][key], inner) then
                return tostring(key)
              end
            end
          end
          return "nothing"
        end
        print(differs(before, after), differs(after, before))
      ]],
      environment
    )
    assert.is_truthy(ok)
    assert.equal("nothing\tnothing\n", text)
  end)

  it("closes with calls, tasks and clients that were left as they were", function()
    emulator:faults { { action = "delay", delay_ms = 3000 } }
    local text, ok = run(
      [[
        local composio = require "composio"
        composio.client { api_key = "ak_emulator" }
        local thread = coroutine.create(function()
          local closing <close> = setmetatable({}, { __close = function() end })
          coroutine.yield()
        end)
        coroutine.resume(thread)
        composio.spawn(composio.connected_accounts.get, "ca_github_u123A")
        local done = composio.spawn(composio.sleep, 0.05)
        done:join()
        leaked = { thread, composio.connected_accounts.each(), done }
        print "end"
      ]],
      environment
    )
    emulator:faults()
    assert.is_truthy(ok)
    assert.matches("^end\n", text)
  end)
end)
