-- The checks of spec/lint can fail: small invented trees, each with one violation, and
-- one without any. Must not know: names of the project's own files.
local server = require "spec.support.server"
local quote = server.quote

local dir

local function sh(command)
  local pipe = assert(io.popen("{ " .. command .. "; } 2>&1; echo $?"))
  local text, code = pipe:read("a"):match "^(.*)%f[^\n\0](%d+)\n$"
  pipe:close()
  return text, tonumber(code)
end

local function write(path, text)
  local file = assert(io.open(dir .. "/" .. path, "wb"))
  file:write(text)
  file:close()
end

-- Writes the source and compiles it to where a build has its object file.
local function add(path, text)
  local folder, room, name = path:match "^(%w+)/(%w+)/([%w_]+)%.c$"
  local target = folder == "core" and "composio_core" or "composio_bindings"
  local objects = ("%s/build/%s/CMakeFiles/%s.dir/%s"):format(dir, folder, target, room)
  write(path, text)
  local said, code = sh(("mkdir -p %s && ${CC:-cc} -c -I%s/core -o %s/%s.c.o %s/%s"):format(
    quote(objects), quote(dir), quote(objects), name, quote(dir), path))
  assert.equal(0, code, said)
end

local function lint(check, ...)
  return sh(("cd %s && spec/lua spec/lint/%s.lua %s"):format(
    quote(server.root), check, table.concat({ ... }, " ")))
end

-- The check passes, and fails naming these words once the files are added.
local function fails_with(check, arguments, files, words)
  local said, code = lint(check, table.unpack(arguments))
  assert.equal(0, code, said)
  for path, text in pairs(files) do
    if path:find "%.c$" then add(path, text) else write(path, text) end
  end
  said, code = lint(check, table.unpack(arguments))
  assert.equal(1, code, said)
  assert.is_truthy(said:find(words, 1, true), said)
end

local template

setup(function()
  template = assert(io.popen("mktemp -d")):read "l"
  dir = template
  for _, room in ipairs { "core/base", "core/wire", "core/ledger", "core/apply",
                          "bindings/module", "bindings/job", "bindings/host" } do
    sh("mkdir -p " .. quote(dir .. "/" .. room))
  end
  add("core/base/text.c", "int ca_text_len; int ca_texts_equal(void) { return 1; }\n")
  add("core/ledger/run.c", "int ca_run_begin(void) { return 0; }\n"
    .. "int ca_ledger_run_end(void) { return 0; }\n")
  add("core/ledger/ledger.c", "int ca_ledger_open(void) { return 0; }\n")
  add("bindings/module/entry.c", "int luaopen_composio(void) { return 0; }\n")
  add("bindings/module/wait.c", "int lca_wait(void) { return 0; }\n")
end)
teardown(function()
  os.execute("rm -rf " .. quote(template))
end)
before_each(function()
  dir = assert(io.popen("mktemp -d")):read "l"
  sh(("cp -r %s/. %s"):format(quote(template), quote(dir)))
end)
after_each(function()
  os.execute("rm -rf " .. quote(dir))
end)

describe("names.lua", function()
  local function breach(files, words)
    fails_with("names", { quote(dir), quote(dir .. "/build") }, files, words)
  end

  it("wants a function's name to begin with its file's", function()
    breach({ ["core/base/buf.c"] = "int ca_wipe(void) { return 0; }\n" },
      "base/buf.c: exports ca_wipe, which begins neither with ca_buf nor with ca_base_buf")
  end)

  it("wants it of variables, too, and of whole words", function()
    breach({ ["core/base/buf.c"] = "int ca_buffer;\n" }, "base/buf.c: exports ca_buffer")
  end)

  it("wants the folder's prefix", function()
    breach({ ["bindings/job/csv.c"] = "int ca_csv_open(void) { return 0; }\n" },
      "job/csv.c: exports ca_csv_open, which begins neither with lca_csv nor with lca_job_csv")
  end)

  it("lets the room's name stand for a file's in the room's own file only", function()
    breach({ ["core/ledger/read.c"] = "int ca_ledger_item(void) { return 0; }\n" },
      "ledger/read.c: exports ca_ledger_item")
  end)

  it("lets static names be", function()
    add("core/base/buf.c", "static int wipe(void) { return 0; } int ca_buf = sizeof(wipe());\n")
    local said, code = lint("names", quote(dir), quote(dir .. "/build"))
    assert.equal(0, code, said)
  end)

  it("finds an old word in an identifier", function()
    breach({ ["core/base/buf.h"] = "struct ca_buf { int is_Kept; };\n" },
      'core/base/buf.h: is_Kept: not "kept" but')
  end)

  it("finds one in Lua", function()
    breach({ ["bindings/job/x.lua"] = "local a = host.past(1)\n" },
      'bindings/job/x.lua: past: not "past" but history')
  end)

  it("passes over comments, strings, includes, and parts of words", function()
    write("core/base/buf.h", '#include "base/past.h"\n/* kept */ // again\n'
      .. 'static const char *overlook = "a \\" kept";\n')
    write("bindings/job/x.lua", '-- kept\nlocal keptless = "past" .. [[again]]\n')
    local said, code = lint("names", quote(dir), quote(dir .. "/build"))
    assert.equal(0, code, said)
  end)

  it("keeps a word's scope", function()
    write("core/wire/step.h", "int ca_step_target;\n")
    breach({ ["core/apply/item.h"] = "int ca_item_target;\n" },
      'core/apply/item.h: ca_item_target: not "target" but precondition')
  end)

  it("keeps settle for finding out", function()
    write("core/apply/settle.h", "int ca_settle_new; int has_settled;\n")
    breach({ ["core/ledger/run.h"] = "int ca_run_settle;\n" },
      'core/ledger/run.h: ca_run_settle: not "settle" but record')
  end)

  it("finds a file's old name", function()
    breach({ ["core/apply/work.h"] = "\n" }, "core/apply/work.h: no file is called work any more")
  end)
end)

describe("levels.lua", function()
  it("allows no folder more than 26 units", function()
    local files = {}
    for number = 1, 26 do files[("core/base/f%d.c"):format(number)] = "\n" end
    fails_with("levels", { quote(dir) }, files,
      "core/base: 27 units, which is more than 26")
  end)

  it("finds an include of a room above, and a circle of headers", function()
    fails_with("levels", { quote(dir) }, { ["core/base/a.h"] = '#include "ledger/x.h"\n' },
      "core/base/a.h: includes ledger/x.h, but base may not include ledger")
    write("core/base/a.h", '#include "base/b.h"\n')
    write("core/base/b.h", '#include "base/a.h"\n')
    local said, code = lint("levels", quote(dir))
    assert.equal(1, code, said)
    assert.is_truthy(said:find "a circle of includes: ", said)
  end)

  it("finds a call that is reserved to other files", function()
    fails_with("levels", { quote(dir) },
      { ["core/wire/x.h"] = "static int f(int d) { return fsync(d); }\n" },
      "core/wire/x.h: says fsync, which belongs to core/base/os_sync.c")
  end)
end)

describe("circles.lua", function()
  it("finds files that call each other", function()
    fails_with("circles", { quote(dir .. "/build"), quote(dir) }, {
      ["core/base/a.c"] = "int ca_b(void); int ca_a(void) { return ca_b(); }\n",
      ["core/base/b.c"] = "int ca_a(void); int ca_b(void) { return ca_a(); }\n",
    }, "circles: these call each other: base/a base/b")
  end)
end)
