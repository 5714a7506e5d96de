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

/* Plan rows. */

/* How the rows of a table are written. */
struct shape {
  enum ca_sql one;
  enum ca_sql many; /* writes CA_QUEUED_ROWS rows */
  int texts;
  int nullable; /* from this number on, 0 becomes NULL */
  /* the statement's parameter for each value: first the numbers, then the
     texts */
  unsigned char places[CA_ROW_NUMBERS + CA_ITEM_TEXTS];
};
static const struct shape item_shape = { CA_SQL_ITEM_ADD,
                                         CA_SQL_ITEMS_ADD,
                                         CA_ITEM_TEXTS,
                                         3,
                                         { 0, 1, 2, 11, 12, 3, 4, 5, 6, 7, 8,
                                           9, 10, 13 } };
static const struct shape change_shape = { CA_SQL_CHANGE_ADD_PLAIN,
                                           CA_SQL_CHANGES_ADD_PLAIN,
                                           CA_CHANGE_TEXTS,
                                           CA_ROW_NUMBERS,
                                           { 0, 1, 2, 3, 4, 5, 6, 7 } };

static void bind_row(sqlite3_stmt *statement, int from,
                     const struct shape *shape,
                     const struct ca_queued_row *row)
{
  const unsigned char *place = shape->places;
  int i;

  for(i = 0; i < CA_ROW_NUMBERS; i++, place++)
    if(row->numbers[i] || i < shape->nullable)
      sqlite3_bind_int64(statement, from + *place, row->numbers[i]);
    else
      sqlite3_bind_null(statement, from + *place);
  for(i = 0; i < shape->texts; i++, place++)
    if(row->texts[i].data)
      sqlite3_bind_text(statement, from + *place, row->texts[i].data,
                        (int)row->texts[i].len, SQLITE_STATIC);
    else
      sqlite3_bind_null(statement, from + *place);
}

/* Writes count rows in one statement: CA_QUEUED_ROWS or one. */
static enum ca_code write_rows(struct ca_ledger *ledger,
                               const struct shape *shape,
                               const struct ca_queued_row *rows, size_t count,
                               struct ca_err *err)
{
  sqlite3_stmt *statement =
      ca_statement_get(ledger, count > 1 ? shape->many : shape->one, err);
  size_t i;

  for(i = 0; statement && i < count; i++)
    bind_row(statement, (int)i * (CA_ROW_NUMBERS + shape->texts) + 1, shape,
             &rows[i]);
  return ca_statement_finish(ledger, statement, err);
}

static enum ca_code write_table(struct ca_ledger *ledger,
                                const struct shape *shape,
                                const struct ca_queued_table *table,
                                struct ca_err *err)
{
  size_t many = table->count == CA_QUEUED_ROWS ? table->count : 1;
  enum ca_code code = CA_OK;
  size_t i;

  for(i = 0; !code && i < table->count; i += many)
    code = write_rows(ledger, shape, &table->rows[i], many, err);
  return code;
}

void ca_queued_forget_rows(struct ca_ledger *ledger)
{
  ledger->queued.items.count = 0;
  ledger->queued.changes.count = 0;
  ledger->queued.used = 0;
}

bool ca_queued_has_rows(const struct ca_ledger *ledger)
{
  return ledger->queued.items.count || ledger->queued.changes.count;
}

enum ca_code ca_queued_write_rows(struct ca_ledger *ledger, struct ca_err *err)
{
  enum ca_code code =
      write_table(ledger, &item_shape, &ledger->queued.items, err);

  if(!code)
    code = write_table(ledger, &change_shape, &ledger->queued.changes, err);
  if(!code)
    ca_queued_forget_rows(ledger);
  return code;
}

/* Copies the row's texts into the queue, which is written first when it is
   full or has no room for them. A row whose texts are too large even for an
   empty queue is written at once. */
static enum ca_code add_row(struct ca_ledger *ledger,
                            const struct shape *shape,
                            struct ca_queued_table *table,
                            struct ca_queued_row *row,
                            const char *const *texts, struct ca_err *err)
{
  struct ca_queued_rows *queued = &ledger->queued;
  size_t len = 0;
  int i;

  for(i = 0; i < shape->texts; i++) {
    row->texts[i].data = texts[i];
    row->texts[i].len = texts[i] ? strlen(texts[i]) : 0;
    len += row->texts[i].len;
  }
  if(table->count == CA_QUEUED_ROWS ||
     len > sizeof(queued->texts) - queued->used) {
    enum ca_code code = ca_queued_write_rows(ledger, err);
    if(code)
      return code;
  }
  if(len > sizeof(queued->texts))
    return write_rows(ledger, shape, row, 1, err);
  for(i = 0; i < shape->texts; i++)
    if(row->texts[i].data) {
      memcpy(queued->texts + queued->used, row->texts[i].data,
             row->texts[i].len);
      row->texts[i].data = queued->texts + queued->used;
      queued->used += row->texts[i].len;
    }
  table->rows[table->count++] = *row;
  return CA_OK;
}

enum ca_code ca_queued_add_item(struct ca_ledger *ledger, int64_t id,
                                const struct ca_item *item, struct ca_err *err)
{
  bool keyed = item->account && !strcmp(item->account, item->key);
  unsigned flags = item->flags | (keyed ? CA_ITEM_KEYED : 0U);
  const char *const texts[CA_ITEM_TEXTS] = { item->key,
                                             keyed ? NULL : item->account,
                                             item->user,
                                             item->toolkit,
                                             item->scheme,
                                             item->status,
                                             item->status_reason,
                                             item->alias,
                                             item->row };
  struct ca_queued_row row = {
    .numbers = { id, item->bulk, flags, item->created_ms, item->updated_ms }
  };

  return add_row(ledger, &item_shape, &ledger->queued.items, &row, texts, err);
}

enum ca_code ca_queued_add_change(struct ca_ledger *ledger, int64_t id,
                                  int64_t operation,
                                  const struct ca_change *change,
                                  struct ca_err *err)
{
  const char *const texts[CA_CHANGE_TEXTS] = { change->reason, change->line,
                                               change->before };
  struct ca_queued_row row = { .numbers = { id, ledger->bulk, operation,
                                            change->cost, change->outcome } };

  return add_row(ledger, &change_shape, &ledger->queued.changes, &row, texts,
                 err);
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

const struct ca_queued_outcome *
ca_queued_find_outcome(const struct ca_ledger *ledger,
                       enum ca_queued_kind kind, int64_t number)
{
  size_t i;

  for(i = ledger->outcome_count; i > 0; i--) {
    const struct ca_queued_outcome *entry = &ledger->outcomes[i - 1];
    if(entry->kind == kind && entry->number == number)
      return entry;
  }
  return NULL;
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

/* Writes an item's verdict, or a tag. */
static enum ca_code write_of_item(struct ca_ledger *ledger,
                                  const struct ca_queued_outcome *entry,
                                  struct ca_err *err)
{
  int64_t id = ca_ledger_item_id(ledger, entry->number);

  if(entry->kind == CA_QUEUED_OF_ITEM)
    return ca_statement_write(ledger, CA_SQL_ITEM_OUTCOME, err, "iit", id,
                              (int64_t)entry->outcome, entry->text);
  if(!entry->text)
    return ca_statement_write(ledger, CA_SQL_TAGS_CLEAR, err, "ii", id,
                              (int64_t)1);
  return ca_statement_write(ledger, CA_SQL_TAG_ADD, err, "iti", id,
                            entry->text, (int64_t)1);
}

enum ca_code ca_queued_write_outcomes(struct ca_ledger *ledger,
                                      struct ca_err *err)
{
  enum ca_code code = CA_OK;
  size_t i = 0;

  while(!code && i < ledger->outcome_count) {
    const struct ca_queued_outcome *outcomes = &ledger->outcomes[i];
    size_t count = outcomes_at_once(outcomes, ledger->outcome_count - i);

    code = outcomes->kind == CA_QUEUED_OF_CHANGE
               ? write_outcomes(ledger, outcomes, count, err)
               : write_of_item(ledger, outcomes, err);
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
