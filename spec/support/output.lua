-- The output of a spec run: each failure at once, and one final line.
-- Must not know: what the specs are about.
local counts = package.loaded["spec.support.counts"]

return function(options)
  local busted = require "busted"
  local handler = require "busted.outputHandlers.base"()

  local function show(kind, element, message, trace)
    counts.failed = counts.failed + 1
    local place = trace or element.trace or {}
    io.write(
      ("\n%s: %s\n  %s:%s\n"):format(
        kind,
        handler.getFullName(element),
        tostring(place.short_src),
        tostring(place.currentline)
      )
    )
    local text = tostring(message)
    if type(message) == "table" and not (getmetatable(message) or {}).__tostring then
      text = require("pl.pretty").write(message)
    end
    io.write("  ", (text:gsub("\n", "\n  ")), "\n")
    if options.verbose and place.traceback then
      io.write(place.traceback, "\n")
    end
    io.flush()
  end

  busted.subscribe({ "test", "end" }, function(element, _, status)
    if status == "success" then
      counts.passed = counts.passed + 1
    elseif status == "pending" then
      show("PENDING", element, "every spec has to run")
    end
    if options.verbose then
      io.write(status, "  ", handler.getFullName(element), "\n")
      io.flush()
    end
    return nil, true
  end)
  for _, kind in ipairs { "failure", "error" } do
    busted.subscribe({ kind }, function(element, _, message, trace)
      show(kind:upper(), element, message, trace)
      return nil, true
    end)
  end
  busted.subscribe({ "exit" }, function()
    if counts.passed == 0 and counts.failed == 0 then
      io.write "no spec ran\n"
      counts.failed = 1
    end
    io.write(("%d passed, %d failed\n"):format(counts.passed, counts.failed))
    io.flush()
    return nil, true
  end)

  return handler
end
