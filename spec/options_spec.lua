-- The command line for jobs: verbs, their operands, and which options each verb takes.
local host = require "spec.support.host"
local job = require "spec.support.job"
local server = require "spec.support.server"

local has = job.has
local place

before_each(function()
  place = host.place()
end)
after_each(function()
  place:remove()
end)

-- Exit 2, nothing on stdout, and a line that holds each of the parts.
local function refused(words, ...)
  local run = place:run(words)
  assert.equal(2, run.code, table.concat(words, " ") .. "\n" .. run.err)
  assert.equal("", run.out)
  for _, part in ipairs { ... } do
    has(run.err, part)
  end
  assert.equal(1, select(2, run.err:gsub("\n", "")), run.err)
end

describe("help", function()
  it("lists the verbs and every option in its group", function()
    local help = place:run({ "--help" }).out
    for _, verb in ipairs {
      "run SCRIPT", "apply PLAN", "resume RUN", "undo RUN", "runs", "show RUN", "history ACCOUNT",
    } do
      has(help, "composio-lua " .. verb)
    end
    local group, options = nil, {}
    for line in help:gmatch "[^\n]+" do
      group = line:match "^([%a ]+):$" or group
      local option = line:match "^  [ -][ %a][ ,] (%-%-[%a-]+)"
      if option then
        options[option] = group
      end
    end
    assert.equal("Where", options["--state-dir"])
    assert.equal("Safety", options["--save-plan"])
    assert.equal("Safety", options["--lock-wait"])
    assert.equal("Pace", options["--concurrency"])
    assert.equal("Output", options["--json"])
    assert.equal("Slicing", options["--limit-items"])
    assert.equal("The script", options["--allow"])
  end)

  it("and the manual page name the same options", function()
    local file = assert(io.open(server.root .. "/docs/man/composio-lua.1"))
    local page = file:read("a"):gsub("\\%-", "-")
    file:close()
    local count = 0
    for option in place:run({ "--help" }).out:gmatch "\n  [ -][ %a][ ,] (%-%-[%a-]+)" do
      assert(page:find("\n%.B[RI]? [^\n]*" .. option:gsub("%-", "%%-") .. "%f[^%a-]"), option)
      count = count + 1
    end
    assert.is_true(count > 30)
  end)

  it("of a script shows what run takes, not what others do", function()
    place:script "composio.job { summary = 'for the spec' }"
    local help = place:run({ "help", "job.lua" }).out
    has(help, "for the spec")
    has(help, "--max-changes N")
    assert.is_nil(help:find("--failed", 1, true))
    assert.is_nil(help:find("--json", 1, true))
  end)

  it("is there for every verb, without what the verb needs", function()
    for _, verb in ipairs { "apply", "resume", "undo", "runs", "show", "history", "scripts" } do
      local run = place:run { verb, "--help" }
      assert.equal(0, run.code)
      has(run.out, "composio-lua resume RUN")
      assert.equal("", run.err)
    end
  end)
end)

describe("verbs", function()
  it("say what they need, and where to find it", function()
    for _, verb in ipairs { "resume", "show", "undo" } do
      refused({ verb }, verb .. " needs a run", "`composio-lua runs` lists them")
      refused({ verb, "" }, verb .. " needs a run")
    end
    refused({ "apply" }, "apply needs a plan", "--save-plan")
    refused({ "history" }, "history needs the id of an account")
  end)

  it("take one word and no other", function()
    refused({ "resume", "a", "b" }, "resume takes one operand, 'a', not also 'b'")
    refused({ "history", "ca_a", "ca_b" }, "'ca_b'")
    refused({ "runs", "x" }, "runs takes no operand: 'x'")
    refused({ "show", "x", "--", "y" }, "show takes no arguments after --")
    refused({ "show", "x", "--day", "3" }, "unknown option '--day'")
  end)

  it("come before shipped scripts; a path or an ending makes a file", function()
    place:script("print 'a file'", "runs.lua")
    place:script("print 'a file, too'", "show")
    place.env.COMPOSIO_API_KEY = "ak_not_used_here"
    assert.equal("a file\n", place:run({ "runs.lua" }).out)
    assert.equal("a file, too\n", place:run({ "./show" }).out)
    assert.equal("a file\n", place:run({ "run", "runs.lua" }).out)
    has(place:run({ "run", "resume" }).err, "no shipped script or verb is called 'resume'")
  end)
end)

describe("an option of another verb", function()
  it("is refused with the verbs that it belongs to, wherever it stands", function()
    place:script "print 'ran'"
    refused({ "job.lua", "--failed" }, "run takes no --failed; it belongs to resume")
    refused({ "--failed", "run", "job.lua" }, "run takes no --failed; it belongs to resume")
    refused({ "job.lua", "--json" }, "it belongs to runs, show, history, doctor and profiles")
    refused({ "job.lua", "--limit=3" }, "it belongs to runs")
    refused({ "show", "x", "--limit", "3" }, "show takes no --limit")
    refused({ "job.lua", "--same-project" }, "it belongs to apply, resume and undo")
    refused({ "apply", "x", "--save-plan", "p" }, "it belongs to run, resume and undo")
    refused({ "resume", "x", "--save-plan", "p" }, "--save-plan needs --failed")
    refused({ "resume", "x", "--limit-items", "3" }, "it belongs to run and undo")
    refused({ "show", "x", "--apply" }, "it belongs to run, apply, resume, undo and runs")
    refused({ "runs", "--apply" }, "only with --prune")
    refused({ "history", "ca_x", "--api-key-file", "k" }, "history takes no --api-key-file")
  end)

  it("is a name that no parameter may have", function()
    for _, name in ipairs { "limit", "json", "failed", "confirm", "save_plan" } do
      place:script(("composio.job { params = { %s = { type = 'string' } } }"):format(name))
      local run = place:run { "job.lua", "--emulator=20" }
      has(run.err, "composio-lua has an option --" .. name:gsub("_", "-"))
    end
  end)
end)

describe("values of options", function()
  it("are refused when they are none, with what they mean", function()
    place:script "print 'ran'"
    for option, values in pairs {
      ["--max-changes"] = { "-1", "many", "", "1.5" },
      ["--max-percent"] = { "101", "-1", "25%%", "0x10", "1e1", "", "nan", "%" },
      ["--confirm"] = {
        "", ",", "3,", ",3", "3,,4", "-1", "x", "3;4", "1.5", ("1,"):rep(64) .. "1",
      },
      ["--stop-on"] = {
        "", "failed", "failed=", "failed=x", "done=3", "failed=3%,", "failed=3 unknown=2", "=3",
      },
      ["--lock-wait"] = { "", "soon", "-1", "5 m" },
      ["--save-plan"] = { "" },
      ["--protect"] = { "" },
    } do
      for _, value in ipairs(values) do
        local words = { "job.lua", option .. "=" .. value }
        refused(words, "'" .. value .. "' is not a value for " .. option)
      end
    end
    refused({ "job.lua", "--delete-active=yes" }, "--delete-active takes no value")
    refused({ "runs", "--limit", "-1" }, "--limit")
  end)

  it("are taken as they are written", function()
    place:script "print 'ran'"
    place.env.COMPOSIO_API_KEY = "ak_not_used_here"
    place:write("keep.txt", "# nobody yet\nca_x\n")
    local run = place:run {
      "job.lua", "--max-changes=0", "--max-percent", "0.5%", "--confirm", "12,0,3", "--stop-on",
      "failed=3%,unknown=5,stale=1", "--lock-wait=90s", "--protect", "keep.txt",
      "--protect=keep.txt", "--delete-active", "--detailed-exitcode",
    }
    assert.equal("ran\n", run.out, run.err)
    assert.equal(0, run.code)
  end)

  it("that contradict each other are refused", function()
    place:script "print 'ran'"
    refused({ "job.lua", "--save-plan", "x.plan", "--apply" },
      "a preview saves the plan", "composio-lua apply x.plan")
    refused({ "job.lua", "--emulator", "--base-url", "http://127.0.0.1:1" },
      "either --emulator or --base-url")
  end)
end)
