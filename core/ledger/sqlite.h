/* SQLite as the ledger uses it: how it is configured, what its codes mean.
   Must not know: the ledger's tables. */
#ifndef CA_SQLITE_H
#define CA_SQLITE_H

#include <sqlite3.h>
#include "base/err.h"
#include "base/version.h"

/* How long a statement waits for another process's lock, in milliseconds. */
#define CA_SQLITE_BUSY_MS 10000

/* For a program in which one thread alone uses SQLite: without locks and
   statistics it runs faster. To be called before anything uses it. */
void ca_sqlite_single_thread(void);

/* SQLite's version, as compiled with and as loaded. */
void ca_sqlite_version(struct ca_version *out);

/* SQLite's code as an error of ours: names the file, the cause, the way out.
   db may be NULL. */
enum ca_code ca_sqlite_fail(sqlite3 *db, const char *path, int rc,
                            struct ca_err *err);

#endif
