/* The accounts and auth configs (by id), users and toolkits that no run may
   change, read from the files of --protect.
   Must not know: what would be changed, who asks. */
#ifndef HOST_PROTECT_H
#define HOST_PROTECT_H

#include <stdbool.h>
#include <stddef.h>
#include "base/buf.h"

#define HOST_PROTECT_MAX 16 /* files */

struct host_protect_row;

/* All zero: protects nothing. */
struct host_protect {
  struct host_protect_row *rows; /* owned; sorted once a file is loaded */
  size_t size;                   /* number of rows allocated */
  size_t count;
  size_t added;                  /* rows added so far, duplicates included */
  char *files[HOST_PROTECT_MAX]; /* the texts, owned */
  int file_count;
  bool asked;           /* host_protect_why was called */
  const char *odd_path; /* the first line with an invisible character, */
  size_t odd_line;      /* or NULL and 0 */
};

/* Adds the lines of a file; path is borrowed until host_protect_free. *rows is
   how many of its lines protect somebody. CA_USAGE with "FILE:3: …" for a line
   that cannot be read: a misspelled line must not seem to protect somebody. */
CA_MUST_USE enum ca_code host_protect_load(struct host_protect *protect,
                                           const char *path, size_t *rows,
                                           struct ca_err *err);
void host_protect_free(struct host_protect *protect);

/* Returns "protected by FILE:3", in out, if one of the three is protected,
   else NULL. Each of the three may be NULL. Notes that this line matched. */
const char *host_protect_why(struct host_protect *protect, const char *id,
                             const char *user, const char *toolkit, char *out,
                             size_t size);
/* Returns how many lines have matched nothing so far, and names the first ones
   in out: "FILE:3, FILE:7". */
size_t host_protect_idle(const struct host_protect *protect, char *out,
                         size_t size);

#endif
