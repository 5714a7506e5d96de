/* Removing old runs, so that a ledger can be used for years.
   Must not know: which runs are old enough, files beside the ledger. */
#include "ledger/ledger_private.h"

#define WEEK_MS INT64_C(604800000)

/* Deletes all rows of a run, in the open transaction. */
static enum ca_code delete_rows(struct ca_ledger *ledger, int64_t run,
                                struct ca_err *err)
{
  static const struct {
    const char *table;
    const char *column;
    int bits; /* of the id below the run's */
  } tables[] = { { "resolution", "id", CA_ITEM_BITS + CA_PLACE_BITS },
                 { "sent", "id", CA_ITEM_BITS + CA_PLACE_BITS },
                 { "intent", "id", CA_ITEM_BITS + CA_PLACE_BITS },
                 { "outcome", "id", CA_ITEM_BITS + CA_PLACE_BITS },
                 { "change", "id", CA_ITEM_BITS + CA_PLACE_BITS },
                 { "tag", "item", CA_ITEM_BITS },
                 { "item", "id", CA_ITEM_BITS },
                 { "bulk", "run", 0 },
                 { "part", "run", 0 },
                 { "report", "run", 0 },
                 { "run", "id", 0 } };
  char sql[160];
  size_t i;
  int rc = SQLITE_OK;

  for(i = 0; !rc && i < sizeof(tables) / sizeof(tables[0]); i++) {
    int64_t first = run << tables[i].bits;
    int64_t end = (run + 1) << tables[i].bits;
    sqlite3_snprintf(sizeof(sql), sql,
                     "DELETE FROM %s WHERE %s >= %lld AND %s < %lld",
                     tables[i].table, tables[i].column, (long long)first,
                     tables[i].column, (long long)end);
    rc = sqlite3_exec(ledger->db, sql, NULL, NULL, NULL);
  }
  return rc ? ca_statement_fail(ledger, rc, err) : CA_OK;
}

enum ca_code ca_prune_select(struct ca_ledger *ledger, const char *name,
                             int64_t ended_ms, bool *may, struct ca_err *err)
{
  int64_t count = 0;
  enum ca_code code = ca_run_select(ledger, name, err);

  if(!code)
    code = ca_statement_ask(ledger, CA_SQL_PRUNE_MAY, &count, err, "ri",
                            ended_ms);
  *may = count > 0;
  return code;
}

/* The operation whose last success stays known: a refresh is the one that is
   proved by an account that has moved. */
static enum ca_code find_refresh(struct ca_ledger *ledger, int64_t *id,
                                 struct ca_err *err)
{
  size_t count;
  const struct ca_api *rows = ca_api_rows(&count);
  size_t i = 0;

  while(i < count && rows[i].probe != CA_PROBE_MOVED)
    i++;
  *id = 0;
  return i < count ? ca_ledger_operation_id(ledger, &rows[i], id, err) : CA_OK;
}

enum ca_code ca_prune_run(struct ca_ledger *ledger, int64_t *changes,
                          struct ca_err *err)
{
  int64_t refresh;
  enum ca_code code = ca_ledger_has_run(ledger, err);

  if(!code)
    code = ca_ledger_check_writer(ledger, err);
  if(!code)
    code = ca_ledger_txn(ledger, err);
  if(code)
    return code;
  code = find_refresh(ledger, &refresh, err);
  if(!code)
    code = ca_statement_write(ledger, CA_SQL_PRUNE_KEEP, err, "Cii",
                              INT64_C(1), refresh);
  if(!code)
    code = ca_statement_write(ledger, CA_SQL_PRUNE_KEEP, err, "Cii",
                              INT64_C(2), refresh);
  if(!code)
    code = ca_statement_write(ledger, CA_SQL_PRUNE_APPLIED, err, "r");
  if(!code)
    code = ca_statement_ask(ledger, CA_SQL_PRUNE_COUNT, changes, err, "C");
  if(!code)
    code = delete_rows(ledger, ledger->run, err);
  if(!code)
    code = ca_ledger_sync(ledger, err);
  return ca_ledger_undo_txn(ledger, code, err);
}

enum ca_code ca_prune_previews(struct ca_ledger *ledger, struct ca_err *err)
{
  int64_t before_ms = ca_clock_wall_ms(ledger->clock) - WEEK_MS;
  int64_t run;
  enum ca_code code;

  for(;;) {
    code = ca_statement_ask(ledger, CA_SQL_PRUNE_PREVIEW, &run, err, "i",
                            before_ms);
    if(code || !run)
      break;
    code = ca_ledger_txn(ledger, err);
    if(!code)
      code = delete_rows(ledger, run, err);
    if(code)
      break;
  }
  if(!code)
    code = ca_ledger_sync(ledger, err);
  return ca_ledger_undo_txn(ledger, code, err);
}
