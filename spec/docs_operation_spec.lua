-- docs/add-an-operation.md shows the operations that spec/rows builds and rows_spec.lua
-- runs: its blocks are copies of those files, and its stub fits among the others.
-- Must not know: what the operations do.
local document = require "spec.support.document"

describe("the worked operation", function()
  local stub

  -- Without indentation, line ends and the backslashes of a macro.
  local function squeezed(text)
    return (text:gsub("\\\n", "\n"):gsub("%s+", " "):gsub("^ ", ""):gsub(" $", ""))
  end

  local function everything(...)
    local texts = {}
    for place, name in ipairs { ... } do
      texts[place] = squeezed(document.read(name))
    end
    return table.concat(texts, "\n")
  end

  local code = everything("spec/rows/rows.h", "spec/rows/emulator.c", "spec/emulator/route.c")
  local specs = everything "spec/rows_spec.lua"

  for _, block in ipairs(document.blocks "docs/add-an-operation.md") do
    local source = block.language == "c" and code or block.mark == "rows" and specs
    if source then
      it(("has line %d as it is compiled or run"):format(block.line), function()
        assert.truthy(source:find(squeezed(block.text), 1, true), block.text)
      end)
    elseif block.mark == "stub" then
      stub = block.text
    end
  end

  it("has a stub that fits among the others", function()
    local text = document.read "bindings/lua/composio/composio.meta.lua"
    local at = assert(text:find("\ncomposio.connected_accounts = ", 1, true))
    local whole = text:sub(1, at) .. stub .. text:sub(at)
    local stubs, classes = assert(load(whole, "=stubs"))()
    local like, unlike = stubs.connected_accounts.enable, stubs.connected_accounts.pause
    assert.equal(debug.getinfo(like, "u").nparams, debug.getinfo(unlike, "u").nparams)
    assert.is_function(classes.account.pause)
    assert.truthy(text:find("composio.connected_accounts.enable.options: composio.change", 1, true))
    assert.truthy(stub:find("composio.connected_accounts.pause.options: composio.change", 1, true))
  end)
end)
