/* Rows and outcomes that wait in memory before they are written: plan rows,
   since a statement that writes many costs little more than one that writes
   one, and outcomes, since they are committed together with the next intent.
   SQL statements do not see them; ledger.c decides when they are written
   (ca_ledger_flush).
   Must not know: what the rows mean, when a transaction begins or ends. */
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "ledger/ledger_private.h"

/* Number of bound values in a row, in the order of the statements. */
#define ITEM_VALUES   14
#define CHANGE_VALUES 8

static void bind_text(sqlite3_stmt *statement, int place, struct ca_slice text)
{
  if(text.data)
    sqlite3_bind_text(statement, place, text.data, (int)text.len,
                      SQLITE_STATIC);
  else
    sqlite3_bind_null(statement, place);
}

static void bind_time(sqlite3_stmt *statement, int place, int64_t ms)
{
  if(ms)
    sqlite3_bind_int64(statement, place, ms);
  else
    sqlite3_bind_null(statement, place);
}

static void bind_item(sqlite3_stmt *statement, int place,
                      const struct ca_queued_item *row)
{
  int i;

  sqlite3_bind_int64(statement, place++, row->id);
  sqlite3_bind_int(statement, place++, row->bulk);
  sqlite3_bind_int64(statement, place++, (int64_t)row->flags);
  for(i = 0; i < CA_ITEM_TEXTS - 1; i++)
    bind_text(statement, place++, row->texts[i]);
  bind_time(statement, place++, row->created_ms);
  bind_time(statement, place++, row->updated_ms);
  bind_text(statement, place, row->texts[i]);
}

static void bind_change(sqlite3_stmt *statement, int place,
                        const struct ca_queued_change *row)
{
  int i;

  sqlite3_bind_int64(statement, place++, row->id);
  sqlite3_bind_int(statement, place++, row->bulk);
  sqlite3_bind_int64(statement, place++, row->operation);
  sqlite3_bind_int(statement, place++, (int)row->cost);
  sqlite3_bind_int(statement, place++, (int)row->outcome);
  for(i = 0; i < CA_CHANGE_TEXTS; i++)
    bind_text(statement, place++, row->texts[i]);
}

/* Writes count rows in one statement: CA_QUEUED_ROWS or one. */
static enum ca_code write_items(struct ca_ledger *ledger,
                                const struct ca_queued_item *rows,
                                size_t count, struct ca_err *err)
{
  sqlite3_stmt *statement = ca_statement_get(
      ledger, count > 1 ? CA_SQL_ITEMS_ADD : CA_SQL_ITEM_ADD, err);
  size_t i;

  for(i = 0; statement && i < count; i++)
    bind_item(statement, (int)i * ITEM_VALUES + 1, &rows[i]);
  return ca_statement_finish(ledger, statement, err);
}

static enum ca_code write_changes(struct ca_ledger *ledger,
                                  const struct ca_queued_change *rows,
                                  size_t count, struct ca_err *err)
{
  sqlite3_stmt *statement = ca_statement_get(
      ledger, count > 1 ? CA_SQL_CHANGES_ADD_PLAIN : CA_SQL_CHANGE_ADD_PLAIN,
      err);
  size_t i;

  for(i = 0; statement && i < count; i++)
    bind_change(statement, (int)i * CHANGE_VALUES + 1, &rows[i]);
  return ca_statement_finish(ledger, statement, err);
}

void ca_queued_forget_rows(struct ca_ledger *ledger)
{
  ledger->queued.item_count = 0;
  ledger->queued.change_count = 0;
  ledger->queued.used = 0;
}

bool ca_queued_has_rows(const struct ca_ledger *ledger)
{
  return ledger->queued.item_count || ledger->queued.change_count;
}

enum ca_code ca_queued_write_rows(struct ca_ledger *ledger, struct ca_err *err)
{
  const struct ca_queued_rows *queued = &ledger->queued;
  size_t items = queued->item_count;
  size_t changes = queued->change_count;
  enum ca_code code = CA_OK;
  size_t many;
  size_t i;

  many = items == CA_QUEUED_ROWS ? items : 1;
  for(i = 0; !code && i < items; i += many)
    code = write_items(ledger, &queued->items[i], many, err);
  many = changes == CA_QUEUED_ROWS ? changes : 1;
  for(i = 0; !code && i < changes; i += many)
    code = write_changes(ledger, &queued->changes[i], many, err);
  if(!code)
    ca_queued_forget_rows(ledger);
  return code;
}

/* Copies a row's texts into the queue; queued rows are written first if
   `full`, or if they leave no room. *copied is false when the texts are too
   large even for an empty queue; `to` then borrows them. */
static enum ca_code keep_texts(struct ca_ledger *ledger,
                               const char *const *from, int count, bool full,
                               struct ca_slice *to, bool *copied,
                               struct ca_err *err)
{
  struct ca_queued_rows *queued = &ledger->queued;
  size_t len = 0;
  int i;

  for(i = 0; i < count; i++) {
    to[i].data = from[i];
    to[i].len = from[i] ? strlen(from[i]) : 0;
    len += to[i].len;
  }
  *copied = len <= sizeof(queued->texts);
  if(full || len > sizeof(queued->texts) - queued->used) {
    enum ca_code code = ca_queued_write_rows(ledger, err);
    if(code)
      return code;
  }
  for(i = 0; *copied && i < count; i++)
    if(to[i].data) {
      memcpy(queued->texts + queued->used, to[i].data, to[i].len);
      to[i].data = queued->texts + queued->used;
      queued->used += to[i].len;
    }
  return CA_OK;
}

enum ca_code ca_queued_add_item(struct ca_ledger *ledger, int64_t id,
                                const struct ca_item *item, struct ca_err *err)
{
  struct ca_queued_rows *queued = &ledger->queued;
  bool keyed = item->account && !strcmp(item->account, item->key);
  const char *const texts[CA_ITEM_TEXTS] = { item->key,
                                             keyed ? NULL : item->account,
                                             item->user,
                                             item->toolkit,
                                             item->scheme,
                                             item->status,
                                             item->status_reason,
                                             item->alias,
                                             item->row };
  struct ca_queued_item row = { .id = id,
                                .bulk = item->bulk,
                                .created_ms = item->created_ms,
                                .updated_ms = item->updated_ms };
  bool copied;
  enum ca_code code = keep_texts(ledger, texts, CA_ITEM_TEXTS,
                                 queued->item_count == CA_QUEUED_ROWS,
                                 row.texts, &copied, err);

  if(code)
    return code;
  row.flags = item->flags | (keyed ? CA_ITEM_KEYED : 0U);
  if(!copied)
    return write_items(ledger, &row, 1, err);
  queued->items[queued->item_count++] = row;
  return CA_OK;
}

enum ca_code ca_queued_add_change(struct ca_ledger *ledger, int64_t id,
                                  int64_t operation,
                                  const struct ca_change *change,
                                  struct ca_err *err)
{
  struct ca_queued_rows *queued = &ledger->queued;
  const char *const texts[CA_CHANGE_TEXTS] = { change->reason, change->line,
                                               change->before };
  struct ca_queued_change row = { .id = id,
                                  .bulk = ledger->bulk,
                                  .operation = operation,
                                  .cost = change->cost,
                                  .outcome = change->outcome };
  bool copied;
  enum ca_code code = keep_texts(ledger, texts, CA_CHANGE_TEXTS,
                                 queued->change_count == CA_QUEUED_ROWS,
                                 row.texts, &copied, err);

  if(code)
    return code;
  if(!copied)
    return write_changes(ledger, &row, 1, err);
  queued->changes[queued->change_count++] = row;
  return CA_OK;
}

/* Outcomes. */

void ca_queued_forget_outcomes(struct ca_ledger *ledger)
{
  size_t i;

  for(i = 0; i < ledger->outcome_count; i++) {
    free(ledger->outcomes[i].text);
    free(ledger->outcomes[i].made);
    ledger->outcomes[i].text = NULL;
    ledger->outcomes[i].made = NULL;
  }
  ledger->outcome_count = 0;
}

#define OUTCOME_VALUES 10

/* Binds the values of one outcome, beginning at the given place. */
static void bind_outcome(const struct ca_ledger *ledger,
                         sqlite3_stmt *statement, int from,
                         const struct ca_queued_outcome *entry)
{
  sqlite3_bind_int64(statement, from,
                     ca_ledger_change_id(ledger, entry->number));
  sqlite3_bind_int(statement, from + 1, (int)entry->outcome);
  sqlite3_bind_int64(statement, from + 2, entry->at_ms);
  sqlite3_bind_int(statement, from + 3, entry->attempts);
  if(entry->http)
    sqlite3_bind_int(statement, from + 4, entry->http);
  else
    sqlite3_bind_null(statement, from + 4);
  ca_statement_bind(statement, from + 5, ca_text_or_null(entry->request_id));
  ca_statement_bind(statement, from + 6, ca_text_or_null(entry->status_after));
  ca_statement_bind(statement, from + 7, ca_text_or_null(entry->slug));
  ca_statement_bind(statement, from + 8, entry->text);
  ca_statement_bind(statement, from + 9, entry->made);
}

static enum ca_code write_outcomes(struct ca_ledger *ledger,
                                   const struct ca_queued_outcome *outcomes,
                                   size_t count, struct ca_err *err)
{
  sqlite3_stmt *statement = ca_statement_get(
      ledger, count > 1 ? CA_SQL_OUTCOMES_ADD : CA_SQL_OUTCOME_ADD, err);
  size_t i;

  for(i = 0; statement && i < count; i++)
    bind_outcome(ledger, statement, (int)i * OUTCOME_VALUES + 1, &outcomes[i]);
  return ca_statement_finish(ledger, statement, err);
}

/* How many queued outcomes, from this one on, the next statement writes. */
static size_t outcomes_at_once(const struct ca_queued_outcome *outcomes,
                               size_t count)
{
  size_t n = 0;

  while(n < count && n < CA_OUTCOME_ROWS &&
        outcomes[n].kind == CA_QUEUED_OF_CHANGE)
    n++;
  return n == CA_OUTCOME_ROWS ? n : 1;
}

enum ca_code ca_queued_write_outcomes(struct ca_ledger *ledger,
                                      struct ca_err *err)
{
  enum ca_code code = CA_OK;
  size_t i = 0;

  while(!code && i < ledger->outcome_count) {
    const struct ca_queued_outcome *outcomes = &ledger->outcomes[i];
    size_t count = outcomes_at_once(outcomes, ledger->outcome_count - i);

    code =
        outcomes->kind == CA_QUEUED_OF_ITEM
            ? ca_statement_write(ledger, CA_SQL_ITEM_OUTCOME, err, "iit",
                                 ca_ledger_item_id(ledger, outcomes->number),
                                 (int64_t)outcomes->outcome, outcomes->text)
            : write_outcomes(ledger, outcomes, count, err);
    i += count;
  }
  return code;
}

bool ca_queued_outcomes_due(const struct ca_ledger *ledger)
{
  return ledger->outcome_count == CA_QUEUED_OUTCOMES ||
         (ledger->outcome_count &&
          ca_clock_mono_ms(ledger->clock) - ledger->outcome_ms >=
              CA_QUEUED_MS);
}
