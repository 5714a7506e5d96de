/* Carries out straight-line changes, one at a time.
   Must not know: curl, options of the command line, terminals. */
#include <stdlib.h>
#include <string.h>
#include "module/error.h"
#include "job/run_private.h"
#include "module/result.h"
#include "module/table.h"
#include "module/wait.h"

#define DIRECT_CLASS "composio.job.change"

/* A straight-line change in progress. The call that waits and the callback
   both use it; the last one frees it. */
struct lca_direct {
  bool ended;
  bool orphan;
  uint64_t token;
  struct lca_run *run;
  const struct ca_api *api;
  enum ca_outcome outcome;
  struct ca_result result;
  char account[160];
};

/* ---- one change ---- */

static void one_visit(void *owner, const struct ca_applied *applied)
{
  struct lca_direct *one = owner;
  lca_tally_change(one->run, applied);
  one->outcome = applied->outcome;
  lca_tally_move_result(&one->result, applied->result);
  if(applied->why)
    one->result.err = *applied->why;
  one->ended = true;
  if(one->orphan) {
    ca_buf_wipe(&one->result.body);
    free(one);
    return;
  }
  if(one->token)
    lca_taskset_wake(one->run->sched, one->token);
}

static int one_close(lua_State *L)
{
  struct lca_direct **box = lua_touserdata(L, 1);
  struct lca_direct *one = *box;
  *box = NULL;
  if(!one)
    return 0;
  if(one->ended) {
    ca_buf_wipe(&one->result.body);
    free(one);
  } else {
    one->orphan = true; /* the change goes on; the callback frees it */
    one->token = 0;
  }
  return 0;
}

static int one_ended(lua_State *L, int status, lua_KContext ctx)
{
  struct lca_direct *one = *(struct lca_direct **)lua_touserdata(L, (int)ctx);
  struct lca_run *run = one->run;
  struct ca_err err;
  (void)status;
  if(run->stats.stopped_early && one->outcome != CA_DONE)
    return lca_run_stop(L, LCA_STOP_EARLY, "%s", run->stats.stop_text);
  if(one->outcome == CA_DONE)
    return lca_result_push(L, one->run->client, one->api, &one->result,
                           one->account);
  if(one->outcome == CA_NOT_TRIED && ca_apply_failed(run->apply, &err))
    return lca_run_ledger_failed(L, run, &err);
  if(one->outcome == CA_STALE)
    ca_err_set(&one->result.err, CA_GATE, "%s",
               "the account changed after the plan was made: it was left "
               "alone");
  if(!one->result.err.code)
    ca_err_set(&one->result.err, CA_CANCELLED,
               "the run ended before the change was carried out");
  return lca_error_throw(L, one->api, one->account, &one->result.err);
}

static enum ca_code begin(struct lca_run *run, struct lca_direct *one,
                          const struct ca_change *change, int64_t item,
                          int64_t number, struct ca_slice secret,
                          struct ca_err *err)
{
  if(number)
    return ca_apply_recorded(run->apply, number, secret, one_visit, one, err);
  return ca_apply_one(run->apply, item, change, secret, one_visit, one,
                      &number, err);
}

int lca_direct_carry_out(lua_State *L, struct lca_run *run,
                         const struct ca_change *change, int64_t item,
                         int64_t number, struct ca_slice secret)
{
  struct lca_direct **box = lua_newuserdatauv(L, sizeof(*box), 0);
  struct lca_direct *one;
  struct ca_err err;
  int at = lua_gettop(L);
  ca_err_clear(&err);
  *box = NULL;
  luaL_setmetatable(L, DIRECT_CLASS);
  lua_toclose(L, at);
  lca_run_need_apply(L, run);
  one = *box = calloc(1, sizeof(*one));
  if(!one)
    return luaL_error(L, "out of memory");
  one->run = run;
  one->api = change->api;
  ca_buf_init(&one->result.body, 0);
  ca_text_copy(one->account, sizeof(one->account), change->account);
  run->stats.written = true;
  if(begin(run, one, change, item, number, secret, &err)) {
    *box = NULL;
    free(one);
    if(run->stats.stopped_early)
      return lca_run_stop(L, LCA_STOP_EARLY, "%s", run->stats.stop_text);
    return lca_run_ledger_failed(L, run, &err);
  }
  return lca_wait_flag(L, &one->ended, &one->token, false, at, one_ended);
}

void lca_direct_open(lua_State *L)
{
  lca_table_owner_class(L, DIRECT_CLASS, one_close);
}
