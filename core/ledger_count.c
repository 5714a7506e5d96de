/* Counting a run: changes by operation and outcome, items by outcome.
   Must not know: how changes are sent. */
#include <string.h>
#include "ledger_private.h"

/* What an item's changes make of it: the worst of them counts, done beats
   same. */
static int badness(enum ca_outcome outcome)
{
  switch(outcome) {
  case CA_SAME:
    return 1;
  case CA_DONE:
    return 2;
  case CA_SKIPPED:
    return 3;
  case CA_PLANNED:
    return 4;
  case CA_NOT_TRIED:
    return 5;
  case CA_PENDING:
    return 6;
  case CA_STALE:
    return 7;
  case CA_FAILED:
    return 8;
  case CA_INTENDED:
    return 9;
  case CA_UNKNOWN:
    return 10;
  }
  return 0;
}

/* Changes and verdicts come in the order of items, and are merged. */
struct tally {
  int64_t items[CA_OUTCOME_COUNT];
  int64_t changes[CA_OPERATION_MAX][CA_OUTCOME_COUNT];
  int64_t item; /* whose changes are being counted, 0 before the first */
  enum ca_outcome worst;
  enum ca_outcome last; /* of the last change, which a fallback may follow */
  sqlite3_stmt *verdicts;
  int64_t verdict_item; /* INT64_MAX: no more */
  unsigned verdict;
  int rc; /* of the verdicts */
};

static void next_verdict(struct tally *tally)
{
  tally->verdict_item = INT64_MAX;
  tally->rc = sqlite3_step(tally->verdicts);
  if(tally->rc != SQLITE_ROW)
    return;
  tally->verdict_item = sqlite3_column_int64(tally->verdicts, 0);
  tally->verdict = (unsigned)sqlite3_column_int(tally->verdicts, 1);
}

/* Counts the verdicts of items before this one. */
static void pass_verdicts(struct tally *tally, int64_t item)
{
  while(tally->verdict_item < item) {
    if(tally->verdict < CA_OUTCOME_COUNT)
      tally->items[tally->verdict]++;
    next_verdict(tally);
  }
}

static void worsen(struct tally *tally)
{
  if(badness(tally->last) > badness(tally->worst))
    tally->worst = tally->last;
}

static void close_item(struct tally *tally)
{
  if(!tally->item)
    return;
  worsen(tally);
  pass_verdicts(tally, tally->item);
  if(tally->verdict_item != tally->item) /* else it is counted by that */
    tally->items[tally->worst]++;
}

/* A change that failed and its fallback are one to the item. The fallback of
   one that went well says nothing, whatever it was recorded as. */
static bool counts_instead(enum ca_outcome change, enum ca_outcome fallback)
{
  return change != CA_DONE && change != CA_SAME && fallback != CA_PLANNED &&
         fallback != CA_NOT_TRIED && fallback != CA_SKIPPED;
}

static void count_row(struct tally *tally, sqlite3_stmt *statement)
{
  int64_t item = sqlite3_column_int64(statement, 0) >> CA_PLACE_BITS;
  int64_t operation = sqlite3_column_int64(statement, 1);
  unsigned outcome = (unsigned)sqlite3_column_int(statement, 2);

  if(outcome >= CA_OUTCOME_COUNT || operation < 0 ||
     operation >= CA_OPERATION_MAX)
    return;
  tally->changes[operation][outcome]++;
  if(item != tally->item) {
    close_item(tally);
    tally->item = item;
    tally->worst = CA_SAME; /* the least */
    tally->last = (enum ca_outcome)outcome;
  } else if(!sqlite3_column_int(statement, 3)) {
    worsen(tally);
    tally->last = (enum ca_outcome)outcome;
  } else if(counts_instead(tally->last, (enum ca_outcome)outcome))
    tally->last = (enum ca_outcome)outcome;
}

#define ACCOUNTS "connected_accounts."

static enum ca_code tell(struct ca_ledger *ledger, const struct tally *tally,
                         void (*visit)(void *ctx, const char *operation,
                                       enum ca_outcome outcome, int64_t count),
                         void *ctx, struct ca_err *err)
{
  char name[CA_OPERATION_SIZE];
  const char *bare;
  int64_t id;
  int k;

  for(id = 0; id < CA_OPERATION_MAX; id++)
    for(k = 0; k < CA_OUTCOME_COUNT; k++) {
      const struct ca_api *api;
      enum ca_code code;

      if(!tally->changes[id][k])
        continue;
      code = ca_ledger_operation(ledger, id, &api, err);
      if(code)
        return code;
      code = ca_ledger_operation_name(api, name, sizeof(name), err);
      if(code)
        return code;
      /* accounts are what nearly all is about: their operations go by the
         bare name, as scripts say it */
      bare = strncmp(name, ACCOUNTS, sizeof(ACCOUNTS) - 1)
                 ? name
                 : name + sizeof(ACCOUNTS) - 1;
      visit(ctx, bare, (enum ca_outcome)k, tally->changes[id][k]);
    }
  for(k = 0; k < CA_OUTCOME_COUNT; k++)
    if(tally->items[k])
      visit(ctx, NULL, (enum ca_outcome)k, tally->items[k]);
  return CA_OK;
}

static int count_all(struct ca_ledger *ledger, int bulk, struct tally *tally,
                     sqlite3_stmt *statement)
{
  int rc;

  sqlite3_bind_int64(statement, 1, ca_ledger_change_id(ledger, 0));
  sqlite3_bind_int64(statement, 2, ca_ledger_change_id(ledger, CA_CHANGE_MAX));
  sqlite3_bind_int(statement, 3, bulk);
  sqlite3_bind_int64(tally->verdicts, 1, ca_ledger_item_id(ledger, 0));
  sqlite3_bind_int64(tally->verdicts, 2,
                     ca_ledger_item_id(ledger, CA_ITEM_MAX));
  sqlite3_bind_int(tally->verdicts, 3, bulk);
  next_verdict(tally);
  while((rc = sqlite3_step(statement)) == SQLITE_ROW)
    count_row(tally, statement);
  close_item(tally);
  pass_verdicts(tally, INT64_MAX);
  if(rc == SQLITE_DONE)
    rc = tally->rc;
  sqlite3_reset(statement);
  sqlite3_reset(tally->verdicts);
  return rc;
}

/* The end of the run needs them again, and counts no row twice for it. */
static void keep_counts(struct ca_ledger *ledger, const struct tally *tally)
{
  int id;
  int k;

  memset(ledger->counts, 0, sizeof(ledger->counts));
  for(id = 0; id < CA_OPERATION_MAX; id++)
    for(k = 0; k < CA_OUTCOME_COUNT; k++)
      ledger->counts[k] += tally->changes[id][k];
  ledger->counted = true;
}

static enum ca_code tally_up(struct ca_ledger *ledger, int bulk,
                             struct tally *tally, struct ca_err *err)
{
  sqlite3_stmt *statement;
  enum ca_code code = ca_ledger_before_read(ledger, -1, err);
  int rc;

  if(code)
    return code;
  memset(tally, 0, sizeof(*tally));
  statement = ca_ledger_sql(ledger, CA_SQL_COUNTS, err);
  tally->verdicts = ca_ledger_sql(ledger, CA_SQL_VERDICTS, err);
  if(!statement || !tally->verdicts)
    return CA_SYSTEM;
  rc = count_all(ledger, bulk, tally, statement);
  if(rc != SQLITE_DONE)
    return ca_ledger_fail(ledger, rc, err);
  if(bulk < 0)
    keep_counts(ledger, tally);
  return CA_OK;
}

enum ca_code ca_ledger_counts(struct ca_ledger *ledger, int bulk,
                              void (*visit)(void *ctx, const char *operation,
                                            enum ca_outcome outcome,
                                            int64_t count),
                              void *ctx, struct ca_err *err)
{
  struct tally tally;
  enum ca_code code = tally_up(ledger, bulk, &tally, err);

  return code ? code : tell(ledger, &tally, visit, ctx, err);
}

enum ca_code ca_ledger_count_changes(struct ca_ledger *ledger,
                                     struct ca_err *err)
{
  struct tally tally;

  return ledger->counted ? CA_OK : tally_up(ledger, -1, &tally, err);
}
