-- A bulk over accounts that the script had collected in a list wrote them whole into the
-- ledger and the saved plan, links and tokens included.
local host = require "spec.support.host"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "60", "--mask", "raw" }, function(...)
  emulator, place = ...
end)

-- What the state directory and the plan hold, as bytes.
local function stored()
  return host.shell(("cat %s/.local/state/composio-lua/* %s/plan* 2>/dev/null"):format(
    place.path, place.path))
end

-- The id of an account with a link, the link, and a token of another account.
local function secrets()
  local client = emulator:client()
  local link = client.connected_accounts.link("user_new", "ac_GmailManaged")
  local token
  for account in client.connected_accounts.each { statuses = { "ACTIVE" } } do
    token = token or account.state.val.access_token
  end
  client:close()
  assert(token and link.redirect_url)
  emulator:forget()
  return link.id, link.redirect_url, token
end

local SELECTIONS = {
  ["a list"] = "%s",
  ["a function"] = "(function() local list, at = %s, 0; return function() at = at + 1; "
    .. "return list[at] end end)()",
  ["rows that hold accounts"] = "(function() local rows = {}; for place, account in ipairs(%s) do "
    .. "rows[place] = { id = account.id, account = account:decode() } end; return rows end)()",
}

describe("a bulk over accounts that the script collected", function()
  for name, selection in pairs(SELECTIONS) do
    it("stores no link and no token of " .. name, function()
      local id, link, token = secrets()
      local script = ([[
        local all = {}
        for account in accounts.each { statuses = { "ACTIVE", "INITIALIZING" } } do
          all[#all + 1] = account
        end
        composio.bulk({ after = function(item) print("after", item.id) end }, %s, function(item)
          accounts.update(item.id, { alias = "x" .. item.id:sub(-4) })
        end)
      ]]):format(selection:format "all")
      local words = host.unlimited { "job.lua", "--save-plan", "plan" }
      local preview = place:run(words, { script = script })
      assert.equal(0, preview.code, preview.err)
      local text = stored()
      local acted = place:run(host.unlimited { "job.lua", "--apply" }, { script = script })
      assert.equal(0, acted.code, acted.err)
      job.has(acted.out, "after\t" .. id)
      text = text .. stored()
      job.has(text, id)
      for _, secret in ipairs { link, link:match "[^/]+$", token } do
        assert.is_nil(text:find(secret, 1, true), "stored: " .. secret)
      end
    end)
  end

  it("is resumed like one over accounts.each", function()
    local id = secrets()
    local script = ([[
      composio.bulk({ after = function(item)
        print(item.user_id, item.id)
        item:wait_for_connection { timeout = 0.1 }
      end }, accounts.list({ connected_account_ids = { %q } }).items, function(account)
        account:update { alias = "new" }
      end)
    ]]):format(id)
    local acted = place:run(host.unlimited { "job.lua", "--apply" }, { script = script })
    assert.equal(9, acted.code, acted.err)
    local resumed = place:run { "resume", "last" }
    assert.equal(9, resumed.code, resumed.err)
    assert.equal("user_new\t" .. id .. "\n", resumed.out)
  end)
end)
