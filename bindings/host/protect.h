/* Whom no run may change: accounts and auth configs by id, users, toolkits,
   from files that people keep.
   Must not know: what would be done to them, who asks. */
#ifndef HOST_PROTECT_H
#define HOST_PROTECT_H

#include <stddef.h>
#include "base/buf.h"

struct host_protect_row;

/* All zero: protects nobody. */
struct host_protect {
  struct host_protect_row *rows; /* owned; a hash table */
  size_t size;
  size_t used;
};

/* Adds the lines of a file, whose name is borrowed for the table's life. *rows
   is how many protect somebody. CA_USAGE with "FILE:3: …" for a line that is
   none: a word that protects nobody must not pass for one that does. */
CA_MUST_USE enum ca_code host_protect_load(struct host_protect *protect,
                                           const char *path, size_t *rows,
                                           struct ca_err *err);
void host_protect_free(struct host_protect *protect);

/* "protected by FILE:3" in out when one of these is; else NULL. Each of the
   three may be NULL. */
const char *host_protect_why(const struct host_protect *protect,
                             const char *id, const char *user,
                             const char *toolkit, char *out, size_t size);

#endif
