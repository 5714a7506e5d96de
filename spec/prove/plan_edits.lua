-- Plans that somebody edited: each byte flipped; and each member removed, doubled and given a
-- value of another kind, with digest and seal made right again by somebody who has the API
-- key. Such a plan is refused and nothing is sent, or it does what it did before. Of a plan
-- that was sealed again, changes may be left alone: what it says of an account is compared
-- with the service.
-- Usage: lua5.4 spec/prove/plan_edits.lua [short]
-- Must not know: what the members mean.
package.path = (arg[0]:match "^(.*)/spec/prove/[^/]*$" or ".") .. "/?.lua;" .. package.path
local digest = require "spec.support.digest"
local stage = require "spec.prove.stage"

local FEW = 12 -- edits of a kind in the short form

local JOB = [[
local composio = require "composio"
local accounts = composio.connected_accounts
composio.job { may = "irreversible" }
accounts.refresh("ca_gmail_u123_C")
composio.bulk("many", accounts.each { toolkit_slugs = { "slack", "github" } }, function(account)
  if account.status == "ACTIVE" then
    account:update { alias = "a" .. account.id, otherwise = "disable", reason = "spec" }
  elseif account.status == "EXPIRED" then
    account:refresh()
  else
    account:delete { revoke = true }
  end
end)
composio.bulk("new", { { id = "someone" } }, function(row)
  accounts.link(row.id, "ac_GmailManaged", { alias = "new" })
end)
]]

stage.begin "plan edits"
stage.spread(3, "edits")
local emulator = stage.emulator { "--accounts", "40" }
local state, path = stage.dir .. "/state", stage.dir .. "/plan"
stage.write(stage.dir .. "/job.lua", JOB)

local function run(words)
  words.state, words.url = state, emulator.url
  return stage.shell(stage.command(words))
end

local output, code = run {
  script = stage.dir .. "/job.lua", more = { "--save-plan", path, "--max-percent", "100" },
}
assert(code == 0, output)
local plan = stage.read(path)
local irreversible = plan:match '"irreversible":(%d+),"fallbacks"'

-- Applies a plan, and returns the output, the exit code and what the emulator did.
local function apply(text)
  stage.write(path, text)
  local said, exit = run { verb = "apply", operand = path, more = {
    "--max-percent", "100", "--confirm", irreversible, "--anew",
  } }
  local done = {}
  for _, change in ipairs(emulator:changes()) do
    if change.op ~= "expire" then -- logins lapse by themselves in a long sweep
      done[#done + 1] = change.op .. " " .. (change.op == "link" and "" or change.account_id)
    end
  end
  if done[1] then
    emulator:reset()
  end
  table.sort(done)
  return said, exit, table.concat(done, "\n")
end

local said, exit, whole = apply(plan)
assert(exit == 0 and whole ~= "", said)
stage.wipe(state)

-- Is each of these changes one of the plan's?
local function is_part(done)
  local left = whole .. "\n"
  for line in (done .. "\n"):gmatch "[^\n]+\n" do
    local from, to = left:find(line, 1, true)
    if not from then
      return false
    end
    left = left:sub(1, from - 1) .. left:sub(to + 1)
  end
  return true
end

local function point(text, how, sealed_again)
  local problems = {}
  said, exit, output = apply(text)
  if output ~= "" and not (sealed_again and is_part(output)) then
    problems[1] = "it did something else:\n" .. output .. "\n" .. said
  elseif output == "" and exit ~= 2 and exit ~= 4 then
    problems[1] = ("exit %d:\n%s"):format(exit, said)
  end
  if output ~= "" then
    stage.wipe(state)
  end
  stage.point(problems, how)
end

-- ---- bytes ----

for at in stage.points(1, #plan, FEW) do
  if stage.mine() then
    point(plan:sub(1, at - 1) .. string.char(plan:byte(at) ~ 1) .. plan:sub(at + 1), "byte " .. at)
  end
end

-- ---- members ----

-- Returns the members of a line's object, as they are written.
local function members_of(line)
  local list, depth, from, quoted, at = {}, 0, 2, false, 1
  while at <= #line do
    local byte = line:sub(at, at)
    if quoted then
      at = at + (byte == "\\" and 1 or 0)
      quoted = byte ~= '"'
    elseif byte == '"' then
      quoted = true
    elseif byte:find "[%[{]" then
      depth = depth + 1
    elseif byte:find "[%]},]" then
      if depth == 1 then
        list[#list + 1] = line:sub(from, at - 1)
        from = at + 1
      end
      depth = depth - (byte == "," and 0 or 1)
    end
    at = at + 1
  end
  return list
end

local edits = {}
for before, line, after in plan:gmatch "()([^\n]+)\n()" do
  local list = members_of(line)
  for at, member in ipairs(list) do
    local name, value = member:match '^("[^"]*":)(.*)$'
    local kinds = { removed = {}, doubled = { member, member }, retyped = {
      name .. (value:find '^"' and "7" or '"x"'),
    } }
    for how, parts in pairs(kinds) do
      local copy = table.move(list, 1, at - 1, 1, {})
      table.move(parts, 1, #parts, #copy + 1, copy)
      table.move(list, at + 1, #list, #copy + 1, copy)
      edits[#edits + 1] = {
        plan:sub(1, before - 1) .. "{" .. table.concat(copy, ",") .. "}\n" .. plan:sub(after),
        ("%s of line %s %s"):format(name, line:sub(1, 30), how),
      }
    end
  end
end
for at in stage.points(1, #edits, 2 * FEW) do
  if stage.mine() then
    local text, how = edits[at][1], edits[at][2]
    point(text:find "\n[^\n]*\n$" and digest.forged(text, stage.API_KEY) or text, how, true)
  end
end
stage.finish "edits"
