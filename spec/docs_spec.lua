-- The manual's examples, run as they stand but for the ids: what is read is
-- what works. Each block has an emulator of its own, and the two locals of the
-- manual's first block. Jobs run through the host with --emulator.
-- Must not know: what the examples are about.
local composio = require "composio"
local host = require "spec.support.host"
local server = require "spec.support.server"

local root = arg[0]:match "^(.*)/spec/[^/]*$" or "."

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

-- The lua blocks of a file: { line, text }.
local function blocks_of(name)
  local file = io.open(root .. "/" .. name, "rb")
  if not file then
    return {}
  end
  local blocks, block, number = {}, nil, 0
  for line in file:lines() do
    number = number + 1
    if block and line:find "^```" then
      block.text = table.concat(block, "\n") .. "\n"
      blocks[#blocks + 1], block = block, nil
    elseif block then
      block[#block + 1] = line
    elseif line:find "^```lua%s*$" then
      block = { line = number }
    end
  end
  file:close()
  assert(not block, name .. ": a block has no end")
  return blocks
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
  local script = place:write("job.lua", with_ids(block.text))
  for _, mode in ipairs { "--show=all", "--apply" } do
    local run = place:run { script, "--emulator=200", mode }
    assert.equal(0, run.code, run.err)
  end
  place:remove()
end

local printed_by = {}

for _, name in ipairs { "docs/from-typescript.md", "README.md" } do
  local blocks, printed = blocks_of(name), {}
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
    assert.is_true(#blocks_of "docs/from-typescript.md" >= 15)
  end)

  it("finds one in the README, when there is one", function()
    local readme = io.open(root .. "/README.md")
    if readme then
      readme:close()
      assert.is_true(#blocks_of "README.md" >= 1)
    end
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
