-- both(name, f) registers f as two specs: outside tasks and in a task. A call must
-- give the same result in both; only the way it waits differs.
-- Must not know: what is called.
local busted = require "busted"

return function(name, f)
  local composio = require "composio"
  busted.it(name .. " (outside tasks)", f)
  busted.it(name .. " (in a task)", function()
    composio.run(f)
  end)
end
