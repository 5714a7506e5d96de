-- A sample to copy: a script of one's own against composio-emulator, with a
-- seed, a moved clock and a service that fails. Run it by
--
--   busted my_script_spec.lua
--
-- It needs busted, curl and lua-cjson, and finds composio-lua and
-- composio-emulator by PATH, or in the directory that COMPOSIO_BUILD names.
local cjson = require "cjson"

local here = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$" or "."
local build = os.getenv "COMPOSIO_BUILD"
local bin = build and build .. "/" or ""

-- ---- the helper: copy it with the spec ----

local function quote(word)
  return "'" .. tostring(word):gsub("'", "'\\''") .. "'"
end

-- What a command prints, and its exit code. (Debian's busted runs in Lua 5.1,
-- whose close() tells no code.)
local function run(words)
  local quoted = {}
  for place, word in ipairs(words) do
    quoted[place] = quote(word)
  end
  local pipe = assert(io.popen(table.concat(quoted, " ") .. " 2>&1; printf '\\n%d\\n' $?"))
  local text = pipe:read "*a"
  pipe:close()
  local output, code = text:match "^(.*)\n(%d+)\n$"
  return output, tonumber(code)
end

local Emulator = {}
Emulator.__index = Emulator

local function start_emulator(...)
  local words = { "echo $$; exec", quote(bin .. "composio-emulator") }
  for _, word in ipairs { ... } do
    words[#words + 1] = quote(word)
  end
  local pipe = assert(io.popen(table.concat(words, " ")))
  local pid = pipe:read "*l"
  local ready = pipe:read "*l"
  assert(ready, "composio-emulator does not start")
  local emulator = cjson.decode(ready)
  emulator.pid, emulator.pipe = pid, pipe
  emulator.state_dir = run({ "mktemp", "-d" }):match "%S+"
  return setmetatable(emulator, Emulator)
end

-- Below /_emulator/: what docs/emulator.md lists, such as ask "stats".
function Emulator:ask(path)
  local text, code = run { "curl", "-sSf", self.url .. "/_emulator/" .. path }
  assert(code == 0, text)
  return text
end

function Emulator:tell(path, body)
  local json = { "-H", "content-type: application/json", "-d", cjson.encode(body) }
  local url = self.url .. "/_emulator/" .. path
  local text, code = run { "curl", "-sSf", json[1], json[2], json[3], json[4], url }
  assert(code == 0, text)
end

-- Everything that changed, oldest first: { op, account_id, before, after, … }
function Emulator:changes()
  local list = {}
  for line in self:ask("changes"):gmatch "[^\n]+" do
    list[#list + 1] = cjson.decode(line)
  end
  return list
end

-- Runs a script in the host: exit code, the summary as a table, what was printed.
function Emulator:run_script(script, ...)
  local file = os.tmpname()
  local words = { "env", "COMPOSIO_API_KEY=" .. self.api_key, bin .. "composio-lua", "run", script }
  local options = { "--base-url", self.url, "--state-dir", self.state_dir, "--summary", file }
  for _, list in ipairs { options, { ... } } do
    for _, word in ipairs(list) do
      words[#words + 1] = word
    end
  end
  local text, code = run(words)
  local summary = assert(io.open(file)):read "*a"
  os.remove(file)
  return code, summary ~= "" and cjson.decode(summary) or nil, text
end

function Emulator:stop()
  os.execute("kill " .. self.pid)
  self.pipe:close()
  run { "rm", "-rf", self.state_dir }
end

-- ---- the spec ----

describe("my_script", function()
  local SCRIPT = here .. "/my_script.lua"
  local emulator

  before_each(function()
    -- the same seed gives the same accounts, every time and everywhere
    emulator = start_emulator("--accounts", "400", "--seed", "7")
  end)
  after_each(function()
    emulator:stop()
  end)

  local function refreshes()
    local count = 0
    for _, change in ipairs(emulator:changes()) do
      if change.op == "refresh" then
        count = count + 1
      end
    end
    return count
  end

  -- whoever was logging in when the emulator started is too late now
  local function pass_ten_minutes()
    emulator:tell("clock/advance", { seconds = 11 * 60 })
  end

  it("changes nothing in a preview", function()
    local code, summary = emulator:run_script(SCRIPT)
    assert.equal(0, code)
    assert.equal("preview", summary.mode)
    assert.equal(0, #emulator:changes())
  end)

  it("finds those who are late once the ten minutes are over", function()
    local function planned()
      local _, summary = emulator:run_script(SCRIPT)
      return summary.outcomes.planned
    end
    local before = planned()
    pass_ten_minutes()
    assert.is_true(planned() > before)
  end)

  it("starts their logins anew, and has nothing left to do then", function()
    pass_ten_minutes()
    local code, summary, text = emulator:run_script(SCRIPT, "--apply")
    assert.equal(0, code)
    local done = summary.operations.refresh.done
    assert.is_true(done > 0)
    assert.equal(done, refreshes())
    -- one line with a link for each of them
    local _, lines = text:gsub("\thttp://[^\n]+", "")
    assert.equal(done, lines)

    local _, again = emulator:run_script(SCRIPT, "--apply")
    assert.is_nil(again.operations.refresh)
  end)

  it("leaves other toolkits alone", function()
    local code, summary = emulator:run_script(SCRIPT, "--apply", "--toolkit", "hackernews")
    assert.equal(0, code)
    assert.is_nil(summary.operations.refresh)
  end)

  it("gets through a service that is busy now and then", function()
    pass_ten_minutes()
    emulator:tell("faults", {
      { method = "GET", probability = 0.3, times = 2, action = "reply", status = 503 },
      {
        path = "*/refresh",
        every = 3,
        action = "reply",
        status = 429,
        headers = { ["Retry-After"] = "1" },
        body = { message = "Rate limit exceeded" },
      },
    })
    local code, summary = emulator:run_script(SCRIPT, "--apply")
    assert.equal(0, code)
    assert.equal(summary.operations.refresh.done, refreshes())
  end)

  it("tells an account that fails from those that do not", function()
    pass_ten_minutes()
    emulator:tell("faults", {
      {
        path = "*/refresh",
        nth = 2,
        action = "reply",
        status = 422,
        body = { error = { message = "no", code = 1 } },
      },
    })
    local code, summary = emulator:run_script(SCRIPT, "--apply")
    assert.equal(3, code) -- some items failed
    assert.equal(1, summary.operations.refresh.failed)
    assert.equal(summary.operations.refresh.done, refreshes())
  end)

  it("says unknown when the reply to a change never comes", function()
    pass_ten_minutes()
    emulator:tell("faults", {
      { path = "*/refresh", nth = 1, action = "apply_then_close" },
    })
    local code, summary = emulator:run_script(SCRIPT, "--apply")
    -- it is not done twice, and what became of it is not guessed
    local refresh = summary.operations.refresh
    assert.is_true(code == 0 or code == 8) -- 8: unknown outcomes remain
    assert.equal(refreshes(), refresh.done + (refresh.unknown or 0))
  end)
end)
