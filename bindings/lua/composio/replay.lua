-- Before a saved plan is carried out: is it this project's, is it within the
-- limits, is it confirmed? All of it before the first change.
-- Must not know: plan files, how changes are sent.

local host = package.loaded["composio.host"]

local CHUNK = 100

return function(_, core)
  if not host then
    return
  end

  -- The accounts that the plan changes, each once.
  local function plan_ids()
    local past, seen = host.past(host.run), {}
    return function()
      for row in past do
        local id = row.account
        if row.resource == "connected_accounts" and id and id ~= "" and not seen[id] then
          seen[id] = true
          return id
        end
      end
    end
  end

  -- A key with another fingerprint than the plan's may be a new one of the same
  -- project: then the service knows every account of the plan.
  local function check_project()
    local ids, missing, count = {}, {}, 0

    local function look()
      local found = core.find_all(ids)
      for _, id in ipairs(ids) do
        if not found[id] then
          missing[#missing + 1] = id
        end
      end
      count = count + #ids
      ids = {}
    end

    for id in plan_ids() do
      ids[#ids + 1] = id
      if #ids == CHUNK then
        look()
      end
    end
    if #ids > 0 then
      look()
    end
    if #missing > 0 then
      local text = "refused: --same-project, but %d of the plan's %d accounts are not in this "
        .. "project, %s among them: the plan was made for another one"
      host.stop("refused", text:format(#missing, count, missing[1]))
    end
  end

  -- The script, with what has to be looked at before a saved plan is begun.
  function core.with_plan(script)
    return function()
      if host.other_key then
        check_project()
      end
      core.ensure_project()
      host.guard_plan()
      return script()
    end
  end
end
