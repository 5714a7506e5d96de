-- The verb doctor: checks everything that jobs will need, changes nothing, and says for
-- each check that it is ok or what to do.
-- Must not know: SQL, how requests are sent, terminals.

local columns = require "composio.host.columns"
local json_line = require "composio.host.json_line"
local next_command = require "composio.host.next_command"
local versions = require "composio.versions"

local MOST_SKEW = 30 -- seconds
local EXPIRED = "composio.connected_account.expired"
local LARGE = 200e6 -- bytes of a ledger from which on doctor says how runs are removed
local MUCH_LEFT = 1e6 -- bytes that are worth a word
local FEW_LEFT = 0.2 -- of the organisation's rate limit: below it, jobs have to wait

-- Exit codes by the state of a check, most important first: the first state that occurs
-- decides.
local CODES = { "key", "unreachable", "wrong", "todo" }
local CODE = { key = 6, unreachable = 7, wrong = 2, todo = 3 }
local WORD = { ok = "ok", note = "note", todo = "to do" }

local function first_line(text)
  return (tostring(text):match "^[^\n]*")
end

local function size_of(path)
  local file = io.open(path, "rb")
  local size = file and file:seek "end" or 0
  if file then
    file:close()
  end
  return size
end

return function(core, host)
  local seen, list = {}, nil

  -- Reports a check: its state, its subject, and a text.
  local function report(state, what, text)
    seen[state] = true
    local word = WORD[state] or "wrong"
    if host.wants_json then
      host.print(json_line.object(core, { "check", "state", "text" },
        { check = what, state = word:gsub(" ", "_"), text = text }), true)
    else
      list:add(what, word, text)
    end
  end

  -- ---- this machine ----

  local function check_versions()
    local all, lines = versions.check(core.versions()), {}
    for place, version in ipairs(all) do
      lines[place] = ("%s %s"):format(version.library, version.runs or version.built or "?")
    end
    report("ok", "versions", ("composio-lua %s, %s"):format(host.version,
      table.concat(lines, ", ")))
    for _, version in ipairs(all) do
      if version.warning then
        report("todo", "versions", version.warning)
      end
    end
  end

  local function check_state_dir(given)
    if not host.state_dir or host.state_dir == "" then
      report("wrong", "state", "no home directory to keep the ledger in; give --state-dir DIR")
      return
    end
    local problem = given.unwritable(host.state_dir)
    if problem then
      report("wrong", "state", ("%s cannot be written: %s"):format(host.state_dir, problem))
    end
    local good, found = pcall(host.ledger)
    if not good then
      report("wrong", "ledger", first_line(found))
      return
    elseif not found then
      report("ok", "ledger", "none yet in " .. host.state_dir)
      return
    end
    local file = host.state_dir .. "/ledger.db"
    local used, left = found:size()
    local text = ("%s, %.1f MB"):format(file, (used + size_of(file .. "-wal")) / 1e6)
    if left >= MUCH_LEFT then
      text = ("%s, and %.1f MB that are free for later runs"):format(text, left / 1e6)
    end
    if used >= LARGE then
      report("note", "ledger", text .. ": `composio-lua runs --prune 90d` shows which runs can go")
    else
      report("ok", "ledger", text)
    end
    return found
  end

  local function check_runs(ledger)
    local newest, open = next_command.newest_open(ledger, host)
    if open == 0 then
      report("ok", "runs", "no run is left to be resumed")
      return
    end
    report("todo", "runs", ("%d to be resumed, the newest with: %s"):format(open,
      next_command.of_run(newest, ledger:counts(newest.run), host)))
  end

  local function check_lock(given)
    local holder = given.holder()
    if holder then
      local except = holder.shards and (", except with another slice I/%d,"):format(
        holder.shards) or ""
      report("note", "lock", ("run %s of pid %d holds it since %s: another that makes changes%s "
        .. "exits 75"):format(holder.run, holder.pid, holder.since, except))
    else
      report("ok", "lock", "free")
    end
  end

  -- ---- the service ----

  local function check_proxy(base_url)
    local https = base_url:find "^https:"
    for _, name in ipairs {
      https and "https_proxy" or "http_proxy", https and "HTTPS_PROXY" or "", "all_proxy",
      "ALL_PROXY",
    } do
      local value = os.getenv(name)
      if value and value ~= "" then
        report("note", "proxy", ("%s is set, so requests use it unless no_proxy names the host")
          :format(name))
        return
      end
    end
    report("ok", "proxy", "none")
  end

  -- others_work: whether another route took the key, which is from key_source.
  local function report_failure(what, failure, others_work, key_source)
    local name, text = type(failure) == "table" and failure.name, first_line(failure)
    if name == "AuthenticationError" or name == "PermissionDeniedError" then
      report("key", what, text .. (others_work and "; other routes take the key: it lacks the "
        .. "permission to read these" or ("; the key is from %s: put a current key of the project "
        .. "there, or give --api-key-file FILE"):format(key_source)))
    else
      report(name == "RouteNotFoundError" and "wrong" or "unreachable", what, text)
    end
  end

  -- Reads once with each route that jobs need. Returns whether the service replies at
  -- all.
  local function check_routes(composio, base_url, key_source)
    local accounts = composio.connected_accounts
    local tried, works = {}, false
    local function try(what, call, ...)
      local good, result = pcall(call, ...)
      tried[#tried + 1] = { what = what, failure = not good and result }
      works = works or good
      local name = not good and type(result) == "table" and result.name
      return good and result, name == "APIConnectionError" or name == "APIConnectionTimeoutError"
    end
    local page, is_down = try("connected_accounts.list", accounts.list, { limit = 1 })
    if page and page.items[1] then
      try("connected_accounts.get", accounts.get, page.items[1].id)
    end
    if not is_down then
      try("auth_configs.list", composio.auth_configs.list, { limit = 1 })
      if base_url:find "^https:" then
        report("ok", "TLS", "the certificate is trusted")
      end
    end
    for _, route in ipairs(tried) do
      if route.failure then
        report_failure(route.what, route.failure, works, key_source)
      else
        report("ok", route.what, "can be read")
      end
    end
    return not is_down
  end

  -- Says whether the service announces the expiry of accounts. The route is not needed by any
  -- job, so that its failure is only a note.
  local function check_webhooks()
    local ask = core.operation(core.default_client(), "webhook_subscriptions", "list")
    local good, page = pcall(ask, { limit = 50 })
    if not good then
      report("note", "webhooks", "whether expiry is announced is not known: " .. first_line(page))
      return
    end
    for _, subscription in ipairs(page.items or {}) do
      for _, event in ipairs(subscription.enabled_events or {}) do
        if event == EXPIRED and subscription.version == "V3" then
          local to = tostring(subscription.webhook_url):match "^%a+://([^/?#]*)" or "?"
          report("ok", "webhooks", ("expiry of OAUTH2 accounts is announced to %s"):format(
            to:gsub("^.*@", "")))
          return
        end
      end
    end
    report("note", "webhooks", ("expiry is not announced, only listings find it; to be told, "
      .. "subscribe to %s (version V3) in Composio's dashboard"):format(EXPIRED))
  end

  local function check_clock(ms)
    local skew = ms and (host.now() - ms) / 1000
    if not skew then
      report("note", "clock", "the service sends no Date, so it cannot be compared")
    elseif math.abs(skew) < MOST_SKEW then
      report("ok", "clock", "agrees with the service's")
    else
      report("todo", "clock", ("%.0f s %s the service's: set it; times in the ledger and ages in "
        .. "scripts are wrong"):format(math.abs(skew), skew > 0 and "ahead of" or "behind"))
    end
  end

  local function check_rate(facts)
    if facts.limit == 0 then
      report("note", "rate", "the service states no limit; --rate sets one")
      return
    end
    local text = ("%s of %s requests left in a window of %d s"):format(host.number(facts.remaining),
      host.number(facts.limit), facts.window_ms // 1000)
    if facts.remaining < FEW_LEFT * facts.limit then
      report("note", "rate", text .. ": jobs will wait for the next window")
    else
      report("ok", "rate", text)
    end
  end

  local function check_service(given)
    if given.trouble then
      report("wrong", "settings", given.trouble)
      return
    end
    report("ok", "key", "a project's, from " .. given.key_source)
    report("ok", "base URL", given.base_url)
    check_proxy(given.base_url)
    if check_routes(given.connect(), given.base_url, given.key_source) then
      local facts = given.facts()
      check_webhooks()
      check_clock(facts.service_ms)
      check_rate(facts)
    end
    check_lock(given)
  end

  -- ---- the verb ----

  local function doctor(given)
    list = columns(host, {
      columns = { { title = "check" }, { title = "state" }, { title = "details" } },
    })
    check_versions()
    report("ok", "profile", host.profile or "none")
    check_service(given)
    local ledger <close> = check_state_dir(given)
    if ledger then
      check_runs(ledger)
    end
    list:finish()
    for _, state in ipairs(CODES) do
      if seen[state] then
        return CODE[state]
      end
    end
    return 0
  end

  return { doctor = doctor }
end
