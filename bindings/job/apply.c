/* Carries out a bulk's plan, many items at once. Results are queued in C, and
   tasks read the queue. Must not know: curl, options of the command line,
   terminals.

   core/apply calls back inside the engine's step, where no Lua may run, so the
   callbacks below only copy, queue and wake. */
#include <stdlib.h>
#include <string.h>
#include "module/error.h"
#include "job/run_private.h"
#include "module/result.h"
#include "module/table.h"
#include "module/wait.h"

#define APPLIER_CLASS "composio.job.applier"
#define WAITER_CLASS  "composio.job.waiter"
#define FULL_ITEMS    512 /* finished items waiting for `after` */

/* ---- changes and items that ended ---- */

/* The row's texts follow the struct in the same allocation. */
struct ended_change {
  struct ended_change *next;
  struct ca_change_row row;
  enum ca_outcome outcome;
  bool earlier;            /* done in an earlier session: there is no result */
  struct ca_result result; /* owned; empty where no request was made */
};

struct ended_item {
  struct ended_item *next;
  int64_t number;
  struct ended_change *first;
  struct ended_change *last;
};

struct waiter {
  struct waiter *next;
  bool ready;
  bool queued;
  uint64_t token;
};

/* A bulk that is being applied. */
struct lca_applier {
  struct lca_run *run;     /* NULL once it has ended */
  bool keep;               /* an `after` needs the results */
  struct ca_err err;       /* code set once it has failed */
  struct ended_item *open; /* items with some changes ended, some not */
  struct ended_item *first;
  struct ended_item *last;
  size_t queued;
  int64_t bad;              /* items that did not end well */
  struct ended_item *taken; /* the last one that a task took */
  struct waiter *waiters;
};

static void free_item(struct ended_item *item)
{
  while(item->first) {
    struct ended_change *change = item->first;
    item->first = change->next;
    ca_buf_wipe(&change->result.body);
    free(change);
  }
  free(item);
}

static void free_items(struct ended_item **items)
{
  while(*items) {
    struct ended_item *item = *items;
    *items = item->next;
    free_item(item);
  }
}

static void wake_one(struct lca_applier *applier)
{
  struct waiter *waiter = applier->waiters;
  if(!waiter)
    return;
  applier->waiters = waiter->next;
  waiter->queued = false;
  waiter->ready = true;
  lca_taskset_wake(applier->run->sched, waiter->token);
}

static void wake_all(struct lca_applier *applier)
{
  while(applier->waiters)
    wake_one(applier);
}

/* ---- callbacks of core/apply: no Lua ---- */

/* Finds the open item with that number, or makes it; NULL without memory. */
static struct ended_item *open_item(struct lca_applier *applier,
                                    int64_t number)
{
  struct ended_item *item;
  for(item = applier->open; item; item = item->next)
    if(item->number == number)
      return item;
  item = calloc(1, sizeof(*item));
  if(!item)
    return NULL;
  item->number = number;
  item->next = applier->open;
  applier->open = item;
  return item;
}

static void end_item(struct lca_applier *applier, int64_t number, bool well)
{
  struct ended_item **at = &applier->open;
  struct ended_item *item;
  while(*at && (*at)->number != number)
    at = &(*at)->next;
  item = *at;
  if(!item)
    return;
  *at = item->next;
  item->next = NULL;
  if(!well) {
    free_item(item);
    return;
  }
  if(applier->last)
    applier->last->next = item;
  else
    applier->first = item;
  applier->last = item;
  applier->queued++;
  wake_one(applier);
}

static void report(struct lca_applier *applier,
                   const struct ca_applied *applied)
{
  const struct ca_change_row *row = applied->row;
  struct ended_item *item = open_item(applier, row->item);
  struct ended_change *change =
      calloc(1, sizeof(*change) + ca_change_row_size(row));
  if(!item || !change) {
    free(change);
    ca_err_set(&applier->err, CA_NOMEM, "out of memory");
    return;
  }
  ca_change_row_copy(&change->row, row, (char *)(change + 1), SIZE_MAX);
  change->outcome = applied->outcome;
  change->earlier = applied->outcome == CA_DONE && !applied->result;
  lca_tally_move_result(&change->result, applied->result);
  if(item->last)
    item->last->next = change;
  else
    item->first = change;
  item->last = change;
}

static void bulk_visit(void *owner, const struct ca_applied *applied)
{
  struct lca_applier *applier = owner;
  if(!applier->run)
    return;
  lca_tally_change(applier->run, applied);
  if(!applier->keep)
    return;
  report(applier, applied);
  if(!applied->last)
    return;
  applier->bad += !applied->well;
  end_item(applier, applied->row->item, applied->well);
}

/* ---- before each step of the engine ---- */

/* Starts items of the bulk that is being carried out, as concurrency allows.
 */
static void fill(struct lca_run *run)
{
  struct lca_applier *applier = run->applier;
  if(*run->options.stop)
    ca_apply_stop(run->apply);
  if(ca_apply_key_rejected(run->apply)) /* perhaps by a precheck */
    run->stats.key_rejected = true;
  if(ca_apply_no_route(run->apply))
    run->stats.no_route = true;
  ca_apply_turn(run->apply);
  if(!applier || applier->err.code)
    return;
  if(applier->queued < FULL_ITEMS && ca_apply_fill(run->apply, &applier->err))
    ca_apply_stop(run->apply);
  if(applier->err.code || ca_apply_finished(run->apply) ||
     ca_apply_paused(run->apply))
    wake_all(applier);
}

int lca_apply_pump(void *ctx, lua_State *L, int wait_ms)
{
  struct lca_run *run = ctx;
  struct ca_err err;
  (void)run->options.tick(run->options.ctx);
  ca_err_clear(&err);
  /* The step may wait: other processes must be able to write meanwhile. */
  if(run->ledger && ca_ledger_commit_before_wait(run->ledger, &wait_ms, &err))
    lca_run_ledger_failed(L, run, &err);
  if(run->apply) {
    uint64_t reported = ca_apply_visits(run->apply);
    fill(run);
    if(reported != ca_apply_visits(run->apply))
      wait_ms = 0; /* what a task waits for may be true now */
  }
  return wait_ms;
}

/* ---- a bulk ---- */

static void drop_applier(struct lca_applier *applier)
{
  struct lca_run *run = applier->run;
  free_items(&applier->first);
  free_items(&applier->open);
  free_items(&applier->taken);
  applier->last = NULL;
  applier->queued = 0;
  applier->keep = false;
  if(run && run->applier == applier &&
     (!run->apply || ca_apply_finished(run->apply) ||
      ca_apply_paused(run->apply))) {
    run->applier = NULL;
    run->stats.applying = false;
    applier->run = NULL;
  }
}

/* host.apply(bulk, concurrency, keep, pause): starts to carry out the plan and
   returns an applier. keep: queue results for `after`; pause: after that many
   items, 0 for never. */
int lca_apply_bulk(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  const struct lca_replay *replay = &run->options.replay;
  struct ca_apply_options options = { .which = CA_APPLY_PLANNED };
  struct lca_applier *applier;
  options.bulk = (int)luaL_checkinteger(L, 1);
  options.concurrency = (int)luaL_checkinteger(L, 2);
  options.items = luaL_optinteger(L, 4, 0);
  if(!run->plan.replayed)
    options.seen_ms = run->began_ms;
  if(run->plan.replayed && !replay->only_plan)
    options.which = replay->failed ? CA_APPLY_FAILED : CA_APPLY_OPEN;
  if(!run->options.apply)
    return lca_error_usage(L, "a preview cannot carry out changes");
  applier = lua_newuserdatauv(L, sizeof(*applier), 0);
  memset(applier, 0, sizeof(*applier));
  applier->keep = lua_toboolean(L, 3);
  luaL_setmetatable(L, APPLIER_CLASS);
  lca_run_need_apply(L, run);
  applier->run = run;
  run->applier = applier;
  run->stats.applying = true;
  run->resending = false;
  run->stats.written = true;
  run->stats.to_apply = run->plan.totals.planned;
  run->stats.ended = 0;
  lua_pushvalue(L, -1); /* anchored while core/apply may call back */
  lua_rawsetp(L, LUA_REGISTRYINDEX, applier);
  if(ca_apply_start(run->apply, &options, bulk_visit, applier, &applier->err))
    return lca_run_ledger_failed(L, run, &applier->err);
  return 1;
}

static bool is_resent(void *owner, int64_t item)
{
  const struct lca_applier *applier = owner;
  const struct lca_resent *resent = &applier->run->resent;
  size_t from = 0;
  size_t to = resent->count;
  while(from < to) {
    size_t middle = from + (to - from) / 2;
    if(resent->items[middle] < item)
      from = middle + 1;
    else
      to = middle;
  }
  return from < resent->count && resent->items[from] == item;
}

void lca_apply_resend(struct lca_run *run, int bulk, int concurrency,
                      struct ca_err *err)
{
  struct ca_apply_options options = { .bulk = bulk,
                                      .concurrency = concurrency,
                                      .which = CA_APPLY_OPEN,
                                      .wants = is_resent };
  run->resending = true;
  if(ca_apply_start(run->apply, &options, bulk_visit, run->applier, err))
    run->applier->err = *err;
}

static struct lca_applier *check_applier(lua_State *L)
{
  return luaL_checkudata(L, 1, APPLIER_CLASS);
}

static int waiter_close(lua_State *L)
{
  struct waiter *waiter = lua_touserdata(L, 1);
  struct lca_applier *applier;
  struct waiter **at;
  if(!waiter->queued)
    return 0;
  lua_getiuservalue(L, 1, 1);
  applier = lua_touserdata(L, -1);
  waiter->queued = false;
  for(at = &applier->waiters; *at != waiter; at = &(*at)->next)
    ;
  *at = waiter->next;
  return 0;
}

/* Pushes the service's reply to one change, or a substitute if there is none.
 */
static void push_result(lua_State *L, struct lca_run *run,
                        struct ended_change *change)
{
  const struct ca_change *planned = &change->row.change;
  if(change->earlier) {
    lca_run_push_earlier(L, planned->api, planned->account,
                         change->row.status_after, change->row.made);
  } else if(change->outcome == CA_DONE) {
    lca_result_push(L, run->client, planned->api, &change->result,
                    planned->account);
  } else if(change->outcome == CA_SAME) {
    lca_run_push_same(L);
  } else {
    lua_createtable(L, 0, 3);
    lca_table_set_bool(L, "success", false);
    lca_table_set_text(L, "outcome", ca_change_outcome_name(change->outcome));
    lca_table_set_text(L, "message", ca_text_or_null(change->result.err.text));
  }
}

/* Pushes the results of one finished item: a list that also has the first
   result of each operation under its name. */
static void push_results(lua_State *L, struct lca_run *run,
                         struct ended_item *item)
{
  struct ended_change *change;
  lua_Integer n = 0;
  lua_newtable(L);
  for(change = item->first; change; change = change->next) {
    push_result(L, run, change);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, ++n);
    if(lua_getfield(L, -2, change->row.change.api->name) == LUA_TNIL) {
      lua_pushvalue(L, -2);
      lua_setfield(L, -4, change->row.change.api->name);
    }
    lua_pop(L, 2);
  }
}

/* Pushes the account as the plan saw it, from the columns that the ledger
   stores, all in one table; composio/bulk.lua gives it the service's shape. */
static void push_account(lua_State *L, const struct lca_run *run,
                         const struct ca_item *item)
{
  lua_createtable(L, 0, 14);
  lca_table_set_text(L, "id", item->account);
  lca_table_set_text(L, "user_id", item->user);
  lca_table_set_text(L, "status", item->status);
  lca_table_set_text(L, "alias", item->alias);
  lca_table_set_text(L, "status_reason", item->status_reason);
  lca_table_set_text(L, "toolkit", item->toolkit);
  lca_table_set_text(L, "auth_scheme", item->scheme);
  lca_table_set_bool(L, "is_disabled", item->flags & CA_ITEM_DISABLED);
  lca_table_set_bool(L, "config_disabled",
                     item->flags & CA_ITEM_CONFIG_DISABLED);
  lca_table_set_bool(L, "managed", item->flags & CA_ITEM_MANAGED);
  lca_table_set_bool(L, "shared", item->flags & CA_ITEM_SHARED);
  lca_table_set_time(L, "created_at", item->created_ms);
  lca_table_set_time(L, "updated_at", item->updated_ms);
  if(lua_rawgetp(L, LUA_REGISTRYINDEX, run->client) == LUA_TTABLE)
    lua_setmetatable(L, -2); /* methods of this client's accounts */
  else
    lua_pop(L, 1);
}

static int push_item(lua_State *L, struct lca_applier *applier)
{
  struct lca_run *run = applier->run;
  struct ended_item *item = applier->first;
  struct ca_item row;
  struct ca_err err;
  ca_err_clear(&err);
  free_items(&applier->taken);
  applier->first = item->next;
  if(!applier->first)
    applier->last = NULL;
  applier->queued--;
  item->next = NULL;
  applier->taken = item;
  if(ca_read_item(run->ledger, item->number, &row, &err))
    return lca_run_ledger_failed(L, run, &err);
  lua_pushinteger(L, item->number);
  lua_pushstring(L, row.key);
  lua_pushstring(L, row.row);
  push_account(L, run, &row);
  push_results(L, run, item);
  return 5; /* number key row account results */
}

static int next_ready(lua_State *L, int status, lua_KContext ctx)
{
  struct lca_applier *applier = check_applier(L);
  struct lca_run *run = applier->run;
  struct waiter *waiter;
  (void)status;
  (void)ctx;
  lca_run_check(L);
  if(!run)
    return 0;
  if(applier->first && applier->keep)
    return push_item(L, applier);
  if(applier->err.code)
    return lca_run_ledger_failed(L, run, &applier->err);
  if(ca_apply_finished(run->apply) || ca_apply_paused(run->apply))
    return 0;
  lua_settop(L, 1);
  waiter = lua_newuserdatauv(L, sizeof(*waiter), 1);
  memset(waiter, 0, sizeof(*waiter));
  luaL_setmetatable(L, WAITER_CLASS);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  lua_toclose(L, -1);
  waiter->queued = true;
  waiter->next = applier->waiters;
  applier->waiters = waiter;
  return lca_wait_flag(L, &waiter->ready, &waiter->token, false, 0,
                       next_ready);
}

/* applier:next() → number, key, row, account and results of an item that ended
   well; nothing once all items, or all before the pause, have ended. Suspends
   the task until then. */
static int applier_next(lua_State *L)
{
  return next_ready(L, LUA_OK, 0);
}

/* applier:go_on(): continues after the pause, to the end. */
static int applier_go_on(lua_State *L)
{
  struct lca_applier *applier = check_applier(L);
  if(applier->run)
    ca_apply_go_on(applier->run->apply);
  return 0;
}

/* applier:bad() → the number of items so far that did not end well. */
static int applier_bad(lua_State *L)
{
  lua_pushinteger(L, check_applier(L)->bad);
  return 1;
}

/* applier:stop(): sends no further change of the bulk. */
static int applier_stop(lua_State *L)
{
  struct lca_applier *applier = check_applier(L);
  if(applier->run)
    ca_apply_stop(applier->run->apply);
  return 0;
}

/* applier:close(): frees the queued results; later ones are not queued. */
static int applier_close(lua_State *L)
{
  struct lca_applier *applier = check_applier(L);
  drop_applier(applier);
  if(!applier->run) {
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, applier);
  }
  return 0;
}

void lca_apply_open(lua_State *L)
{
  static const luaL_Reg events[] = { { "__close", applier_close },
                                     { "__gc", applier_close },
                                     { NULL, NULL } };
  static const luaL_Reg methods[] = {
    { "next", applier_next },   { "go_on", applier_go_on },
    { "bad", applier_bad },     { "stop", applier_stop },
    { "close", applier_close }, { NULL, NULL }
  };
  lca_table_class(L, APPLIER_CLASS, events, methods);
  lca_direct_open(L);
  lca_table_owner_class(L, WAITER_CLASS, waiter_close);
}

/* ---- after the script ---- */

void lca_apply_drain(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  struct ca_engine *engine;
  struct ca_err err;
  if(!run || !run->apply)
    return;
  ca_err_clear(&err);
  engine = lca_scheduler_engine(run->sched);
  ca_apply_stop(run->apply);
  while(!ca_apply_finished(run->apply)) {
    if(!run->options.tick(run->options.ctx))
      break;
    if(ca_engine_step(engine, 100, &err))
      break;
    ca_apply_turn(run->apply);
  }
  if(ca_apply_abandon(run->apply, &err))
    lca_run_lose_ledger(L, &err);
}
