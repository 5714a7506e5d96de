-- composio.ago: points in time as the service writes them, so that they can be
-- compared with an account's created_at and updated_at as texts.
-- Must not know: accounts, the host.

local UNITS = { s = 1, m = 60, h = 3600, d = 86400 }

return function(composio, core)
  -- "90s", "5m", "20h", "14d" or a number of seconds, as seconds; nil when it
  -- is none of these.
  function core.seconds(value)
    if math.type(value) then
      return value >= 0 and value or nil
    end
    if type(value) ~= "string" then
      return nil
    end
    local number, unit = value:match "^(%d+%.?%d*)([smhd]?)$"
    return number and tonumber(number) * (UNITS[unit] or 1)
  end

  -- composio.ago("90d"): the time that long ago, in UTC.
  function composio.ago(duration)
    local seconds = core.seconds(duration)
    if not seconds then
      local got = type(duration) == "string" and "'" .. duration .. "'" or type(duration)
      core.usage("composio.ago: expected a duration such as '90d', '20h' or '5m', got " .. got)
    end
    return os.date("!%Y-%m-%dT%H:%M:%S.000Z", os.time() - math.floor(seconds))
  end
end
