/* Waiting, and the only code that yields. C locals do not survive a yield:
   what the continuation needs is in the task's lca_wait, and the op stays on
   the stack.
   Must not know: what is waited for. */
#include <string.h>
#include "module/scheduler_private.h"
#include "module/table.h"
#include "module/wait.h"

#define OP      "composio.op"
#define TURN_MS 1000 /* the engine also wakes for its own timers */

/* ---- ops ---- */

static void unlist(struct lca_op *op)
{
  if(!op->link)
    return;
  *op->link = op->next;
  if(op->next)
    op->next->link = op->link;
  op->link = NULL;
  op->next = NULL;
}

void lca_wait_list_op(struct lca_op *op, struct lca_ops *ops)
{
  op->next = ops->first;
  op->link = &ops->first;
  if(op->next)
    op->next->link = &op->next;
  ops->first = op;
}

void lca_wait_end_ops(struct lca_ops *ops, const struct ca_err *err)
{
  while(ops->first) {
    struct lca_op *op = ops->first;
    struct ca_engine *engine = lca_scheduler_engine(op->sched);
    bool left = false;
    unlist(op);
    if(op->id && engine)
      ca_engine_cancel(engine, op->id, &left);
    op->id = 0;
    op->ended = true;
    op->result.err = *err;
    op->result.err.unknown = left && op->changes;
    lca_taskset_wake(op->sched, op->token);
  }
}

/* __close and __gc of an op. */
static int op_close(lua_State *L)
{
  struct lca_op *op = lua_touserdata(L, 1);
  struct ca_engine *engine =
      op->sched ? lca_scheduler_engine(op->sched) : NULL;
  uint64_t token = op->token;
  unlist(op);
  op->token = 0;
  if(op->id && engine) {
    ca_engine_cancel(engine, op->id, NULL);
    /* a script closed the coroutine of the waiting task: wake the task so
       that it ends */
    lca_taskset_wake(op->sched, token);
  }
  op->id = 0;
  ca_buf_wipe(&op->result.body);
  return 0;
}

struct lca_op *lca_wait_push_op(lua_State *L)
{
  struct lca_op *op = lua_newuserdatauv(L, sizeof(*op), 0);
  memset(op, 0, sizeof(*op));
  ca_buf_init(&op->result.body, 0);
  op->sched = lca_scheduler_of(L);
  luaL_setmetatable(L, OP);
  lua_toclose(L, -1);
  return op;
}

void lca_wait_open(lua_State *L)
{
  lca_table_owner_class(L, OP, op_close);
}

void lca_wait_op_done(void *owner, uint64_t unused, struct ca_result *result)
{
  struct lca_op *op = owner;
  (void)unused;
  unlist(op);
  op->result = *result;
  ca_buf_init(&result->body, 0); /* the op owns the bytes now */
  op->id = 0;
  op->ended = true;
  lca_taskset_wake(op->sched, op->token);
}

/* ---- waiting ---- */

bool lca_wait_can_suspend(lua_State *L, struct lca_scheduler *sched)
{
  struct lca_task *task = lca_scheduler_running(sched);
  return task && lca_scheduler_thread(task) == L && lua_isyieldable(L);
}

/* Throws if the wait must not go on, and cancels the op: only here is it
   known whether the request may have been sent. */
static void check(lua_State *L, struct lca_scheduler *sched, struct lca_op *op,
                  bool patient)
{
  bool left = false;
  if(patient || !lca_scheduler_raises(L, sched, true))
    return;
  if(op && op->id) {
    ca_engine_cancel(lca_scheduler_engine(sched), op->id, &left);
    op->id = 0;
    op->token = 0;
    left = left && op->changes;
  }
  lca_scheduler_throw(L, sched, left);
}

/* Waits in place and resumes no task. */
static void wait_here(lua_State *L, struct lca_scheduler *sched,
                      const bool *flag, struct lca_op *op, bool patient)
{
  if(lca_scheduler_running(sched))
    ca_log_event(lca_scheduler_log(sched), CA_LOG_DEBUG, "wait",
                 "a task waits in place: it cannot suspend inside a C "
                 "function or a coroutine of its own");
  while(!*flag) {
    lca_scheduler_turn(L, sched, false, TURN_MS);
    if(!*flag)
      check(L, sched, op, patient);
  }
}

static int woken(lua_State *L, int status, lua_KContext ctx);

static int suspend(lua_State *L, struct lca_task *task, uint64_t *token)
{
  *token = lca_taskset_suspend(task->sched);
  return lua_yieldk(L, 0, (lua_KContext)task, woken);
}

/* Continues a wait: its flag was set, its task was cancelled, or a script
   resumed the task's coroutine itself. */
static int woken(lua_State *L, int status, lua_KContext ctx)
{
  struct lca_task *task = (struct lca_task *)ctx;
  struct lca_wait *wait = &task->wait;
  (void)status;
  lua_settop(L, wait->top);
  if(lca_scheduler_running(task->sched) != task)
    return lua_yieldk(L, 0, ctx, woken);
  if(!*wait->flag) {
    check(L, task->sched, wait->op, wait->patient);
    return suspend(L, task, wait->token);
  }
  if(wait->op)
    wait->op->token = 0;
  wait->patient = false;
  return wait->k(L, LUA_YIELD, wait->ctx);
}

static int wait_for(lua_State *L, struct lca_scheduler *sched,
                    const struct lca_wait *wait)
{
  struct lca_task *task;
  if(*wait->flag)
    return wait->k(L, LUA_OK, wait->ctx);
  if(!wait->patient)
    lca_scheduler_check(L, sched, true);
  if(!lca_wait_can_suspend(L, sched)) {
    wait_here(L, sched, wait->flag, wait->op, wait->patient);
    return wait->k(L, LUA_OK, wait->ctx);
  }
  task = lca_scheduler_running(sched);
  task->wait = *wait;
  task->wait.top = lua_gettop(L);
  return suspend(L, task, wait->token);
}

int lca_wait_op(lua_State *L, struct lca_op *op, lua_KContext ctx,
                lua_KFunction k)
{
  struct lca_wait wait = { &op->ended, op, &op->token, ctx, k, 0, false };
  return wait_for(L, op->sched, &wait);
}

int lca_wait_flag(lua_State *L, const bool *flag, uint64_t *token,
                  bool patient, lua_KContext ctx, lua_KFunction k)
{
  struct lca_wait wait = { flag, NULL, token, ctx, k, 0, patient };
  return wait_for(L, lca_scheduler_of(L), &wait);
}
