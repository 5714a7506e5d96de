-- The stubs for editors have exactly the names that the module has.
local composio = require "composio"
local core = require "composio.core"
local server = require "spec.support.server"

local root = debug.getinfo(1, "S").source:match "^@(.*)spec/[^/]*$"
local path = root .. "bindings/lua/composio/composio.meta.lua"

local function read()
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  return text
end

-- The names of the fields of a class and of those it is made from: the @field
-- lines that follow its @class line.
local function fields_of(text, class)
  local names, found, parent = {}, false, nil
  for line in text:gmatch "[^\n]*" do
    local name, above = line:match "^%-%-%-@class ([%w_.]+):? ?([%w_.]*)"
    if name == class then
      found, parent = true, above ~= "" and above
    elseif found then
      local field = line:match "^%-%-%-@field ([%w_]+)"
      if not field then
        break
      end
      names[field] = true
    end
  end
  assert(found, "the stubs have no class " .. class)
  for name in pairs(parent and fields_of(text, parent) or {}) do
    names[name] = true
  end
  return names
end

local function keys(object)
  local names = {}
  for name in pairs(object) do
    names[name] = true
  end
  return names
end

describe("the stubs", function()
  local text = read()
  local stubs, classes = assert(load(text, "@" .. path))()

  it("name everything that composio has", function()
    local has = keys(composio)
    has.null, stubs.null = nil, nil -- a stub cannot hold it
    assert.same(has, keys(stubs))
  end)

  for _, name in ipairs { "connected_accounts", "auth_configs", "auth_scheme" } do
    it("name everything that composio." .. name .. " has", function()
      assert.same(keys(composio[name]), keys(stubs[name]))
    end)
  end

  local operations = {} -- those of resources that scripts have
  for _, row in ipairs(core.operations()) do
    operations[#operations + 1] = rawget(composio, row.resource) and row or nil
  end

  it("have one function for each operation of the table", function()
    for _, row in ipairs(operations) do
      assert.is_function(stubs[row.resource][row.name], row.resource .. "." .. row.name)
    end
  end)

  -- Options that the Lua above an operation takes.
  local composites = {
    ["connected_accounts.link"] = { "allow_multiple" },
    ["connected_accounts.initiate"] = { "allow_multiple" },
    ["connected_accounts.refresh"] = { "even_if_active" },
  }
  for _, row in ipairs(operations) do
    local name = row.resource .. "." .. row.name
    it("have the options of " .. name, function()
      local expected = { timeout = true }
      for _, option in ipairs(row.options) do
        expected[option] = true
      end
      for _, option in ipairs(composites[name] or {}) do
        expected[option] = true
      end
      if row.class ~= "read" then
        expected.reason, expected.otherwise = true, true
      end
      assert.same(expected, fields_of(text, "composio." .. name .. ".options"))
    end)

    it("have the arguments of " .. name, function()
      local info = debug.getinfo(stubs[row.resource][row.name], "u")
      assert.equal(#row.arguments + 1, info.nparams)
    end)
  end

  it("have the methods of accounts", function()
    local emulator <close> = setmetatable({ server.emulator { "--accounts", "20" } }, {
      __close = function(self)
        self[1]:stop()
      end,
    })
    local client = emulator[1]:client()
    local account = client.connected_accounts.get "ca_github_u123A"
    for name in pairs(classes.account) do
      assert.is_function(account[name], name)
    end
    for _, row in ipairs(core.operations()) do
      local of_account = row.resource == "connected_accounts" and row.arguments[1] == "id"
      if of_account and row.name ~= "get" then
        assert.is_function(classes.account[row.name], row.name)
      end
    end
    client:close()
  end)

  it("have the methods of the other classes", function()
    local client = composio.client { api_key = "ak_some-key" }
    assert.is_function(client.close)
    client:close()
    assert.is_function(classes.client.close)
    local task = composio.spawn(function() end)
    for name in pairs(classes.task) do
      assert.is_function(task[name], name)
    end
    task:join()
    local selection = composio.connected_accounts.each()
    for name in pairs(classes.selection) do
      assert.is_function(selection[name], name)
    end
    for name in pairs(classes.walk) do
      assert.is_function(selection:walk()[name], name)
    end
  end)

  it("have the options of composio.client", function()
    local known = fields_of(text, "composio.client.options")
    for name in pairs(known) do
      local _, err = pcall(composio.client, { [name] = {} })
      assert.is_nil(tostring(err):find("unknown option", 1, true), name)
    end
    local ok, err = pcall(composio.client, { zzz = 1 })
    assert.is_false(ok)
    for name in tostring(err):match("it takes: (.*)%)"):gmatch "[%w_]+" do
      assert.is_true(known[name], name)
    end
  end)

  it("have the fields of errors", function()
    local known = fields_of(text, "composio.error")
    local options = { base_url = "http://127.0.0.1:9", api_key = "ak_k", retries = 0 }
    local client = composio.client(options)
    local ok, err = pcall(client.connected_accounts.get, "ca_x")
    assert.is_false(ok)
    for name in next, err do
      assert.is_true(known[name], name)
    end
    client:close()
  end)
end)
