/* Versions of the libraries this program stands on: how one is printed, and
   which ones are known to do harm. Pure: it is given the versions as text.
   Must not know: which libraries are linked, who asks. */
#ifndef CA_VERSION_H
#define CA_VERSION_H

#include <stdbool.h>
#include <stddef.h>

/* More libraries than anybody lists. */
#define CA_VERSIONS_MAX 12

struct ca_version {
  const char *library; /* static storage */
  char built[24];      /* the headers' version; "" when they do not tell */
  char runs[24];       /* the loaded library's; "" when it does not tell */
  char more[96];       /* what else it says of itself, or why it is missing */
};

/* A range of versions that does harm. A bound that is NULL is open. */
struct ca_known_bad {
  const char *library;
  const char *runs_from; /* runs with this one or a later one, */
  const char *runs_to;   /* but before this one, which has the mend */
  const char *built_from;
  const char *built_to;
  const char *what;    /* happens; goes on "libcurl 7.88.0: " */
  const char *way_out; /* what to do */
};

/* Less than, equal to or greater than 0, by the numbers between the dots; an
   absent number is 0, and whatever follows the numbers does not count. */
int ca_version_compare(const char *a, const char *b);

/* The first row of the table that the version is in, or NULL. A version that
   is not known is in none. */
const struct ca_known_bad *ca_version_find(const struct ca_known_bad *rows,
                                           size_t count,
                                           const struct ca_version *version);

/* What is known against this version, as one line for people; false when
   nothing is. `composio-lua --version`, a run's warning and
   composio.versions() all say it in these words. */
bool ca_version_warning(const struct ca_version *version, char *out,
                        size_t size);

/* "libcurl    built with 7.88.1, runs with 8.14.1 (OpenSSL/3.5.1)". */
void ca_version_line(const struct ca_version *version, char *out, size_t size);

/* Fills in a version; NULL for what is not known. */
void ca_version_set(struct ca_version *version, const char *library,
                    const char *built, const char *runs);

#endif
