-- Random scripts: several bulks over accounts, ids and rows, with filters, one or more
-- changes of each account, `otherwise`, and straight-line changes.
--
--   local text = generate.script(random, { disjoint = true, ids = LIST, … })
--     disjoint    no account is in more than one bulk
--     bulks       how many at most (3)
--     straight    changes outside bulks, too
--     reversible  no delete and no revoke
--     creates     links and accounts for new users, too
-- Must not know: how a script is run.
local generate = {}

local STATUSES = { "ACTIVE", "ACTIVE", "INACTIVE", "EXPIRED", "FAILED" }
local TOOLKITS = { "github", "gmail", "slack", "notion", "stripe", "hackernews", "airtable" }

-- What an action does with an account; N is replaced by a unique number.
local REVERSIBLE = {
  "account:disable { reason = 'r%d' }",
  "account:enable()",
  "account:update { alias = 'p%d-' .. account.id }",
  "account:disable() account:update { alias = 'q%d-' .. account.id }",
  "account:update { alias = 's%d-' .. account.id } account:disable()",
  "account:disable() account:enable() account:update { alias = 't%d' .. account.id }",
  "account:enable { otherwise = 'disable' }",
  "if shared(account) then account:update { acl = { allowed_user_ids = { 'guest %d' } } } end",
  "if shared(account) then account:update { acl = { allow_all_users = true } } end",
  "if account.status ~= 'ACTIVE' then account:refresh() end",
  "if account.status ~= 'ACTIVE' then account:refresh { otherwise = 'enable' } end",
}
local IRREVERSIBLE = {
  "account:delete()",
  "account:delete { otherwise = 'disable' }",
  "account:disable() account:delete()",
  "account:revoke { otherwise = 'disable' }",
  "account:revoke() account:delete()",
  "account:update { alias = 'v%d-' .. account.id } account:delete()",
}

local function some(random, list)
  local picked, seen = {}, {}
  for _ = 1, random(1, 3) do
    local word = list[random(1, #list)]
    if not seen[word] then
      seen[word] = true
      picked[#picked + 1] = ("%q"):format(word)
    end
  end
  return table.concat(picked, ", ")
end

local function filter(random)
  local words = { ("statuses = { %s }"):format(some(random, STATUSES)) }
  if random(1, 3) == 1 then
    words[#words + 1] = ("toolkit_slugs = { %s }"):format(some(random, TOOLKITS))
  end
  if random(1, 4) > 1 then
    words[#words + 1] = 'account_type = "ALL"'
  end
  if random(1, 3) == 1 then
    words[#words + 1] = ("limit = %d"):format(random(3, 100))
  end
  return "accounts.each { " .. table.concat(words, ", ") .. " }"
end

local function some_ids(random, ids)
  local list, seen = {}, {}
  for _ = 1, random(1, 12) do
    local id = ids[random(1, #ids)]
    if not seen[id] then
      seen[id] = true
      list[#list + 1] = ("%q"):format(id)
    end
  end
  return "{ " .. table.concat(list, ", ") .. " }"
end

-- Returns the source of an action: the accounts it takes and what it does with each.
local function action(random, options, number, bulks)
  local lines = { "function(account)", "  local h = hash(account.id)" }
  if options.disjoint then
    lines[#lines + 1] = ("  if h %% %d ~= %d then return end"):format(bulks, number - 1)
  end
  lines[#lines + 1] = ("  h = h // %d"):format(bulks)
  local kinds = random(1, 4)
  for kind = 0, kinds - 1 do
    local all = not options.reversible and random(1, 3) == 1 and IRREVERSIBLE or REVERSIBLE
    local body = all[random(1, #all)]
    body = body:find "%%d" and body:format(number * 10 + kind) or body
    lines[#lines + 1] = ("  if h %% %d == %d then %s end"):format(kinds + random(0, 3), kind, body)
  end
  lines[#lines + 1] = "end"
  return table.concat(lines, "\n")
end

local function rows(random, number)
  local list = {}
  for i = 1, random(1, 6) do
    list[i] = ('{ id = "row %d", user = "fresh %d/%d" }'):format(i, number, i)
  end
  local call = random(1, 2) == 1
      and 'accounts.link(row.user, "ac_GithubManage", { allow_multiple = true })'
    or 'accounts.initiate(row.user, "ac_StripeApiKey", { config = key, allow_multiple = true })'
  return "{ " .. table.concat(list, ", ") .. " }", "function(row)\n  " .. call .. "\nend"
end

local STRAIGHT = {
  'accounts.link("straight %d", "ac_GithubManage", { allow_multiple = true })',
  'accounts.initiate("straight %d", "ac_StripeApiKey", { config = key, allow_multiple = true })',
}

local HEAD = [[
local composio = require "composio"
local accounts = composio.connected_accounts
composio.job { summary = "By chance.", may = "%s" }
local key = composio.auth_scheme.api_key { api_key = "%s" }
local function hash(id)
  local h = 7
  for i = 1, #id do
    h = (h * 31 + id:byte(i)) %% 1000003
  end
  return h + (key and 0 or 1)
end
local function shared(account)
  return account.experimental and account.experimental.account_type == "SHARED"
end
]]

function generate.script(random, options)
  local bulks = random(1, options.bulks or 3)
  local may = options.may or (options.reversible and "reversible" or "irreversible")
  local parts = { HEAD:format(may, options.secret or "sk_none") }
  for number = 1, bulks do
    local selection, act
    local kind = random(1, 6)
    if kind == 1 and options.creates then
      selection, act = rows(random, number)
    elseif kind == 2 and #options.ids > 0 then
      selection, act = some_ids(random, options.ids), action(random, options, number, bulks)
    else
      selection, act = filter(random), action(random, options, number, bulks)
    end
    parts[#parts + 1] = ('composio.bulk("bulk %d", %s, %s)\n'):format(number, selection, act)
  end
  for i = 1, options.straight and random(0, 2) or 0 do
    parts[#parts + 1] = ("pcall(function() %s end)\n"):format(STRAIGHT[random(1, 2)]:format(i))
  end
  return table.concat(parts)
end

return generate
