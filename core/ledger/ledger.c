/* The ledger's life: opening and closing, transactions. Nothing else flushes,
   commits or rolls back.
   Must not know: how changes are sent, what a script is. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "ledger/ledger_private.h"

/* Transactions. */

enum ca_code ca_ledger_open_run(const struct ca_ledger *ledger,
                                struct ca_err *err)
{
  return ledger->run && !ledger->ended
             ? CA_OK
             : ca_err_set(err, CA_USAGE, "no run is open in the ledger");
}

enum ca_code ca_ledger_has_run(const struct ca_ledger *ledger,
                               struct ca_err *err)
{
  return ledger->run
             ? CA_OK
             : ca_err_set(err, CA_USAGE, "no run has begun in the ledger");
}

enum ca_code ca_ledger_check_writer(const struct ca_ledger *ledger,
                                    struct ca_err *err)
{
  return ledger->readonly
             ? ca_err_set(err, CA_USAGE, "the ledger was opened read-only")
             : CA_OK;
}

enum ca_code ca_ledger_usable(const struct ca_ledger *ledger,
                              struct ca_err *err)
{
  if(!ledger->lost.code)
    return ca_ledger_open_run(ledger, err);
  *err = ledger->lost;
  return ledger->lost.code;
}

/* SQLite accepts this pragma only outside a transaction. */
static enum ca_code set_sync_off(struct ca_ledger *ledger, bool sync_off,
                                 struct ca_err *err)
{
  int rc;

  if(sync_off == ledger->sync_off)
    return CA_OK;
  rc = sqlite3_exec(ledger->db,
                    sync_off ? "PRAGMA synchronous=NORMAL"
                             : "PRAGMA synchronous=FULL",
                    NULL, NULL, NULL);
  if(rc)
    return ca_statement_fail(ledger, rc, err);
  ledger->sync_off = sync_off;
  return CA_OK;
}

enum ca_code ca_ledger_begin_txn(struct ca_ledger *ledger, bool plan_only,
                                 struct ca_err *err)
{
  enum ca_code code = set_sync_off(ledger, plan_only, err);

  if(code)
    return code;
  ca_store_enter_queue(ledger);
  code = ca_statement_write(ledger, CA_SQL_BEGIN, err, "");
  ca_store_leave_queue(ledger);
  if(code)
    return code;
  ledger->in_txn = true;
  ledger->plan_only = plan_only;
  ledger->txn_rows = 0;
  ledger->txn_ms = ca_clock_mono_ms(ledger->clock);
  return CA_OK;
}

static enum ca_code end_txn(struct ca_ledger *ledger, struct ca_err *err)
{
  enum ca_code code = ca_queued_write_rows(ledger, err);

  if(!code)
    code = ca_statement_write(ledger, CA_SQL_COMMIT, err, "");
  if(!code) {
    ledger->in_txn = false;
    ledger->txn_rows = 0;
  }
  return code;
}

enum ca_code ca_ledger_undo_txn(struct ca_ledger *ledger, enum ca_code code,
                                const struct ca_err *err)
{
  struct ca_err ignored;

  if(!code || !ledger->in_txn)
    return code;
  ca_queued_forget_rows(ledger);
  /* after a full disk or an I/O error SQLite may have rolled back already;
     another ROLLBACK would only report that */
  if(!sqlite3_get_autocommit(ledger->db) &&
     ca_statement_write(ledger, CA_SQL_ROLLBACK, &ignored, ""))
    ledger->lost = *err;
  if(ledger->txn_rows)
    ledger->lost = *err;
  ledger->in_txn = false;
  ledger->txn_rows = 0;
  /* the rollback may have removed the salt and temporary tables */
  ledger->has_salt = false;
  ledger->shared_known = false;
  ledger->counted = false;
  return code;
}

enum ca_code ca_ledger_txn(struct ca_ledger *ledger, struct ca_err *err)
{
  enum ca_code code = CA_OK;

  if(ledger->in_txn && !ledger->plan_only)
    return ca_ledger_flush_rows(ledger, err);
  if(ledger->in_txn)
    code = ca_ledger_undo_txn(ledger, end_txn(ledger, err), err);
  return code ? code : ca_ledger_begin_txn(ledger, false, err);
}

enum ca_code ca_ledger_sync(struct ca_ledger *ledger, struct ca_err *err)
{
  enum ca_code code = CA_OK;

  if(!ledger->in_txn && !ledger->outcome_count)
    return CA_OK;
  if(ledger->outcome_count) /* they need a synced commit: not with plan rows */
    code = ca_ledger_txn(ledger, err);
  if(!code)
    code = ca_queued_write_outcomes(ledger, err);
  if(!code)
    code = end_txn(ledger, err);
  if(!code)
    ca_queued_forget_outcomes(ledger);
  return ca_ledger_undo_txn(ledger, code, err);
}

enum ca_code ca_ledger_begin_read(struct ca_ledger *ledger, struct ca_err *err)
{
  return ledger->in_txn
             ? CA_OK
             : ca_statement_write(ledger, CA_SQL_BEGIN_READ, err, "");
}

enum ca_code ca_ledger_end_read(struct ca_ledger *ledger, struct ca_err *err)
{
  /* SQLite ends it by itself after an I/O error */
  return ledger->in_txn || sqlite3_get_autocommit(ledger->db)
             ? CA_OK
             : ca_statement_write(ledger, CA_SQL_COMMIT, err, "");
}

enum ca_code ca_ledger_flush_rows(struct ca_ledger *ledger, struct ca_err *err)
{
  if(!ca_queued_has_rows(ledger))
    return CA_OK;
  return ca_ledger_undo_txn(ledger, ca_queued_write_rows(ledger, err), err);
}

enum ca_code ca_ledger_flush(struct ca_ledger *ledger, int64_t after,
                             struct ca_err *err)
{
  size_t i;

  for(i = 0; i < ledger->outcome_count; i++)
    if(after < 0 || (ledger->outcomes[i].kind == CA_QUEUED_OF_CHANGE &&
                     ledger->outcomes[i].number > after))
      return ca_ledger_sync(ledger, err);
  return ca_ledger_flush_rows(ledger, err);
}

enum ca_code ca_ledger_commit_before_wait(struct ca_ledger *ledger,
                                          int *wait_ms, struct ca_err *err)
{
  bool due = ca_queued_outcomes_due(ledger);
  int64_t left_ms = 0;

  if(!ledger->in_txn && !due)
    return CA_OK;
  if(wait_ms && !due)
    left_ms = ledger->txn_ms + CA_PLAN_MS - ca_clock_mono_ms(ledger->clock);
  if(left_ms <= 0)
    return ca_ledger_sync(ledger, err);
  if(left_ms < *wait_ms)
    *wait_ms = (int)left_ms;
  return CA_OK;
}

/* Operations have a number in this database: rows of the operation table
   may move between versions of the program, names do not. */

/* "resource.name", as it is stored. */
static enum ca_code operation_name(const struct ca_api *api, char *out,
                                   size_t size, struct ca_err *err)
{
  int len = snprintf(out, size, "%s.%s", api->resource, api->name);
  return len < 0 || (size_t)len >= size
             ? ca_err_set(err, CA_USAGE, "the operation's name is too long")
             : CA_OK;
}

static enum ca_code find_operation_id(struct ca_ledger *ledger,
                                      const char *name, int64_t *id,
                                      struct ca_err *err)
{
  enum ca_code code =
      ca_statement_write(ledger, CA_SQL_OPERATION_ADD, err, "t", name);

  return code ? code
              : ca_statement_ask(ledger, CA_SQL_OPERATION_ID, id, err, "t",
                                 name);
}

enum ca_code ca_ledger_operation_id(struct ca_ledger *ledger,
                                    const struct ca_api *api, int64_t *id,
                                    struct ca_err *err)
{
  char name[CA_OPERATION_SIZE];
  size_t count;
  const struct ca_api *rows = ca_api_rows(&count);
  size_t row = (size_t)(api - rows);
  enum ca_code code;

  if(row < CA_OPERATION_MAX && ledger->operation_ids[row]) {
    *id = ledger->operation_ids[row];
    return CA_OK;
  }
  code = operation_name(api, name, sizeof(name), err);
  if(!code)
    code = find_operation_id(ledger, name, id, err);
  if(!code && row < CA_OPERATION_MAX)
    ledger->operation_ids[row] = *id;
  return code;
}

enum ca_code ca_ledger_operation(struct ca_ledger *ledger, int64_t id,
                                 const struct ca_api **api, struct ca_err *err)
{
  bool fits = id > 0 && id < CA_OPERATION_MAX;
  enum ca_code code = CA_OK;
  sqlite3_stmt *statement;
  const char *name;

  *api = fits ? ledger->operations[id] : NULL;
  if(*api)
    return CA_OK;
  statement = ca_statement_start(ledger, CA_SQL_OPERATION_NAME, err, "i", id);
  name = ca_statement_next(ledger, statement, &code, err)
             ? ca_ledger_text(statement, 0)
             : NULL;
  *api = name ? ca_api_of_label(name) : NULL;
  if(!code && !*api)
    code = ca_err_set(
        err, CA_SYSTEM,
        "the ledger %s names the operation %s, which this version of "
        "composio-lua does not have",
        ledger->path, name ? name : "without a name");
  sqlite3_reset(statement);
  if(!code && fits)
    ledger->operations[id] = *api;
  return code;
}

/* Opening and closing. */

static struct ca_ledger *new_ledger(const struct ca_clock *clock,
                                    struct ca_err *err)
{
  struct ca_ledger *ledger = calloc(1, sizeof(*ledger));

  if(ledger)
    ledger->outcomes = calloc(CA_QUEUED_OUTCOMES, sizeof(*ledger->outcomes));
  if(!ledger || !ledger->outcomes) {
    free(ledger);
    ca_err_set(err, CA_NOMEM, "out of memory");
    return NULL;
  }
  ledger->clock = clock;
  ledger->write_queue = -1;
  ca_buf_init(&ledger->account, 4096);
  ca_buf_init(&ledger->texts, 64U << 20);
  return ledger;
}

struct ca_ledger *ca_ledger_open(const char *dir, const struct ca_clock *clock,
                                 struct ca_err *err)
{
  struct ca_ledger *ledger = new_ledger(clock, err);

  if(ledger && ca_store_open(ledger, dir, err)) {
    ca_ledger_close(ledger);
    return NULL;
  }
  return ledger;
}

struct ca_ledger *ca_ledger_open_readonly(const char *dir,
                                          const struct ca_clock *clock,
                                          bool *found, struct ca_err *err)
{
  struct ca_ledger *ledger = new_ledger(clock, err);

  *found = false;
  if(!ledger)
    return NULL;
  ledger->readonly = true;
  if(ca_store_open_readonly(ledger, dir, found, err) || !*found) {
    *found = false;
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
  if(ledger->db && ca_ledger_sync(ledger, &ignored))
    ca_queued_forget_outcomes(ledger);
  for(i = 0; i < CA_SQL_COUNT; i++)
    sqlite3_finalize(ledger->statements[i]);
  sqlite3_close(ledger->db);
  if(ledger->write_queue >= 0)
    close(ledger->write_queue);
  ca_hashset_clear(&ledger->keys);
  ca_buf_clear(&ledger->account);
  ca_buf_clear(&ledger->texts);
  free(ledger->outcomes);
  free(ledger->path);
  free(ledger);
}
