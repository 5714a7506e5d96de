-- Before a saved plan is carried out: is it this project's, is it within the
-- limits, is it confirmed? All of it before the first change.
-- Must not know: plan files, how changes are sent.

local host = package.loaded["composio.host"]

local CHUNK = 100

return function(_, core)
  if not host then
    return
  end

  -- host.begin_plan(next_id): next_id gives the account ids that the plan
  -- changes when the project's key has another fingerprint than the plan's, and
  -- nil otherwise: then all of them have to be found.
  function core.begin_plan(next_id)
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

    for id in next_id or function() end do
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
    core.ensure_project()
    host.guard_plan()
  end
end
