-- The versions of the libraries in use: which ones are known to do harm, and how they
-- are listed. A version is a table {library, built, runs, more}, as composio.versions()
-- returns it. Must not know: which libraries there are, where the versions come from.

local versions = {}

-- A row needs evidence that the fault affects this program, and the release with the
-- fix. Distributions patch libraries without changing the version, so a row for a range
-- that a supported distribution ships would give false warnings.
-- runs and built are ranges {from, to}: the first bad version, and the first good one
-- after it; false is an open end.
local KNOWN_BAD = {
  -- docs/libcurl/symbols-in-versions: CURLOPT_QUICK_EXIT came with 7.87.0
  { library = "libcurl", runs = { false, "7.87.0" },
    what = "it does not know an option that every request sets (CURLOPT_QUICK_EXIT), so no "
      .. "request can be made",
    way_out = "run with libcurl 7.88.1 or later" },
  -- curl issue 10525; fixed by curl commits 3103de2053 and 87ed650d04
  { library = "libcurl", runs = { "7.88.0", "7.88.1" },
    what = "over HTTP/2 replies can stall or arrive damaged (curl issue 10525)",
    way_out = "run with libcurl 7.88.1 or later" },
  -- curl pull request 10795; reverted by curl commit c2df780a97
  { library = "libcurl", runs = { "8.0.0", "8.0.1" },
    what = "it can crash (curl pull request 10795)",
    way_out = "run with libcurl 8.0.1 or later" },
  -- curl issue 11485; fixed by curl commit f9314f317f
  { library = "libcurl", runs = { "8.2.0", "8.2.1" },
    what = "over HTTP/2 a change can hang until it times out, and then nobody knows whether "
      .. "it was carried out (curl issue 11485)",
    way_out = "run with libcurl 8.2.1 or later" },
  -- curl issue 15725, CVE-2025-0665; fixed by curl commit ff5091aa9f
  { library = "libcurl", runs = { "8.11.1", "8.12.0" },
    what = "it closes a file descriptor twice after a host name was resolved, and the second "
      .. "time that can be one in use (CVE-2025-0665)",
    way_out = "run with libcurl 8.12.0 or later, or with a package that has the fix" },
  -- sqlite.org/windowfunctions.html: window functions came with 3.25.0
  { library = "SQLite", runs = { false, "3.25.0" },
    what = "it has no window functions, which queries of the ledger use",
    way_out = "run with SQLite 3.40 or later" },
}

-- The numbers between the dots; text after them is ignored.
local function numbers(version)
  local list = {}
  for number in (version:match "^%d[%d.]*" or ""):gmatch "%d+" do
    list[#list + 1] = tonumber(number)
  end
  return list
end

-- Compares the numbers of two versions: below 0, 0 or above 0. A missing number is 0.
function versions.compare(a, b)
  local x, y = numbers(a), numbers(b)
  for i = 1, math.max(#x, #y) do
    local difference = (x[i] or 0) - (y[i] or 0)
    if difference ~= 0 then
      return difference
    end
  end
  return 0
end

-- A version that is not known is in no range, except where there is none.
local function is_within(version, range)
  if not range then
    return true
  end
  local from, to = range[1], range[2]
  return version ~= nil and version:find "^%d" ~= nil
    and (not from or versions.compare(version, from) >= 0)
    and (not to or versions.compare(version, to) < 0)
end

-- Returns the warning about a version as one line, or nil. rows: for specs.
function versions.warning(version, rows)
  for _, bad in ipairs(rows or KNOWN_BAD) do
    if bad.library == version.library and is_within(version.runs, bad.runs)
      and is_within(version.built, bad.built)
    then
      return ("%s %s: %s; %s"):format(version.library, version.runs or "", bad.what, bad.way_out)
    end
  end
end

-- Sets the warning of each version in the list, and returns the list.
function versions.check(list)
  for _, version in ipairs(list) do
    version.warning = versions.warning(version)
  end
  return list
end

-- "libcurl    built with 7.88.1, runs with 8.14.1 (OpenSSL/3.5.1)"
function versions.line(version)
  local parts = {}
  parts[#parts + 1] = version.built and "built with " .. version.built
  parts[#parts + 1] = version.runs and "runs with " .. version.runs
  local text = table.concat(parts, ", ")
  if version.more then
    text = #parts == 0 and version.more or ("%s (%s)"):format(text, version.more)
  end
  return ("%-10s %s"):format(version.library, text)
end

-- What `composio-lua --version` prints about the libraries.
function versions.text(list)
  local lines = {}
  for _, version in ipairs(list) do
    lines[#lines + 1] = versions.line(version)
  end
  for _, version in ipairs(versions.check(list)) do
    lines[#lines + 1] = version.warning and "warning: " .. version.warning
  end
  return table.concat(lines, "\n")
end

return versions
