-- Returns what a call raised; fails when it raised nothing.
--
--   local raised = require "spec.support.raised"
--   local err, text = raised(pcall(accounts.get, "ca_gone"))   the object, and its text
--
-- The spec itself calls pcall, so that a position in the text is the spec's.
-- Must not know: what is called.
local assert = require "luassert"

return function(ok, err)
  assert.is_false(ok)
  return err, tostring(err)
end
