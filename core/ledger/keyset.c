/* Which keys a run has had: hashes, in memory while they are few, then in a
   table of this connection alone, which takes no part in the log.
   Why not a unique index: keys come without order, so nearly every item would
   touch an index page of its own, and at a million items that cost more than
   all the rest together.
   Must not know: what keys mean. */
#include <stdlib.h>
#include "ledger/ledger_private.h"

#define HASH_BITS 48     /* stored in seven bytes */
#define FEW       393216 /* hashes held in memory: 4 MiB at most */
#define FIRST     256
#define CACHE     "-2048" /* KiB of the table held in memory */

/* FNV-1a, folded; never 0, which marks a free slot. */
static int64_t key_hash(const struct ca_item *item)
{
  uint64_t hash = UINT64_C(14695981039346656037) ^ (uint64_t)item->bulk;
  const char *p;

  for(p = item->key; *p; p++) {
    hash *= UINT64_C(1099511628211);
    hash ^= (unsigned char)*p;
  }
  hash *= UINT64_C(1099511628211);
  hash = (hash ^ hash >> HASH_BITS) & ((UINT64_C(1) << HASH_BITS) - 1);
  return hash ? (int64_t)hash : 1;
}

/* In memory. */

static int64_t *slot_of(const struct ca_keys *keys, int64_t hash)
{
  size_t i = (size_t)hash & (keys->size - 1);

  while(keys->slots[i] && keys->slots[i] != hash)
    i = (i + 1) & (keys->size - 1);
  return &keys->slots[i];
}

static bool grow(struct ca_keys *keys)
{
  struct ca_keys more = { NULL, keys->size ? keys->size * 2 : FIRST,
                          keys->count, false };
  size_t i;

  more.slots = calloc(more.size, sizeof(*more.slots));
  if(!more.slots)
    return false;
  for(i = 0; i < keys->size; i++)
    if(keys->slots[i])
      *slot_of(&more, keys->slots[i]) = keys->slots[i];
  free(keys->slots);
  *keys = more;
  return true;
}

/* False when out of memory; *known when the hash was there. */
static bool remember(struct ca_keys *keys, int64_t hash, bool *known)
{
  int64_t *slot;

  if(keys->count * 4 >= keys->size * 3 && !grow(keys))
    return false;
  slot = slot_of(keys, hash);
  *known = *slot != 0;
  if(!*known) {
    *slot = hash;
    keys->count++;
  }
  return true;
}

void ca_ledger_forget_keys(struct ca_ledger *ledger)
{
  free(ledger->keys.slots);
  memset(&ledger->keys, 0, sizeof(ledger->keys));
}

/* In the table. */

static enum ca_code insert(struct ca_ledger *ledger, int64_t hash, bool *known,
                           struct ca_err *err)
{
  sqlite3_stmt *statement = ca_ledger_sql(ledger, CA_SQL_KEY_ADD, err);
  int rc;

  if(!statement)
    return CA_SYSTEM;
  sqlite3_bind_int64(statement, 1, hash);
  rc = ca_ledger_run(statement);
  *known = !rc && !sqlite3_changes(ledger->db);
  return rc ? ca_ledger_fail(ledger, rc, err) : CA_OK;
}

static int ascending(const void *a, const void *b)
{
  int64_t x = *(const int64_t *)a;
  int64_t y = *(const int64_t *)b;
  return x < y ? -1 : x > y;
}

/* Moves all hashes into the table, in its order. */
static enum ca_code spill(struct ca_ledger *ledger, struct ca_err *err)
{
  struct ca_keys *keys = &ledger->keys;
  enum ca_code code = CA_OK;
  bool known;
  size_t i;
  int rc = sqlite3_exec(ledger->db,
                        "PRAGMA temp.cache_size = " CACHE ";"
                        "CREATE TEMP TABLE IF NOT EXISTS"
                        " key(hash INTEGER PRIMARY KEY);"
                        "DELETE FROM temp.key",
                        NULL, NULL, NULL);

  if(rc)
    code = ca_ledger_fail(ledger, rc, err);
  qsort(keys->slots, keys->size, sizeof(*keys->slots), ascending);
  for(i = 0; !code && i < keys->size; i++)
    if(keys->slots[i])
      code = insert(ledger, keys->slots[i], &known, err);
  ca_ledger_forget_keys(ledger);
  keys->in_table = !code;
  return code;
}

enum ca_code ca_ledger_add_key(struct ca_ledger *ledger,
                               const struct ca_item *item, bool *known,
                               struct ca_err *err)
{
  struct ca_keys *keys = &ledger->keys;
  int64_t hash = key_hash(item);
  enum ca_code code = CA_OK;

  *known = false;
  if(!keys->in_table && keys->count >= FEW)
    code = spill(ledger, err);
  if(!code && keys->in_table)
    code = insert(ledger, hash, known, err);
  else if(!code && !remember(keys, hash, known))
    code = ca_err_set(err, CA_NOMEM, "out of memory");
  return code;
}

enum ca_code ca_ledger_has_key(struct ca_ledger *ledger,
                               const struct ca_item *item, bool *found,
                               struct ca_err *err)
{
  sqlite3_stmt *statement = ca_ledger_sql(ledger, CA_SQL_KEY_FIND, err);
  int rc;

  if(!statement)
    return CA_SYSTEM;
  sqlite3_bind_int64(statement, 1, ca_ledger_item_id(ledger, 0));
  sqlite3_bind_int64(statement, 2, ca_ledger_item_id(ledger, CA_ITEM_MAX));
  ca_ledger_bind(statement, 3, item->key);
  sqlite3_bind_int(statement, 4, item->bulk);
  rc = sqlite3_step(statement);
  *found = rc == SQLITE_ROW;
  sqlite3_reset(statement);
  return rc == SQLITE_ROW || rc == SQLITE_DONE
             ? CA_OK
             : ca_ledger_fail(ledger, rc, err);
}
