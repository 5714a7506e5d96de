-- Checks names: a symbol that a file exports begins with the file's name, and
-- no identifier or file name holds a word that this project has replaced by a
-- better one. Must not know: what any file is for.
-- Usage: spec/lua spec/lint/names.lua [ROOT [BUILD]]; exits 1 and names each
-- breach.

local root = arg[1] or "."
local build = arg[2] or root .. "/build"
local objects = dofile((arg[0]:gsub("[^/]*$", "objects.lua")))

local breaches = {}
local function breach(...)
  breaches[#breaches + 1] = string.format(...)
end

---- Exported symbols --------------------------------------------------------

-- ledger/run.c may export ca_run_begin and ca_ledger_run_begin: the folder's
-- prefix, the room's name if it helps, and the file's name, which may be a
-- plural. The room's name is enough in the file that has it.
local prefixes = { core = "ca_", module = "lca_", job = "lca_", host = "host_" }

-- What the linker or the Lua library looks for.
local prescribed = { main = true, luaopen_composio = true }

local function begins_with(symbol, start)
  local rest = symbol:sub(1, #start) == start and symbol:sub(#start + 1)
  return rest and (rest == "" or rest == "s" or rest:find "^s?_" ~= nil)
end

local function check_symbols(source)
  local prefix = prefixes[source.room] or prefixes[source.folder]
  local short = prefix .. source.name
  local long = prefix .. source.room .. "_" .. source.name
  for _, symbol in ipairs(source.defined) do
    if not (prescribed[symbol] or begins_with(symbol, short) or begins_with(symbol, long)) then
      breach("%s.c: exports %s, which begins neither with %s nor with %s",
        source.file, symbol, short, long)
    end
  end
end

---- Words -------------------------------------------------------------------

-- Each word that is not used any more: what to say instead, where (everywhere
-- if not given), and the identifiers in which it is right.
local words = {
  { "past", "history" },
  { "draft", "queued rows, or change builder" },
  { "drafts", "queued rows" },
  { "drafted", "queued" },
  { "stand", "seal" },
  { "stands", "sealed" },
  { "stood", "sealed" },
  { "again", "reintend, or retry" },
  { "kept", "secret body, saved, or left" },
  { "lazy", "sync off" },
  { "mark", "queued outcome", within = { "core/ledger/" } },
  { "marks", "queued outcomes", within = { "core/ledger/" } },
  { "turn", "write queue", within = { "core/ledger/" } },
  { "unlock", "commit_before_wait", except = { "pthread_mutex_unlock" } },
  { "part", "session", within = { "core/ledger/" } },
  { "parts", "sessions", within = { "core/ledger/" } },
  { "look", "precheck, or open read-only" },
  { "looks", "prechecks" },
  { "looked", "prechecked" },
  { "looking", "prechecking" },
  { "work", "apply item", within = { "core/apply/" } },
  { "works", "apply items", within = { "core/apply/" } },
  { "step", "apply change", within = { "core/apply/" },
    except = { "sqlite3_step", "ca_engine_step" } },
  { "steps", "apply changes", within = { "core/apply/" } },
  { "target", "precondition", within = { "core/apply/" } },
  { "targets", "preconditions", within = { "core/apply/" } },
  { "judge", "check" },
  { "judged", "checked" },
  { "image", "before-image, before", within = { "core/", "bindings/job", "bindings/host" },
    except = { "before_image" } },
  { "images", "before" },
  { "cell", "plan count",
    beside = { "bindings/job/csv", "bindings/job/report" } },
  { "cells", "plan counts",
    beside = { "bindings/job/csv", "bindings/job/report",
               "bindings/lua/composio/report" } },
  { "settle", "record",
    beside = { "core/apply/settle", "core/apply/probe", "bindings/job/settle",
               "bindings/lua/composio/bulk" },
    except = { "ca_settle", "lca_settle", "settle_wait", "host_settle_wait" } },
  { "settles", "records" },
  { "tell", "report" },
  { "tells", "reports" },
  { "told", "reported" },
  { "say", "log, or print" },
  { "doubt", "suspect" },
  { "worsen", "raise_worst" },
  { "spare", "skip_fallback" },
  { "late", "unsettled, or settled" },
  { "aside", "undecoded" },
  { "given", "present", within = { "bindings/module/value", "bindings/module/peek" } },
  { "dress", "set_class" },
  { "undress", "set_class" },
  { "timerq", "timer heap" },
  { "scan", "json", within = { "core/base/scan" } },
}

-- Names that files had.
local old_files = { "work", "words", "next", "place", "ready", "value", "options_keep", "scan",
                    "encode", "seen", "one", "end", "timerq", "past", "images" }
local right_files = { ["bindings/module/value"] = true }

local function starts_with_any(text, list)
  for _, start in ipairs(list or {}) do
    if text:sub(1, #start) == start then return true end
  end
  return false
end

local function is_rule_for(rule, path, identifier)
  return (not rule.within or starts_with_any(path, rule.within))
    and not starts_with_any(path, rule.beside)
    and not starts_with_any(identifier:lower(), rule.except)
end

local rules = {} -- word → rule
for _, rule in ipairs(words) do rules[rule[1]] = rule end

local function check_identifier(path, identifier)
  for word in identifier:lower():gmatch "%a+" do
    local rule = rules[word]
    if rule and is_rule_for(rule, path, identifier) then
      breach("%s: %s: not \"%s\" but %s", path, identifier, word, rule[2])
    end
  end
end

-- The program's own words: no comments, strings or includes.
local function code_of(path, text)
  if path:find "%.lua$" then
    text = text:gsub("%-%-%[%[.-%]%]", " "):gsub("%[%[.-%]%]", '""')
    text = text:gsub("%-%-[^\n]*", " ")
  else
    text = text:gsub("/%*.-%*/", " "):gsub("//[^\n]*", " "):gsub("#include[^\n]*", " ")
  end
  text = text:gsub("\\\\", " "):gsub('\\"', " "):gsub("\\'", " ")
  return (text:gsub('"[^"\n]*"', '""'):gsub("'[^'\n]*'", "''"))
end

local function check_file(path)
  local name = path:match "([^/]+)%.%w+$"
  local stem = path:gsub("%.%w+$", "")
  if name:find "_part$" then
    breach("%s: what only some files share is NAME_private.h", path)
  end
  for _, old in ipairs(old_files) do
    if name == old and not right_files[stem] then
      breach("%s: no file is called %s any more", path, old)
    end
  end
  local file = assert(io.open(root .. "/" .. path, "rb"))
  local code = code_of(path, file:read "a")
  file:close()
  local met = {}
  for identifier in code:gmatch "[%a_][%w_]*" do
    if not met[identifier] then
      met[identifier] = true
      check_identifier(path, identifier)
    end
  end
end

---- The run -----------------------------------------------------------------

local checked, symbols = 0, 0
local find = "cd '%s' && find core bindings -name '*.[ch]' -o -name '*.lua' | sort"
local pipe = assert(io.popen(find:format(root)))
for path in pipe:lines() do
  check_file(path)
  checked = checked + 1
end
pipe:close()
for _, source in ipairs(objects.read(root, build)) do
  check_symbols(source)
  symbols = symbols + #source.defined
end

for _, text in ipairs(breaches) do print(text) end
print(("names: %d files, %d exported symbols, %d breaches"):format(checked, symbols, #breaches))
os.exit(#breaches == 0 and checked > 0 and symbols > 0)
