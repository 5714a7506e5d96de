/* Settling: finds out what became of changes whose outcome is unknown, and
   sends again what may be. Drives apply/settle in its own loop, before the
   script of a resumed run, at the end of a bulk, and after every script. Must
   not know: curl, options of the command line, terminals. */
#include <stdlib.h>
#include <string.h>
#include "job/run_private.h"
#include "apply/settle.h"

/* The backoff before changes are sent again. */
#define FIRST_PAUSE_MS 1000
#define LAST_PAUSE_MS  30000

struct settling {
  struct lca_run *run;
  int64_t done;
  int64_t not_done;
  int64_t open;
  int64_t *items; /* owned; those that can go on */
  bool no_memory; /* for all of them */
  size_t count;
  size_t size;
  bool at_end;  /* the run's applier: items that are settled have ended */
  bool repeats; /* what may be repeated can go on, too */
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

/* Is no further line about the change due? The run logs lines of the first few
   changes, and that one remains unknown once, though it is checked again. */
static bool is_reported(struct lca_run *run, int64_t change,
                        enum ca_outcome outcome)
{
  size_t i = 0;
  while(i < run->reported_count && run->reported[i] != change)
    i++;
  if(i < run->reported_count)
    return outcome == CA_UNKNOWN;
  if(run->reported_count == LCA_REPORTED_MAX)
    return true;
  run->reported[run->reported_count++] = change;
  return false;
}

/* Has the run followed this straight-line change by another of its account, or
   its create by another? Then it is not sent again: that would undo the
   script's later word, or make a second account. */
static bool is_followed(const struct settling *settling,
                        const struct ca_change_row *row)
{
  struct ca_item item;
  struct ca_err err;
  bool followed = false;
  ca_err_clear(&err);
  return !ca_read_item(settling->run->ledger, row->item, &item, &err) &&
         !item.bulk &&
         !lca_replay_followed(settling->run, row, &followed, &err) && followed;
}

static bool is_final(void *owner, const struct ca_change_row *row)
{
  return is_followed(owner, row);
}

/* Such a change was skipped, when it did not happen: the account may be as the
   later change made it. A refresh that did not happen has failed. */
static bool is_skipped(const struct ca_change_row *row)
{
  return ca_api_creates(row->change.api) ||
         row->change.api->repeat != CA_REPEAT_NEVER;
}

static void reported(void *owner, const struct ca_settled *settled)
{
  struct settling *settling = owner;
  struct lca_run *run = settling->run;
  const struct ca_change *change = &settled->row->change;
  const char *key = change->account && change->account[0] ? change->account
                                                          : settled->row->key;
  const char *text = settled->text;
  enum ca_outcome outcome = settled->outcome;
  char line[900];
  struct ca_err err;
  bool followed = settling->at_end && settled->outcome != CA_DONE &&
                  is_followed(settling, settled->row);
  ca_err_clear(&err);
  if(followed && outcome == CA_FAILED && is_skipped(settled->row) &&
     !lca_replay_skip(run, settled->row, &text, &err))
    outcome = CA_SKIPPED;
  if(settled->outcome == CA_UNKNOWN)
    settling->open++;
  else if(settled->outcome == CA_DONE)
    settling->done++;
  else
    settling->not_done++;
  if((settled->outcome != CA_UNKNOWN && !settling->at_end) ||
     (outcome == CA_UNKNOWN && !followed && settled->probed &&
      settling->repeats && !change->fingerprint &&
      change->api->repeat != CA_REPEAT_NEVER))
    add_item(settling, settled->row->item);
  lca_tally_mend(&run->stats, key, change->api,
                 outcome == CA_SKIPPED ? CA_DONE : outcome);
  if(!text[0] || is_reported(run, settled->row->number, outcome))
    return;
  snprintf(line, sizeof(line), "  %s  %s  %s: %s",
           ca_change_outcome_name(outcome), change->api->name, key, text);
  run->options.log_line(run->options.ctx, line);
}

static bool is_interrupted(const struct lca_run *run)
{
  return *run->options.stop > 0 && *run->options.stop < LCA_STOP_PREVIEW;
}

static void drive(struct lca_run *run, struct ca_settle *settle,
                  struct ca_err *err)
{
  struct ca_engine *engine = lca_scheduler_engine(run->sched);
  while(!ca_settle_finished(settle)) {
    if(!run->options.tick(run->options.ctx) || is_interrupted(run))
      ca_settle_stop(settle);
    if(ca_settle_fill(settle, err) || ca_settle_finished(settle) ||
       ca_engine_step(engine, 100, err))
      break;
  }
}

/* Logs it once, because what remained unknown is checked again later in the
   run. */
static void log_sum(const struct settling *settling)
{
  struct lca_run *run = settling->run;
  char line[200];
  int64_t all = settling->done + settling->not_done + settling->open;
  if(!all || (all == settling->open && all == run->unknown_reported))
    return;
  run->unknown_reported = settling->open;
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
  lca_run_need_client(L, lca_run_of(L));
  return 0;
}

static int64_t now_ms(const struct lca_run *run)
{
  return ca_clock_mono_ms(ca_engine_clock(lca_scheduler_engine(run->sched)));
}

/* How much longer the run may wait for its changes to settle: its bulks and
   its end share --settle-wait, and it ends at --deadline. */
static int64_t wait_left(const struct lca_run *run)
{
  int64_t left = run->options.settle_wait_ms - run->settled_ms;
  int64_t until = run->options.deadline_ms;
  if(until && until - now_ms(run) < left)
    left = until - now_ms(run);
  return left > 0 ? left : 0;
}

/* Settles the unknown changes of the bulk, 0: straight-line ones, -1: all of
   the run; counts and collects them. */
static void settle_all(lua_State *L, struct settling *settling, int bulk,
                       enum ca_outcome not_done, enum ca_outcome not_yet)
{
  struct lca_run *run = settling->run;
  struct ca_settle_options options = { .bulk = bulk,
                                       .concurrency = 8,
                                       .not_done = not_done,
                                       .not_yet = not_yet,
                                       .is_final = is_final };
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
  options.quiet_ms = ca_settle_quiet_ms(run->client->endpoint->timeout_ms);
  options.last_sent_ms = run->last_lost_ms ? run->last_lost_ms : run->began_ms;
  options.wait_ms = wait_left(run);
  settle =
      ca_settle_new(lca_scheduler_engine(run->sched), run->client->endpoint,
                    run->ledger, &options, reported, settling, &err);
  if(settle)
    drive(run, settle, &err);
  ca_settle_free(settle);
  if(err.code)
    run->options.log_line(run->options.ctx, err.text);
  log_sum(settling);
}

/* ---- the end of a bulk ----
   Its items go on: one whose change turned out to be done with its next
   change, one whose change failed with its fallback. What was proved not to
   have happened is sent once more, what may be repeated until the time is
   over. Items that have ended well are reported to the applier like any
   other, so that `after` runs for them. */

static int by_number(const void *a, const void *b)
{
  int64_t x = *(const int64_t *)a;
  int64_t y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

/* Keeps those of the settled items that are the bulk's, each once, in order.
 */
static enum ca_code keep_bulk(struct settling *settling, int bulk,
                              struct ca_err *err)
{
  size_t count = 0;
  size_t i;
  if(settling->no_memory)
    return ca_err_set(err, CA_NOMEM, "out of memory");
  for(i = 0; i < settling->count; i++) {
    struct ca_item item;
    if(ca_read_item(settling->run->ledger, settling->items[i], &item, err))
      return err->code;
    if(item.bulk == bulk)
      settling->items[count++] = settling->items[i];
  }
  settling->count = count;
  if(count)
    qsort(settling->items, count, sizeof(*settling->items), by_number);
  return CA_OK;
}

/* Waits before changes are sent again, longer each time. */
static void pause_before(struct lca_run *run, int passes, struct ca_err *err)
{
  struct ca_engine *engine = lca_scheduler_engine(run->sched);
  int64_t pause_ms = FIRST_PAUSE_MS << (passes < 5 ? passes : 5);
  int64_t until;
  if(pause_ms > LAST_PAUSE_MS)
    pause_ms = LAST_PAUSE_MS;
  until =
      now_ms(run) + (pause_ms < wait_left(run) ? pause_ms : wait_left(run));
  while(!is_interrupted(run) && now_ms(run) < until &&
        run->options.tick(run->options.ctx))
    if(ca_engine_step(engine, 100, err))
      break;
}

static bool may_send(const struct lca_run *run)
{
  return !run->stats.key_rejected && !run->stats.no_route &&
         !run->stats.down && !run->stats.stopped_early && !*run->options.stop;
}

/* host.settle(bulk, concurrency): settles the run's unknown changes and sends
   on what follows from that; true when the applier has more to wait for. */
int lca_settle_bulk(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  struct lca_resent *resent = &run->resent;
  int bulk = (int)luaL_checkinteger(L, 1);
  int concurrency = (int)luaL_checkinteger(L, 2);
  struct settling settling = { .run = run };
  struct ca_err err;
  ca_err_clear(&err);
  if(resent->bulk != bulk) {
    free(resent->items);
    *resent = (struct lca_resent){ .bulk = bulk,
                                   .began_ms = now_ms(run) - run->settled_ms };
  }
  run->settled_ms = now_ms(run) - resent->began_ms;
  settling.repeats = wait_left(run) > 0;
  if(run->applier && run->stats.outcomes[CA_UNKNOWN] && may_send(run))
    settle_all(L, &settling, bulk, resent->passes ? CA_FAILED : CA_NOT_TRIED,
               CA_UNKNOWN);
  if(!keep_bulk(&settling, bulk, &err) && settling.count) {
    pause_before(run, resent->passes, &err);
    resent->passes++;
    free(resent->items);
    resent->items = settling.items;
    resent->count = settling.count;
    settling.items = NULL;
    if(!err.code && !is_interrupted(run))
      lca_apply_resend(run, bulk, concurrency, &err);
  }
  free(settling.items);
  run->settled_ms = now_ms(run) - resent->began_ms;
  if(err.code)
    return lca_run_ledger_failed(L, run, &err);
  lua_pushboolean(L, settling.count > 0 && !is_interrupted(run));
  return 1;
}

/* ---- the end of a run ----
   Straight-line changes that may be repeated are sent again, too. */

static bool is_chosen(void *owner, int64_t item)
{
  const struct settling *settling = owner;
  return bsearch(&item, settling->items, settling->count, sizeof(item),
                 by_number) != NULL;
}

static void count_resent(void *owner, const struct ca_applied *applied)
{
  lca_tally_change(((struct settling *)owner)->run, applied);
}

/* Sends the items' changes again with an apply of its own, because the
   run's has stopped. */
static enum ca_code resend(struct settling *settling, struct ca_err *err)
{
  struct lca_run *run = settling->run;
  struct ca_engine *engine = lca_scheduler_engine(run->sched);
  struct ca_apply_options options = { .bulk = 0,
                                      .concurrency = run->options.concurrency,
                                      .which = CA_APPLY_OPEN,
                                      .wants = is_chosen };
  struct ca_apply *apply =
      ca_apply_new(engine, run->client->endpoint, run->ledger, err);
  enum ca_code code =
      apply ? ca_apply_start(apply, &options, count_resent, settling, err)
            : err->code;
  run->resending = true;
  while(!code) {
    code = ca_apply_fill(apply, err);
    if(code || ca_apply_finished(apply))
      break;
    if(!run->options.tick(run->options.ctx) || is_interrupted(run)) {
      code = ca_apply_abandon(apply, err);
      break;
    }
    code = ca_engine_step(engine, 100, err);
  }
  ca_apply_free(apply);
  return code;
}

void lca_settle_run(lua_State *L, bool at_end)
{
  struct lca_run *run = lca_run_of(L);
  int64_t began_ms;
  int passes = 0;
  size_t count;
  struct ca_err err;
  ca_err_clear(&err);
  if(run->stats.no_route || run->stats.down)
    return; /* the replies may come from somebody else than the service */
  began_ms = now_ms(run) - run->settled_ms;
  do {
    struct settling settling = { .run = run, .at_end = at_end };
    run->settled_ms = now_ms(run) - began_ms;
    settling.repeats = at_end && wait_left(run) > 0 && may_send(run);
    settle_all(L, &settling, -1, at_end ? CA_FAILED : CA_NOT_TRIED,
               at_end ? CA_UNKNOWN : CA_NOT_TRIED);
    count = 0;
    if(settling.repeats && settling.count && !keep_bulk(&settling, 0, &err) &&
       settling.count) {
      count = settling.count;
      pause_before(run, passes++, &err);
      if(!err.code && !is_interrupted(run))
        (void)resend(&settling, &err);
    }
    free(settling.items);
  } while(count && !err.code && !is_interrupted(run));
  run->settled_ms = now_ms(run) - began_ms;
  if(err.code)
    run->options.log_line(run->options.ctx, err.text);
}
