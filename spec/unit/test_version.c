/* Versions of libraries: which is later, how one is printed, and which ones
   are known to do harm. */
#include "check.h"
#include "base/err.h"
#include "ledger/sqlite.h"
#include "wire/libraries.h"
#include "base/version.h"

static struct ca_version version;
static char text[400];

static const char *line(const char *library, const char *built,
                        const char *runs, const char *more)
{
  ca_version_set(&version, library, built, runs);
  ca_err_copy_text(version.more, sizeof(version.more), more, strlen(more));
  ca_version_line(&version, text, sizeof(text));
  return text;
}

/* "" when nothing is known against it. */
static const char *warning(const char *library, const char *runs)
{
  ca_version_set(&version, library, "9.9.9", runs);
  bool found = ca_version_warning(&version, text, sizeof(text));
  CHECK_INT(found, text[0] != 0);
  return text;
}

static void numbers_are_compared(void)
{
  CHECK(ca_version_compare("7.88.1", "7.88.1") == 0);
  CHECK(ca_version_compare("7.88", "7.88.0") == 0);
  CHECK(ca_version_compare("7.9.0", "7.10.0") < 0);
  CHECK(ca_version_compare("8.0", "7.99.99") > 0);
  CHECK(ca_version_compare("3.40.1", "3.40.1.1") < 0);
  CHECK(ca_version_compare("8.12.0-DEV", "8.12.0") == 0);
}

static void a_line_tells_what_is_known(void)
{
  CHECK_TEXT(line("libcurl", "7.88.1", "8.14.1", "OpenSSL/3.5.1"),
             "libcurl    built with 7.88.1, runs with 8.14.1 (OpenSSL/3.5.1)");
  CHECK_TEXT(line("lua-cjson", NULL, "2.1.0", ""),
             "lua-cjson  runs with 2.1.0");
  CHECK_TEXT(line("libcsv", "3.0.3", NULL, ""), "libcsv     built with 3.0.3");
  CHECK_TEXT(line("lua-cjson", NULL, NULL, "not found"),
             "lua-cjson  not found");
}

static void known_faults_are_told(void)
{
  CHECK_HOLDS(warning("libcurl", "7.86.0"), "libcurl 7.86.0: it does not");
  CHECK_HOLDS(text, "; run with libcurl 7.88.1 or later");
  CHECK_HOLDS(warning("libcurl", "7.88.0"), "10525");
  CHECK_HOLDS(warning("libcurl", "8.0.0"), "10795");
  CHECK_HOLDS(warning("libcurl", "8.2.0"), "11485");
  CHECK_HOLDS(warning("libcurl", "8.11.1"), "CVE-2025-0665");
  CHECK_HOLDS(warning("SQLite", "3.24.0"), "window functions");
}

static void other_versions_are_let_be(void)
{
  static const char *const good[] = { "7.87.0",  "7.88.1", "8.0.1",  "8.1.2",
                                      "8.2.1",   "8.5.0",  "8.11.0", "8.12.0",
                                      "8.14.1",  "8.21.0", "9.0.0",  "",
                                      "unknown", NULL };
  int i;
  for(i = 0; good[i]; i++)
    CHECK_TEXT(warning("libcurl", good[i]), "");
  CHECK_TEXT(warning("libcurl", NULL), "");
  CHECK_TEXT(warning("SQLite", "3.25.0"), "");
  CHECK_TEXT(warning("SQLite", "3.40.1"), "");
  CHECK_TEXT(warning("nettle", "7.88.0"), "");
}

/* Rows may also ask which headers the program was built with. */
static void a_pair_can_be_bad(void)
{
  static const struct ca_known_bad rows[] = {
    { "Lua", "5.4.0", "5.4.6", "5.4.6", NULL, "one", "" },
    { "Lua", NULL, NULL, NULL, "5.4.0", "two", "" },
  };
  ca_version_set(&version, "Lua", "5.4.6", "5.4.4");
  CHECK(ca_version_find(rows, 2, &version) == &rows[0]);
  ca_version_set(&version, "Lua", "5.4.4", "5.4.4");
  CHECK(ca_version_find(rows, 2, &version) == NULL);
  ca_version_set(&version, "Lua", "5.4.6", "5.4.6");
  CHECK(ca_version_find(rows, 2, &version) == NULL);
  ca_version_set(&version, "Lua", "5.3.6", NULL);
  CHECK(ca_version_find(rows, 2, &version) == &rows[1]);
  ca_version_set(&version, "Lua", NULL, "5.4.4");
  CHECK(ca_version_find(rows, 2, &version) == NULL);
}

static void long_texts_are_cut(void)
{
  char small[12];
  ca_version_set(&version, "libcurl", "1.2.3-a-very-long-name-of-a-version",
                 "7.88.0");
  CHECK_INT(strlen(version.built), sizeof(version.built) - 1);
  CHECK(ca_version_warning(&version, small, sizeof(small)));
  CHECK_TEXT(small, "libcurl 7.8");
}

static void the_cores_own_are_listed(void)
{
  struct ca_version list[CA_VERSIONS_MAX];
  size_t i;
  CHECK_INT(ca_libraries(list), CA_LIBRARIES);
  CHECK_TEXT(list[0].library, "libcurl");
  CHECK_TEXT(list[1].library, "nettle");
  ca_sqlite_version(&list[2]);
  CHECK_TEXT(list[2].library, "SQLite");
  CHECK(list[0].more[0] != 0);
  for(i = 0; i <= CA_LIBRARIES; i++) {
    CHECK(ca_version_compare(list[i].built, "3.0") > 0);
    CHECK(ca_version_compare(list[i].runs, "3.0") > 0);
    CHECK(!ca_version_warning(&list[i], text, sizeof(text)));
  }
}

int main(void)
{
  check_case("numbers are compared", numbers_are_compared);
  check_case("a line tells what is known", a_line_tells_what_is_known);
  check_case("known faults are told", known_faults_are_told);
  check_case("other versions are let be", other_versions_are_let_be);
  check_case("a pair can be bad", a_pair_can_be_bad);
  check_case("long texts are cut", long_texts_are_cut);
  check_case("the core's own are listed", the_cores_own_are_listed);
  return check_end();
}
