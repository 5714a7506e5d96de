-- The program: its command line, key, state directory, sandbox, limits and
-- output.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local has, lacks = job.has, job.lacks
local emulator, place

scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

describe("the command line", function()
  it("needs no key and no network for help and version", function()
    local env = { COMPOSIO_API_KEY = false, COMPOSIO_BASE_URL = false, HOME = false }
    for _, words in ipairs { { "--help" }, { "help" }, { "--version" }, { "scripts" } } do
      local run = place:run(words, { env = env })
      assert.equal(0, run.code)
      assert.equal("", run.err)
    end
    local help = place:run({ "--help" }, { env = env }).out
    for _, option in ipairs { "--apply", "--base-url", "--emulator[=N]", "--concurrency N" } do
      has(help, option)
    end
    has(place:run({ "scripts" }, { env = env }).out, "refresh_expired")
  end)

  it("without a script shows how to use it and exits 2", function()
    local run = place:run {}
    assert.equal(2, run.code)
    assert.equal("", run.out)
    has(run.err, "composio-lua run SCRIPT")
  end)

  it("runs nothing without lua-cjson, and says what to install", function()
    place:script "print 'ran'"
    local run = place:run({ "run", "job.lua" }, { env = { LUA_CPATH = "/nonexistent/?.so" } })
    assert.equal(2, run.code)
    assert.equal("", run.out)
    has(run.err, "composio needs lua-cjson: not found; install it (Debian: apt install lua-cjson;")
  end)

  it("takes options before and after the script, in both spellings", function()
    place:script [[print("concurrency", require "composio" ~= nil)]]
    for _, words in ipairs {
      { "--concurrency", "4", "run", "job.lua" },
      { "run", "--concurrency=4", "job.lua" },
      { "run", "job.lua", "--concurrency=4" },
      { "job.lua", "--concurrency", "4", "-q" },
    } do
      assert.equal(0, place:run(words).code)
    end
  end)

  it("names the nearest option, verb and script", function()
    local run = place:run { "--aply", "job.lua" }
    assert.equal(2, run.code)
    has(run.err, "did you mean '--apply'?")
    run = place:run { "refresh_expird" }
    assert.equal(2, run.code)
    has(run.err, "did you mean 'refresh_expired'?")
    run = place:run { "resum", "x" }
    assert.equal(2, run.code)
    has(run.err, "no shipped script or verb is called 'resum'")
  end)

  it("refuses values that are none", function()
    place:script "print(1)"
    for _, words in ipairs {
      { "--concurrency=0" },
      { "--concurrency=600" },
      { "--concurrency", "many" },
      { "--timeout", "5 parsecs" },
      { "--rate", "fast" },
      { "--budget", "0%" },
      { "--budget", "101" },
      { "--retries", "-1" },
      { "--progress", "sometimes" },
      { "--log-format", "xml" },
      { "--allow", "io,debug" },
      { "--memory", "0" },
      { "--apply=yes" },
      { "--emulator=none" },
      { "--show", "some" },
      { "--state-dir", "" },
      { "--state-dir" },
    } do
      local run = place:run { "job.lua", table.unpack(words) }
      assert.equal(2, run.code, table.concat(words, " "))
      has(run.err, words[1]:match "^%-%-[%a-]+")
    end
    assert.same({}, emulator:requests())
  end)

  it("takes durations, rates and shares", function()
    place:script "print(accounts.list({ limit = 1 }).total_items)"
    local run = place:run {
      "job.lua", "--timeout=5s", "--max-wait", "1m", "--rate=3000/m", "--budget", "50%",
      "--retries=0",
    }
    assert.equal("", run.err)
    assert.equal(0, run.code)
  end)

  it("hands over as arg what follows --", function()
    local run = place:run({ "job.lua", "--", "--apply", "x y" }, {
      script = [[print(arg[0], #arg, arg[1], arg[2])]],
    })
    assert.equal("job.lua\t2\t--apply\tx y\n", run.out)
    assert.equal(0, run.code)
  end)

  it("runs a script by its first line", function()
    place:write("job.lua", "#!" .. host.program .. "\nprint 'hello'\nerror('here', 1)\n", "755")
    local run = place:run({ "-q" }, { program = "./job.lua" })
    assert.equal("hello\n", run.out)
    has(run.err, "job.lua:3: here")
  end)
end)

describe("the API key", function()
  local LIST = "print(#accounts.list().items)"

  it("comes from the environment, a file, or the service manager", function()
    local file = place:write("key.secret", emulator.api_key .. "\n", "600")
    os.execute("mkdir " .. place.path .. "/creds")
    place:write("creds/composio-api-key", emulator.api_key, "400")
    os.execute("mv " .. place.path .. "/creds/composio-api-key " .. place.path .. "/creds/k.secret")
    os.execute("cd " .. place.path .. "/creds && ln k.secret composio-api-key")
    place.secrets = {}
    place:script(LIST)
    local none = { COMPOSIO_API_KEY = false }
    assert.equal(0, place:run(host.unlimited { "job.lua" }).code)
    assert.equal(0, place:run({ "job.lua", "--api-key-file", file }, { env = none }).code)
    local creds = { COMPOSIO_API_KEY = false, CREDENTIALS_DIRECTORY = place.path .. "/creds" }
    assert.equal(0, place:run({ "job.lua" }, { env = creds }).code)
  end)

  it("is asked for when there is none", function()
    local run = place:run({ "job.lua" }, { script = LIST, env = { COMPOSIO_API_KEY = false } })
    assert.equal(2, run.code)
    has(run.err, "COMPOSIO_API_KEY")
    has(run.err, "--api-key-file")
  end)

  it("in a file that others can read is refused", function()
    local file = place:write("key.secret", emulator.api_key, "644")
    local run = place:run({ "job.lua", "--api-key-file", file }, { script = LIST })
    assert.equal(2, run.code)
    has(run.err, "chmod 600")
    assert.same({}, emulator:requests())
  end)

  it("with a line end inside is refused before anything is sent", function()
    local run = place:run({ "job.lua" }, {
      script = LIST,
      env = { COMPOSIO_API_KEY = "ak_x\r\nx-evil: 1" },
    })
    assert.equal(2, run.code)
    assert.same({}, emulator:requests())
  end)

  it("cannot be read by scripts", function()
    local run = place:run({ "job.lua", "--allow", "io,os" }, {
      script = [[
        print(os.getenv "COMPOSIO_API_KEY")
        local file = io.open("/proc/self/environ", "rb")
        print(file and file:read "a":find("COMPOSIO_API_KEY=ak", 1, true))
        print(tostring(composio.client {}))
      ]],
    })
    has(run.out, "nil\nnil\n")
    assert.equal(0, run.code)
  end)

  it("is not on any line of the ledger, the log or the output, also when rejected", function()
    place.env.COMPOSIO_API_KEY = "ak_canary_of_a_wrong_key"
    place.secrets = { "ak_canary_of_a_wrong_key" }
    local run = place:run({ "job.lua", "-vv", "--log", "run.log" }, { script = LIST })
    assert.equal(6, run.code)
    has(run.err, "AuthenticationError")
    has(place:read "run.log", "connected_accounts")
  end)
end)

describe("the state directory", function()
  local BULK = [[
    composio.bulk(accounts.each { statuses = { "ACTIVE" }, limit = 5 }, function(account)
      account:disable()
    end)
  ]]

  it("is the one named, else by XDG_STATE_HOME, else in HOME; all of it private", function()
    place:script(BULK)
    assert.equal(0, place:run(host.unlimited { "job.lua", "--state-dir", "named" }).code)
    local xdg = { XDG_STATE_HOME = place.path .. "/xdg" }
    assert.equal(0, place:run(host.unlimited { "job.lua" }, { env = xdg }).code)
    assert.equal(0, place:run(host.unlimited { "job.lua" }).code)
    for _, dir in ipairs { "named", "xdg/composio-lua", ".local/state/composio-lua" } do
      assert.equal("700", place:mode(dir))
      assert.equal("600", place:mode(dir .. "/ledger.db"))
    end
  end)

  it("is not all that is private: files that scripts make are, too", function()
    local make = [[io.open("made", "w"):close()]]
    assert.equal(0, place:run({ "job.lua", "--allow=io" }, { script = make }).code)
    assert.equal("600", place:mode "made")
  end)

  it("that cannot be made ends the run with 2 and nothing sent", function()
    place:write("file", "")
    local run = place:run({ "job.lua", "--apply", "--state-dir", "file/x" }, { script = BULK })
    assert.equal(2, run.code)
    has(run.err, "file/x")
    assert.same({}, emulator:changes())
  end)

  it("without a home is asked for", function()
    if host.shell "id -u" ~= "0" then
      return -- only root can become a user without a home
    end
    place:script "print(1)"
    os.execute("chmod 755 " .. place.path)
    local run = place:run({ "job.lua" }, {
      prefix = "setpriv --reuid 54321 --regid 54321 --clear-groups",
      env = { HOME = false },
      redirect = ">/dev/null 2>err.1",
    })
    assert.equal(2, run.code)
    has(place:read "err.1", "--state-dir")
  end)

  it("of an emulator's run is private and gone afterwards", function()
    place:script(BULK)
    local tmp = place.path .. "/tmp"
    os.execute("mkdir " .. tmp)
    local words = host.unlimited { "job.lua", "--emulator=20", "--apply" }
    local run = place:run(words, { env = { TMPDIR = tmp } })
    assert.equal(0, run.code, run.err)
    assert.equal("", host.shell("ls -A " .. tmp))
    assert.is_nil(place:read ".local/state/composio-lua/ledger.db")
  end)
end)

describe("an emulator of its own", function()
  it("has as many accounts as were asked for, 200 else", function()
    place:script [[print(accounts.list({ account_type = "ALL" }).total_items)]]
    local env = { COMPOSIO_API_KEY = false, COMPOSIO_BASE_URL = false }
    assert.equal("200\n", place:run({ "job.lua", "--emulator" }, { env = env }).out)
    assert.equal("35\n", place:run({ "--emulator=35", "job.lua" }, { env = env }).out)
  end)

  it("does not outlive the host, however that dies", function()
    local process = place:start({ "job.lua", "--emulator=20" }, {
      script = [[accounts.list() print "ready" composio.sleep(60)]],
    })
    process:wait_for "ready"
    local children = ("/proc/%s/task/%s/children"):format(process.pid, process.pid)
    local child = host.shell("cat " .. children):match "%d+"
    assert.is_not_nil(child)
    process:signal "KILL"
    process:wait()
    -- ended, or already waited for by whoever inherited it
    local ask = "grep -qs '^State:.[DRS]' /proc/" .. child .. "/status && echo there"
    host.wait_until(function()
      return host.shell(ask) == ""
    end, "the end of the emulator " .. child)
  end)
end)

describe("installed", function()
  it("finds its emulator in libexec and its scripts in share", function()
    os.execute(([[
      cd %s && mkdir -p bin libexec/composio-lua share/composio-lua/scripts
      cp %s bin/ && ln -s %s libexec/composio-lua/
      echo 'print "shipped"' > share/composio-lua/scripts/own.lua
    ]]):format(place.path, host.program, (host.program:gsub("lua$", "emulator"))))
    local options = { program = place.path .. "/bin/composio-lua" }
    local run = place:run({ "own", "--emulator=20" }, options)
    assert.equal(0, run.code, run.err)
    assert.equal("shipped\n", run.out)
    has(place:run({ "scripts" }, options).out, "own")
    os.execute("rm -r " .. place.path .. "/libexec " .. place.path .. "/share")
    run = place:run({ "own" }, options)
    assert.equal(2, run.code)
    has(run.err, "not installed")
    run = place:run({ "--emulator", "./job.lua" }, { program = options.program, script = "" })
    assert.equal(2, run.code)
    has(run.err, "composio-emulator is installed neither")
  end)
end)

describe("the sandbox", function()
  local function out_of(script, ...)
    local run = place:run({ "job.lua", ... }, { script = script })
    return run.out, run
  end

  it("has no library that reaches outside", function()
    local names = [[
      for _, use in ipairs {
        function() io.open "x" end, function() return io.stdout.write end,
        function() dofile "x" end, function() loadfile "x" end,
        function() os.execute "x" end, function() os.getenv "x" end,
        function() os.remove "x" end, function() os.rename("x", "y") end,
        function() os.exit() end, function() package.loadlib("x", "y") end,
        function() debug.getregistry() end,
      } do
        print(select(2, pcall(use)))
      end
      print(string.dump, (pcall(require, "io")), (pcall(require, "package")))
      print(type(os.time()), type(os.date()), type(os.clock()), os.difftime(2, 1))
    ]]
    local out = out_of(names)
    for _, name in ipairs {
      "io.open needs --allow io", "io.stdout needs --allow io", "dofile needs --allow io",
      "loadfile needs --allow io", "os.execute needs --allow os", "os.getenv needs --allow os",
      "os.remove needs --allow os", "os.rename needs --allow os", "os.exit needs --allow os",
      "package.loadlib is not for scripts; no --allow brings it",
      "debug.getregistry is not for scripts; no --allow brings it",
    } do
      has(out, name)
    end
    has(out, "nil\tfalse\tfalse\n")
    has(out, "number\tstring\tnumber\t1")
  end)

  it("leaves tracebacks and warnings", function()
    local out, run = out_of [[
      print(debug.traceback "here")
      warn("one ", "warning")
      warn "@off"
      warn "not this"
      warn "@on"
      warn "and this"
    ]]
    has(out, "here\nstack traceback:\n\tjob.lua:3: in main chunk")
    has(run.err, "Lua warning: one warning\nLua warning: and this\n")
    lacks(run.err, "not this")
  end)

  it("keeps the metatable of files, also where io is allowed", function()
    local out = out_of([[
      print(getmetatable(io.stdout), (pcall(setmetatable, io.stdout, {})))
      local file = assert(io.open("x", "w"))
      print(getmetatable(file), pcall(function() file.write = print end))
    ]], "--allow", "io")
    assert.matches("^false\tfalse\nfalse\tfalse\t", out)
  end)

  it("gives io and os when they are allowed", function()
    local out = out_of([[print(type(io.open), type(os.getenv))]], "--allow", "io,os")
    assert.equal("function\tfunction\n", out)
    has(out_of([[print(type(io.open), pcall(os.getenv, "x"))]], "--allow=io"),
      "function\tfalse\tos.getenv needs --allow os")
    has(out_of([[print(pcall(io.popen, "x"))]], "--allow", "io"), "io.popen needs --allow os")
    assert.equal("function\n", (out_of("print(type(io.popen))", "--allow", "io,os")))
  end)

  it("finds modules beside the script, text only, and nowhere else", function()
    place:write("helper.lua", "return { word = 'found' }")
    os.execute("mkdir " .. place.path .. "/deep")
    place:write("deep/er.lua", "return 'deep'")
    place:write("binary.lua", string.dump(function() end))
    local out = out_of [[
      print(require("helper").word, (require "deep.er"))
      print(pcall(require, "binary"))
      print((pcall(require, "../secret")), (pcall(require, "socket")))
      print((pcall(require, "composio.host")))
      print(pcall(require, "composio.core"))
      print((pcall(require, "composio.before")), (pcall(require, "composio.sandbox")))
    ]]
    has(out, "module 'composio.core' is private: a script requires composio itself")
    has(out, "\nfalse\tfalse\n")
    has(out, "found\tdeep\n")
    has(out, "attempt to load a binary chunk")
    has(out, "false\tfalse\nfalse\n")
  end)

  it("loads no bytecode", function()
    local code = string.dump(function()
      return 1
    end)
    place:write("binary", code)
    local out = out_of(([[
      print(load(%q, "x", "b"))
      print(load("return 1 + 1")())
      print(load("return x", "y", "t", { x = 5 })())
    ]]):format(code))
    has(out, "attempt to load a binary chunk")
    has(out, "\n2\n5\n")
    local from_file = out_of(([[
      print(pcall(dofile, %q))
      print(loadfile(%q, "b"))
      print(loadfile(%q, "bt"))
    ]]):gsub("%%q", ("%q"):format(place.path .. "/binary")), "--allow", "io")
    assert.equal(3, select(2, from_file:gsub("attempt to load a binary chunk", "")), from_file)
    place:write("job.lua", code)
    local run = place:run { "job.lua" }
    assert.equal(2, run.code)
    has(run.err, "bytecode")
  end)

  it("ends a script that computes for too long without a call, wherever it does", function()
    for _, script in ipairs {
      "while true do end",
      "while true do pcall(function() while true do end end) end",
      "coroutine.wrap(function() while true do end end)()",
      "composio.spawn(function() while true do end end):join()",
    } do
      local _, run = out_of(script, "--cpu", "300ms")
      assert.equal(1, run.code, script .. run.err)
      has(run.err, "the script used the CPU for 0.3 s without an API call (--cpu DUR)")
    end
  end)

  it("lets a script compute that makes calls meanwhile", function()
    local _, run = out_of([[
      local began = os.clock()
      while os.clock() - began < 0.9 do
        for number = 1, 1e5 do local _ = number * number end
        accounts.list { limit = 1 }
      end
    ]], "--cpu", "500ms")
    assert.equal(0, run.code, run.err)
  end)

  it("ends a script that needs too much memory, with 1 and a way out", function()
    local greedy = [[local t = {} while true do t[#t + 1] = ("x"):rep(1000) .. #t end]]
    local out, run = out_of(greedy, "--memory", "16")
    assert.equal("", out)
    assert.equal(1, run.code)
    has(run.err, "more than 16 MB of memory (--memory MB)")
  end)

  it("ends a script that runs on, and pcall cannot hold it", function()
    local spin = [[
      composio.spawn(function() while true do pcall(function() while true do end end) end end)
      while true do pcall(function() while true do end end) end
    ]]
    local _, run = out_of(spin, "--instructions", "5000000")
    assert.equal(1, run.code)
    has(run.err, "--instructions")
    local nested = [[
      coroutine.wrap(function() while true do pcall(function() while true do end end) end end)()
    ]]
    _, run = out_of(nested, "--instructions", "1000000")
    assert.equal(1, run.code)
  end)

  it("ends by os.exit with the script's code, the ledger closed", function()
    local script = [[
      accounts.disable(accounts.list({ statuses = { "ACTIVE" } }).items[1])
      pcall(os.exit, 65)
      print "not reached"
    ]]
    local out, run = out_of(script, "--allow", "os", "--apply")
    assert.equal("", out)
    assert.equal(65, run.code)
    assert.same({ { "65", "1" } }, place:ledger "SELECT exit_code, ended_ms > 0 FROM run")
    assert.same({ { "3" } }, place:ledger "SELECT outcome FROM outcome")
  end)
end)

describe("what is written", function()
  local BULK = [[
    print "from the script"
    composio.bulk("idle", accounts.each { statuses = { "ACTIVE" } }, function(account)
      account:disable { reason = "spec" }
    end)
  ]]

  it("is on stdout what the script says, and the plan", function()
    local run = place:run(host.unlimited { "job.lua" }, { script = BULK })
    has(run.out, "from the script\nplan idle: ")
    local command = "next: composio-lua --max-changes 1000000 --max-percent 100 %s/job.lua --apply"
    has(run.err, command:format(place.path))
  end)

  it("shows the first changes, and all when asked", function()
    place:script(BULK)
    local function lines(run)
      return select(2, run.out:gsub("\n  disable  ca_", ""))
    end
    local first, all = place:run { "job.lua" }, place:run { "job.lua", "--show", "all" }
    assert.equal(10, lines(first))
    local planned = tonumber(first.out:match "plan idle: (%d+) changes")
    assert.is_true(planned > 10)
    assert.equal(planned, lines(all))
    has(first.out, "job.lua:5  spec")
  end)

  it("is one JSON object in --summary", function()
    local words = host.unlimited { "job.lua", "--summary", "summary.json" }
    local run = place:run(words, { script = BULK })
    local preview = run.summary
    assert.equal("preview", preview.mode)
    assert.equal(0, preview.exit)
    assert.equal("job.lua", preview.script)
    assert.is_true(preview.outcomes.planned > 10)
    assert.is_true(preview.listing.complete)
    assert.equal(preview.outcomes.planned, preview.listing.accounts)
    local next_words = "composio-lua %s %s/job.lua --summary %s/summary.json --apply"
    assert.equal(next_words:format("--max-changes 1000000 --max-percent 100", place.path,
      place.path), preview.next)
    assert.matches("^%d+%-%d+%-%d+T%d+%-job%-%w+$", preview.run)
    words = host.unlimited { "job.lua", "--apply", "--summary", "-" }
    run = place:run(words, { script = BULK })
    local text = run.out:match "\n({.*})\n$"
    local apply = require("cjson").decode(text)
    assert.equal("apply", apply.mode)
    assert.equal(preview.outcomes.planned, apply.outcomes.done)
    for _, word in ipairs { "same", "failed", "skipped", "unknown", "stale", "pending" } do
      assert.equal(0, apply.outcomes[word])
    end
    assert.same({ disable = { done = apply.outcomes.done } }, apply.operations)
    assert.is_true(apply.requests > apply.outcomes.done)
    assert.is_true(apply.seconds > 0)
    assert.equal(require("cjson").null, apply.next)
  end)

  it("is nothing but failures with -q", function()
    local run = place:run(host.unlimited { "job.lua", "-q", "--apply" }, { script = BULK })
    assert.equal("", run.err)
    run = place:run({ "job.lua", "-q" }, { script = [[accounts.get "ca_unknown"]] })
    has(run.err, "ComposioConnectedAccountNotFoundError")
  end)

  it("is one line per event in --log, as text or JSON", function()
    place:run({ "job.lua", "--log", "run.log", "-vv" }, { script = "accounts.list()" })
    has(place:read "run.log", "connected_accounts")
    os.remove(place.path .. "/run.log")
    local words = { "job.lua", "--log", "run.log", "--log-format", "json", "-vv" }
    place:run(words, { script = "accounts.list()" })
    local events = 0
    for line in place:read("run.log"):gmatch "[^\n]+" do
      assert.is_table(require("cjson").decode(line))
      events = events + 1
    end
    assert.is_true(events > 0)
    assert.equal("600", place:mode "run.log")
  end)

  it("has a progress line when asked, none without a terminal", function()
    local slow = BULK:gsub("account:disable", "composio.sleep(0.02) account:disable")
    local words = { "job.lua", "--concurrency", "1" }
    assert.is_nil(place:run(words, { script = slow }).err:find "\r")
    words[4] = "--progress=always"
    assert.is_not_nil(place:run(words, { script = slow }).err:find("\r\27[Klooked at", 1, true))
    words[1], words[2], words[3], words[4] = "job.lua", "--progress", "never", nil
    assert.is_nil(place:run(words, { script = slow }).err:find "\r")
  end)

  it("that cannot be written changes nothing", function()
    place:script(BULK)
    for _, redirect in ipairs {
      ">/dev/full 2>&1", ">&- 2>&-", "| head -c 1 >/dev/null; exit ${PIPESTATUS[0]}",
    } do
      emulator:reset()
      local options = { redirect = redirect }
      if redirect:find "^|" then
        options.redirect = "2>&1 " .. redirect
      end
      local words = host.unlimited { "job.lua", "--apply", "--state-dir", "s" .. #redirect }
      local run = place:run(words, options)
      assert.equal(0, run.code, redirect)
      assert.is_true(#emulator:changes() > 10)
    end
  end)

  it("makes names from outside harmless", function()
    local run = place:run({ "job.lua" }, {
      script = [[composio.bulk({ { id = "a\27[2Jb" } }, function() error("\27]0;evil\7") end)]],
    })
    assert.equal(3, run.code)
    assert.is_nil(run.err:find "\27")
    has(run.err, "\\x1b")
  end)
end)
