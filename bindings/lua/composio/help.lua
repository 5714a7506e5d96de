-- The pages of --help, and the list of the shipped scripts, as texts.
-- Must not know: what options do, how they are parsed.

local COLUMN, WIDTH = 27, 80

local VERBS = [[
composio-lua %s: bulk operations on Composio connected accounts

  composio-lua run SCRIPT [--apply] [options] [parameters]
  composio-lua SCRIPT …         the same as run
  composio-lua apply PLAN       carry out a plan from --save-plan
  composio-lua resume RUN       finish what a run left undone
  composio-lua undo RUN         reverse what a run changed
  composio-lua runs             list the runs, newest first
  composio-lua show RUN         show what a run did
  composio-lua history ACCOUNT  show who changed an account, and when
  composio-lua resolve RUN CHANGE done|failed
                                record what became of an unknown change
  composio-lua doctor           check what jobs will need, and change nothing
  composio-lua profiles         list the profiles and their options
  composio-lua scripts          list the shipped scripts
  composio-lua help SCRIPT      show a script's parameters

SCRIPT is a path or the name of a shipped script. RUN is an id from the list of
`composio-lua runs`, the first or last characters of one, or the word last.
run and undo change nothing without --apply: they show what would change.
apply and resume make changes.

Options may be given before or after SCRIPT, PLAN or RUN:

]]

local NOTES = [[

The API key is read from --api-key-file, from
$CREDENTIALS_DIRECTORY/composio-api-key, or from COMPOSIO_API_KEY; with
--profile only from --api-key-file or the profile's.

Exit status: 0 all done or nothing to do, 1 the script raised an error, or a
report or plan could not be written, 2 wrong usage or configuration, 3 some
items failed or were stale, 4 a guard refused and nothing was written, 5 the
preview has changes (--detailed-exitcode), 6 the API key was rejected, 7 the run
stopped early or the service cannot be reached, 8 unknown outcomes remain, 9
people still have to act, 75 another run holds the lock, 129 130 143 ended by a
signal. Once something was written, 7 stands for 4 and 1 for 2.
]]

local help = {}

local function label(option)
  local text = (option.letter and "-%s, " or "    "):format(option.letter) .. "--" .. option.name
  if not option.value then
    return text
  end
  return text .. (option.is_optional and "[=%s]" or " %s"):format(option.value)
end

-- Breaks a text between words, for the lines from COLUMN to WIDTH.
local function wrapped(text)
  local lines, room = {}, WIDTH - COLUMN
  while #text > room do
    local line = text:sub(1, room + 1):match "^(.*) "
    lines[#lines + 1] = line
    text = text:sub(#line + 2)
  end
  lines[#lines + 1] = text
  return table.concat(lines, "\n" .. (" "):rep(COLUMN))
end

-- help.options(list) → a line or more for each option, under the titles of their groups.
function help.options(list)
  local lines, group = {}, nil
  for _, option in ipairs(list) do
    if option.group ~= group then
      group = option.group
      lines[#lines + 1] = group
    end
    lines[#lines + 1] = ("  %-24s %s"):format(label(option), wrapped(option.text))
  end
  return table.concat(lines, "\n") .. "\n"
end

-- help.of_run(host) → the options that run takes.
function help.of_run(host)
  local list = {}
  for _, option in ipairs(host.options) do
    if option.is_of_run then
      list[#list + 1] = option
    end
  end
  return help.options(list)
end

-- ---- pages ----

function help.usage(host)
  return VERBS:format(host.version) .. help.options(host.options) .. NOTES
end

function help.script(host)
  local head = "composio-lua %s [--apply] [options]\n\nThis script has no parameters.\n\n"
  return head:format(host.script) .. "Options of composio-lua:\n" .. help.of_run(host)
end

-- The summary in a script's composio.job, found in the text: listing the scripts must
-- not run them.
local function summary_of(path)
  local file = io.open(path, "rb")
  local text = file and file:read(1 << 20) or ""
  if file then
    file:close()
  end
  local summary = text:match 'summary[^"]*"([^"\n]*)' or ""
  return (summary:gsub("%c", "?"))
end

function help.scripts(host)
  local lines = {}
  local dir, names = host.scripts()
  for i, name in ipairs(names) do
    lines[i] = ("  %-20s %s\n"):format(name, summary_of(("%s/%s.lua"):format(dir, name)))
  end
  return table.concat(lines)
end

return help
