/* The keys of a run's items, as hashes: a set in memory while they are few,
   then a temporary table of this connection, which is not written to the WAL.
   A unique index would be slower: keys arrive in no order, so nearly every
   item would touch an index page of its own; with a million items that cost
   more than everything else together.
   Must not know: what keys mean. */
#include <stdlib.h>
#include "base/digest.h"
#include "ledger/ledger_private.h"

#define HASH_BITS 48      /* stored in seven bytes */
#define FEW       393216  /* hashes held in memory: a set of 4 MiB */
#define CACHE     "-2048" /* KiB of the table held in memory */

/* 48 bits of a hash of the key and its bulk; never 0. */
static int64_t key_hash(const struct ca_item *item)
{
  uint64_t hash =
      ca_digest_hash((uint64_t)item->bulk, item->key, strlen(item->key));

  hash = (hash ^ hash >> HASH_BITS) & ((UINT64_C(1) << HASH_BITS) - 1);
  return hash ? (int64_t)hash : 1;
}

void ca_keyset_forget(struct ca_ledger *ledger)
{
  ca_hashset_clear(&ledger->keys);
  ledger->keys_in_table = false;
}

/* Inserts the hash into the table. */

static enum ca_code insert(struct ca_ledger *ledger, int64_t hash, bool *known,
                           struct ca_err *err)
{
  enum ca_code code =
      ca_statement_write(ledger, CA_SQL_KEY_ADD, err, "i", hash);

  *known = !code && !sqlite3_changes(ledger->db);
  return code;
}

/* Moves all hashes into the table, in ascending order. */
static enum ca_code spill(struct ca_ledger *ledger, struct ca_err *err)
{
  enum ca_code code = CA_OK;
  uint64_t *hashes;
  size_t count;
  size_t i;
  bool known;
  int rc = sqlite3_exec(ledger->db,
                        "PRAGMA temp.cache_size = " CACHE ";"
                        "CREATE TEMP TABLE IF NOT EXISTS"
                        " key(hash INTEGER PRIMARY KEY);"
                        "DELETE FROM temp.key",
                        NULL, NULL, NULL);

  if(rc)
    code = ca_statement_fail(ledger, rc, err);
  hashes = ca_hashset_take_sorted(&ledger->keys, &count);
  for(i = 0; !code && i < count; i++)
    code = insert(ledger, (int64_t)hashes[i], &known, err);
  free(hashes);
  ledger->keys_in_table = !code;
  return code;
}

enum ca_code ca_keyset_add(struct ca_ledger *ledger,
                           const struct ca_item *item, bool *known,
                           struct ca_err *err)
{
  int64_t hash = key_hash(item);
  enum ca_code code = CA_OK;

  *known = false;
  if(!ledger->keys_in_table && ledger->keys.count >= FEW)
    code = spill(ledger, err);
  if(!code && ledger->keys_in_table)
    code = insert(ledger, hash, known, err);
  else if(!code && ca_hashset_add(&ledger->keys, (uint64_t)hash, known))
    code = ca_err_set(err, CA_NOMEM, "out of memory");
  return code;
}

/* Compares keys: equal hashes may come from different keys. */
enum ca_code ca_keyset_has(struct ca_ledger *ledger,
                           const struct ca_item *item, bool *found,
                           struct ca_err *err)
{
  int64_t id;
  enum ca_code code = ca_statement_ask(ledger, CA_SQL_KEY_FIND, &id, err,
                                       "Iti", item->key, (int64_t)item->bulk);

  *found = id != 0;
  return code;
}
