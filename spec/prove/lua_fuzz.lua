-- Writes Lua: tasks, joins in all directions, cancels, closes, finalizers, coroutines
-- within coroutines, threads that are kept and closed or resumed later, and bulks, in
-- random order. Each script runs under AddressSanitizer, half of them in the host and half
-- with the module alone. None may crash, hang or leak, and a join returns what its task
-- returned, each time, or raises.
-- Usage: lua5.4 spec/prove/lua_fuzz.lua [short | seed=N | minutes=N]
-- COMPOSIO_ASAN_BUILD: where the programs are (build/asan). PROVE_KEEP=1 leaves the last
-- script of each process in its directory.
-- Must not know: how tasks are kept.
package.path = (arg[0]:match "^(.*)/spec/prove/[^/]*$" or ".") .. "/?.lua;" .. package.path
local server = require "spec.support.server"
local stage = require "spec.prove.stage"

local TRIALS = 400 -- in full mode
local FEW = 16
local DEEPEST = 4
local build = os.getenv "COMPOSIO_ASAN_BUILD" or "build/asan"
local minutes = tonumber((table.concat(arg, " "):match "minutes=(%d+)"))

stage.begin_random("lua_fuzz", 2, "scripts")
local path, state = stage.dir .. "/fuzz.lua", stage.dir .. "/state"
local emulator = stage.emulator { "--accounts", "60" }

-- ---- what the scripts share ----

local PRELUDE = [[
local composio = require "composio"
local accounts = composio.connected_accounts
local tasks, threads, values, joins, rubbish = {}, {}, {}, 0, nil
local function pick(list, number)
  return list[(number - 1) % math.max(#list, 1) + 1]
end
local function lost(what, ...)
  print("LOST", what, ...)
end
local function spawn(f)
  local id = #tasks + 1
  local value = { id }
  values[id], tasks[id] = value, false
  local ok, task = pcall(composio.spawn, function()
    threads[#threads + 1] = coroutine.running()
    f()
    if id % 3 == 0 then
      return value
    elseif id % 3 == 1 then
      return id, value, nil, value
    end
  end)
  tasks[id] = ok and task
  return tasks[id]
end
local ended = {} -- task id → whether a join succeeded
local function join(number)
  local id = (number - 1) % math.max(#tasks, 1) + 1
  local task = tasks[id]
  if not task then
    return
  end
  local got = table.pack(pcall(task.join, task))
  joins = joins + 1
  local value = values[id]
  if got[1] then
    local fits = id % 3 == 0 and got.n == 2 and got[2] == value
      or id % 3 == 1 and got.n == 5 and got[2] == id and got[3] == value and got[5] == value
      or id % 3 == 2 and got.n == 1
    if not fits then
      lost("a result", id, table.unpack(got, 1, got.n))
    elseif ended[id] == false then
      lost("an error", id)
    end
    ended[id] = true
  elseif got[2] == nil then
    lost("a reason", id)
  elseif task.status == "done" and not tostring(got[2]):find "cancel" and ended[id] then
    lost("a success", id, got[2])
  elseif task.status == "failed" then
    ended[id] = false
  end
end
local function cancel(number, grace)
  local task = pick(tasks, number)
  if task then
    pcall(task.cancel, task, "fuzz", grace)
  end
end
local function try(f, ...)
  return pcall(f, ...)
end
local function finalizer(f)
  setmetatable({}, { __gc = f })
end
local function closing(f)
  return setmetatable({}, { __close = f })
end
local function thread(number, call)
  local kept = pick(threads, number)
  if kept and kept ~= coroutine.running() then
    pcall(call, kept)
  end
end
]]

-- ---- random blocks ----

local random, host, lines

local function add(depth, text, ...)
  lines[#lines + 1] = ("  "):rep(depth) .. text:format(...)
end

local block

local function body(depth, head, tail)
  add(depth, "%s", head)
  block(depth + 1)
  add(depth, "%s", tail)
end

local STATEMENTS = {
  function(depth) body(depth, "spawn(function()", "end)") end,
  function(depth) body(depth, "spawn(function()", "end)") end,
  function(depth) body(depth, "spawn(function()", "error 'fuzz' end)") end,
  function(depth) add(depth, "join(%d)", random(1, 40)) end,
  function(depth) add(depth, "join(%d)", random(1, 40)) end,
  function(depth) add(depth, "join(#tasks)") end,
  function(depth) add(depth, "cancel(%d, %s)", random(1, 40), random(0, 1) == 0 and 0 or 0.01) end,
  function(depth) add(depth, "cancel(#tasks, 0)") end,
  function(depth) add(depth, "try(composio.sleep, %s)", ({ 0, 0.001, 0.003 })[random(1, 3)]) end,
  function(depth) add(depth, "threads[#threads + 1] = coroutine.running()") end,
  function(depth) add(depth, "thread(%d, coroutine.close)", random(1, 40)) end,
  function(depth) add(depth, "thread(%d, coroutine.resume)", random(1, 40)) end,
  function(depth) body(depth, "finalizer(function()", "end)") end,
  function(depth) add(depth, "collectgarbage %q", random(0, 2) > 0 and "step" or "collect") end,
  function(depth) body(depth, "try(coroutine.wrap(function()", "end))") end,
  function(depth)
    body(depth, "do local kept = coroutine.create(function()", "end)")
    add(depth, "threads[#threads + 1] = kept try(coroutine.resume, kept) end")
  end,
  function(depth)
    body(depth, "try(function() local _ <close> = closing(function()", "end)")
    block(depth + 1)
    add(depth, "end)")
  end,
  function(depth) body(depth, "try(function()", "error { 'fuzz' } end)") end,
  function(depth)
    body(depth, "xpcall(function()", "error 'fuzz' end, function(text)")
    block(depth + 1)
    add(depth, "return text end)")
  end,
  function(depth) body(depth, "try(composio.run, function()", "end)") end,
  function(depth)
    body(depth, "try(table.sort, { 3, 1, 2 }, function(a, b)", "return a < b end)")
  end,
  function(depth) add(depth, "if coroutine.isyieldable() then coroutine.yield() end") end,
  function(depth) add(depth, "rubbish = ('x'):rep(%d)", random(1, 100000)) end,
}

local OF_THE_HOST = {
  function(depth) add(depth, "try(accounts.get, 'ca_github_u123A')") end,
  function(depth) add(depth, "try(accounts.get, 'ca_nope')") end,
  function(depth) body(depth, "for _ in accounts.each { limit = 20 } do", "break end") end,
  function(depth) add(depth, "try(accounts.disable, 'ca_github_u123A')") end,
  function(depth)
    add(depth, "try(composio.bulk, 'b%d', accounts.each { limit = 20 }, function(account)",
      random(1, 1 << 20))
    block(depth + 1)
    add(depth, "return account:disable() end)")
  end,
  function(depth)
    body(depth, "do local client = composio.client {} spawn(function()", "client:close() end)")
    add(depth, "try(client.connected_accounts.list, { limit = 1 }) end")
  end,
}

function block(depth)
  for _ = 1, random(1, depth < 2 and 12 or 4) do
    local kinds = host and random(1, 5) == 1 and OF_THE_HOST or STATEMENTS
    local statement = kinds[random(1, #kinds)]
    if depth < DEEPEST then
      statement(depth)
    else
      add(depth, "join(%d)", random(1, 40))
    end
  end
end

local function write_script(seed)
  random, host, lines = stage.random(seed), seed % 2 == 0, { PRELUDE }
  add(0, "try(composio.run, function()")
  block(1)
  add(0, "end)")
  if host then
    block(0)
  end
  add(0, "print('joins', joins)")
  stage.write(path, table.concat(lines, "\n") .. "\n")
end

-- ---- one script ----

local function command_of_host()
  stage.wipe(state)
  return stage.command {
    script = path,
    state = state,
    url = emulator.url,
    program = build .. "/composio-lua",
    more = stage.join({ "--instructions", "20000000", "--memory", "256" }, stage.OPEN),
  }
end

local function command_of_module()
  local words = { "timeout -k 5 120", server.quote(build .. "/composio-spec"), server.quote(path) }
  return table.concat(words, " ")
end

local function trial(seed)
  local problems = {}
  write_script(seed)
  local output, code = stage.shell("export ASAN_OPTIONS=exitcode=99:abort_on_error=0 "
    .. "LSAN_OPTIONS=exitcode=99:print_suppressions=0 UBSAN_OPTIONS=print_stacktrace=1; "
    .. (host and command_of_host() or command_of_module()))
  if code == 124 or code == 137 then
    problems[#problems + 1] = "it hangs"
  elseif code >= 99 then
    problems[#problems + 1] = "it crashes, exit " .. code
  end
  for _, words in ipairs { "LOST[^\n]*", "runtime error:[^\n]*", "ERROR: %w+Sanitizer[^\n]*" } do
    problems[#problems + 1] = output:match(words)
  end
  local joins = tonumber(output:match "joins\t(%d+)")
  stage.note("joins", joins or 0)
  stage.note("scripts that ended early", joins and 0 or 1)
  if #problems > 0 then
    problems[#problems + 1] = output:sub(-3000)
    stage.write(("%s/seed-%d.lua"):format(os.getenv "TMPDIR" or "/tmp", seed), stage.read(path))
  end
  stage.point(problems, "seed=" .. seed)
end

if minutes and not stage.seed then
  local seed, stop = os.time() * 1000, os.time() + minutes * 60
  while os.time() < stop do
    seed = seed + 1
    if stage.mine() then
      trial(seed)
    end
  end
else
  stage.each_seed(FEW, TRIALS, trial)
end
emulator:stop()
stage.finish "scripts"
