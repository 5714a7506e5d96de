/* Counting a run: changes by operation and outcome, items by outcome.
   Must not know: how changes are sent. */
#include <string.h>
#include "ledger/ledger_private.h"
#include "ledger/verdict.h"

/* A statement's rows of (id, value), in the order of their ids. */
struct stream {
  sqlite3_stmt *statement;
  int64_t id; /* of the current row; 0 before the first, INT64_MAX after the
                 last */
  unsigned value;
};

/* Changes, their outcomes and the items' verdicts are read side by side,
   each once and in order: looking up each change's outcome would cost four
   times as much. */
struct count {
  struct ca_tally run;
  struct ca_tally of_bulk; /* the counts of one bulk */
  int bulk;                /* that bulk's number, or -1 */
  int64_t item; /* whose changes are counted now, 0 before the first */
  bool in_bulk; /* the item belongs to that bulk */
  struct ca_verdict verdict;
  struct stream outcomes;
  struct stream intents; /* from the first change without an outcome on */
  struct stream verdicts;
  struct ca_ledger *ledger;
  struct ca_err *err;
  enum ca_code code; /* the first error of any stream */
};

static void advance(struct count *count, struct stream *stream)
{
  stream->id = INT64_MAX;
  if(!ca_statement_next(count->ledger, stream->statement, &count->code,
                        count->err))
    return;
  stream->id = sqlite3_column_int64(stream->statement, 0);
  stream->value = (unsigned)sqlite3_column_int(stream->statement, 1);
}

/* Is there a row with that id? Ids must be asked for in ascending order. */
static bool find(struct count *count, struct stream *stream, int64_t id)
{
  while(stream->id < id)
    advance(count, stream);
  return stream->id == id;
}

static void add_item(struct count *count, unsigned outcome, bool in_bulk)
{
  if(outcome >= CA_OUTCOME_COUNT)
    return;
  count->run.items[outcome]++;
  if(in_bulk)
    count->of_bulk.items[outcome]++;
}

/* Counts the verdicts of items before this one. */
static void pass_verdicts(struct count *count, int64_t item)
{
  struct stream *verdicts = &count->verdicts;

  while(verdicts->id < item) {
    if(verdicts->id)
      add_item(count, verdicts->value,
               sqlite3_column_int(verdicts->statement, 2) == count->bulk);
    advance(count, verdicts);
  }
}

static void close_item(struct count *count)
{
  if(!count->item)
    return;
  pass_verdicts(count, count->item);
  if(count->verdicts.id != count->item) /* else its own verdict is counted */
    add_item(count, (unsigned)ca_verdict_of(&count->verdict), count->in_bulk);
}

/* The same rule as STATE of ledger/statement.c. */
static unsigned state_of(struct count *count, int64_t id, unsigned recorded)
{
  if(find(count, &count->outcomes, id))
    return count->outcomes.value;
  return recorded == CA_PLANNED && find(count, &count->intents, id)
             ? CA_INTENDED
             : recorded;
}

static void count_row(struct count *count, sqlite3_stmt *statement)
{
  int64_t id = sqlite3_column_int64(statement, 0);
  int64_t item = id >> CA_PLACE_BITS;
  int64_t operation = sqlite3_column_int64(statement, 1);
  unsigned outcome =
      state_of(count, id, (unsigned)sqlite3_column_int(statement, 2));
  bool in_bulk;

  if(outcome >= CA_OUTCOME_COUNT || operation < 0 ||
     operation >= CA_OPERATION_MAX)
    return;
  in_bulk = sqlite3_column_int(statement, 4) == count->bulk;
  count->run.changes[operation][outcome]++;
  if(in_bulk)
    count->of_bulk.changes[operation][outcome]++;
  if(item != count->item) {
    close_item(count);
    count->item = item;
    count->in_bulk = in_bulk;
    memset(&count->verdict, 0, sizeof(count->verdict));
  }
  ca_verdict_add(&count->verdict, (enum ca_outcome)outcome,
                 sqlite3_column_int(statement, 3) != 0);
}

/* Gives the counts the names that scripts use. Nearly all operations are on
   accounts: they go by the bare name. */
static enum ca_code name_counts(struct ca_ledger *ledger,
                                const struct ca_tally *tally,
                                struct ca_counts *counts, struct ca_err *err)
{
  static const int64_t none[CA_OUTCOME_COUNT];
  int64_t id;

  memset(counts, 0, sizeof(*counts));
  memcpy(counts->items, tally->items, sizeof(counts->items));
  for(id = 0; id < CA_OPERATION_MAX; id++) {
    struct ca_operation_counts *to =
        &counts->operations[counts->operation_count];
    const struct ca_api *api;
    enum ca_code code;

    if(!memcmp(tally->changes[id], none, sizeof(none)) ||
       counts->operation_count == CA_COUNTED_OPERATIONS)
      continue;
    code = ca_ledger_operation(ledger, id, &api, err);
    if(code)
      return code;
    ca_api_label(api, to->name, sizeof(to->name));
    memcpy(to->changes, tally->changes[id], sizeof(to->changes));
    counts->operation_count++;
  }
  return CA_OK;
}

static void count_all(struct count *count, sqlite3_stmt *changes)
{
  while(ca_statement_next(count->ledger, changes, &count->code, count->err))
    count_row(count, changes);
  close_item(count);
  pass_verdicts(count, INT64_MAX);
  sqlite3_reset(count->outcomes.statement);
  sqlite3_reset(count->intents.statement);
}

/* Keeps the counts for the end of the run, which then need not count again. */
static void keep_counts(struct ca_ledger *ledger, const struct ca_tally *tally)
{
  int id;
  int k;

  memset(ledger->counts, 0, sizeof(ledger->counts));
  for(id = 0; id < CA_OPERATION_MAX; id++)
    for(k = 0; k < CA_OUTCOME_COUNT; k++)
      ledger->counts[k] += tally->changes[id][k];
  ledger->tally = *tally;
  ledger->counted = true;
}

/* Counts the run, and also the bulk. */
static enum ca_code tally_up(struct ca_ledger *ledger, int bulk,
                             struct count *count, struct ca_err *err)
{
  sqlite3_stmt *changes;
  enum ca_code code = ca_ledger_has_run(ledger, err);

  if(!code)
    code = ca_ledger_flush(ledger, -1, err);
  if(code)
    return code;
  memset(count, 0, sizeof(*count));
  count->ledger = ledger;
  count->err = err;
  count->bulk = bulk;
  changes = ca_statement_start(ledger, CA_SQL_COUNTS, err, "C");
  count->outcomes.statement =
      ca_statement_start(ledger, CA_SQL_COUNT_OUTCOMES, err, "C");
  count->intents.statement =
      ca_statement_start(ledger, CA_SQL_COUNT_INTENTS, err, "C");
  count->verdicts.statement =
      ca_statement_start(ledger, CA_SQL_VERDICTS, err, "I");
  if(!ledger->has_verdicts) /* saves a scan of all items */
    count->verdicts.id = INT64_MAX;
  count_all(count, changes);
  if(!count->code)
    keep_counts(ledger, &count->run);
  return count->code;
}

enum ca_code ca_count_outcomes(struct ca_ledger *ledger, int bulk,
                               struct ca_counts *counts, struct ca_err *err)
{
  struct count count;
  enum ca_code code = bulk < 0 ? ca_ledger_count_changes(ledger, err)
                               : tally_up(ledger, bulk, &count, err);

  return code ? code
              : name_counts(ledger, bulk < 0 ? &ledger->tally : &count.of_bulk,
                            counts, err);
}

enum ca_code ca_ledger_count_changes(struct ca_ledger *ledger,
                                     struct ca_err *err)
{
  struct count count;

  return ledger->counted ? CA_OK : tally_up(ledger, -1, &count, err);
}

enum ca_code ca_ledger_count_open(struct ca_ledger *ledger, int64_t *count,
                                  struct ca_err *err)
{
  enum ca_code code = ca_ledger_count_changes(ledger, err);

  *count = code ? 0 : ledger->counts[CA_INTENDED] + ledger->counts[CA_UNKNOWN];
  return code;
}
