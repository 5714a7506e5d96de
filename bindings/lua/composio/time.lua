-- composio.ago: times in the service's format, so that a script can compare them with
-- an account's created_at and updated_at as strings. Also core.seconds for durations.
-- Must not know: accounts, the host.

local UNITS = { s = 1, m = 60, h = 3600, d = 86400 }
local LONGEST = 100 * 366 * 86400 -- more is a mistake, and os.date may not take it

return function(composio, core)
  -- Converts "90s", "5m", "20h", "14d" or a number of seconds to seconds; returns nil for
  -- anything else, and for more than a hundred years.
  function core.seconds(value)
    if math.type(value) then
      return value >= 0 and value <= LONGEST and value or nil
    end
    if type(value) ~= "string" then
      return nil
    end
    local number, unit = value:match "^(%d+%.?%d*)([smhd]?)$"
    local seconds = number and tonumber(number) * (UNITS[unit] or 1)
    return seconds and seconds <= LONGEST and seconds or nil
  end

  -- composio.ago("90d") returns the time 90 days ago, in UTC.
  function composio.ago(duration)
    core.check_dot("composio.ago", "ago", duration)
    local seconds = core.seconds(duration)
    if not seconds then
      local got = type(duration) == "string" and "'" .. duration .. "'"
        or type(duration) == "number" and tostring(duration)
        or type(duration)
      core.usage("composio.ago: expected a duration such as '90d', '20h' or '5m', got " .. got)
    end
    return os.date("!%Y-%m-%dT%H:%M:%S.000Z", os.time() - math.floor(seconds))
  end
end
