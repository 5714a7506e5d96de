-- Reads the examples of a Markdown file, and runs or checks its commands.
--
--   local document = require "spec.support.document"
--   document.read "CONTRIBUTING.md"          its text
--   document.readmes()                       paths of the folders' README.md
--   document.blocks "CONTRIBUTING.md"        list of { line, language, mark, text }
--   local box = document.sandbox()           a checkout to run commands in
--   local code, output = box:run(block.text)
--   box:remove()
--   document.check(text)                     what is wrong with commands that are
--                                            too long to run: list of lines
--
-- The fence says what happens to a block. "```sh" is run. "```sh check" is only
-- checked: its programs, files, make targets and options must exist. Readers do not
-- see the second word. A sandbox links to all files of the checkout; both its `build`
-- and its `build/asan` are the build under test. The blocks that run in one sandbox
-- share its files; composio-lua and composio-emulator are in its PATH.
-- Must not know: what the documents are about.
local server = require "spec.support.server"

local document = {}
local quote = server.quote

local root = server.root

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read "a" -- nil for a directory
  if file then
    file:close()
  end
  return text
end

function document.read(name)
  return assert(read(root .. "/" .. name), name .. " is missing")
end

-- The README.md of each folder that has one.
function document.readmes()
  local list = {}
  local find = "cd %s && find spec bindings core -name README.md | grep -v node_modules | sort"
  local pipe = assert(io.popen(find:format(quote(root))))
  for path in pipe:lines() do
    list[#list + 1] = path
  end
  pipe:close()
  return list
end

function document.blocks(name)
  local text = document.read(name)
  local blocks, block, number = {}, nil, 0
  for line in text:gmatch "([^\n]*)\n" do
    number = number + 1
    if block and line:find "^```" then
      block.text = table.concat(block.lines, "\n") .. "\n"
      blocks[#blocks + 1], block = block, nil
    elseif block then
      block.lines[#block.lines + 1] = line
    elseif line:find "^```" then
      local language, mark = line:match "^```(%S*)%s*(%S*)$"
      block = { line = number, language = language, mark = mark, lines = {} }
    end
  end
  assert(not block, name .. ": a block has no end")
  return blocks
end

-- ---- running ----

local Sandbox = {}
Sandbox.__index = Sandbox

local MAKE_SANDBOX = [[
set -eu
root=%s build=%s
box=$(mktemp -d)
mkdir -p "$box/build" "$box/home/tmp"
find "$root" -mindepth 1 -maxdepth 1 ! -name build ! -name .git -exec ln -s -t "$box" {} +
find "$build" -mindepth 1 -maxdepth 1 ! -name asan ! -name portable ! -name fuzz \
  -exec ln -s -t "$box/build" {} +
ln -s "$build" "$box/build/asan"
echo "$box"
]]

function document.sandbox()
  local script = MAKE_SANDBOX:format(quote(root), quote(server.build))
  local pipe = assert(io.popen("bash -c " .. quote(script)))
  local path = assert(pipe:read "l", "no sandbox could be made")
  pipe:close()
  return setmetatable({ path = path }, Sandbox)
end

-- The commands as one bash script that ends at the first failure; its exit code
-- and all that it printed.
function Sandbox:run(text)
  local words = { "cd", quote(self.path), "&& exec env -i" }
  for name, value in pairs {
    PATH = self.path .. "/build:" .. os.getenv "PATH",
    HOME = self.path .. "/home",
    TMPDIR = self.path .. "/home/tmp",
    -- sanitizers must be loaded before every other library, and so must the shim
    ASAN_OPTIONS = (os.getenv "ASAN_OPTIONS" or "") .. ":verify_asan_link_order=0",
    UBSAN_OPTIONS = os.getenv "UBSAN_OPTIONS" or "",
  } do
    words[#words + 1] = quote(name .. "=" .. value)
  end
  words[#words + 1] = "timeout -k 5 120 bash -eu -o pipefail -c " .. quote(text)
  words[#words + 1] = "</dev/null 2>&1"
  local pipe = assert(io.popen(table.concat(words, " "), "r"))
  local output = pipe:read "a"
  local _, _, code = pipe:close()
  return code or 0, output
end

function Sandbox:remove()
  os.execute("rm -rf " .. quote(self.path))
end

-- ---- checking ----

local function is_installed(program)
  return (os.execute("command -v " .. quote(program) .. " >/dev/null 2>&1"))
end

-- Programs that developers install themselves.
local OPTIONAL = { gdb = true, valgrind = true, git = true }

-- Returns the command of a line and its arguments, without leading "NAME=value". For
-- spec/lua the command is the script that it runs.
local function split(line)
  local words, program = {}, nil
  for word in line:gmatch "%S+" do
    if program then
      words[#words + 1] = word
    elseif not word:find "^[%u_]+=" and word ~= "spec/lua" then
      program = word
    end
  end
  return program, words
end

local function check_make(words, problem)
  local makefile = read(root .. "/Makefile")
  for _, word in ipairs(words) do
    local variable = word:match "^([%u_]+)="
    if variable and not makefile:find("\n" .. variable .. " ?=", 1, true) then
      problem("make knows no variable " .. variable)
    elseif not variable and not makefile:find("\n" .. word .. ":", 1, true) then
      problem("make has no target " .. word)
    end
  end
end

-- Returns a text with a program's options: the script's source, or its --help.
local function words_of(program)
  local path = program:gsub("^build/asan/", "build/"):match "^build/(.*)$"
  if program:find "/" and not path then
    return read(root .. "/" .. program)
  end
  local file = server.build .. "/" .. (path or program)
  if not read(file) then
    return nil
  end
  local pipe = assert(io.popen(quote(file) .. " --help 2>&1"))
  local text = pipe:read "a"
  pipe:close()
  return text
end

local function check_options(program, words, problem)
  local text = words_of(program)
  if not text then
    if not (OPTIONAL[program] or is_installed(program)) then
      problem("there is no program " .. program)
    end
    return
  end
  for _, word in ipairs(words) do
    local option = word:match "^(%-%-[%a-]+)"
    if option and not text:find(option, 1, true) then
      problem(program .. " knows no option " .. option)
    end
  end
end

local function check_files(words, problem)
  for _, word in ipairs(words) do
    if word:find "^spec/" or word:find "^docs/" or word:find "^core/" then
      if not io.open(root .. "/" .. word) then
        problem("there is no file " .. word)
      end
    elseif word:find "^build/" then
      local path = word:gsub("^build/asan/", "build/"):match "^build/(.*)$"
      if not io.open(server.build .. "/" .. path) then
        problem("the build has no " .. word)
      end
    end
  end
end

local function check_presets(words, problem)
  local presets = read(root .. "/CMakePresets.json")
  for place, word in ipairs(words) do
    local name = word == "--preset" and words[place + 1]
    if name and not presets:find(('"name": "%s"'):format(name), 1, true) then
      problem("CMakePresets.json has no preset " .. name)
    end
  end
end

function document.check(text)
  local problems = {}
  local function problem(why)
    problems[#problems + 1] = why
  end
  for line in text:gsub("\\\n", " "):gmatch "[^\n]+" do
    line = line:gsub("^#.*", ""):gsub("%s#.*", "")
    local program, words = split(line)
    if program == "make" then
      check_make(words, problem)
    elseif program then
      check_options(program, words, problem)
      check_presets(words, problem)
      check_files({ program, table.unpack(words) }, problem)
    end
  end
  return problems
end

return document
