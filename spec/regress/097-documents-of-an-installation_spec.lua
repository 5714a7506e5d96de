-- README and the manual page named documents that `make install` left out.
local host = require "spec.support.host"
local server = require "spec.support.server"

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "a"
  file:close()
  return text
end

local function exists(path)
  return host.shell("test -e " .. server.quote(path) .. " && echo yes") == "yes"
end

describe("an installation", function()
  local place = host.place()
  local documents = place.path .. "/share/doc/composio-lua"

  it("has every document that README, the guides and the manual page name", function()
    host.shell(("cmake --install %s --prefix %s"):format(server.quote(server.build), place.path))
    local pages = { "README.md" }
    for page in host.shell("cd " .. documents .. " && ls docs/*.md"):gmatch "%S+" do
      pages[#pages + 1] = page
    end
    assert.is_true(#pages > 8)
    for _, page in ipairs(pages) do
      local dir = documents .. "/" .. (page:match "^(.*/)" or "")
      for target in read(documents .. "/" .. page):gmatch "%]%(([^)#:]+)%)" do
        assert(exists(dir .. target), page .. " names " .. target)
      end
    end
    local manual = read(place.path .. "/share/man/man1/composio-lua.1"):gsub("\\", "")
    for target in manual:gmatch "docs/[%a-]+%.md" do
      assert(exists(documents .. "/" .. target), "the manual page names " .. target)
    end
    place:remove()
  end)
end)
