/* Rows of a draft on their way into the database: they wait until one
   statement takes many of them, since running a statement costs as much as
   the row it writes. No statement of this connection misses them: whoever
   asks for one has them written first (ca_ledger_sql).
   Must not know: what the rows mean, when a transaction begins. */
#include <string.h>
#include "ledger/ledger_private.h"

/* Bound values of a row, in the order of the statements. */
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
                      const struct ca_drafted_item *row)
{
  int i;

  sqlite3_bind_int64(statement, place++, row->id);
  sqlite3_bind_int(statement, place++, row->bulk);
  sqlite3_bind_int64(statement, place++, (int64_t)row->flags);
  for(i = 0; i < CA_DRAFT_ITEM_TEXTS - 1; i++)
    bind_text(statement, place++, row->texts[i]);
  bind_time(statement, place++, row->created_ms);
  bind_time(statement, place++, row->updated_ms);
  bind_text(statement, place, row->texts[i]);
}

static void bind_change(sqlite3_stmt *statement, int place,
                        const struct ca_drafted_change *row)
{
  int i;

  sqlite3_bind_int64(statement, place++, row->id);
  sqlite3_bind_int(statement, place++, row->bulk);
  sqlite3_bind_int64(statement, place++, row->operation);
  sqlite3_bind_int(statement, place++, (int)row->cost);
  sqlite3_bind_int(statement, place++, (int)row->outcome);
  for(i = 0; i < CA_DRAFT_CHANGE_TEXTS; i++)
    bind_text(statement, place++, row->texts[i]);
}

/* Writes so many rows: CA_DRAFT_ROWS at once, or one. */
static enum ca_code write_items(struct ca_ledger *ledger,
                                const struct ca_drafted_item *rows,
                                size_t count, struct ca_err *err)
{
  sqlite3_stmt *statement = ca_ledger_sql(
      ledger, count > 1 ? CA_SQL_ITEMS_ADD : CA_SQL_ITEM_ADD, err);
  size_t i;
  int rc;

  if(!statement)
    return CA_SYSTEM;
  for(i = 0; i < count; i++)
    bind_item(statement, (int)i * ITEM_VALUES + 1, &rows[i]);
  rc = ca_ledger_run(statement);
  return rc ? ca_ledger_fail(ledger, rc, err) : CA_OK;
}

static enum ca_code write_changes(struct ca_ledger *ledger,
                                  const struct ca_drafted_change *rows,
                                  size_t count, struct ca_err *err)
{
  sqlite3_stmt *statement = ca_ledger_sql(
      ledger, count > 1 ? CA_SQL_CHANGES_ADD_PLAIN : CA_SQL_CHANGE_ADD_PLAIN,
      err);
  size_t i;
  int rc;

  if(!statement)
    return CA_SYSTEM;
  for(i = 0; i < count; i++)
    bind_change(statement, (int)i * CHANGE_VALUES + 1, &rows[i]);
  rc = ca_ledger_run(statement);
  return rc ? ca_ledger_fail(ledger, rc, err) : CA_OK;
}

void ca_ledger_draft_forget(struct ca_ledger *ledger)
{
  ledger->draft.item_count = 0;
  ledger->draft.change_count = 0;
  ledger->draft.used = 0;
}

enum ca_code ca_ledger_draft_write(struct ca_ledger *ledger,
                                   struct ca_err *err)
{
  const struct ca_draft *draft = &ledger->draft;
  size_t items = draft->item_count;
  size_t changes = draft->change_count;
  struct ca_err why;
  enum ca_code code = CA_OK;
  size_t many;
  size_t i;

  /* none wait any more when the statements are asked for */
  ca_ledger_draft_forget(ledger);
  ca_err_clear(&why);
  many = items == CA_DRAFT_ROWS ? items : 1;
  for(i = 0; !code && i < items; i += many)
    code = write_items(ledger, &draft->items[i], many, &why);
  many = changes == CA_DRAFT_ROWS ? changes : 1;
  for(i = 0; !code && i < changes; i += many)
    code = write_changes(ledger, &draft->changes[i], many, &why);
  if(!code)
    return CA_OK;
  if(err)
    *err = why;
  return ca_ledger_undo_txn(ledger, code, &why); /* all of it is lost */
}

/* Keeps a row's texts, rows that wait are written first when they leave no
   room. *kept false when it is more than there ever is room for; then `to` is
   the texts themselves. */
static enum ca_code keep_texts(struct ca_ledger *ledger,
                               const char *const *from, int count, bool full,
                               struct ca_slice *to, bool *kept,
                               struct ca_err *err)
{
  struct ca_draft *draft = &ledger->draft;
  size_t len = 0;
  int i;

  for(i = 0; i < count; i++) {
    to[i].data = from[i];
    to[i].len = from[i] ? strlen(from[i]) : 0;
    len += to[i].len;
  }
  *kept = len <= sizeof(draft->texts);
  if(full || len > sizeof(draft->texts) - draft->used) {
    enum ca_code code = ca_ledger_draft_write(ledger, err);
    if(code)
      return code;
  }
  for(i = 0; *kept && i < count; i++)
    if(to[i].data) {
      memcpy(draft->texts + draft->used, to[i].data, to[i].len);
      to[i].data = draft->texts + draft->used;
      draft->used += to[i].len;
    }
  return CA_OK;
}

enum ca_code ca_ledger_draft_item(struct ca_ledger *ledger, int64_t id,
                                  const struct ca_item *item,
                                  struct ca_err *err)
{
  struct ca_draft *draft = &ledger->draft;
  bool keyed = item->account && !strcmp(item->account, item->key);
  const char *const texts[CA_DRAFT_ITEM_TEXTS] = { item->key,
                                                   keyed ? NULL
                                                         : item->account,
                                                   item->user,
                                                   item->toolkit,
                                                   item->scheme,
                                                   item->status,
                                                   item->status_reason,
                                                   item->alias,
                                                   item->row };
  struct ca_drafted_item row = { .id = id,
                                 .bulk = item->bulk,
                                 .created_ms = item->created_ms,
                                 .updated_ms = item->updated_ms };
  bool kept;
  enum ca_code code =
      keep_texts(ledger, texts, CA_DRAFT_ITEM_TEXTS,
                 draft->item_count == CA_DRAFT_ROWS, row.texts, &kept, err);

  if(code)
    return code;
  row.flags = item->flags | (keyed ? CA_ITEM_KEYED : 0U);
  if(!kept)
    return write_items(ledger, &row, 1, err);
  draft->items[draft->item_count++] = row;
  return CA_OK;
}

enum ca_code ca_ledger_draft_change(struct ca_ledger *ledger, int64_t id,
                                    int64_t operation,
                                    const struct ca_change *change,
                                    struct ca_err *err)
{
  struct ca_draft *draft = &ledger->draft;
  const char *const texts[CA_DRAFT_CHANGE_TEXTS] = { change->reason,
                                                     change->line,
                                                     change->before };
  struct ca_drafted_change row = { .id = id,
                                   .bulk = ledger->bulk,
                                   .operation = operation,
                                   .cost = change->cost,
                                   .outcome = change->outcome };
  bool kept;
  enum ca_code code =
      keep_texts(ledger, texts, CA_DRAFT_CHANGE_TEXTS,
                 draft->change_count == CA_DRAFT_ROWS, row.texts, &kept, err);

  if(code)
    return code;
  if(!kept)
    return write_changes(ledger, &row, 1, err);
  draft->changes[draft->change_count++] = row;
  return CA_OK;
}
