-- What the build finds and what it refuses: Lua under its several names, beside
-- other Luas.
-- Must not know: what is built.
local server = require "spec.support.server"
local quote = server.quote

local root = io.popen("cd " .. quote(server.root) .. " && pwd"):read "l"

local function shell(command)
  local pipe = assert(io.popen("{ " .. command .. "; } 2>&1; echo $?"))
  local text, code = pipe:read("a"):match "^(.*)%f[^\n\0](%d+)\n$"
  pipe:close()
  return text:gsub("%s+", " "), tonumber(code)
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

describe("the build", function()
  local dir

  before_each(function()
    dir = assert(io.popen("mktemp -d")):read "l"
  end)
  after_each(function()
    os.execute("rm -rf " .. quote(dir))
  end)

  -- A Lua as pkg-config knows it: its name there, its version, what its lua.h
  -- says.
  local function add_lua(name, version, number)
    local include = dir .. "/include-" .. name
    shell("mkdir " .. quote(include))
    write(include .. "/lua.h", "#define LUA_VERSION_NUM\t\t" .. number .. "\n")
    local text = "Name: Lua\nDescription: -\nVersion: %s\nCflags: -I%s\n"
    write(dir .. "/" .. name .. ".pc", text:format(version, include))
  end

  -- Looks for Lua where only those of add_lua are.
  local function find_lua()
    local project = "cmake_minimum_required(VERSION 3.25)\nproject(probe LANGUAGES NONE)\n"
      .. "find_package(PkgConfig REQUIRED)\ninclude(%s/bindings/find_lua.cmake)\n"
    write(dir .. "/CMakeLists.txt", project:format(root))
    local command = "env -u PKG_CONFIG_PATH PKG_CONFIG_LIBDIR=%s cmake -S %s -B %s/out"
    return shell(command:format(quote(dir), quote(dir), quote(dir)))
  end

  for _, name in ipairs { "lua5.4", "lua-5.4", "lua54", "lua" } do
    it("finds Lua 5.4 as " .. name, function()
      add_lua(name, "5.4.2", "504")
      local text, code = find_lua()
      assert.equal(0, code, text)
      assert.matches("Lua 5.4.2: " .. name .. ".pc, " .. dir, text, 1, true)
    end)
  end

  it("takes Lua 5.4 where plain lua is another one", function()
    add_lua("lua", "5.5.0", "505")
    add_lua("lua54", "5.4.8", "504")
    local text, code = find_lua()
    assert.equal(0, code, text)
    assert.matches("Lua 5.4.8: lua54.pc", text, 1, true)
  end)

  for version, number in pairs { ["5.3.6"] = "503", ["5.5.0"] = "505" } do
    it("says which Lua it found instead: " .. version, function()
      add_lua("lua", version, number)
      local text, code = find_lua()
      assert.equal(1, code)
      local words = "composio-lua needs Lua 5.4; found lua %s in %s"
      assert.matches(words:format(version, dir), text, 1, true)
    end)
  end

  it("says so when there is no Lua", function()
    local text, code = find_lua()
    assert.equal(1, code)
    assert.matches("composio-lua needs Lua 5.4; found none", text, 1, true)
  end)

  it("looks into the headers it will compile", function()
    add_lua("lua5.4", "5.4.6", "503")
    local text, code = find_lua()
    assert.equal(1, code)
    assert.matches("needs Lua 5.4; found lua5.4 5.4.6, but .*/lua.h says: .*503", text)
  end)

  it("does not compile with the headers of another Lua", function()
    add_lua("lua", "5.5.0", "505")
    local command = "cc -fsyntax-only -x c -I%s/include-lua %s/bindings/lua_version.h"
    local text, code = shell(command:format(quote(dir), quote(root)))
    assert.not_equal(0, code)
    assert.matches("composio-lua needs Lua 5.4; the lua.h that was found is", text, 1, true)
  end)

  it("runs its checks with a Lua 5.4 of any name", function()
    local lua = quote(root .. "/spec/lua")
    local real = shell(lua .. " -e 'print(arg[0])'"):gsub(" $", "")
    shell(("mkdir %s/bin && ln -s \"$(command -v %s)\" %s/bin/lua54"):format(dir, real, dir))
    write(dir .. "/bin/lua", "#!/bin/sh\nexit 1\n")
    shell("chmod +x " .. dir .. "/bin/lua")
    local print_both = "PATH=%s/bin /bin/sh %s -e 'print(arg[0], _VERSION)'"
    local text, code = shell(print_both:format(dir, lua))
    assert.equal("lua54 Lua 5.4 ", text)
    assert.equal(0, code)
    text, code = shell(("LUA=%s/bin/lua %s -v"):format(dir, lua))
    assert.equal(127, code)
    assert.matches("no Lua 5.4 among: " .. dir .. "/bin/lua", text, 1, true)
  end)
end)
