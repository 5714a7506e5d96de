-- Runs the specs: composio-spec spec/run.lua [FILE or DIRECTORY]… [busted's
-- options]. Without a path it runs spec/ except spec/stock, which is for plain lua5.4.
-- COMPOSIO_BUILD names the directory with the programs.
-- The last line is "N passed, N failed". Exits 1 when a spec failed, when a file could
-- not be loaded, or when no spec ran.
-- Must not know: what the specs are about.

local root = arg[0]:match "^(.*)/spec/[^/]*$" or "."
package.path = root .. "/?.lua;" .. package.path

local has_place = false
for _, word in ipairs(arg) do
  has_place = has_place or not word:find "^%-"
end
if not has_place then
  table.insert(arg, root .. "/spec")
  table.insert(arg, "--exclude-pattern=stock_")
end
table.insert(arg, "--pattern=_spec%.lua$")
table.insert(arg, "--output=spec.support.output")

-- The output handler counts; busted's own exit code knows nothing of a run
-- without specs.
local counts = { passed = 0, failed = 0, started = false }
package.loaded["spec.support.counts"] = counts

require "busted.runner" { standalone = false }

if counts.passed == 0 or counts.failed > 0 then
  os.exit(1, true)
end
