/* Writing the plan: items and their changes, in transactions of many rows.
   Must not know: how changes are sent. */
#include <string.h>
#include "base/digest.h"
#include "base/secret.h"
#include "ledger/ledger_private.h"
#include "base/text.h"

#define REASON_SIZE 121

/* Makes sure that a transaction is open; commits the open one first when it
   holds enough rows. A new one for rows of bulk 0 is synced, since their
   intents follow. */
static enum ca_code plan_txn(struct ca_ledger *ledger, int bulk,
                             struct ca_err *err)
{
  enum ca_code code = ca_ledger_usable(ledger, err);

  if(!code && ledger->in_txn &&
     (ledger->txn_rows >= CA_PLAN_ROWS ||
      ca_clock_mono_ms(ledger->clock) - ledger->txn_ms >= CA_PLAN_MS))
    code = ca_ledger_sync(ledger, err);
  if(code || ledger->in_txn)
    return code;
  return ca_ledger_begin_txn(ledger, bulk != 0, err);
}

/* A plan statement failed: rolls back its transaction. */
static enum ca_code plan_fail(struct ca_ledger *ledger, enum ca_code code,
                              const struct ca_err *err)
{
  ledger->txn_rows++; /* the row that failed counts as lost, too */
  return ca_ledger_undo_txn(ledger, code, err);
}

/* Hashes of keys are held in memory. A unique index would be slower: keys
   arrive in no order, so nearly every item would touch an index page of its
   own; with a million items that cost more than everything else together. */
enum ca_code ca_plan_rows_remember_key(struct ca_ledger *ledger,
                                       const struct ca_item *item, bool *known,
                                       struct ca_err *err)
{
  uint64_t hash =
      ca_digest_hash((uint64_t)item->bulk, item->key, strlen(item->key));

  *known = false;
  return ca_hashset_add(&ledger->keys, hash, known)
             ? ca_err_set(err, CA_NOMEM, "out of memory")
             : CA_OK;
}

/* Is the item's key new to its bulk? If its hash is not, the keys
   themselves are compared. */
static enum ca_code check_key(struct ca_ledger *ledger,
                              const struct ca_item *item, bool *repeated,
                              struct ca_err *err)
{
  bool known;
  int64_t id = 0;
  enum ca_code code = ca_plan_rows_remember_key(ledger, item, &known, err);

  if(!code && known)
    code = ca_ledger_flush_rows(ledger, err);
  if(!code && known)
    code = ca_statement_ask(ledger, CA_SQL_KEY_FIND, &id, err, "Iti",
                            item->key, (int64_t)item->bulk);
  *repeated = id != 0;
  return code;
}

static enum ca_code repeated_key(const struct ca_item *item,
                                 struct ca_err *err)
{
  char key[128];

  ca_text_printable(key, sizeof(key), item->key, strlen(item->key));
  return ca_err_set(err, CA_USAGE, "the key \"%s\" is in the selection twice",
                    key);
}

/* Caches the item: its changes most likely come next. */
static enum ca_code remember_item(struct ca_ledger *ledger, int64_t number,
                                  int bulk, const char *account,
                                  int64_t last_change)
{
  enum ca_code code = CA_OK;

  ledger->item = 0;
  ca_buf_reset(&ledger->account);
  if(account)
    code = ca_buf_add_text(&ledger->account, account);
  if(code)
    return code;
  ledger->item = number;
  ledger->bulk = bulk;
  ledger->has_account = account != NULL;
  ledger->last_change = last_change;
  return CA_OK;
}

/* Copies the service's reason, masked and then cut: it may echo a secret that
   we sent, of which a cut would leave the beginning. */
static void copy_reason(char reason[REASON_SIZE], const char *text)
{
  char whole[1024];

  ca_text_copy(whole, sizeof(whole), text);
  ca_secret_mask(whole, strlen(whole));
  ca_text_copy(reason, REASON_SIZE, whole);
}

enum ca_code ca_plan_rows_add_item(struct ca_ledger *ledger,
                                   const struct ca_item *item, int64_t *number,
                                   struct ca_err *err)
{
  char reason[REASON_SIZE];
  struct ca_item row = *item;
  bool repeated = false;
  enum ca_code code;

  if(!item->key || !*item->key)
    return ca_err_set(err, CA_USAGE, "an item needs a key");
  if(ledger->items >= CA_ITEM_MAX)
    return ca_err_set(err, CA_USAGE, "more than %lld items in one run",
                      (long long)CA_ITEM_MAX);
  code = plan_txn(ledger, item->bulk, err);
  if(code)
    return code;
  code = check_key(ledger, item, &repeated, err);
  if(repeated)
    return repeated_key(item, err);
  if(item->status_reason) {
    copy_reason(reason, item->status_reason);
    row.status_reason = reason;
  }
  ledger->txn_rows++;
  if(!code)
    code = ca_queued_add_item(
        ledger, ca_ledger_item_id(ledger, ledger->items + 1), &row, err);
  if(code)
    return plan_fail(ledger, code, err);
  *number = ++ledger->items;
  if(remember_item(ledger, *number, item->bulk, item->account,
                   *number << CA_PLACE_BITS))
    ledger->item = 0; /* it is looked up when it is needed */
  return CA_OK;
}

/* Bulks. */

static enum ca_code add_bulk(struct ca_ledger *ledger,
                             const struct ca_bulk *bulk, struct ca_err *err)
{
  sqlite3_stmt *statement = ca_statement_start(
      ledger, CA_SQL_BULK_ADD, err, "rittiiiiii", (int64_t)bulk->number,
      bulk->name, bulk->kind, bulk->selected, bulk->planned, bulk->same,
      bulk->skipped, bulk->failed, ca_clock_wall_ms(ledger->clock));
  int rc;

  if(!statement)
    return CA_SYSTEM;
  rc = ca_statement_run(statement);
  if(rc == SQLITE_CONSTRAINT_PRIMARYKEY)
    return ca_err_set(err, CA_USAGE, "bulk %d of the run is already sealed",
                      bulk->number);
  return rc ? ca_statement_fail(ledger, rc, err) : CA_OK;
}

enum ca_code ca_plan_rows_drop(struct ca_ledger *ledger, int bulk,
                               const char *why, struct ca_err *err)
{
  enum ca_code code = ca_ledger_flush(ledger, -1, err);

  ledger->counted = false;
  if(!code)
    code = plan_txn(ledger, bulk, err);
  if(code)
    return code;
  code =
      ca_statement_write(ledger, CA_SQL_BULK_DROP, err, "Ciit", (int64_t)bulk,
                         ca_clock_wall_ms(ledger->clock), why);
  return code ? plan_fail(ledger, code, err) : CA_OK;
}

enum ca_code ca_plan_rows_seal(struct ca_ledger *ledger,
                               const struct ca_bulk *bulk, struct ca_err *err)
{
  enum ca_code code;

  if(bulk->number < 1)
    return ca_err_set(err, CA_USAGE, "bulks are numbered from 1");
  code = ca_ledger_usable(ledger, err);
  if(!code) /* a synced one, after committing the open plan rows */
    code = ca_ledger_txn(ledger, err);
  if(code)
    return code;
  code = add_bulk(ledger, bulk, err);
  if(code == CA_USAGE) /* nothing was lost */
    return code;
  return code ? plan_fail(ledger, code, err) : ca_ledger_sync(ledger, err);
}

/* Closes the rows of the earlier run that this one has planned again, in the
   open transaction. */
static enum ca_code take_over(struct ca_ledger *ledger, const char *redoes,
                              struct ca_err *err)
{
  sqlite3_stmt *statement;
  char key[128];
  const char *why;
  enum ca_code code =
      ca_statement_write(ledger, CA_SQL_TAKE_OVER, err, "It", redoes);

  if(code)
    return code;
  statement = ca_statement_start(ledger, CA_SQL_TAKEN_OVER, err, "It", redoes);
  if(!ca_statement_next(ledger, statement, &code, err))
    return code;
  why = ca_ledger_text(statement, 0);
  ca_text_printable(key, sizeof(key), why, strlen(why));
  why = ca_ledger_text(statement, 1);
  ca_err_set(err, CA_GATE,
             "refused: the plan holds %s again, which is not open in run %s "
             "any more: it was %s",
             key, redoes, why ? why : "planned again there");
  sqlite3_reset(statement);
  return CA_GATE;
}

enum ca_code ca_plan_rows_seal_all(struct ca_ledger *ledger,
                                   const struct ca_bulk *bulks, size_t count,
                                   const char *redoes, struct ca_err *err)
{
  size_t i;
  enum ca_code code = ca_ledger_usable(ledger, err);

  if(!code)
    code = ca_ledger_txn(ledger, err);
  if(code)
    return code;
  if(redoes)
    code = take_over(ledger, redoes, err);
  for(i = 0; !code && i < count; i++)
    code = add_bulk(ledger, &bulks[i], err);
  return code ? ca_ledger_undo_txn(ledger, code, err)
              : ca_ledger_sync(ledger, err);
}

/* Changes. */

/* Reads the item's account and its last change so far. */
static enum ca_code meet_item(struct ca_ledger *ledger, int64_t item,
                              struct ca_err *err)
{
  sqlite3_stmt *statement;
  int64_t before = item << CA_PLACE_BITS;
  int64_t last;
  enum ca_code code =
      ca_statement_ask(ledger, CA_SQL_CHANGE_LAST, &last, err, "ii",
                       ca_ledger_change_id(ledger, before),
                       ca_ledger_change_id(ledger, before + CA_PLACE_MAX));

  if(code)
    return code;
  statement = ca_statement_start(ledger, CA_SQL_ITEM_ACCOUNT, err, "i",
                                 ca_ledger_item_id(ledger, item));
  if(!ca_statement_next(ledger, statement, &code, err))
    return code ? code : ca_err_set(err, CA_USAGE, "the run has no such item");
  code = remember_item(ledger, item, sqlite3_column_int(statement, 1),
                       ca_ledger_text(statement, 0),
                       last ? last & CA_CHANGE_MAX : before);
  sqlite3_reset(statement);
  return code ? ca_err_set(err, code, "out of memory") : CA_OK;
}

/* The account that the change's row has to name; NULL when it is the
   item's. */
static const char *own_account(const struct ca_ledger *ledger,
                               const struct ca_change *change)
{
  const char *account = change->account ? change->account : "";

  return ledger->has_account && !strcmp(account, ca_buf_text(&ledger->account))
             ? NULL
             : account;
}

/* Most changes are plain: an operation on the item's account, without
   values in other columns. */
static bool is_plain(const struct ca_change *change, const char *account)
{
  return !account && !change->user && !change->config && !change->query &&
         !change->body && !change->fingerprint && !change->fallback &&
         !change->before_image;
}

/* Writes a change that is not plain, with all columns, in the order of
   CA_SQL_CHANGE_ADD. */
static enum ca_code write_change(struct ca_ledger *ledger, int64_t id,
                                 int64_t operation,
                                 const struct ca_change *change,
                                 const char *account, struct ca_err *err)
{
  return ca_statement_write(ledger, CA_SQL_CHANGE_ADD, err, "iiiiitttttttttnt",
                            id, (int64_t)ledger->bulk, operation,
                            (int64_t)change->cost, (int64_t)change->outcome,
                            account, change->user, change->config,
                            change->query, change->body, change->fingerprint,
                            change->reason, change->line, change->before,
                            (int64_t)change->fallback, change->before_image);
}

static enum ca_code add_row(struct ca_ledger *ledger,
                            const struct ca_change *change, struct ca_err *err)
{
  const char *account = own_account(ledger, change);
  int64_t id = ca_ledger_change_id(ledger, ledger->last_change + 1);
  int64_t operation = 0;
  enum ca_code code =
      ca_ledger_operation_id(ledger, change->api, &operation, err);

  if(code)
    return code;
  return is_plain(change, account)
             ? ca_queued_add_change(ledger, id, operation, change, err)
             : write_change(ledger, id, operation, change, account, err);
}

enum ca_code ca_plan_rows_add_change(struct ca_ledger *ledger, int64_t item,
                                     const struct ca_change *change,
                                     int64_t *number, struct ca_err *err)
{
  enum ca_code code;

  if(change->outcome != CA_PLANNED && change->outcome != CA_SAME &&
     change->outcome != CA_SKIPPED)
    return ca_err_set(err, CA_USAGE, "a new change cannot be \"%s\"",
                      ca_change_outcome_name(change->outcome));
  code = ca_ledger_usable(ledger, err);
  if(!code && item != ledger->item)
    code = ca_ledger_flush_rows(ledger, err);
  if(!code && item != ledger->item)
    code = meet_item(ledger, item, err);
  if(!code)
    code = plan_txn(ledger, ledger->bulk, err);
  if(code)
    return code;
  if(ledger->last_change - (item << CA_PLACE_BITS) >= CA_PLACE_MAX)
    return ca_err_set(err, CA_USAGE, "more than %lld changes of one item",
                      (long long)CA_PLACE_MAX);
  ledger->txn_rows++;
  code = add_row(ledger, change, err);
  if(code)
    return plan_fail(ledger, code, err);
  ledger->counted = false;
  *number = ++ledger->last_change;
  return CA_OK;
}

enum ca_code ca_plan_rows_tag(struct ca_ledger *ledger, int64_t item,
                              const char *tag, struct ca_err *err)
{
  enum ca_code code = plan_txn(ledger, 1, err);

  if(code)
    return code;
  ledger->txn_rows++;
  code = ca_statement_write(ledger, CA_SQL_TAG_ADD, err, "iti",
                            ca_ledger_item_id(ledger, item), tag, (int64_t)0);
  return code ? plan_fail(ledger, code, err) : CA_OK;
}

enum ca_code ca_plan_rows_clear(struct ca_ledger *ledger, int64_t item,
                                struct ca_err *err)
{
  static const enum ca_sql each[] = { CA_SQL_RETRY_OUTCOMES,
                                      CA_SQL_RETRY_CHANGES };
  int64_t first = ca_ledger_change_id(ledger, item << CA_PLACE_BITS);
  enum ca_code code = ca_ledger_flush(ledger, -1, err);
  size_t i;

  ledger->item = 0; /* its last change is another one now */
  ledger->counted = false;
  if(!code)
    code = plan_txn(ledger, 1, err);
  if(code)
    return code;
  ledger->txn_rows++;
  for(i = 0; !code && i < sizeof(each) / sizeof(each[0]); i++)
    code = ca_statement_write(ledger, each[i], err, "ii", first,
                              first + CA_PLACE_MAX);
  if(!code)
    code = ca_statement_write(ledger, CA_SQL_TAGS_CLEAR, err, "ii",
                              ca_ledger_item_id(ledger, item), (int64_t)0);
  return code ? plan_fail(ledger, code, err) : CA_OK;
}
