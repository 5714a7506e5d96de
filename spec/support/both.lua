-- both(name, f): f as two specs, in a task and outside. A call has to give the
-- same in either place; only how it waits differs.
-- Must not know: what is called.
local busted = require "busted"

return function(name, f)
  local composio = require "composio"
  busted.it(name .. " (outside tasks)", f)
  busted.it(name .. " (in a task)", function()
    composio.run(f)
  end)
end
