-- Everything that the documents name exists: linked files, paths, functions, the rooms
-- in the picture. A rename that forgets a document fails here.
-- Must not know: what the documents say about them.
local document = require "spec.support.document"
local server = require "spec.support.server"

local quote = server.quote

local function lines_of(command)
  local list = {}
  local pipe = assert(io.popen("cd " .. quote(server.root) .. " && " .. command))
  for line in pipe:lines() do
    list[#list + 1] = line
  end
  pipe:close()
  return list
end

local DOCUMENTS = lines_of "ls *.md docs/*.md"
table.move(document.readmes(), 1, #document.readmes(), #DOCUMENTS + 1, DOCUMENTS)
-- These tell developers about the code, so that `ca_…` is a name in it.
local OF_CODE = {
  "CONTRIBUTING.md", "docs/architecture.md", "docs/ledger.md", "docs/add-an-operation.md",
}

local function exists(path)
  return #lines_of("ls -d " .. path .. " 2>/dev/null") > 0
end

-- The document's text without its fenced blocks, and its directory.
local function read(name)
  local text = document.read(name):gsub("\n```.-\n```", "")
  return text, name:match "^(.*/)[^/]*$" or ""
end

for _, name in ipairs(DOCUMENTS) do
  describe(name, function()
    it("links to files that exist", function()
      local text, directory = read(name)
      for target in text:gmatch "%]%(([^)#]+)[^)]*%)" do
        if not target:find "^%a+:" then
          assert.is_true(exists(quote(directory .. target)), "no file " .. target)
        end
      end
    end)

    it("names paths that exist", function()
      for word in read(name):gmatch "`([^`\n]+)`" do
        local path = word:match "^%l+/[%w_./*-]+$"
        local top = path and path:match "^[^/]+"
        local is_ours = top == "core" or top == "bindings" or top == "spec" or top == "docs"
          or top == "scripts"
        if is_ours and not path:find "%u" then
          assert.is_true(exists(path), "no file " .. path)
        end
      end
    end)
  end)
end

for _, name in ipairs(OF_CODE) do
  it(name .. " names functions that exist", function()
    for word in document.read(name):gmatch "%f[%w_]([%l_]+)%f[^%w_]" do
      if word:find "^l?ca_%l" and not word:find "_$" then
        local found = lines_of("grep -rlw " .. word .. " core bindings --include=*.[ch]")
        assert.is_true(#found > 0, "no function " .. word)
      end
    end
  end)
end

describe("the picture of the rooms", function()
  local picture = document.read "docs/architecture.svg"

  it("shows each of them once", function()
    local drawn, folders = {}, {}
    for room in picture:gmatch '<text class="name"[^>]*>(%l+)</text>' do
      drawn[#drawn + 1] = room
    end
    for _, path in ipairs(lines_of "ls -d core/*/ bindings/*/") do
      local room = path:match "([^/]+)/$"
      folders[#folders + 1] = room ~= "lua" and room or nil
    end
    table.sort(drawn)
    table.sort(folders)
    assert.same(folders, drawn)
  end)

  it("is well formed and has colours for the dark", function()
    local open = {}
    for slash, tag, rest in picture:gmatch "<(/?)(%a+)([^>]*)>" do
      if slash == "/" then
        assert.equal(table.remove(open), tag)
      elseif not rest:find "/$" then
        open[#open + 1] = tag
      end
    end
    assert.same({}, open)
    assert.truthy(picture:find("prefers-color-scheme: dark", 1, true))
  end)
end)
