-- The examples in the documents work. Those of the manual run as printed except for the
-- ids: each block has its own emulator and the two locals of the manual's first block;
-- jobs run through the host with --emulator. Commands in the documents for developers run
-- in a sandbox, or are only checked when they take too long (spec/support/document.lua).
-- Must not know: what the examples are about.
local composio = require "composio"
local document = require "spec.support.document"
local host = require "spec.support.host"
local server = require "spec.support.server"

local IDS = {
  ac_123 = "ac_GithubCustom",
  ac_456 = "ac_StripeApiKey",
  ac_basic = "ac_TwilioBasic_",
  ac_bearer = "ac_AirtblBearer",
  ac_google = "ac_BigQueryAcct",
  ac_none = "ac_HackerNoAuth",
  ac_managed = "ac_GithubManage",
  ca_123 = "ca_github_u123A",
  ca_abc123 = "ca_github_u123A",
  ca_expired = "ca_gmail_u123_C",
}

-- The lua blocks of a file.
local function examples_of(name)
  local list = {}
  for _, block in ipairs(document.blocks(name)) do
    if block.language == "lua" and block.mark == "" then
      list[#list + 1] = block
    end
  end
  return list
end

local function with_ids(text)
  return (text:gsub('"(a?c?[ac]_%w+)"', function(id)
    return IDS[id] and '"' .. IDS[id] .. '"'
  end))
end

local function is_job(text)
  return text:find("composio.job", 1, true) or text:find("composio.bulk", 1, true)
end

-- Whoever waits in a block waits for a login that somebody has to finish:
-- every pending account of the emulator, until the block has ended.
local function finish_logins(emulator, state)
  while not state.ended do
    local page = emulator.watcher.connected_accounts.list {
      statuses = { "INITIALIZING", "INITIATED" },
      limit = 100,
    }
    for _, account in ipairs(page.items) do
      if account.user_id:find "^user_new" or account.user_id:find "^user_flow" then
        emulator:tell("accounts/" .. account.id .. "/complete")
      end
    end
    composio.sleep(0.02)
  end
end

local function run_block(block, place)
  local emulator = server.emulator { "--accounts", "200" }
  local client = emulator:client { timeout = 10 }
  emulator.watcher = emulator:client()
  local printed = {}
  -- the default client of the block is one of this emulator
  local module = setmetatable({
    connected_accounts = client.connected_accounts,
    auth_configs = client.auth_configs,
  }, { __index = composio })
  local env = setmetatable({
    composio = module,
    accounts = client.connected_accounts,
    print = function(...)
      local words = table.pack(...)
      for i = 1, words.n do
        words[i] = tostring(words[i])
      end
      printed[#printed + 1] = table.concat(words, "\t")
    end,
    require = function(name)
      return name == "composio" and module or require(name)
    end,
  }, { __index = _G })
  local text = ("\n"):rep(block.line) .. with_ids(block.text)
  local chunk = assert(load(text, "@" .. place, "t", env))
  local ok, err
  composio.run(function()
    local state = {}
    local helper = composio.spawn(finish_logins, emulator, state)
    ok, err = pcall(chunk)
    state.ended = true
    helper:join()
  end)
  client:close()
  emulator.watcher:close()
  emulator:stop()
  assert(ok, tostring(err))
  return printed
end

local function run_job(block)
  local place = host.place()
  local has_locals = block.text:find('require "composio"', 1, true)
  local script = has_locals and place:write("job.lua", with_ids(block.text))
    or place:script(with_ids(block.text))
  for _, mode in ipairs { "--show=all", "--apply" } do
    local run = place:run(host.unlimited { script, "--emulator=200", mode })
    assert.equal(0, run.code, run.err)
  end
  place:remove()
end

local printed_by = {}

for _, name in ipairs { "docs/from-typescript.md", "README.md", "docs/runs.md" } do
  local blocks, printed = examples_of(name), {}
  printed_by[name] = printed
  describe(name, function()
    for _, block in ipairs(blocks) do
      it(("line %d works"):format(block.line), function()
        if is_job(block.text) then
          run_job(block)
        else
          for _, line in ipairs(run_block(block, name)) do
            printed[#printed + 1] = line
          end
        end
      end)
    end
  end)
end

describe("the search for examples", function()
  it("finds those of the manual", function()
    assert.is_true(#examples_of "docs/from-typescript.md" >= 15)
  end)

  it("finds one in the README", function()
    assert.is_true(#examples_of "README.md" >= 1)
  end)

  it("notices an example that fails", function()
    local bad = { line = 1, text = 'error "wrong"\n' }
    assert.is_false(pcall(run_block, bad, "nowhere"))
    bad.text = 'accounts.get "ca_nosuch"\n'
    assert.is_false(pcall(run_block, bad, "nowhere"))
  end)

  it("puts known ids in", function()
    assert.equal('get("ca_github_u123A", "ac_GithubCustom")', with_ids 'get("ca_123", "ac_123")')
  end)
end)

-- After the blocks above: busted keeps the order.
describe("what the manual says of examples", function()
  it("is so: what they print", function()
    local text = table.concat(printed_by["docs/from-typescript.md"], "\n")
    for _, part in ipairs {
      "ACTIVE",
      "http://127.0.0.1:",
      "github\tACTIVE\ttrue",
      "true\tfalse",
      "OAUTH1",
      "ComposioLegacyConnectedAccountsEndpointRetiredError",
    } do
      assert.is_truthy(text:find(part, 1, true), part .. " is missing in:\n" .. text)
    end
  end)
end)

-- Blocks of one document run in their order and share a sandbox.
local WITH_COMMANDS = {
  "CONTRIBUTING.md", "docs/architecture.md", "docs/add-an-operation.md",
  table.unpack(document.readmes()),
}

-- A file of specs, in the sandbox's own spec directory would be in the checkout.
local function run_specs(box, text)
  local path = box.path .. "/home/example_spec.lua"
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  return box:run("build/composio-spec spec/run.lua " .. path)
end

local function run_command_block(box, block)
  if block.mark == "check" then
    assert.same({}, document.check(block.text))
    return
  end
  local run = block.language == "lua" and run_specs or box.run
  local code, output = run(box, block.text)
  assert.equal(0, code, block.text .. output)
end

for _, name in ipairs(WITH_COMMANDS) do
  describe("commands of " .. name, function()
    local box

    setup(function()
      box = document.sandbox()
    end)
    teardown(function()
      box:remove()
    end)

    for _, block in ipairs(document.blocks(name)) do
      local is_spec = block.language == "lua" and block.mark == "spec"
      if block.language == "sh" or is_spec then
        it(("line %d works"):format(block.line), function()
          run_command_block(box, block)
        end)
      end
    end
  end)
end

describe("the run of commands", function()
  local box

  setup(function()
    box = document.sandbox()
  end)
  teardown(function()
    box:remove()
  end)

  it("ends at the first that fails", function()
    local code, output = box:run "echo first; false; echo second"
    assert.equal(1, code)
    assert.equal("first\n", output)
    assert.equal(1, (box:run "build/composio-spec spec/run.lua spec/nosuch_spec.lua"))
    assert.is_false(pcall(run_command_block, box, { language = "sh", mark = "", text = "nosuch" }))
  end)

  it("sees a spec that fails", function()
    local block = { language = "lua", mark = "spec", text = "it('fails', function() error() end)" }
    assert.is_false(pcall(run_command_block, box, block))
  end)

  for text, problem in pairs {
    ["make test\nmake nosuch"] = "make has no target nosuch",
    ["make fuzz SECOND=3"] = "make knows no variable SECOND",
    ["spec/nosuch.sh"] = "there is no program spec/nosuch.sh",
    ["spec/test.sh --nosuch"] = "spec/test.sh knows no option --nosuch",
    ["build/composio-lua --apply --nosuch"] = "build/composio-lua knows no option --nosuch",
    ["gdb --args build/asan/nosuch"] = "the build has no build/asan/nosuch",
    ["cmake --preset nosuch"] = "CMakePresets.json has no preset nosuch",
    ["clang-format -i core/nosuch.c"] = "there is no file core/nosuch.c",
    ["spec/lua docs/make_api.lua --nosuch"] = "docs/make_api.lua knows no option --nosuch",
    ["nosuch"] = "there is no program nosuch",
  } do
    it("checks what is not run: " .. problem, function()
      assert.equal(problem, document.check(text)[1])
      assert.is_false(
        pcall(run_command_block, box, { language = "sh", mark = "check", text = text })
      )
    end)
  end
end)
