/* What fingerprints are made with: a salt of the state directory, or one that
   a saved plan brought. It stays in the database: a plan or a report that
   leaves the state directory carries fingerprints, but not what they were made
   with.
   Must not know: what is fingerprinted. */
#include <string.h>
#include "base/digest.h"
#include "ledger/ledger_private.h"

/* Takes the salt that the statement gives, if any. */
static enum ca_code take_salt(struct ca_ledger *ledger,
                              sqlite3_stmt *statement, struct ca_err *err)
{
  enum ca_code code = CA_OK;
  int rc = sqlite3_step(statement);
  bool there =
      rc == SQLITE_ROW && sqlite3_column_type(statement, 0) != SQLITE_NULL;

  ledger->has_salt =
      there && sqlite3_column_bytes(statement, 0) == CA_SALT_SIZE;
  if(ledger->has_salt)
    memcpy(ledger->salt, sqlite3_column_blob(statement, 0), CA_SALT_SIZE);
  else if(there)
    rc = SQLITE_CORRUPT;
  if(rc != SQLITE_ROW && rc != SQLITE_DONE)
    code = ca_ledger_fail(ledger, rc, err);
  sqlite3_reset(statement);
  return code;
}

static enum ca_code read_salt(struct ca_ledger *ledger, enum ca_sql which,
                              struct ca_err *err)
{
  sqlite3_stmt *statement = ca_ledger_sql(ledger, which, err);

  if(!statement)
    return CA_SYSTEM;
  if(which == CA_SQL_RUN_SALT)
    sqlite3_bind_int64(statement, 1, ledger->run);
  return take_salt(ledger, statement, err);
}

/* Into the open transaction, unless another process was faster. */
static enum ca_code add_salt(struct ca_ledger *ledger, struct ca_err *err)
{
  sqlite3_stmt *statement = ca_ledger_sql(ledger, CA_SQL_SALT_ADD, err);
  unsigned char salt[CA_SALT_SIZE];
  int rc;

  if(!statement)
    return CA_SYSTEM;
  if(ca_digest_random(salt, sizeof(salt)))
    return ca_err_set(err, CA_SYSTEM,
                      "cannot get random bytes from the kernel");
  sqlite3_bind_blob(statement, 1, salt, sizeof(salt), SQLITE_STATIC);
  rc = ca_ledger_run(statement);
  return rc ? ca_ledger_fail(ledger, rc, err) : CA_OK;
}

/* The salt of a run that begins, in the open transaction. */
enum ca_code ca_ledger_begin_salt(struct ca_ledger *ledger,
                                  const unsigned char *brought,
                                  struct ca_err *err)
{
  enum ca_code code = CA_OK;

  if(brought) {
    memcpy(ledger->salt, brought, CA_SALT_SIZE);
    ledger->has_salt = true;
    return CA_OK;
  }
  code = read_salt(ledger, CA_SQL_SALT, err);
  if(!code && !ledger->has_salt)
    code = add_salt(ledger, err);
  if(!code && !ledger->has_salt)
    code = read_salt(ledger, CA_SQL_SALT, err);
  return code;
}

/* That of the run, else of the state directory: runs of version 1 have none
   of their own. */
static enum ca_code find_salt(struct ca_ledger *ledger, struct ca_err *err)
{
  enum ca_code code = CA_OK;
  bool ours = !ledger->in_txn;
  struct ca_err why;

  if(ledger->has_salt)
    return CA_OK;
  code = ca_ledger_flush_rows(ledger, err);
  if(!code && ledger->run)
    code = read_salt(ledger, CA_SQL_RUN_SALT, err);
  if(!code && !ledger->has_salt)
    code = read_salt(ledger, CA_SQL_SALT, err);
  if(code || ledger->has_salt)
    return code;
  code = ca_ledger_check_writer(ledger, err);
  if(!code)
    code = ca_ledger_txn(ledger, err);
  if(code)
    return code;
  ca_err_clear(&why);
  code = ca_ledger_begin_salt(ledger, NULL, &why);
  if(code) {
    if(err)
      *err = why;
    return ca_ledger_undo_txn(ledger, code, &why);
  }
  return ours ? ca_ledger_commit(ledger, err) : CA_OK;
}

enum ca_code ca_ledger_salt(struct ca_ledger *ledger,
                            unsigned char salt[CA_SALT_SIZE],
                            struct ca_err *err)
{
  enum ca_code code = find_salt(ledger, err);

  if(!code)
    memcpy(salt, ledger->salt, CA_SALT_SIZE);
  return code;
}

enum ca_code ca_ledger_fingerprint(struct ca_ledger *ledger, const char *text,
                                   size_t len, char *out, size_t size,
                                   struct ca_err *err)
{
  char hex[CA_DIGEST_SIZE];
  enum ca_code code;

  if(size < 33)
    return ca_err_set(err, CA_USAGE,
                      "the buffer for a fingerprint is too small");
  code = find_salt(ledger, err);
  if(code)
    return code;
  ca_digest_keyed(ledger->salt, sizeof(ledger->salt), text, len, hex);
  ca_copy_text(out, size, hex, 32);
  return CA_OK;
}
