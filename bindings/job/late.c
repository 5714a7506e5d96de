/* Items whose end was not known when their bulk was carried out, and is found
   out before the bulk is over: those that ended well after all are told like
   the others, so that `after` runs for them.
   Must not know: curl, options of the command line, terminals. */
#include <stdlib.h>
#include <string.h>
#include "module/error.h"
#include "job/run_private.h"

#define BATCH   64
#define ALL_SET ((1u << CA_OUTCOME_COUNT) - 1)

/* ---- which items ---- */

struct late {
  int64_t *items; /* owned */
  size_t count;
  size_t size;
  int64_t after;
  size_t seen;
  bool failed;
};

static bool take_item(void *ctx, const struct ca_change_row *row)
{
  struct late *late = ctx;
  late->after = row->number;
  late->seen++;
  if(late->count && late->items[late->count - 1] == row->item)
    return true;
  if(late->count == late->size) {
    size_t size = late->size ? late->size * 2 : 64;
    int64_t *items = realloc(late->items, size * sizeof(*items));
    if(!items) {
      late->failed = true;
      return false;
    }
    late->items = items;
    late->size = size;
  }
  late->items[late->count++] = row->item;
  return true;
}

static enum ca_code find_items(struct lca_run *run, int bulk,
                               struct late *late, struct ca_err *err)
{
  enum ca_code code = ca_ledger_sync(run->ledger, err);
  do {
    late->seen = 0;
    if(!code)
      code = ca_ledger_changes(run->ledger, bulk, late->after,
                               1u << CA_UNKNOWN, BATCH, take_item, late, err);
  } while(!code && late->seen == BATCH && !late->failed);
  return late->failed ? ca_err_set(err, CA_NOMEM, "out of memory") : code;
}

/* ---- one item ---- */

/* Twice over the item's changes: how it ended, and then each of them. */
struct telling {
  struct lca_applier *applier; /* NULL: only look */
  int64_t item;
  int64_t after;
  size_t seen;
  size_t changes;
  size_t told;
  bool refused; /* the change before, which a fallback may make good */
  bool bad;
};

static bool is_good(enum ca_outcome outcome)
{
  return outcome == CA_DONE || outcome == CA_SAME;
}

static void judge(struct telling *telling, const struct ca_change_row *row)
{
  bool good = is_good(row->outcome);
  if(row->change.fallback) {
    telling->bad = telling->bad || (telling->refused && !good);
    telling->refused = false;
    return;
  }
  telling->bad =
      telling->bad || telling->refused || (!good && row->outcome != CA_FAILED);
  telling->refused = row->outcome == CA_FAILED;
}

static bool visit_change(void *ctx, const struct ca_change_row *row)
{
  struct telling *telling = ctx;
  struct ca_applied applied = { .row = row, .outcome = row->outcome };
  if(row->item != telling->item)
    return false;
  telling->after = row->number;
  telling->seen++;
  if(!telling->applier) {
    telling->changes++;
    judge(telling, row);
    return true;
  }
  applied.last = ++telling->told == telling->changes;
  applied.well = true;
  lca_apply_tell(telling->applier, &applied);
  return true;
}

static enum ca_code walk_item(struct lca_run *run, struct telling *telling,
                              struct ca_err *err)
{
  enum ca_code code;
  telling->after = ca_ledger_before_changes(telling->item);
  do {
    telling->seen = 0;
    code = ca_ledger_changes(run->ledger, -1, telling->after, ALL_SET, BATCH,
                             visit_change, telling, err);
  } while(!code && telling->seen == BATCH);
  return code;
}

static enum ca_code tell_item(struct lca_run *run, struct lca_applier *applier,
                              int64_t item, bool *told, struct ca_err *err)
{
  struct telling telling = { .item = item };
  enum ca_code code = walk_item(run, &telling, err);
  *told = !code && telling.changes && !telling.bad && !telling.refused;
  if(!*told)
    return code;
  telling.applier = applier;
  return walk_item(run, &telling, err);
}

/* ---- the end of a bulk ---- */

static int64_t no_deadline(void *ctx)
{
  (void)ctx;
  return -1;
}

int lca_apply_settle(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  struct lca_applier *applier = run->applier;
  struct late late = { 0 };
  struct ca_err err;
  lua_Integer count = 0;
  size_t i;
  ca_err_clear(&err);
  if(!applier || !run->stats.outcomes[CA_UNKNOWN] || run->stats.key_rejected ||
     find_items(run, (int)luaL_checkinteger(L, 2), &late, &err) || !late.count)
    goto out;
  lca_run_settle(L, CA_FAILED, no_deadline, NULL);
  for(i = 0; i < late.count && !err.code; i++) {
    bool told = false;
    if(!tell_item(run, applier, late.items[i], &told, &err))
      count += told;
  }
out:
  free(late.items);
  if(err.code)
    return lca_run_ledger_failed(L, run, &err);
  lua_pushinteger(L, count);
  return 1;
}
