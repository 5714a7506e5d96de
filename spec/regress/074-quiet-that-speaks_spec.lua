-- Under -q a night without trouble still printed what the script says and our warnings, so cron
-- mailed it. And the plan of a preview, which is its result, went to stderr.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local _, place
scene.of_host({ "--accounts", "40" }, function(...)
  _, place = ...
end)

local TALKS = [[
  print("looked", 3)
  io.write("wrote ", 4, "\n")
  io.stdout:write "wrote too\n"
]]
local SAID = "looked\t3\nwrote 4\nwrote too\n"

local function run(script, ...)
  return place:run(host.unlimited { "job.lua", "-q", "--allow", "io", ... }, { script = script })
end

describe("-q", function()
  it("prints not a byte when the run ends with 0", function()
    for _, name in ipairs { "disable_idle", "refresh_expired" } do
      local night = place:run(host.unlimited { name, "--apply", "-q" })
      assert.same({ 0, "", "" }, { night.code, night.out, night.err })
    end
    local fine = run(TALKS)
    assert.same({ 0, "", "" }, { fine.code, fine.out, fine.err })
  end)

  it("shows what was printed when it ends otherwise", function()
    local raised = run(TALKS .. "error 'no'")
    assert.equal(1, raised.code)
    assert.equal(SAID, raised.out)
    job.has(raised.err, "job.lua:6: no")
  end)

  it("keeps the first and the last 32 KB of it", function()
    local script = "for i = 1, 20000 do print(('%07d'):format(i)) end error 'no'"
    local raised = run(script)
    local left = 20000 * 8 - 2 * 32768
    job.has(raised.out, "0000001\n")
    job.has(raised.out, ("\n… %d,%03d bytes left out …\n"):format(left // 1000, left % 1000))
    job.has(raised.out, "\n0020000\n")
    assert.is_true(#raised.out < 2 * 32768 + 60)
  end)

  it("lets data through at once", function()
    local data = run([[composio.report("-", { "id" }):add { id = "x" }]] .. TALKS, "--apply")
    assert.same({ 0, "id\r\nx\r\n", "" }, { data.code, data.out, data.err })
    local summary = run(TALKS, "--summary", "-")
    assert.equal("{", summary.out:sub(1, 1))
    job.lacks(summary.out, "looked")
  end)

  it("leaves other files and a script's help alone", function()
    assert.equal(0, run([[io.open("x", "w"):write("a", 1):close()]]).code)
    assert.equal("a1", place:read "x")
    job.has(run("composio.job { summary = 'Sum.' }", "--help").out, "Sum.")
  end)
end)

it("shows the plan of a preview on stdout, and of a run on stderr", function()
  local preview = place:run(host.unlimited { "disable_idle", "--days", "1" })
  job.has(preview.out, "plan idle: ")
  job.lacks(preview.err, "plan idle: ")
  local acted = place:run(host.unlimited { "disable_idle", "--days", "1", "--apply" })
  job.has(acted.err, "plan idle: ")
  job.lacks(acted.out, "plan idle: ")
end)
