-- Library versions: --version, composio.versions(), and the warning about versions with
-- known harmful bugs. A preloaded library makes libcurl and SQLite report versions that
-- are not theirs.
-- Must not know: which versions are harmful, except two of them.
local cjson = require "cjson"
local composio = require "composio"
local both = require "spec.support.both"
local host = require "spec.support.host"
local scene = require "spec.support.scene"
local library_versions = require "composio.versions"

local BAD_CURL = { COMPOSIO_OTHER_LIBCURL = "8.11.1" }
local CURL_WARNING = "libcurl 8.11.1: it closes a file descriptor twice"
local SCRIPT = [[
accounts.list { limit = 1 }
accounts.list { limit = 1 }
local other = composio.client()
other.connected_accounts.list { limit = 1 }
]]

local place

scene.of_host({ "--accounts", "20" }, function(_, directory)
  place = directory
end)

-- The environment in which the libraries claim these versions.
local function claiming(versions)
  local env = {
    LD_PRELOAD = host.program:gsub("[^/]*$", "composio-other-library.so"),
    ASAN_OPTIONS = (os.getenv "ASAN_OPTIONS" or "") .. ":verify_asan_link_order=0",
  }
  for name, value in pairs(versions) do
    env[name] = value
  end
  return env
end

local function count(text, part)
  local found, at = 0, 1
  while true do
    local first, last = text:find(part, at, true)
    if not first then
      return found
    end
    found, at = found + 1, last + 1
  end
end

local function version_of(env)
  local run = place:run({ "--version" }, { env = env })
  assert.equal(0, run.code)
  assert.equal("", run.err)
  return run.out
end

describe("the table of versions", function()
  local function warning(library, runs)
    return library_versions.warning { library = library, built = "9.9.9", runs = runs }
  end

  it("compares the numbers between the dots", function()
    assert.equal(0, library_versions.compare("7.88.1", "7.88.1"))
    assert.equal(0, library_versions.compare("7.88", "7.88.0"))
    assert.equal(0, library_versions.compare("8.12.0-DEV", "8.12.0"))
    assert.is_true(library_versions.compare("7.9.0", "7.10.0") < 0)
    assert.is_true(library_versions.compare("8.0", "7.99.99") > 0)
    assert.is_true(library_versions.compare("3.40.1", "3.40.1.1") < 0)
  end)

  it("warns of what is known to do harm", function()
    assert.matches("^libcurl 7%.86%.0: it does not", warning("libcurl", "7.86.0"))
    assert.matches("; run with libcurl 7%.88%.1 or later$", warning("libcurl", "7.86.0"))
    for runs, words in pairs {
      ["7.88.0"] = "10525", ["8.0.0"] = "10795", ["8.2.0"] = "11485",
      ["8.11.1"] = "CVE%-2025%-0665",
    } do
      assert.matches(words, warning("libcurl", runs))
    end
    assert.matches("window functions", warning("SQLite", "3.24.0"))
  end)

  it("lets all others be", function()
    for _, runs in ipairs {
      "7.87.0", "7.88.1", "8.0.1", "8.1.2", "8.2.1", "8.5.0", "8.11.0", "8.12.0", "8.14.1",
      "8.21.0", "9.0.0", "", "unknown",
    } do
      assert.is_nil(warning("libcurl", runs))
    end
    assert.is_nil(warning("libcurl", nil))
    assert.is_nil(warning("SQLite", "3.25.0"))
    assert.is_nil(warning("nettle", "7.88.0"))
  end)

  it("may also ask for the headers that the program was built with", function()
    local one = { library = "Lua", runs = { "5.4.0", "5.4.6" }, built = { "5.4.6", false },
                  what = "one", way_out = "" }
    local two = { library = "Lua", built = { false, "5.4.0" }, what = "two", way_out = "" }
    local function found(built, runs)
      local lua = { library = "Lua", built = built, runs = runs }
      local text = library_versions.warning(lua, { one, two })
      return text and text:match ": (%l+);"
    end
    assert.equal("one", found("5.4.6", "5.4.4"))
    assert.equal("two", found("5.3.6", nil))
    assert.is_nil(found("5.4.4", "5.4.4"))
    assert.is_nil(found("5.4.6", "5.4.6"))
    assert.is_nil(found(nil, "5.4.4"))
  end)

  it("prints a line for each library", function()
    for line, version in pairs {
      ["libcurl    built with 7.88.1, runs with 8.14.1 (OpenSSL/3.5.1)"] =
        { library = "libcurl", built = "7.88.1", runs = "8.14.1", more = "OpenSSL/3.5.1" },
      ["lua-cjson  runs with 2.1.0"] = { library = "lua-cjson", runs = "2.1.0" },
      ["libcsv     built with 3.0.3"] = { library = "libcsv", built = "3.0.3" },
      ["lua-cjson  not found"] = { library = "lua-cjson", more = "not found" },
    } do
      assert.equal(line, library_versions.line(version))
    end
  end)
end)

describe("the warning in a run", function()
  it("does not stand behind the progress on its line", function()
    local env = claiming(BAD_CURL)
    local script = 'composio.bulk(accounts.each { limit = 5 }, function() end)'
    local run = place:run({ "job.lua", "--progress", "always" }, { script = script, env = env })
    assert.is_truthy(run.err:find(CURL_WARNING, 1, true), run.err)
    for line in run.err:gmatch "[^\n]+" do
      if line:find(CURL_WARNING, 1, true) then
        assert.matches("^20%d%d%-", (line:gsub("^.*\r\27%[K", "")))
      end
    end
  end)
end)

describe("--version", function()
  it("tells the program's version in the first line", function()
    assert.equal("composio-lua " .. composio._VERSION, version_of():match "^[^\n]*")
  end)

  it("tells each library's version, built with and running", function()
    local text = version_of()
    for _, line in ipairs {
      "libcurl    built with N, runs with N %(%S+, %S+%)",
      "SQLite     built with N, runs with N",
      "nettle     built with N, runs with N",
      "Lua        built with 5%.4%.%d+, runs with 5%.4%.%d+",
      "lua%-cjson  runs with N",
      "libcsv     built with N",
    } do
      local pattern = "\n" .. line:gsub("N", "[%%d.]+") .. "\n"
      assert(text:find(pattern), ("'%s' is not in:\n%s"):format(line, text))
    end
    if not host.has_sanitizer then
      assert.matches("\nmimalloc   built with %d+%.%d+%.%d+, runs with %d+%.%d+%.%d+\n", text)
    end
    assert.is_nil(text:find("warning", 1, true))
  end)

  it("tells what runs apart from what it was built with", function()
    local text = version_of(claiming { COMPOSIO_OTHER_LIBCURL = "99.1.2" })
    assert.matches("\nlibcurl    built with [%d.]+, runs with 99%.1%.2 ", text)
    assert.is_nil(text:find("built with 99", 1, true))
    assert.is_nil(text:find("warning", 1, true))
  end)

  it("warns of versions that are known to do harm", function()
    local env = claiming(BAD_CURL)
    env.COMPOSIO_OTHER_SQLITE = "3.24.0"
    local text = version_of(env)
    assert.equal(1, count(text, "\nwarning: " .. CURL_WARNING))
    assert.equal(1, count(text, "; run with libcurl 8.12.0 or later"))
    assert.equal(1, count(text, "\nwarning: SQLite 3.24.0: it has no window functions"))
  end)

  it("says when lua-cjson cannot be found", function()
    local text = version_of { LUA_CPATH = "/nonexistent/?.so", LUA_PATH = "/nonexistent/?.lua" }
    local words = "\nlua%-cjson  not found; install it %(Debian: apt install lua%-cjson; "
    assert.matches(words, text)
  end)

  it("runs nothing that lies in the current directory", function()
    place:write("cjson.lua", "io.stderr:write 'ran' return { _VERSION = 'mine' }")
    assert.matches("\nlua%-cjson  runs with %d[%d.]+\n", version_of())
  end)

  it("of the emulator tells its libraries, too", function()
    local run = place:run({ "--version" }, {
      program = host.program:gsub("[^/]*$", "composio-emulator"),
    })
    assert.equal(0, run.code)
    assert.equal("composio-emulator " .. composio._VERSION, run.out:match "^[^\n]*")
    for _, name in ipairs { "libmicrohttpd", "SQLite", "jansson", "zlib" } do
      assert.matches("\n" .. name .. " +built with [%d.]+, runs with [%d.]+\n", run.out)
    end
  end)
end)

describe("a run with a library that is known to do harm", function()
  local function run(words, versions)
    table.insert(words, 1, "job.lua")
    return place:run(words, { script = SCRIPT, env = claiming(versions or BAD_CURL) })
  end

  it("warns once, in the words of --version, and goes on", function()
    local warned = run {}
    assert.equal(0, warned.code, warned.err)
    assert.equal(1, count(warned.err, " warning library: " .. CURL_WARNING))
    local text = version_of(claiming(BAD_CURL)):match "\nwarning: ([^\n]*)"
    assert.equal(1, count(warned.err, text))
  end)

  it("says nothing with -q", function()
    local quiet = run { "-q" }
    assert.equal(0, quiet.code)
    assert.equal("", quiet.err)
  end)

  it("warns in the log when there is one", function()
    local logged = run { "-q", "--log", "run.log", "--log-format", "json" }
    assert.equal(0, logged.code)
    assert.equal("", logged.err)
    local line = place:read("run.log"):match '[^\n]*"event":"library"[^\n]*'
    local event = cjson.decode(line)
    assert.equal("warning", event.level)
    assert.equal(1, count(event.text, CURL_WARNING))
  end)

  it("is not warned of when no request is made", function()
    local script = "composio.job { summary = 'x' }"
    local idle = place:run({ "job.lua" }, { script = script, env = claiming(BAD_CURL) })
    assert.equal(0, idle.code)
    assert.equal(0, count(idle.err, "libcurl"))
    local help = place:run({ "help", "job.lua" }, { script = script, env = claiming(BAD_CURL) })
    assert.equal(0, count(help.err, "libcurl"))
    local past = place:run({ "runs" }, { env = claiming(BAD_CURL) })
    assert.equal(0, count(past.err, "libcurl"))
  end)

  it("is not warned of when another version runs", function()
    assert.equal(0, count(run({}, { COMPOSIO_OTHER_LIBCURL = "8.12.0" }).err, "libcurl"))
  end)
end)

describe("composio.versions", function()
  both("lists what the module stands on", function()
    local names = {}
    for place_in_list, library in ipairs(composio.versions()) do
      names[place_in_list] = library.library
      assert.matches("^%d+%.[%d.]+", library.runs)
      assert.is_nil(library.warning)
    end
    assert.same({ "libcurl", "nettle", "Lua", "lua-cjson" }, names)
  end)

  it("has the warning, and works within the limits of a script", function()
    local run = place:run({ "job.lua" }, {
      script = "for _, library in ipairs(composio.versions()) do\n"
        .. "  print(library.library, library.built, library.runs, library.warning)\nend",
      env = claiming(BAD_CURL),
    })
    assert.equal(0, run.code, run.err)
    assert.matches("libcurl\t[%d.]+\t8%.11%.1\tlibcurl 8%.11%.1: it closes", run.out)
    assert.matches("lua%-cjson\tnil\t[%d.]+\tnil", run.out)
    assert.matches("SQLite\t[%d.]+\t[%d.]+\tnil", run.out)
  end)
end)
