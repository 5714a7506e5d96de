-- docs/scheduling.md: its commands take the options that they are given, and systemd accepts
-- its units.
local host = require "spec.support.host"
local server = require "spec.support.server"

local page
do
  local file = assert(io.open(server.root .. "/docs/scheduling.md"))
  page = file:read "a"
  file:close()
end

describe("the page about scheduling", function()
  local place = host.place()
  local known = place:run({ "--help" }).out .. place:run({ "help", "refresh_expired" }).out

  it("gives options that there are", function()
    local count = 0
    for block in page:gmatch "\n```(.-)\n```" do
      for option in block:gmatch "[ %[](%-%-[%a-]+)" do
        assert(known:find(option:gsub("%-", "%%-") .. "%f[^%a-]"), "no such option: " .. option)
        count = count + 1
      end
    end
    assert.is_true(count > 12)
  end)

  it("has units that systemd accepts", function()
    if host.shell "command -v systemd-analyze" == "" then
      io.write "scheduling: no systemd-analyze, so the units are not verified\n"
      return
    end
    local files = {}
    for name, text in page:gmatch "\n```ini ([%w.-]+)\n(.-\n)```" do
      text = text:gsub("/usr/local/bin/composio%-lua", (host.program:gsub("%%", "%%%%")))
      files[#files + 1] = place:write(name, text)
    end
    assert.equal(2, #files)
    local words = "systemd-analyze verify --man=no " .. table.concat(files, " ")
    assert.equal("0", host.shell(words .. " >" .. place.path .. "/out 2>&1; echo $?"),
      place:read "out")
    -- an option that systemd does not know is only a line
    assert.is_nil(place:read("out"):find("composio-heal", 1, true), place:read "out")
    place:remove()
  end)
end)
