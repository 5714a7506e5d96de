/* The ledger's life: opening and closing, statements, transactions, runs.
   Must not know: how changes are sent, what a script is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "digest.h"
#include "ledger_private.h"
#include "secret.h"

/* Where a change stands: its outcome, else that it may have left, else as it
   was recorded. */
#define STATE                                                             \
  "CASE WHEN o.outcome IS NOT NULL THEN o.outcome WHEN c.outcome = 0 AND" \
  " EXISTS (SELECT 1 FROM intent WHERE id = c.id) THEN 1 ELSE c.outcome END"

/* Rows of statements that write many; in each a number of its own for every
   '?', ?1 being shared. */
#define INTENT    "(?1, ?)"
#define INTENT_4  INTENT "," INTENT "," INTENT "," INTENT
#define INTENT_16 INTENT_4 "," INTENT_4 "," INTENT_4 "," INTENT_4
#define INTENT_32 INTENT_16 "," INTENT_16

#define OUTCOME    "(?, ?, ?, ?, ?, ?, ?, ?, ?)"
#define OUTCOME_4  OUTCOME "," OUTCOME "," OUTCOME "," OUTCOME
#define OUTCOME_16 OUTCOME_4 "," OUTCOME_4 "," OUTCOME_4 "," OUTCOME_4

#define INSERT_INTENT "INSERT INTO intent(sent_ms, id) VALUES"
#define INSERT_OUTCOME                                                      \
  "REPLACE INTO outcome(id, outcome, ended_ms, attempts, http, request_id," \
  " status_after, slug, error) VALUES"

static const char *const sql_texts[CA_SQL_COUNT] = {
  [CA_SQL_BEGIN] = "BEGIN IMMEDIATE",
  [CA_SQL_COMMIT] = "COMMIT",
  [CA_SQL_ROLLBACK] = "ROLLBACK",
  [CA_SQL_RUN_ADD] =
      "INSERT INTO run(name, began_ms, script, script_sha, params, options,"
      " mode, who, host, project, base_url, version)"
      " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
      " ON CONFLICT DO NOTHING",
  [CA_SQL_RUN_END] =
      "UPDATE run SET ended_ms = ?2, exit_code = ?3 WHERE id = ?1",
  [CA_SQL_RUN_REST] =
      "INSERT INTO outcome(id, outcome) SELECT c.id, CASE WHEN EXISTS"
      " (SELECT 1 FROM intent n WHERE n.id = c.id) THEN 7 ELSE 2 END"
      " FROM change c LEFT JOIN outcome o ON o.id = c.id"
      " WHERE c.id BETWEEN ?1 AND ?2 AND c.outcome = 0 AND o.id IS NULL",
  [CA_SQL_ITEM_ADD] =
      "INSERT INTO item(id, bulk, outcome, flags, key, account, user,"
      " toolkit, scheme, status, status_reason, alias, created_ms,"
      " updated_ms, row) VALUES(?1, ?2, 0, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,"
      " ?11, ?12, ?13, ?14)",
  [CA_SQL_KEY_ADD] = "INSERT INTO temp.key(hash) VALUES(?1)"
                     " ON CONFLICT DO NOTHING",
  [CA_SQL_KEY_FIND] = "SELECT 1 FROM item WHERE id BETWEEN ?1 AND ?2"
                      " AND key = ?3 AND bulk = ?4 LIMIT 1",
  [CA_SQL_ITEM_ACCOUNT] =
      "SELECT CASE WHEN flags & 65536 THEN key ELSE account END, bulk"
      " FROM item WHERE id = ?1",
  [CA_SQL_ITEM_READ] =
      "SELECT bulk, flags, created_ms, updated_ms, key, account, user,"
      " toolkit, scheme, status, status_reason, alias, row"
      " FROM item WHERE id = ?1",
  [CA_SQL_ITEM_OUTCOME] =
      "UPDATE item SET outcome = ?2, detail = ?3 WHERE id = ?1",
  [CA_SQL_CHANGE_ADD] =
      "INSERT INTO change(id, bulk, operation, cost, outcome, account, user,"
      " config, query, body, fingerprint, reason, line, status_before)"
      " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
  [CA_SQL_CHANGE_LAST] =
      "SELECT max(id) FROM change WHERE id BETWEEN ?1 AND ?2",
  [CA_SQL_CHANGE_INTEND] = INSERT_INTENT INTENT,
  [CA_SQL_CHANGES_INTEND] = INSERT_INTENT INTENT_32,
  [CA_SQL_CHANGE_SETTLE] = INSERT_OUTCOME OUTCOME,
  [CA_SQL_CHANGES_SETTLE] = INSERT_OUTCOME OUTCOME_16,
  [CA_SQL_CHANGES] =
      "SELECT c.id, c.operation, c.cost, " STATE ", i.key,"
      " coalesce(c.account, CASE WHEN i.flags & 65536 THEN i.key"
      " ELSE i.account END), c.user, c.config, c.query, c.body,"
      " c.fingerprint, c.reason, c.line, c.status_before, o.error,"
      " o.request_id"
      " FROM change c LEFT JOIN outcome o ON o.id = c.id"
      " CROSS JOIN item i ON i.id = c.id >> 15"
      " WHERE c.id > ?1 AND c.id <= ?2 AND (?4 < 0 OR c.bulk = ?4)"
      " AND (?3 >> " STATE ") & 1 ORDER BY c.id LIMIT ?5",
  [CA_SQL_COUNTS] = "SELECT c.id, c.operation, " STATE
                    " FROM change c LEFT JOIN outcome o ON o.id = c.id"
                    " WHERE c.id BETWEEN ?1 AND ?2 AND (?3 < 0 OR c.bulk = ?3)"
                    " ORDER BY c.id",
  [CA_SQL_VERDICTS] =
      "SELECT id, outcome FROM item WHERE id BETWEEN ?1 AND ?2"
      " AND outcome <> 0 AND (?3 < 0 OR bulk = ?3) ORDER BY id",
  [CA_SQL_OPERATION_ADD] =
      "INSERT INTO operation(name) VALUES(?1) ON CONFLICT DO NOTHING",
  [CA_SQL_OPERATION_ID] = "SELECT id FROM operation WHERE name = ?1",
  [CA_SQL_OPERATION_NAME] = "SELECT name FROM operation WHERE id = ?1",
  [CA_SQL_SALT_ADD] = "INSERT INTO salt SELECT ?1"
                      " WHERE NOT EXISTS (SELECT 1 FROM salt)",
  [CA_SQL_SALT] = "SELECT value FROM salt LIMIT 1",
};

const char *ca_outcome_name(enum ca_outcome outcome)
{
  static const char *const names[CA_OUTCOME_COUNT] = {
    "planned", "intended", "not tried", "done",  "same",
    "failed",  "skipped",  "unknown",   "stale", "pending"
  };
  return (unsigned)outcome < CA_OUTCOME_COUNT ? names[outcome] : "unknown";
}

enum ca_code ca_ledger_fail(const struct ca_ledger *ledger, int rc,
                            struct ca_err *err)
{
  return ca_ledger_file_fail(ledger->db, ledger->path, rc, err);
}

sqlite3_stmt *ca_ledger_sql(struct ca_ledger *ledger, enum ca_sql which,
                            struct ca_err *err)
{
  if(!ledger->statements[which]) {
    int rc = sqlite3_prepare_v3(ledger->db, sql_texts[which], -1,
                                SQLITE_PREPARE_PERSISTENT,
                                &ledger->statements[which], NULL);
    if(rc)
      ca_ledger_fail(ledger, rc, err);
  }
  return ledger->statements[which];
}

int ca_ledger_run(sqlite3_stmt *statement)
{
  int rc = sqlite3_step(statement);
  int reset_rc = sqlite3_reset(statement);
  return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : reset_rc;
}

void ca_ledger_bind(sqlite3_stmt *statement, int place, const char *text)
{
  if(text)
    sqlite3_bind_text(statement, place, text, -1, SQLITE_STATIC);
  else
    sqlite3_bind_null(statement, place);
}

/* Transactions. */

static enum ca_code run_plain(struct ca_ledger *ledger, enum ca_sql which,
                              struct ca_err *err)
{
  sqlite3_stmt *statement = ca_ledger_sql(ledger, which, err);
  int rc;

  if(!statement)
    return CA_SYSTEM;
  rc = ca_ledger_run(statement);
  return rc ? ca_ledger_fail(ledger, rc, err) : CA_OK;
}

enum ca_code ca_ledger_open_run(const struct ca_ledger *ledger,
                                struct ca_err *err)
{
  return ledger->run && !ledger->ended
             ? CA_OK
             : ca_err_set(err, CA_USAGE, "no run is open in the ledger");
}

enum ca_code ca_ledger_usable(const struct ca_ledger *ledger,
                              struct ca_err *err)
{
  if(!ledger->lost.code)
    return ca_ledger_open_run(ledger, err);
  if(err)
    *err = ledger->lost;
  return ledger->lost.code;
}

enum ca_code ca_ledger_txn(struct ca_ledger *ledger, struct ca_err *err)
{
  enum ca_code code;

  if(ledger->in_txn)
    return CA_OK;
  ca_ledger_turn_enter(ledger);
  code = run_plain(ledger, CA_SQL_BEGIN, err);
  ca_ledger_turn_leave(ledger);
  if(code)
    return code;
  ledger->in_txn = true;
  ledger->txn_rows = 0;
  ledger->txn_ms = ca_clock_mono_ms(ledger->clock);
  return CA_OK;
}

enum ca_code ca_ledger_undo_txn(struct ca_ledger *ledger, enum ca_code code,
                                const struct ca_err *why)
{
  struct ca_err ignored;

  if(!ledger->in_txn)
    return code;
  /* after a full disk or an I/O error SQLite may have done it already, and
     then says so, which is no news */
  if(!sqlite3_get_autocommit(ledger->db) &&
     run_plain(ledger, CA_SQL_ROLLBACK, &ignored))
    ledger->lost = *why;
  if(ledger->txn_rows)
    ledger->lost = *why;
  ledger->in_txn = false;
  ledger->txn_rows = 0;
  ledger->has_salt = false; /* it may have been made just now */
  return code;
}

enum ca_code ca_ledger_commit(struct ca_ledger *ledger, struct ca_err *err)
{
  struct ca_err why;
  enum ca_code code;

  ca_err_clear(&why);
  if(!ledger->in_txn && !ledger->mark_count)
    return CA_OK;
  code = ca_ledger_txn(ledger, &why);
  if(!code)
    code = ca_ledger_write_marks(ledger, &why);
  if(!code)
    code = run_plain(ledger, CA_SQL_COMMIT, &why);
  if(code) {
    if(err)
      *err = why;
    return ca_ledger_undo_txn(ledger, code, &why);
  }
  ledger->in_txn = false;
  ledger->txn_rows = 0;
  ca_ledger_forget_marks(ledger);
  return CA_OK;
}

enum ca_code ca_ledger_sync(struct ca_ledger *ledger, struct ca_err *err)
{
  return ca_ledger_commit(ledger, err);
}

enum ca_code ca_ledger_unlock(struct ca_ledger *ledger, struct ca_err *err)
{
  if(!ledger->in_txn && !ca_ledger_marks_due(ledger))
    return CA_OK;
  return ca_ledger_commit(ledger, err);
}

/* Life. */

struct ca_ledger *ca_ledger_open(const char *dir, const struct ca_clock *clock,
                                 struct ca_err *err)
{
  struct ca_ledger *ledger = calloc(1, sizeof(*ledger));

  if(ledger)
    ledger->marks = calloc(CA_MARK_COUNT, sizeof(*ledger->marks));
  if(!ledger || !ledger->marks) {
    free(ledger);
    ca_err_set(err, CA_NOMEM, "out of memory");
    return NULL;
  }
  ledger->clock = clock;
  ledger->turn = -1;
  ca_buf_init(&ledger->account, 4096);
  ca_buf_init(&ledger->texts, 64U << 20);
  if(ca_ledger_file_open(ledger, dir, err)) {
    ca_ledger_close(ledger);
    return NULL;
  }
  return ledger;
}

void ca_ledger_close(struct ca_ledger *ledger)
{
  struct ca_err ignored;
  int i;

  if(!ledger)
    return;
  if(ledger->db && ca_ledger_commit(ledger, &ignored))
    ca_ledger_forget_marks(ledger);
  for(i = 0; i < CA_SQL_COUNT; i++)
    sqlite3_finalize(ledger->statements[i]);
  sqlite3_close(ledger->db);
  if(ledger->turn >= 0)
    close(ledger->turn);
  ca_ledger_forget_keys(ledger);
  ca_buf_clear(&ledger->account);
  ca_buf_clear(&ledger->texts);
  free(ledger->marks);
  free(ledger->path);
  free(ledger);
}

/* Runs. */

#define NAME_MAX_LEN 48

/* The script's base name without ".lua", cleaned to [a-z0-9_]. */
static void script_name(const char *script, char *out, size_t size)
{
  const char *base = script ? strrchr(script, '/') : NULL;
  size_t len;
  size_t i;

  base = base ? base + 1 : script ? script : "";
  len = strlen(base);
  if(len > 4 && !strcmp(base + len - 4, ".lua"))
    len -= 4;
  if(!len) {
    base = "run";
    len = 3;
  }
  if(len >= size)
    len = size - 1;
  for(i = 0; i < len; i++) {
    char c = base[i];
    if(c >= 'A' && c <= 'Z')
      c = (char)(c - 'A' + 'a');
    out[i] = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '_';
  }
  out[len] = '\0';
}

/* 2026-11-22T0600-refresh_expired-k3f */
static enum ca_code make_run_name(const struct ca_ledger *ledger,
                                  const char *script, char *id, size_t size,
                                  struct ca_err *err)
{
  static const char set[] = "0123456789abcdefghjkmnpqrstvwxyz";
  char name[NAME_MAX_LEN + 1];
  char when[32];
  unsigned char chance[3];

  if(ca_digest_random(chance, sizeof(chance)))
    return ca_err_set(err, CA_SYSTEM, "the kernel gives no random bytes");
  script_name(script, name, sizeof(name));
  ca_clock_format(ca_clock_wall_ms(ledger->clock), when, sizeof(when));
  snprintf(id, size, "%.13s%.2s-%s-%c%c%c", when, when + 14, name,
           set[chance[0] & 31], set[chance[1] & 31], set[chance[2] & 31]);
  return CA_OK;
}

/* Into the open transaction; *added false when the name is taken. */
static enum ca_code add_run(struct ca_ledger *ledger,
                            const struct ca_run_info *info, const char *id,
                            bool *added, struct ca_err *err)
{
  const char *texts[] = { info->script,  info->script_sha, info->params,
                          info->options, info->mode,       info->who,
                          info->host,    info->project,    info->base_url,
                          info->version };
  sqlite3_stmt *statement = ca_ledger_sql(ledger, CA_SQL_RUN_ADD, err);
  int rc;
  int i;

  if(!statement)
    return CA_SYSTEM;
  ca_ledger_bind(statement, 1, id);
  sqlite3_bind_int64(statement, 2, ca_clock_wall_ms(ledger->clock));
  for(i = 0; i < (int)(sizeof(texts) / sizeof(texts[0])); i++)
    ca_ledger_bind(statement, i + 3, texts[i]);
  rc = ca_ledger_run(statement);
  if(rc)
    return ca_ledger_fail(ledger, rc, err);
  *added = sqlite3_changes(ledger->db) == 1;
  return CA_OK;
}

static void forget_run(struct ca_ledger *ledger)
{
  ledger->run = 0;
  ledger->ended = false;
  ledger->items = 0;
  ca_ledger_forget_keys(ledger);
  ledger->item = 0;
  ledger->bulk = 0;
  ledger->last_change = 0;
  ledger->has_account = false;
}

enum ca_code ca_ledger_begin(struct ca_ledger *ledger,
                             const struct ca_run_info *info, char *id,
                             size_t size, struct ca_err *err)
{
  struct ca_err why;
  bool added = false;
  enum ca_code code;
  int tries;

  ca_err_clear(&why);
  if(ledger->run && !ledger->ended)
    return ca_err_set(err, CA_USAGE, "a run has already begun");
  if(size < 96)
    return ca_err_set(err, CA_USAGE, "too little room for a run's id");
  code = ca_ledger_txn(ledger, &why);
  for(tries = 0; !code && !added && tries < 100; tries++) {
    code = make_run_name(ledger, info->script, id, size, &why);
    if(!code)
      code = add_run(ledger, info, id, &added, &why);
  }
  if(!code && !added)
    code = ca_err_set(&why, CA_SYSTEM,
                      "the ledger %s has no free run id in this minute",
                      ledger->path);
  if(!code && sqlite3_last_insert_rowid(ledger->db) > CA_RUN_MAX)
    code = ca_err_set(&why, CA_SYSTEM,
                      "the ledger %s is full of runs: name another state "
                      "directory",
                      ledger->path);
  if(code) {
    if(err)
      *err = why;
    return ca_ledger_undo_txn(ledger, code, &why);
  }
  forget_run(ledger);
  ledger->run = sqlite3_last_insert_rowid(ledger->db);
  ledger->applies = info->mode && !strcmp(info->mode, "apply");
  code = ca_ledger_commit(ledger, err);
  if(code)
    forget_run(ledger);
  return code;
}

/* What is still planned was not tried; what was intended and has no outcome
   is unknown, and nobody waits for it any more. */
static enum ca_code close_rest(struct ca_ledger *ledger, struct ca_err *err)
{
  sqlite3_stmt *statement = ca_ledger_sql(ledger, CA_SQL_RUN_REST, err);
  int rc;

  if(!statement)
    return CA_SYSTEM;
  sqlite3_bind_int64(statement, 1, ca_ledger_change_id(ledger, 0));
  sqlite3_bind_int64(statement, 2, ca_ledger_change_id(ledger, CA_CHANGE_MAX));
  rc = ca_ledger_run(statement);
  return rc ? ca_ledger_fail(ledger, rc, err) : CA_OK;
}

static enum ca_code write_end(struct ca_ledger *ledger, int exit_code,
                              struct ca_err *err)
{
  sqlite3_stmt *statement = ca_ledger_sql(ledger, CA_SQL_RUN_END, err);
  int rc;

  if(!statement)
    return CA_SYSTEM;
  sqlite3_bind_int64(statement, 1, ledger->run);
  sqlite3_bind_int64(statement, 2, ca_clock_wall_ms(ledger->clock));
  sqlite3_bind_int(statement, 3, exit_code);
  rc = ca_ledger_run(statement);
  return rc ? ca_ledger_fail(ledger, rc, err) : CA_OK;
}

enum ca_code ca_ledger_end(struct ca_ledger *ledger, int exit_code,
                           struct ca_err *err)
{
  struct ca_err why;
  enum ca_code code = ca_ledger_open_run(ledger, err);

  if(code)
    return code;
  ca_err_clear(&why);
  /* the outcomes that wait come before what is left over is judged */
  code = ca_ledger_commit(ledger, &why);
  if(!code)
    code = ca_ledger_txn(ledger, &why);
  if(!code && ledger->applies)
    code = close_rest(ledger, &why);
  if(!code)
    code = write_end(ledger, exit_code, &why);
  if(!code)
    code = ca_ledger_commit(ledger, &why);
  if(code) {
    if(err)
      *err = why;
    return ca_ledger_undo_txn(ledger, code, &why);
  }
  ledger->ended = true;
  return CA_OK;
}

/* The salt stays in the database: a plan or a report that leaves the state
   directory carries fingerprints, but not what they were made with. */
static enum ca_code read_salt(struct ca_ledger *ledger, struct ca_err *err)
{
  sqlite3_stmt *statement = ca_ledger_sql(ledger, CA_SQL_SALT, err);
  enum ca_code code = CA_OK;
  int rc;

  if(!statement)
    return CA_SYSTEM;
  rc = sqlite3_step(statement);
  ledger->has_salt = rc == SQLITE_ROW && sqlite3_column_bytes(statement, 0) ==
                                             sizeof(ledger->salt);
  if(ledger->has_salt)
    memcpy(ledger->salt, sqlite3_column_blob(statement, 0),
           sizeof(ledger->salt));
  else if(rc == SQLITE_ROW)
    rc = SQLITE_CORRUPT;
  if(rc != SQLITE_ROW && rc != SQLITE_DONE)
    code = ca_ledger_fail(ledger, rc, err);
  sqlite3_reset(statement);
  return code;
}

/* Into the open transaction, unless another process was faster. */
static enum ca_code add_salt(struct ca_ledger *ledger, struct ca_err *err)
{
  sqlite3_stmt *statement = ca_ledger_sql(ledger, CA_SQL_SALT_ADD, err);
  unsigned char salt[sizeof(ledger->salt)];
  int rc;

  if(!statement)
    return CA_SYSTEM;
  if(ca_digest_random(salt, sizeof(salt)))
    return ca_err_set(err, CA_SYSTEM, "the kernel gives no random bytes");
  sqlite3_bind_blob(statement, 1, salt, sizeof(salt), SQLITE_STATIC);
  rc = ca_ledger_run(statement);
  return rc ? ca_ledger_fail(ledger, rc, err) : CA_OK;
}

static enum ca_code make_salt(struct ca_ledger *ledger, struct ca_err *err)
{
  bool ours = !ledger->in_txn;
  struct ca_err why;
  enum ca_code code = ca_ledger_txn(ledger, err);

  if(code)
    return code;
  ca_err_clear(&why);
  code = add_salt(ledger, &why);
  if(!code)
    code = read_salt(ledger, &why);
  if(code) {
    if(err)
      *err = why;
    return ca_ledger_undo_txn(ledger, code, &why);
  }
  return ours ? ca_ledger_commit(ledger, err) : CA_OK;
}

enum ca_code ca_ledger_fingerprint(struct ca_ledger *ledger, const char *text,
                                   size_t len, char *out, size_t size,
                                   struct ca_err *err)
{
  char hex[CA_DIGEST_SIZE];
  enum ca_code code = CA_OK;

  if(size < 33)
    return ca_err_set(err, CA_USAGE, "too little room for a fingerprint");
  if(!ledger->has_salt)
    code = read_salt(ledger, err);
  if(!code && !ledger->has_salt)
    code = make_salt(ledger, err);
  if(code)
    return code;
  ca_digest_keyed(ledger->salt, sizeof(ledger->salt), text, len, hex);
  ca_copy_text(out, size, hex, 32);
  return CA_OK;
}
