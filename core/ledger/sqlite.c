/* Configures SQLite for the ledger and turns its codes into errors.
   Must not know: the ledger's tables. */
#include <string.h>
#include "ledger/sqlite.h"

void ca_sqlite_single_thread(void)
{
  sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

struct ca_library ca_sqlite_version(void)
{
  struct ca_library sqlite = { "SQLite", SQLITE_VERSION, sqlite3_libversion(),
                               "" };
  return sqlite;
}

enum ca_code ca_sqlite_fail(sqlite3 *db, const char *path, int rc,
                            struct ca_err *err)
{
  int cause = db ? sqlite3_system_errno(db) : 0;

  switch(rc & 0xFF) {
  case SQLITE_NOMEM:
    return ca_err_set(err, CA_NOMEM, "out of memory at the ledger %s", path);
  case SQLITE_FULL:
    return ca_err_set(err, CA_SYSTEM,
                      "cannot write the ledger %s: the disk is full; free "
                      "some space",
                      path);
  case SQLITE_READONLY:
  case SQLITE_PERM:
  case SQLITE_CANTOPEN:
  case SQLITE_AUTH:
    return ca_err_set(err, CA_SYSTEM,
                      "cannot open the ledger %s for writing%s%s; make it and "
                      "its directory writable or give another state "
                      "directory",
                      path, cause ? ": " : "", cause ? strerror(cause) : "");
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
    return ca_err_set(err, CA_SYSTEM,
                      "the ledger %s has been locked by another process for "
                      "%d s; wait for it to end or end it, then run again",
                      path, CA_SQLITE_BUSY_MS / 1000);
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB:
    return ca_err_set(err, CA_SYSTEM,
                      "the ledger %s is damaged or not a ledger (%s): move it "
                      "away together with its -wal and -shm files; the next "
                      "run creates a new one",
                      path, sqlite3_errstr(rc));
  case SQLITE_IOERR:
    return ca_err_set(err, CA_SYSTEM,
                      "cannot write the ledger %s: %s; check the disk", path,
                      cause ? strerror(cause) : sqlite3_errstr(rc));
  default:
    return ca_err_set(err, CA_SYSTEM, "the ledger %s: %s", path,
                      db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
  }
}
