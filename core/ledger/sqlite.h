/* Configures SQLite for the ledger and turns its codes into errors.
   Must not know: the ledger's tables. */
#ifndef CA_SQLITE_H
#define CA_SQLITE_H

#include <sqlite3.h>
#include "base/err.h"
#include "wire/libraries.h"

/* How long a statement waits for another process's lock, in milliseconds. */
#define CA_SQLITE_BUSY_MS 10000

/* For a program that uses SQLite from one thread only: SQLite runs faster
   without locks and statistics. Call this before any other use of SQLite. */
void ca_sqlite_single_thread(void);

/* SQLite's version, as compiled with and as loaded. */
struct ca_library ca_sqlite_version(void);

/* Turns SQLite's code into a struct ca_err that names the file, the cause
   and the remedy. db may be NULL. */
enum ca_code ca_sqlite_fail(sqlite3 *db, const char *path, int rc,
                            struct ca_err *err);

#endif
