-- What the build finds and what it refuses: Lua under its several names and next to
-- other versions, optional libraries, libraries in unusual directories.
-- Must not know: what is built.
local server = require "spec.support.server"
local quote = server.quote

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
    write(dir .. "/CMakeLists.txt", project:format(server.root))
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
    local command = "cc -fsyntax-only -x c -I%s/include-lua %s/bindings/module/lua_version.h"
    local text, code = shell(command:format(quote(dir), quote(server.root)))
    assert.not_equal(0, code)
    assert.matches("composio-lua needs Lua 5.4; the lua.h that was found is", text, 1, true)
  end)

  -- The project itself; its output and exit code.
  local function configure(options, environment)
    local command = "%s cmake -G Ninja -S %s -B %s/out %s"
    return shell(command:format(environment or "", quote(server.root), quote(dir), options))
  end

  local function read(name)
    local file = assert(io.open(dir .. "/out/" .. name, "rb"))
    local text = file:read "a"
    file:close()
    return text
  end

  -- What the host is linked with.
  local function libraries()
    local rule = read("build.ninja"):match "\nbuild composio%-lua: .-\n\n"
    return rule:match "LINK_LIBRARIES = ([^\n]*)"
  end

  -- An environment in which the build does not find these libraries: pkg-config
  -- does not know them, and their headers refuse to be compiled.
  local function without(packages, headers)
    shell(("mkdir %s/pc %s/poison"):format(dir, dir))
    for _, name in ipairs(headers) do
      write(dir .. "/poison/" .. name, "#error the module does without this library\n")
    end
    local path = shell "pkg-config --variable pc_path pkg-config"
    for directory in path:gmatch "[^: ]+" do
      shell(("ln -s %s/*.pc %s/pc"):format(directory, dir))
    end
    for _, name in ipairs(packages) do
      shell(("rm -f %s/pc/%s.pc"):format(dir, name))
    end
    return ("PKG_CONFIG_PATH= PKG_CONFIG_LIBDIR=%s/pc CFLAGS=-I%s/poison"):format(dir, dir)
  end

  it("of the module alone needs libcurl, nettle and Lua, and gives a module that works", function()
    local options = "-DCOMPOSIO_HOST=OFF -DCMAKE_BUILD_TYPE=Debug"
    local text, code = configure(options, without(
      { "sqlite3", "inih", "libedit", "libmicrohttpd", "jansson", "zlib" },
      { "sqlite3.h", "csv.h", "ini.h", "histedit.h", "microhttpd.h", "jansson.h", "zlib.h" }
    ))
    assert.equal(0, code, text)
    local targets = shell(("cmake --build %s/out --target help"):format(quote(dir)))
    assert.matches("composio_module:", targets, 1, true)
    for _, name in ipairs { "composio-lua:", "composio-emulator:", "composio-spec:" } do
      assert.is_nil(targets:find(name, 1, true), name)
    end
    local cache = read("CMakeCache.txt"):lower()
    for _, name in ipairs {
      "sqlite", "libcsv", "inih", "edit", "microhttpd", "jansson", "zlib", "cjson", "argparse",
    } do
      assert.is_nil(cache:find("lib" .. name, 1, true) or cache:find(name .. "_", 1, true), name)
    end
    assert.is_nil(cache:find "mimalloc_dir")

    text, code = shell(("cmake --build %s/out -j2"):format(quote(dir)))
    assert.equal(0, code, text)
    text = shell(("readelf -d %s/out/composio.so"):format(quote(dir)))
    local needed = {}
    for name in text:gmatch "Shared library: %[lib(%w+)%." do
      needed[name] = true
    end
    needed.m, needed.c = nil, nil -- by the compiler, not by us
    assert.same({ curl = true, nettle = true }, needed)

    local emulator = server.emulator { "--accounts", "3" }
    local command = "LUA_CPATH=%s COMPOSIO_BASE_URL=%s COMPOSIO_API_KEY=%s %s -e %s"
    text, code = shell(command:format(quote(dir .. "/out/?.so;;"), emulator.url, emulator.api_key,
      server.lua, quote "print(#require 'composio'.connected_accounts.list().items)"))
    emulator:stop()
    assert.equal("3 ", text)
    assert.equal(0, code)
  end)

  it("takes mimalloc when it is there, and says which", function()
    local none = "-DCMAKE_DISABLE_FIND_PACKAGE_mimalloc="
    local text, code = configure(none .. "ON")
    assert.equal(0, code, text)
    assert.matches("mimalloc: not found (neither 2 nor 3)", text, 1, true)
    assert.is_nil(libraries():find "mimalloc")
    text, code = configure(none .. "ON -DCOMPOSIO_MIMALLOC=ON")
    assert.equal(1, code)
    assert.matches("COMPOSIO_MIMALLOC=ON, but neither mimalloc 2 nor 3 was found", text, 1, true)
    text, code = configure(none .. "OFF -DCOMPOSIO_MIMALLOC=ON")
    assert.equal(0, code, text)
    assert.matches("mimalloc: [23]%.%d", text)
    assert.matches("libmimalloc", libraries())
    text, code = configure "-DCOMPOSIO_MIMALLOC=OFF"
    assert.equal(0, code, text)
    assert.matches("mimalloc: not used (COMPOSIO_MIMALLOC=OFF)", text, 1, true)
    assert.is_nil(libraries():find "mimalloc")
  end)

  it("links the host with the libraries that pkg-config names", function()
    local command = "mkdir %s/curl && ln -s $(cc -print-file-name=libcurl.so) %s/curl/"
    shell(command:format(dir, dir))
    local text = "Name: libcurl\nDescription: -\nVersion: 8.99\nLibs: -L%s/curl -lcurl\n"
    write(dir .. "/libcurl.pc", text:format(dir))
    local said, code = configure("", "PKG_CONFIG_PATH=" .. quote(dir))
    assert.equal(0, code, said)
    local linked = libraries()
    assert.matches(dir .. "/curl/libcurl.so", linked, 1, true)
    assert.is_nil(linked:find("-lcurl", 1, true))
    -- see bindings/host/CMakeLists.txt for why
    assert.is_true(linked:find "libsqlite3" < linked:find "libcurl")
    assert.is_true(linked:find "libcurl" < linked:find "libcsv")
  end)

  it("takes warnings for errors only in its own presets", function()
    local text, code = configure "-DCOMPOSIO_HOST=OFF"
    assert.equal(0, code, text)
    assert.is_nil(read("build.ninja"):find("-Werror", 1, true))
    for _, preset in ipairs { "release", "asan" } do
      text = shell(("cd %s && cmake -N --preset %s"):format(quote(server.root), preset))
      assert.matches('CMAKE_COMPILE_WARNING_AS_ERROR="ON"', text, 1, true)
    end
  end)

  it("runs its checks with a Lua 5.4 of any name", function()
    local lua = quote(server.root .. "/spec/lua")
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
