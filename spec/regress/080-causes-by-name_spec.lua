-- A byte order mark, quotes or the variable's name in a key file, and a key of another
-- kind, were "Invalid API key"; a dead proxy was "is the service up".
local job = require "spec.support.job"
local scene = require "spec.support.scene"

local emulator, place
scene.of_host({ "--accounts", "20" }, function(...)
  emulator, place = ...
end)

local LIST = [[accounts.list()]]

local function run(options, ...)
  options.script = LIST
  return place:run({ "job.lua", "--retries", "0", ... }, options)
end

describe("an API key", function()
  for text, mistake in pairs {
    ["\u{FEFF}ak_one"] = "byte order mark",
    ["\xff\xfea\0k\0"] = "UTF-16",
    ["a\0k\0_\0"] = "UTF-16",
    ['"ak_one"'] = "quotes",
    ["'ak_one'"] = "quotes",
    ["COMPOSIO_API_KEY=ak_one"] = "only what follows the equals sign",
    ["export COMPOSIO_API_KEY=ak_one"] = "a line of shell",
    ["uak_one"] = "a user's (uak_…)",
    ["oak_one"] = "an organisation's (oak_…)",
  } do
    it(("with %q is refused, and why is said"):format(mistake), function()
      local file = place:write("key", text .. "\n", "600")
      local refused = run({}, "--api-key-file", file)
      assert.equal(2, refused.code, refused.err)
      job.has(refused.err, mistake)
      if not text:find "\0" then
        refused = run { env = { COMPOSIO_API_KEY = text } }
        assert.equal(2, refused.code, refused.err)
        job.has(refused.err, mistake)
      end
      assert.same({}, emulator:requests())
    end)
  end
end)

describe("a service that cannot be reached", function()
  it("because of a proxy is told so, exit 7", function()
    for _, proxy in ipairs { "http://127.0.0.1:9", "http://nosuch.invalid:1" } do
      local failed = run({
        env = { COMPOSIO_BASE_URL = "https://example.invalid", https_proxy = proxy },
      })
      assert.equal(7, failed.code, failed.err)
      job.has(failed.err, "the proxy that https_proxy names: is it up?")
      job.lacks(failed.err, "is the service up")
    end
  end)

  it("because it speaks no TLS is told so, exit 7", function()
    local failed = run { env = { COMPOSIO_BASE_URL = (emulator.url:gsub("^http:", "https:")) } }
    assert.equal(7, failed.code, failed.err)
    job.has(failed.err, "does this address speak TLS")
  end)
end)
