/* Settling: finds out what became of changes whose outcome is unknown. Drives
   apply/settle in its own loop, before the script of a resumed run, at the end
   of a bulk, and after every script. Must not know: curl, options of the
   command line, terminals. */
#include <stdlib.h>
#include <string.h>
#include "module/error.h"
#include "job/run_private.h"
#include "apply/settle.h"
#include "ledger/verdict.h"

#define FIRST_LINES 10 /* further lines are not logged; the ledger has all */

struct settling {
  struct lca_run *run;
  int64_t done;
  int64_t not_done;
  int64_t open;
  int reported;   /* lines logged */
  int64_t *items; /* owned; those with a change that has happened */
  bool no_memory; /* for all of them */
  size_t count;
  size_t size;
};

static void add_item(struct settling *settling, int64_t item)
{
  int64_t *items = ca_buf_grow(settling->items, settling->count,
                               &settling->size, sizeof(*items));
  if(!items) {
    settling->no_memory = true;
    return;
  }
  settling->items = items;
  items[settling->count++] = item;
}

/* Updates the summary's list of failures with the settled outcome. */
static void mend_failures(struct lca_run_stats *stats, const char *key,
                          const struct ca_settled *settled)
{
  const char *operation = settled->row->change.api->name;
  size_t i;
  for(i = 0; i < stats->failure_count; i++) {
    struct lca_failure *failure = &stats->failures[i];
    if(strcmp(failure->key, key) != 0 ||
       strcmp(failure->operation, operation) != 0)
      continue;
    if(settled->outcome == CA_DONE) {
      stats->failure_count--;
      memmove(failure, failure + 1,
              (stats->failure_count - i) * sizeof(*failure));
    } else {
      failure->outcome = settled->outcome;
    }
    return;
  }
}

static void reported(void *owner, const struct ca_settled *settled)
{
  struct settling *settling = owner;
  struct lca_run *run = settling->run;
  const struct ca_change *change = &settled->row->change;
  const char *key = change->account && change->account[0] ? change->account
                                                          : settled->row->key;
  char line[900];
  if(settled->outcome == CA_UNKNOWN) {
    settling->open++;
  } else if(settled->outcome == CA_DONE) {
    settling->done++;
    add_item(settling, settled->row->item);
  } else {
    settling->not_done++;
  }
  mend_failures(&run->stats, key, settled);
  if(!settled->text[0] || settling->reported == FIRST_LINES)
    return;
  settling->reported++;
  snprintf(line, sizeof(line), "  %s  %s  %s: %s",
           ca_change_outcome_name(settled->outcome), change->api->name, key,
           settled->text);
  run->options.log_line(run->options.ctx, line);
}

static bool is_interrupted(const struct lca_run *run)
{
  return *run->options.stop > 0 && *run->options.stop < LCA_STOP_PREVIEW;
}

static void drive(struct lca_run *run, struct ca_settle *settle,
                  int64_t (*deadline_ms)(void *ctx), void *ctx,
                  struct ca_err *err)
{
  struct ca_engine *engine = lca_scheduler_engine(run->sched);
  while(!ca_settle_finished(settle)) {
    if(lca_apply_deadline_passed(engine, deadline_ms, ctx) ||
       is_interrupted(run))
      ca_settle_stop(settle);
    run->options.tick(run->options.ctx);
    if(ca_settle_fill(settle, err) || ca_settle_finished(settle) ||
       ca_engine_step(engine, 100, err))
      break;
  }
}

static void log_sum(const struct settling *settling)
{
  const struct lca_run *run = settling->run;
  char line[200];
  int64_t all = settling->done + settling->not_done + settling->open;
  if(!all)
    return;
  snprintf(line, sizeof(line),
           "checked %lld unknown: %lld happened, %lld did not, %lld remain "
           "unknown",
           (long long)all, (long long)settling->done,
           (long long)settling->not_done, (long long)settling->open);
  run->options.log_line(run->options.ctx, line);
}

/* Makes the default client; called protected, because that may throw. */
static int need_client(lua_State *L)
{
  lca_direct_need_client(L, lca_run_of(L));
  return 0;
}

/* Settles the run's unknown changes, and counts and collects them. */
static void settle_all(lua_State *L, struct settling *settling,
                       enum ca_outcome not_done,
                       int64_t (*deadline_ms)(void *ctx), void *ctx)
{
  struct lca_run *run = settling->run;
  struct ca_settle_options options = { 8, not_done };
  struct ca_settle *settle;
  struct ca_err err;
  int64_t open = 0;
  ca_err_clear(&err);
  if(!run || !run->options.apply || !run->sched)
    return;
  if(!run->ledger && run->options.replay.on)
    run->ledger = run->options.begin(run->options.ctx, &err);
  /* after a signal nothing is probed; without an unknown change there is no
     need to search the ledger of a fresh run */
  if(!run->ledger || is_interrupted(run) ||
     (!run->options.replay.on && !run->stats.outcomes[CA_UNKNOWN]))
    return;
  if(ca_ledger_count_open(run->ledger, &open, &err) || !open)
    return;
  lua_pushcfunction(L, need_client);
  if(lua_pcall(L, 0, 0, 0)) {
    run->options.log_line(run->options.ctx, lua_tostring(L, -1));
    lua_pop(L, 1);
    return;
  }
  ca_engine_stop(lca_scheduler_engine(run->sched), false);
  settle =
      ca_settle_new(lca_scheduler_engine(run->sched), run->client->endpoint,
                    run->ledger, &options, reported, settling, &err);
  if(settle)
    drive(run, settle, deadline_ms, ctx, &err);
  ca_settle_free(settle);
  if(err.code)
    run->options.log_line(run->options.ctx, err.text);
  log_sum(settling);
}

void lca_settle_run(lua_State *L, enum ca_outcome not_done,
                    int64_t (*deadline_ms)(void *ctx), void *ctx)
{
  struct settling settling = { .run = lca_run_of(L) };
  if(settling.run->stats.no_route || settling.run->stats.down)
    return; /* who answers may not be the service */
  settle_all(L, &settling, not_done, deadline_ms, ctx);
  free(settling.items);
}

/* ---- the end of a bulk ----
   Items that turn out to have ended well are reported to the applier like any
   other, so that `after` runs for them. */

/* Reports the item's changes to the applier if it is one of the bulk's and
   ended well; *reported is set to whether it did. */
static enum ca_code report_item(struct lca_run *run, int bulk, int64_t number,
                                bool *reported, struct ca_err *err)
{
  struct ca_verdict verdict = { 0 };
  struct ca_changes changes;
  const struct ca_change_row *row = NULL;
  struct ca_item item;
  enum ca_code code = ca_read_item(run->ledger, number, &item, err);
  if(code || item.bulk != bulk)
    return code;
  ca_changes_open_item(&changes, run->ledger, number, 0);
  while(!(code = ca_changes_next(&changes, &row, err)) && row) {
    struct ca_applied applied = { .row = row, .outcome = row->outcome };
    ca_verdict_add(&verdict, row->outcome, row->change.fallback);
    lca_apply_report(run->applier, &applied);
  }
  ca_changes_close(&changes);
  *reported = !code && ca_verdict_is_good(&verdict);
  lca_apply_end_item(run->applier, number, *reported);
  return code;
}

static int64_t no_deadline(void *ctx)
{
  (void)ctx;
  return -1;
}

/* host.settle(bulk): settles the run's unknown changes, and returns how many
   of the bulk's items ended well after all; its applier's next returns those.
 */
int lca_settle_bulk(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  int bulk = (int)luaL_checkinteger(L, 1);
  struct settling settling = { .run = run };
  struct ca_err err;
  lua_Integer count = 0;
  size_t i;
  ca_err_clear(&err);
  if(run->applier && run->stats.outcomes[CA_UNKNOWN] &&
     !run->stats.key_rejected && !run->stats.no_route && !run->stats.down)
    settle_all(L, &settling, CA_FAILED, no_deadline, NULL);
  if(settling.no_memory)
    ca_err_set(&err, CA_NOMEM, "out of memory");
  for(i = 0; i < settling.count && !err.code; i++) {
    bool reported = false;
    if(!report_item(run, bulk, settling.items[i], &reported, &err))
      count += reported;
  }
  free(settling.items);
  if(err.code)
    return lca_run_ledger_failed(L, run, &err);
  lua_pushinteger(L, count);
  return 1;
}
