/* Reading a run back: items, bulks, and whether a create of this ledger made
   an account.
   Must not know: how changes are sent. */
#include <string.h>
#include "ledger/ledger_private.h"

/* One item. */

#define ITEM_TEXTS 9

/* Copies the row's texts, which are valid only until the statement is
   reset. Stores offsets first, since the buffer moves while it grows. */
static enum ca_code keep_texts(struct ca_ledger *ledger,
                               sqlite3_stmt *statement,
                               const char *texts[ITEM_TEXTS])
{
  size_t at[ITEM_TEXTS];
  enum ca_code code = CA_OK;
  int i;

  ca_buf_reset(&ledger->texts);
  for(i = 0; !code && i < ITEM_TEXTS; i++) {
    const char *text = ca_ledger_text(statement, i + 4);
    at[i] = ledger->texts.len;
    if(text)
      code = ca_buf_add(&ledger->texts, text, strlen(text) + 1);
  }
  for(i = 0; !code && i < ITEM_TEXTS; i++)
    texts[i] =
        ca_ledger_text(statement, i + 4) ? ledger->texts.data + at[i] : NULL;
  return code;
}

static enum ca_code take_item(struct ca_ledger *ledger,
                              sqlite3_stmt *statement, struct ca_item *item)
{
  const char *texts[ITEM_TEXTS];
  enum ca_code code = keep_texts(ledger, statement, texts);
  unsigned flags = (unsigned)sqlite3_column_int(statement, 1);

  if(code)
    return code;
  memset(item, 0, sizeof(*item));
  item->bulk = sqlite3_column_int(statement, 0);
  item->flags = flags & ~(unsigned)CA_ITEM_KEYED;
  item->created_ms = sqlite3_column_int64(statement, 2);
  item->updated_ms = sqlite3_column_int64(statement, 3);
  item->key = texts[0];
  item->account = flags & CA_ITEM_KEYED ? texts[0] : texts[1];
  item->user = texts[2];
  item->toolkit = texts[3];
  item->scheme = texts[4];
  item->status = texts[5];
  item->status_reason = texts[6];
  item->alias = texts[7];
  item->row = texts[8];
  return CA_OK;
}

enum ca_code ca_read_item(struct ca_ledger *ledger, int64_t number,
                          struct ca_item *item, struct ca_err *err)
{
  sqlite3_stmt *statement;
  enum ca_code code = ca_ledger_flush_rows(ledger, err);

  if(code)
    return code;
  statement = ca_statement_start(ledger, CA_SQL_ITEM_READ, err, "i",
                                 ca_ledger_item_id(ledger, number));
  if(ca_statement_next(ledger, statement, &code, err)) {
    code = take_item(ledger, statement, item);
    sqlite3_reset(statement);
    return code ? ca_err_set(err, code, "out of memory") : CA_OK;
  }
  return code ? code
              : ca_err_set(err, CA_USAGE, "the run has no item %lld",
                           (long long)number);
}

/* Callers mostly look up keys in the order of the selection, so the search
   begins after the last item found, then covers the items before it. */
static enum ca_code find_between(struct ca_ledger *ledger, int64_t from,
                                 int64_t to, int bulk, const char *key,
                                 int64_t *number, struct ca_err *err)
{
  enum ca_code code =
      ca_statement_ask(ledger, CA_SQL_KEY_FIND, number, err, "iiti",
                       ca_ledger_item_id(ledger, from),
                       ca_ledger_item_id(ledger, to), key, (int64_t)bulk);

  *number &= CA_ITEM_MAX;
  return code;
}

enum ca_code ca_read_find_item(struct ca_ledger *ledger, int bulk,
                               const char *key, int64_t *number,
                               struct ca_err *err)
{
  int64_t last = ledger->found_item;
  enum ca_code code = ca_ledger_has_run(ledger, err);

  if(!code)
    code = ca_ledger_flush_rows(ledger, err);
  if(!code)
    code = find_between(ledger, last + 1, CA_ITEM_MAX, bulk, key, number, err);
  if(!code && !*number && last)
    code = find_between(ledger, 0, last, bulk, key, number, err);
  if(!code && *number)
    ledger->found_item = *number;
  return code;
}

enum ca_code ca_read_unplanned(struct ca_ledger *ledger, int bulk,
                               int64_t after, int64_t *number,
                               struct ca_err *err)
{
  enum ca_code code = ca_ledger_has_run(ledger, err);

  if(!code)
    code = ca_ledger_flush(ledger, -1, err);
  if(!code)
    code = ca_statement_ask(ledger, CA_SQL_RETRY_NEXT, number, err, "Iii",
                            ca_ledger_item_id(ledger, after), (int64_t)bulk);
  if(!code && *number)
    *number &= CA_ITEM_MAX;
  return code;
}

/* Bulks. */

static void take_bulk(sqlite3_stmt *statement, struct ca_bulk *bulk)
{
  const char *name = ca_ledger_text(statement, 0);
  const char *kind = ca_ledger_text(statement, 1);

  ca_text_copy(bulk->name, sizeof(bulk->name), name);
  ca_text_copy(bulk->kind, sizeof(bulk->kind), kind);
  bulk->selected = sqlite3_column_int64(statement, 2);
  bulk->planned = sqlite3_column_int64(statement, 3);
  bulk->same = sqlite3_column_int64(statement, 4);
  bulk->skipped = sqlite3_column_int64(statement, 5);
  bulk->failed = sqlite3_column_int64(statement, 6);
  bulk->number = sqlite3_column_int(statement, 7);
}

enum ca_code ca_read_bulk(struct ca_ledger *ledger, int from,
                          struct ca_bulk *bulk, struct ca_err *err)
{
  sqlite3_stmt *statement;
  enum ca_code code = ca_ledger_has_run(ledger, err);

  memset(bulk, 0, sizeof(*bulk));
  if(!code)
    code = ca_ledger_flush_rows(ledger, err);
  if(code)
    return code;
  statement =
      ca_statement_start(ledger, CA_SQL_BULK_READ, err, "ri", (int64_t)from);
  if(ca_statement_next(ledger, statement, &code, err))
    take_bulk(statement, bulk);
  sqlite3_reset(statement);
  return code;
}

/* Creates. */

/* Does a queued outcome name the account? */
static bool is_queued(const struct ca_ledger *ledger, const char *account)
{
  size_t i;

  for(i = 0; i < ledger->outcome_count; i++) {
    const struct ca_queued_outcome *entry = &ledger->outcomes[i];
    if(entry->made && !strcmp(entry->made, account))
      return true;
  }
  return false;
}

enum ca_code ca_read_knows_made(struct ca_ledger *ledger, const char *account,
                                bool *known, struct ca_err *err)
{
  int64_t exists = 0;
  enum ca_code code = CA_OK;

  *known = is_queued(ledger, account);
  if(*known)
    return CA_OK;
  code = ca_ledger_flush_rows(ledger, err);
  if(!code)
    code = ca_statement_ask(ledger, CA_SQL_KNOWS_MADE, &exists, err, "t",
                            account);
  *known = exists != 0;
  return code;
}

enum ca_code ca_read_sent(struct ca_ledger *ledger, int64_t change,
                          struct ca_sent *sent, struct ca_err *err)
{
  sqlite3_stmt *statement;
  enum ca_code code = ca_ledger_flush_rows(ledger, err);

  memset(sent, 0, sizeof(*sent));
  if(code)
    return code;
  statement = ca_statement_start(ledger, CA_SQL_SENT, err, "i",
                                 ca_ledger_change_id(ledger, change));
  if(ca_statement_next(ledger, statement, &code, err)) {
    const char *ids = ca_ledger_text(statement, 1);
    const char *status = ca_ledger_text(statement, 2);
    sent->known = true;
    sent->service_ms = sqlite3_column_int64(statement, 0);
    sent->ids = ids ? strdup(ids) : NULL;
    ca_text_copy(sent->status, sizeof(sent->status), status ? status : "");
    sent->updated_ms = sqlite3_column_int64(statement, 3);
    if(ids && !sent->ids)
      code = ca_err_set(err, CA_NOMEM, "out of memory");
  }
  sqlite3_reset(statement);
  return code;
}
