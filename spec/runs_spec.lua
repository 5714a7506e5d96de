-- The verbs that show earlier runs: runs, show RUN, history ACCOUNT.
local cjson = require "cjson"
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"
local server = require "spec.support.server"

local has = job.has
local emulator, place

local STATE = ".local/state/composio-lua"
local ID = "ca_github_u123A"

local IDLE = [[
composio.bulk("idle", accounts.each { statuses = { "ACTIVE" } }, function(account)
  account:disable { reason = "idle for long" }
end)
]]

scene.of_host({ "--accounts", "30" }, function(...)
  emulator, place = ...
end)

-- A verb that looks back: without key and service, and asks nobody.
local function back(...)
  emulator:forget()
  local run = place:run({ ... }, { env = { COMPOSIO_API_KEY = false, COMPOSIO_BASE_URL = false } })
  assert.same({}, emulator:requests())
  return run
end

local function lines_of(text)
  local list = {}
  for line in text:gmatch "[^\n]+" do
    list[#list + 1] = line
  end
  return list
end

-- The JSON lines of a verb.
local function json(...)
  local words = { ... }
  words[#words + 1] = "--json"
  local run = back(table.unpack(words))
  assert.equal(0, run.code, run.err)
  local list = lines_of(run.out)
  for place_in_list, line in ipairs(list) do
    list[place_in_list] = cjson.decode(line)
  end
  return list
end

local function of_kind(list, kind)
  local found = {}
  for _, object in ipairs(list) do
    if object.kind == kind then
      found[#found + 1] = object
    end
  end
  return found
end

local function run_of(text, ...)
  local words = host.unlimited { "job.lua", "--summary", "summary.json", ... }
  local run = place:run(words, { script = text })
  assert(run.summary, run.err)
  return run.summary.run, run
end

-- Like a terminal of so many columns: what the program wrote to it.
local function on_terminal(columns, ...)
  local words = {}
  for place_in_list, word in ipairs { ... } do
    words[place_in_list] = server.quote(word)
  end
  local command = ("cd %s && HOME=%s script -qec %s /dev/null </dev/null"):format(
    server.quote(place.path),
    server.quote(place.path),
    server.quote(("stty cols %d; %s %s"):format(columns, host.program, table.concat(words, " ")))
  )
  return (host.shell(command):gsub("\r", ""))
end

describe("runs", function()
  it("are none in a new place, which is no error", function()
    for _, words in ipairs { { "runs" }, { "history", ID }, { "runs", "--json" } } do
      local run = back(table.unpack(words))
      assert.equal(0, run.code)
      assert.equal("", run.out)
      has(run.err, "no runs yet in " .. place.path .. "/" .. STATE)
    end
    local run = back("show", "last")
    assert.equal(2, run.code)
    has(run.err, "no runs yet in ")
    run = back("runs", "--state-dir", "elsewhere")
    has(run.err, "no runs yet in elsewhere")
    assert.equal("", host.shell("ls -A " .. place.path .. " | grep -v '^out\\|^err' || true"))
  end)

  it("stand one a line, newest first, with the id in the first column", function()
    local preview = run_of(IDLE)
    local apply, run = run_of(IDLE, "--apply")
    local wrong = run_of("composio.bulk({ 'ca_nosuch' }, accounts.disable) error 'no'", "--apply")
    local lines = lines_of(back("runs").out)
    assert.equal(3, #lines)
    assert.equal(wrong, lines[1]:match "^(%S+)  ")
    assert.matches("  exit 1  ", lines[1])
    assert.equal(apply, lines[2]:match "^(%S+)  ")
    local done = math.tointeger(run.summary.outcomes.done)
    assert.matches("  done  +apply  +" .. done .. " done  +%d+%.%ds  ", lines[2])
    assert.equal(preview, lines[3]:match "^(%S+)  ")
    assert.matches("  done  +preview  +" .. done .. " planned  ", lines[3])
    local by = host.shell "id -un" .. "@" .. host.shell "uname -n"
    has(lines[3], "  " .. by .. "  ")
    assert.matches("  %d+%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$", lines[3])
    assert.equal(1, select(2, back("runs", "--limit", "1").out:gsub("\n", "")))
    has(back("runs", "--limit", "1").out, wrong)
    assert.same(lines, lines_of(back("runs", "--limit", "0").out))
  end)

  it("are JSON lines with the same facts when asked", function()
    local preview = run_of(IDLE)
    local apply, run = run_of(IDLE, "--apply")
    local list = json "runs"
    assert.equal(2, #list)
    assert.equal(apply, list[1].run)
    assert.equal("apply", list[1].mode)
    assert.equal("ended", list[1].state)
    assert.equal(0, list[1].exit)
    assert.same({ done = run.summary.outcomes.done }, list[1].changes)
    assert.equal(1, list[1].parts)
    assert.equal(64, #list[1].script_sha256)
    assert.equal(emulator.url, list[1].base_url)
    assert.is_true(list[1].began <= list[1].ended)
    assert.equal(cjson.null, list[1].undoes)
    assert.equal(preview, list[2].run)
    assert.equal("preview", list[2].mode)
  end)

  it("tell one that was killed from one that goes on", function()
    place:script [[
      accounts.disable(composio.connected_accounts.list({ statuses = { "ACTIVE" } }).items[1])
      print "ready"
      composio.sleep(60)
    ]]
    local process = place:start { "job.lua", "--apply" }
    process:wait_for "ready"
    assert.matches("  running  +apply  +%-  ", back("runs").out)
    assert.equal("running", json("runs")[1].state)
    assert.is_nil(back("show", "last").out:find("next:", 1, true))
    process:signal "KILL"
    process:wait()
    -- the kill may come before the outcome is on disk
    local line = back("runs").out
    assert.is_truthy(line:find("  interrupted  +apply  +1 done  +%-  ")
      or line:find("  interrupted  +apply  +1 intended  +%-  "), line)
    local run = json("runs")[1]
    assert.equal("interrupted", run.state)
    assert.equal(cjson.null, run.exit)
    assert.equal(cjson.null, run.ended)
    has(back("show", "last").out, "next: composio-lua resume " .. run.run)
  end)

  it("do not care who stopped reading", function()
    run_of(IDLE, "--apply")
    for _, words in ipairs { "runs", "'show' last", "history " .. ID } do
      local command = ("cd %s && HOME=$PWD %s %s 2>err.9 | true; echo ${PIPESTATUS[0]}"):format(
        server.quote(place.path), host.program, words)
      assert.equal("0", host.shell("bash -c " .. server.quote(command)), words)
      assert.equal("", place:read "err.9")
    end
    local run = place:run({ "show", "last" }, { redirect = ">/dev/full 2>err.2" })
    assert.equal(1, run.code)
    has(place:read "err.2", "stdout cannot be written")
  end)
end)

describe("a run", function()
  it("is shown whole: who, what, counts, changes", function()
    local id, run = run_of(IDLE, "--apply")
    local shown = back("show", id)
    assert.equal(0, shown.code)
    assert.equal("", shown.err)
    local done = math.tointeger(run.summary.outcomes.done)
    for _, part in ipairs {
      "run        " .. id .. "\n",
      "what       apply\n",
      "job.lua\n",
      "sha-256    " .. host.shell("sha256sum " .. place.path .. "/job.lua"):match "%x+" .. "\n",
      " by " .. host.shell "id -un" .. "@" .. host.shell "uname -n" .. "\n",
      "state      done\n",
      " at " .. emulator.url .. "\n",
      "\nundo: composio-lua undo " .. id .. "\n",
    } do
      has(shown.out, part)
    end
    assert.matches("\ndisable  +done  +" .. done .. "\n", shown.out)
    assert.matches("\nitems  +done  +" .. done .. "\n", shown.out)
    assert.matches("\ndisable  " .. ID .. "  done  ACTIVE → INACTIVE  idle for long  user_123 +"
      .. "github +job%.lua:4  %x+%-", shown.out)
    assert.equal(done, select(2, shown.out:gsub("\ndisable  ca_", "")))
    assert.is_nil(shown.out:find("next:", 1, true))
  end)

  it("is found by the beginning or the end of its id, or as the last", function()
    local first, second = run_of(IDLE), run_of(IDLE)
    for _, word in ipairs { second, "last", second:match "[^-]+$", second:sub(1, -2) } do
      has(back("show", word).out, "run        " .. second)
    end
    has(back("show", first).out, "run        " .. first)
    local run = back("show", first:sub(1, 8))
    assert.equal(2, run.code)
    has(run.err, first)
    has(run.err, second)
    run = back("show", "no-such-run")
    assert.equal(2, run.code)
    has(run.err, "no-such-run")
    assert.equal("", run.out)
  end)

  it("with many changes shows the first 50, and all when asked", function()
    local id = run_of [[
      for n = 1, 130 do
        accounts.link("user " .. n, "ac_GithubManage", { allow_multiple = true })
      end
    ]]
    local function count(...)
      local out = back("show", id, ...).out
      return select(2, out:gsub("\nlink  [^\n]*job.lua:", "")), out
    end
    local shown, out = count()
    assert.equal(50, shown)
    has(out, "\n… and more (--show all)\n")
    shown, out = count("--show", "all")
    assert.equal(130, shown)
    assert.is_nil(out:find("… and", 1, true))
    local changes = of_kind(json("show", id), "change")
    assert.equal(130, #changes)
    assert.equal("user 130", changes[130].user)
  end)

  it("says what failed, why, and how to go on", function()
    emulator:faults { job.refusal { method = "PATCH", nth = 3 } }
    local id, run = run_of(IDLE, "--apply")
    emulator:faults()
    assert.equal(3, run.code)
    local next = "composio-lua resume " .. id .. " --failed"
    assert.equal(next, run.summary.next)
    has(run.err, "next: " .. next .. "\n")
    local out = back("show", id).out
    assert.matches("\ndisable  +failed  +1\n", out)
    assert.matches("\ndisable  ca_%S+  +failed  +[^\n]*idle for long; [^\n]*not this one", out)
    has(out, "\nnext: " .. next .. "\n")
    local lines = json("show", id)
    assert.equal(next, lines[1].next)
    for _, change in ipairs(of_kind(lines, "change")) do
      if change.outcome == "failed" then
        has(change.error, "not this one")
        assert.equal("idle for long", change.reason)
        return
      end
    end
    error "no failed change"
  end)

  it("carries the options that going on needs into the next command", function()
    emulator:faults {
      { method = "PATCH", nth = 3, action = "reply", status = 400,
        body = { error = { message = "no", code = 1 } } },
    }
    place:write("keep.txt", "user:nobody\n")
    local id, run = run_of(IDLE, "--apply", "--state-dir", "my state", "--allow=io", "--rate",
      "50/s", "--protect", "keep.txt", "--max-changes", "100", "--", "a word")
    emulator:faults()
    assert.equal(
      ("composio-lua resume %s --state-dir '%s/my state' --protect %s/keep.txt "):format(id,
        place.path, place.path) .. "--rate 50/s --allow io --failed",
      run.summary.next
    )
    has(back("show", id, "--state-dir", "my state").out,
      ("next: composio-lua resume %s --state-dir '%s/my state' --rate 50/s --failed\n"):format(id,
        place.path))
  end)

  it("names files in the next command so that it works in any directory", function()
    emulator:faults { job.refusal { method = "PATCH", nth = 3 } }
    place:write("key.secret", emulator.api_key, "600")
    local run = place:run(
      host.unlimited { "job.lua", "--apply", "--api-key-file=key.secret", "--state-dir", "state",
        "--summary=summary.json" },
      { script = IDLE, env = { COMPOSIO_API_KEY = false } }
    )
    emulator:faults()
    assert.equal(3, run.code, run.err)
    host.shell(("mkdir %s/elsewhere"):format(place.path))
    local there = { prefix = ("env -C %s/elsewhere"):format(place.path),
      env = { COMPOSIO_API_KEY = false } }
    local shown = place:run({ "show", run.summary.run, "--state-dir=../state" }, there)
    local command = shown.out:match "\nnext: composio%-lua ([^\n]+)\n"
    has(command, ("--api-key-file %s/key.secret"):format(place.path))
    local words = {}
    for word in command:gmatch "%S+" do
      words[#words + 1] = word
    end
    local resumed = place:run(words, there)
    assert.equal(0, resumed.code, resumed.err)
  end)

  it("writes a value that begins with a hyphen so that it is read as one", function()
    local script = [[composio.job { params = { n = { type = "integer", default = 1 },
        name = { type = "string", default = "-" } } }
      composio.bulk("off", accounts.each { toolkit_slugs = { "gmail" } }, function(account)
        account:disable()
      end)]]
    local words = { "job.lua", "--n=-5", "--name=-x y", "--save-plan=plan" }
    assert.equal(0, place:run(words, { script = script }).code)
    place:write("plan", (place:read("plan"):gsub('^{"plan":2', '{"plan":1')))
    has(place:run({ "apply", "plan" }).err,
      ("plan again: composio-lua run %s/job.lua --n=-5 '--name=-x y' --save-plan %s/plan\n"):format(
        place.path, place.path))
  end)

  it("has every fact of a change in its JSON", function()
    local id = run_of([[
      composio.bulk("names", accounts.each { user_ids = { "user_123" }, statuses = { "ACTIVE" },
        toolkit_slugs = { "github" } }, function(account)
        account:update { alias = "for the spec" }
        account:disable { reason = "because" }
      end)
    ]], "--apply")
    local lines = json("show", id)
    assert.equal(1, #of_kind(lines, "run"))
    assert.equal(1, #of_kind(lines, "part"))
    local counts = {}
    for _, count in ipairs(of_kind(lines, "changes")) do
      counts[count.operation .. " " .. count.outcome] = count.count
    end
    assert.same({ ["update done"] = 1, ["disable done"] = 1 }, counts)
    assert.same({ { kind = "items", outcome = "done", count = 1 } }, of_kind(lines, "items"))
    local changes = of_kind(lines, "change")
    assert.equal(2, #changes)
    local alias, disable = table.unpack(changes)
    assert.equal("update", alias.operation)
    assert.same({ alias = "for the spec" }, alias.body)
    assert.equal("disable", disable.operation)
    assert.equal(ID, disable.account)
    assert.equal(ID, disable.key)
    assert.equal("user_123", disable.user)
    assert.equal("github", disable.toolkit)
    assert.equal("ACTIVE", disable.before)
    assert.equal("INACTIVE", disable.after)
    assert.equal("because", disable.reason)
    assert.equal("reversible", disable.class)
    assert.equal("job.lua:6", disable.line)
    assert.is_false(disable.fallback)
    assert.is_true(#disable.request_id > 10)
    assert.matches("^%d+%-%d+%-%d+T", disable.sent)
    assert.is_true(alias.number < disable.number)
  end)
end)

describe("the history of an account", function()
  it("tells every change, oldest first, and by which line of which run", function()
    local first = run_of(IDLE, "--apply")
    local second = run_of(('accounts.enable(%q, { reason = "back" })'):format(ID), "--apply")
    emulator:reset()
    local preview = run_of(IDLE)
    local lines = lines_of(back("history", ID).out)
    assert.equal(2, #lines)
    local by = host.shell "id -un" .. "@" .. host.shell "uname -n"
    assert.matches("^%d+%-%d%d%-%d%dT%d%d:%d%d:%d%dZ  disable  ", lines[1])
    assert.matches("  disable  ACTIVE → INACTIVE +done  idle for long  ", lines[1])
    has(lines[1], "  " .. by .. "  job.lua:4  " .. first)
    assert.matches("  enable +[^ ]+ → ACTIVE +done  back  ", lines[2])
    has(lines[2], "  job.lua:3  " .. second)
    lines = lines_of(back("history", ID, "--show", "all").out)
    assert.equal(3, #lines)
    assert.matches("  disable  ACTIVE → INACTIVE  planned  ", lines[3])
    has(lines[3], preview)
  end)

  it("is JSON lines when asked", function()
    local id = run_of(IDLE, "--apply")
    local list = json("history", ID)
    assert.equal(1, #list)
    assert.equal(id, list[1].run)
    assert.equal("apply", list[1].mode)
    assert.equal("disable", list[1].operation)
    assert.equal("ACTIVE", list[1].before)
    assert.equal("INACTIVE", list[1].after)
    assert.equal("done", list[1].outcome)
    assert.equal("idle for long", list[1].reason)
    assert.equal("user_123", list[1].user)
    assert.matches("^%d+%-%d+%-%d+T", list[1].at)
    emulator:reset()
    run_of(IDLE)
    assert.equal(1, #json("history", ID))
    assert.equal(2, #json("history", ID, "--show=all"))
  end)

  it("has the creates that made it, and changes of auth configs", function()
    local _, run = run_of([[
      print(accounts.link("user_new", "ac_GithubCustom", { allow_multiple = true }).id)
      composio.auth_configs.disable("ac_GithubCustom")
    ]], "--apply")
    local made = run.out:match "ca_[%w_-]+"
    local list = json("history", "ac_GithubCustom")
    assert.equal("auth_configs.disable", list[#list].operation)
    list = json("history", made)
    assert.equal(1, #list)
    assert.equal("link", list[1].operation)
    assert.equal(made, list[1].made)
    assert.equal("ac_GithubCustom", list[1].auth_config)
    has(back("history", made).out, "→ " .. made)
  end)

  it("of one that nobody changed is empty, and says so", function()
    run_of(IDLE)
    local run = back("history", "ca_nosuch")
    assert.equal(0, run.code)
    assert.equal("", run.out)
    has(run.err, "has changed ca_nosuch")
    run = back("history", ID)
    assert.equal("", run.out)
    has(run.err, "no run has changed " .. ID .. "; 1 preview would have (--show all)")
  end)
end)

describe("tables", function()
  local LONG = "eine sehr lange Begründung mit Umlauten äöü und 漢字 und noch mehr"

  local function width(line)
    return utf8.len(line)
  end

  it("fit a terminal, cut with an ellipsis between code points", function()
    run_of(IDLE:gsub("idle for long", LONG), "--apply")
    for _, columns in ipairs { 60, 80, 100, 140 } do
      for _, words in ipairs { { "runs" }, { "history", ID } } do
        local lines = lines_of(on_terminal(columns, table.unpack(words)))
        assert.is_true(#lines >= 2)
        for _, line in ipairs(lines) do
          assert.is_truthy(width(line), line)
          assert.is_true(width(line) <= columns, ("%d: %s"):format(columns, line))
        end
      end
    end
    local lines = lines_of(on_terminal(100, "history", ID))
    assert.matches("^when +operation +from and to +outcome +why +by ", lines[1])
    assert.matches("  eine [^ ].-…  ", lines[2])
    has(lines[2], "ACTIVE → INACTIVE")
    has(on_terminal(300, "history", ID), LONG)
  end)

  it("of a preview fit it, too", function()
    place:script((IDLE:gsub("idle for long", LONG)))
    for _, columns in ipairs { 60, 80, 100 } do
      local shown = 0
      for _, line in ipairs(lines_of(on_terminal(columns, "job.lua", "--emulator=30"))) do
        if line:find "^  disable " or line:find "^  change " then
          shown = shown + 1
          assert.is_true(width(line) <= columns, ("%d: %s"):format(columns, line))
        end
      end
      assert.is_true(shown > 10)
    end
  end)

  it("of a preview count columns, not bytes, and are whole elsewhere", function()
    local run = place:run(host.unlimited { "job.lua", "--show=all" }, { script = [[
      for _, user in ipairs { "anna", "jösé", "🙂" } do
        accounts.link(user, "ac_GithubManage", { allow_multiple = true, reason = ("x"):rep(300) })
      end
    ]] })
    local ends = {}
    for _, line in ipairs(lines_of(run.out)) do
      local head = line:match "^  link .*()job%.lua:4  x+$"
      if head then
        ends[#ends + 1] = utf8.len(line:sub(1, head - 1))
        has(line, ("x"):rep(300))
      end
    end
    assert.equal(3, #ends)
    -- the face is one letter of two columns
    assert.same({ ends[1], ends[1] - 1 }, { ends[2], ends[3] })
  end)

  it("are whole and without a head elsewhere", function()
    run_of(IDLE:gsub("idle for long", LONG), "--apply")
    local lines = lines_of(back("history", ID).out)
    assert.equal(1, #lines)
    has(lines[1], "  " .. LONG .. "  ")
  end)

  it("make names from outside harmless", function()
    local id = run_of(([[
      accounts.update("%s", { alias = "\u{202e}evil" })
      accounts.disable("%s", { reason = "\27]0;evil\7\u{9b}2J" })
    ]]):format(ID, ID))
    for _, words in ipairs { { "show", id }, { "history", ID, "--show", "all" } } do
      local out = back(table.unpack(words)).out
      has(out, "evil")
      assert.is_nil(out:find("[\0-\9\11-\31\127]"))
      assert.is_nil(out:find("\u{202e}", 1, true))
      assert.is_nil(out:find("\u{9b}", 1, true))
    end
  end)
end)
