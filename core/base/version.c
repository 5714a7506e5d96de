/* Compares and prints versions of libraries, and holds the table of versions
   that are known to do harm. Must not know: which libraries are linked, who
   asks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/err.h"
#include "base/version.h"

/* A row needs evidence that the fault affects this program, and the release
   with the fix. Distributions patch libraries without changing the version, so
   a row for a range that a supported distribution ships would give false
   warnings. */
static const struct ca_known_bad known_bad[] = {
  /* docs/libcurl/symbols-in-versions: CURLOPT_QUICK_EXIT came with 7.87.0 */
  { "libcurl", NULL, "7.87.0", NULL, NULL,
    "it does not know an option that every request sets "
    "(CURLOPT_QUICK_EXIT), so no request can be made",
    "run with libcurl 7.88.1 or later" },
  /* curl issue 10525; fixed by curl commits 3103de2053 and 87ed650d04 */
  { "libcurl", "7.88.0", "7.88.1", NULL, NULL,
    "over HTTP/2 replies can stall or arrive damaged (curl issue 10525)",
    "run with libcurl 7.88.1 or later" },
  /* curl pull request 10795; reverted by curl commit c2df780a97 */
  { "libcurl", "8.0.0", "8.0.1", NULL, NULL,
    "it can crash (curl pull request 10795)",
    "run with libcurl 8.0.1 or later" },
  /* curl issue 11485; fixed by curl commit f9314f317f */
  { "libcurl", "8.2.0", "8.2.1", NULL, NULL,
    "over HTTP/2 a change can hang until it times out, and then nobody knows "
    "whether it was carried out (curl issue 11485)",
    "run with libcurl 8.2.1 or later" },
  /* curl issue 15725, CVE-2025-0665; fixed by curl commit ff5091aa9f */
  { "libcurl", "8.11.1", "8.12.0", NULL, NULL,
    "it closes a file descriptor twice after a host name was resolved, and "
    "the second time that can be one in use (CVE-2025-0665)",
    "run with libcurl 8.12.0 or later, or with a package that has the fix" },
  /* sqlite.org/windowfunctions.html: window functions came with 3.25.0 */
  { "SQLite", NULL, "3.25.0", NULL, NULL,
    "it has no window functions, which queries of the ledger use",
    "run with SQLite 3.40 or later" },
};

int ca_version_compare(const char *a, const char *b)
{
  do {
    char *a_end;
    char *b_end;
    unsigned long x = strtoul(a, &a_end, 10);
    unsigned long y = strtoul(b, &b_end, 10);
    if(x != y)
      return x < y ? -1 : 1;
    a = *a_end == '.' ? a_end + 1 : "";
    b = *b_end == '.' ? b_end + 1 : "";
  } while(*a || *b);
  return 0;
}

static bool is_within(const char *version, const char *from, const char *to)
{
  if(!from && !to)
    return true;
  if(*version < '0' || *version > '9')
    return false;
  return (!from || ca_version_compare(version, from) >= 0) &&
         (!to || ca_version_compare(version, to) < 0);
}

const struct ca_known_bad *ca_version_find(const struct ca_known_bad *rows,
                                           size_t count,
                                           const struct ca_version *version)
{
  size_t i;
  for(i = 0; i < count; i++)
    if(!strcmp(rows[i].library, version->library) &&
       is_within(version->runs, rows[i].runs_from, rows[i].runs_to) &&
       is_within(version->built, rows[i].built_from, rows[i].built_to))
      return &rows[i];
  return NULL;
}

bool ca_version_warning(const struct ca_version *version, char *out,
                        size_t size)
{
  const struct ca_known_bad *bad = ca_version_find(
      known_bad, sizeof(known_bad) / sizeof(known_bad[0]), version);
  out[0] = '\0';
  if(bad)
    snprintf(out, size, "%s %s: %s; %s", version->library, version->runs,
             bad->what, bad->way_out);
  return bad != NULL;
}

void ca_version_line(const struct ca_version *version, char *out, size_t size)
{
  const char *built = version->built;
  const char *runs = version->runs;
  bool in_brackets = version->more[0] && (*built || *runs);
  snprintf(out, size, "%-10s %s%s%s%s%s%s%s%s", version->library,
           *built ? "built with " : "", built, *built && *runs ? ", " : "",
           *runs ? "runs with " : "", runs, in_brackets ? " (" : "",
           version->more, in_brackets ? ")" : "");
}

static void copy(char *to, size_t size, const char *from)
{
  ca_err_copy_text(to, size, from ? from : "", from ? strlen(from) : 0);
}

void ca_version_set(struct ca_version *version, const char *library,
                    const char *built, const char *runs)
{
  version->library = library;
  copy(version->built, sizeof(version->built), built);
  copy(version->runs, sizeof(version->runs), runs);
  version->more[0] = '\0';
}
