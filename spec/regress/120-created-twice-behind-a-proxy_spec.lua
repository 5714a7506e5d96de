-- A 409 that a proxy gave in the service's place was taken for proof that nothing had
-- happened: a create that the service had carried out was sent again. A change that was
-- carried out, and then refused by the service when it was sent again, was called failed.
local composio = require "composio"
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "60" }, function(...)
  emulator, place = ...
end)

local PAGE = { action = "apply_then_reply", status = 409, body = "<html>busy</html>",
  content_type = "text/html" }
local ADVISED = { action = "apply_then_reply", status = 400, body = "no",
  headers = { ["x-should-retry"] = "true" } }

local function rule(reply, method, path)
  local copy = { method = method, path = path, times = 1 }
  for name, value in pairs(reply) do
    copy[name] = value
  end
  return copy
end

local function creates()
  local made = 0
  for _, change in ipairs(emulator:changes()) do
    made = made + ((change.op == "create" or change.op == "link") and 1 or 0)
  end
  return made
end

local CALLS = {
  link = function(accounts)
    return accounts.link("someone", "ac_GithubManage", { allow_multiple = true })
  end,
  initiate = function(accounts)
    local config = composio.auth_scheme.api_key { api_key = "sk_1234567890" }
    return accounts.initiate("someone", "ac_StripeApiKey",
      { allow_multiple = true, config = config })
  end,
}

describe("a refusal that is not the service's own", function()
  for name, call in pairs(CALLS) do
    for _, reply in ipairs { PAGE, ADVISED } do
      it(("of %s (HTTP %d) does not let it be sent again"):format(name, reply.status), function()
        emulator:faults { rule(reply, "POST") }
        local client <close> = emulator:client { retries = 2 }
        local ok, err = pcall(call, client.connected_accounts)
        assert.is_false(ok)
        assert.equal("unknown", err.outcome)
        assert.equal(1, creates())
      end)
    end
  end

  it("is no proof in a bulk either", function()
    emulator:faults { rule(PAGE, "POST", "*/link*") }
    local run = place:run({ "job.lua", "--apply", "--max-percent", "100" }, {
      script = [[
        composio.bulk({ { id = "someone" } }, function(row)
          accounts.link(row.id, "ac_GithubManage", { allow_multiple = true })
        end)
      ]],
    })
    assert.equal(0, run.code, run.err)
    assert.equal(1, creates())
  end)

  it("leaves it unknown what a later refusal means", function()
    emulator:faults {
      rule(PAGE, "PATCH"),
      job.refusal { method = "PATCH", nth = 1, times = 1 },
    }
    local client <close> = emulator:client { retries = 2 }
    local ok, err = pcall(client.connected_accounts.disable, "ca_github_u123A")
    assert.is_false(ok)
    assert.equal("unknown", err.outcome)
    assert.equal("INACTIVE", client.connected_accounts.get("ca_github_u123A").status)
  end)
end)
