/* Versions of libraries, given as text: how to print one, and which ones are
   known to do harm.
   Must not know: which libraries are linked, who asks. */
#ifndef CA_VERSION_H
#define CA_VERSION_H

#include <stdbool.h>
#include <stddef.h>

/* Enough for every list of libraries. */
#define CA_VERSIONS_MAX 12

struct ca_version {
  const char *library; /* static storage */
  char built[24];      /* the headers' version, "" if not known */
  char runs[24];       /* the loaded library's version, "" if not known */
  char more[96];       /* further details, or why it is missing */
};

/* A range of versions that do harm. A NULL bound is open. */
struct ca_known_bad {
  const char *library;
  const char *runs_from; /* the first bad running version */
  const char *runs_to;   /* the first good one after it */
  const char *built_from;
  const char *built_to;
  const char *what;    /* what happens; follows "libcurl 7.88.0: " */
  const char *way_out; /* what to do */
};

/* Compares the numbers between the dots, like strcmp. A missing number is 0;
   text after the numbers is ignored. */
int ca_version_compare(const char *a, const char *b);

/* Returns the first row that contains the version, or NULL. An unknown version
   is in no row. */
const struct ca_known_bad *ca_version_find(const struct ca_known_bad *rows,
                                           size_t count,
                                           const struct ca_version *version);

/* Writes the warning about a version as one line. Returns false if there is
   none. `composio-lua --version`, a run's log and composio.versions() all use
   it. */
bool ca_version_warning(const struct ca_version *version, char *out,
                        size_t size);

/* Writes "libcurl    built with 7.88.1, runs with 8.14.1 (OpenSSL/3.5.1)". */
void ca_version_line(const struct ca_version *version, char *out, size_t size);

/* Sets a version; built and runs may be NULL if not known. */
void ca_version_set(struct ca_version *version, const char *library,
                    const char *built, const char *runs);

#endif
