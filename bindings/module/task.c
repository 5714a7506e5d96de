/* The functions by which scripts use tasks: spawn, join, cancel, sleep, run.
   Concurrency is structured: no task outlives the run that it was spawned in.
   Must not know: curl, the ledger, operations. */
#include <math.h>
#include <string.h>
#include "module/error.h"
#include "module/scheduler_private.h"
#include "module/table.h"
#include "module/task.h"
#include "module/wait.h"

#define TASK          "composio.task"
#define SCOPE         "composio.scope"
#define PAUSE         "composio.pause"
#define WOKEN         (-1)
#define TURN_MS       1000
#define GRACE_S       10.0
#define SLEEP_MAX_S   (366.0 * 86400.0)
#define JOIN_DEADLOCK "task:join: deadlock: the tasks wait for each other"
#define RUN_DEADLOCK                                                        \
  "composio.run: the tasks wait for each other, and nothing else is under " \
  "way"

int64_t lca_task_item(const struct lca_task *task)
{
  return task->item;
}

void lca_task_set_item(struct lca_task *task, int64_t item)
{
  task->item = item;
}

static struct lca_task *check_task(lua_State *L)
{
  struct lca_task *task = luaL_checkudata(L, 1, TASK);
  if(!task->sched)
    lca_error_usage(L, "task: the Lua state is closing");
  return task;
}

/* ---- spawn ---- */

static int spawn(lua_State *L)
{
  struct lca_scheduler *sched = lca_scheduler_of(L);
  struct lca_task *running = lca_scheduler_running(sched);
  if(!lua_isfunction(L, 1))
    return lca_error_usage(L, "composio.spawn: expected a function, got %s",
                           luaL_typename(L, 1));
  lca_scheduler_check(L, sched, false);
  lca_scheduler_spawn(L, sched, running ? running->scope : &sched->root,
                      lua_gettop(L));
  return 1;
}

/* ---- join ---- */

/* Outside tasks: runs the loop, tasks included, until the flag is set. Raises
   `deadlock` if that cannot happen. patient: an interrupt does not raise. */
static void run_until(lua_State *L, struct lca_scheduler *sched,
                      const bool *flag, bool patient, const char *deadlock)
{
  if(!*flag && lca_scheduler_in_finalizer(L))
    lca_error_usage(L, "a finalizer (__gc) cannot run tasks");
  while(!*flag) {
    lca_scheduler_turn(L, sched, true, TURN_MS);
    if(!patient)
      lca_scheduler_check(L, sched, true);
    if(!*flag && lca_scheduler_is_stuck(sched))
      lca_error_usage(L, "%s", deadlock);
  }
}

/* Returns the results of the task at index, or throws its error. */
static int push_results(lua_State *L, int index)
{
  struct lca_task *task = lua_touserdata(L, index);
  int i;
  task->joined = true;
  if(!task->count && task->failed)
    return luaL_error(L, "not enough memory to keep the task's error");
  if(!task->count)
    return 0;
  lua_settop(L, index);
  lua_getiuservalue(L, index, LCA_TASK_RESULT);
  if(task->failed)
    return lua_error(L);
  if(task->count == 1)
    return 1;
  luaL_checkstack(L, task->count, "task results");
  for(i = 1; i <= task->count; i++)
    lua_rawgeti(L, index + 1, i);
  return task->count;
}

static int after_join(lua_State *L, int status, lua_KContext ctx)
{
  (void)status;
  (void)ctx;
  return push_results(L, 1);
}

static int join(lua_State *L)
{
  struct lca_task *task = check_task(L);
  struct lca_scheduler *sched = task->sched;
  struct lca_task *self = lca_scheduler_running(sched);

  lua_settop(L, 1);
  lca_scheduler_check(L, sched, false);
  if(task->done)
    return push_results(L, 1);
  if(self == task)
    return lca_error_usage(L, "task:join: a task cannot join itself");
  if(!self) {
    run_until(L, sched, &task->done, false, JOIN_DEADLOCK);
    return push_results(L, 1);
  }
  if(!lca_wait_can_suspend(L, sched))
    return lca_error_usage(
        L, "task:join: not from here (inside table.sort, gsub, __tostring, a "
           "coroutine of your own, …): join in the task's own code");
  if(lca_taskset_blocks(self, task))
    return lca_error_usage(L, "%s", JOIN_DEADLOCK);
  lca_taskset_stop_joining(self);
  self->joining = task;
  self->next_joiner = task->joiners;
  task->joiners = self;
  return lca_wait_flag(L, &task->done, &self->joiner_token, false, 0,
                       after_join);
}

/* ---- cancel and the rest of the class ---- */

static int cancel(lua_State *L)
{
  double grace;
  const char *reason;
  check_task(L);
  grace = luaL_optnumber(L, 3, GRACE_S);
  reason = luaL_optstring(L, 2, "no reason given");
  if(!(grace >= 0 && grace <= SLEEP_MAX_S))
    return lca_error_usage(L, "task:cancel: expected the grace in seconds");
  lua_pushstring(L, reason);
  lca_scheduler_cancel(L, 1, (int64_t)(grace * 1000));
  return 0;
}

static const char *status_name(const struct lca_task *task)
{
  if(task->done) {
    if(!task->failed)
      return "done";
    return task->cancelled ? "cancelled" : "failed";
  }
  if(task->state == LCA_RUNNING)
    return "running";
  return task->state == LCA_READY ? "ready" : "waiting";
}

static int task_index(lua_State *L)
{
  struct lca_task *task = luaL_checkudata(L, 1, TASK);
  const char *key = lua_tostring(L, 2);
  if(key && !strcmp(key, "status")) {
    lua_pushstring(L, status_name(task));
    return 1;
  }
  if(key && !strcmp(key, "traceback")) {
    lua_getiuservalue(L, 1, LCA_TASK_TRACE);
    return 1;
  }
  if(key && !strcmp(key, "join"))
    lua_pushcfunction(L, join);
  else if(key && !strcmp(key, "cancel"))
    lua_pushcfunction(L, cancel);
  else
    lua_pushnil(L);
  return 1;
}

static int task_tostring(lua_State *L)
{
  struct lca_task *task = luaL_checkudata(L, 1, TASK);
  lua_pushfstring(L, "composio.task (%s)", status_name(task));
  return 1;
}

/* ---- sleep ---- */

static int after_sleep(lua_State *L, int status, lua_KContext at)
{
  struct lca_op *op = lua_touserdata(L, (int)at);
  (void)status;
  if(op->result.err.code) {
    lca_error_push_named(L, "ComposioRequestCancelledError", NULL, NULL,
                         &op->result.err);
    return lua_error(L);
  }
  return 0;
}

/* Pushes the op of a sleep that has begun. [-0, +1, e] */
static struct lca_op *push_sleep(lua_State *L, double seconds)
{
  struct lca_op *op = lca_wait_push_op(L);
  struct ca_err err;
  ca_err_clear(&err);
  if(ca_engine_sleep(lca_scheduler_engine(op->sched),
                     (int64_t)ceil(seconds * 1000), lca_wait_op_done, op, 0,
                     &op->id, &err))
    lca_error_throw(L, NULL, NULL, &err);
  return op;
}

static int sleep_for(lua_State *L)
{
  double seconds = lua_type(L, 1) == LUA_TNUMBER ? lua_tonumber(L, 1) : -1;
  if(!(seconds >= 0 && seconds <= SLEEP_MAX_S))
    return lca_error_usage(L,
                           "composio.sleep: expected seconds, at least 0 and "
                           "at most a year, got %s",
                           luaL_tolstring(L, 1, NULL));
  lca_scheduler_check(L, lca_scheduler_of(L), false);
  lua_settop(L, 0);
  return lca_wait_op(L, push_sleep(L, seconds), 1, after_sleep);
}

/* ---- for the shipped Lua ---- */

/* pause() → an object for one waiting task: wait(seconds) sleeps and
   returns true if wake() ended the sleep early, else false. */
static int pause_new(lua_State *L)
{
  struct lca_ops *ops = lua_newuserdatauv(L, sizeof(*ops), 0);
  ops->first = NULL;
  luaL_setmetatable(L, PAUSE);
  return 1;
}

static int pause_ended(lua_State *L, int status, lua_KContext ctx)
{
  struct lca_op *op = lua_touserdata(L, 2);
  (void)status;
  (void)ctx;
  if(op->result.err.code == CA_OK) {
    lua_pushboolean(L, op->result.attempts == WOKEN);
    return 1;
  }
  return after_sleep(L, status, 2);
}

static int pause_wait(lua_State *L)
{
  struct lca_ops *ops = luaL_checkudata(L, 1, PAUSE);
  double seconds = luaL_checknumber(L, 2);
  struct lca_op *op;

  lca_scheduler_check(L, lca_scheduler_of(L), false);
  lua_settop(L, 1);
  op = push_sleep(L, seconds);
  lca_wait_list_op(op, ops);
  return lca_wait_op(L, op, 0, pause_ended);
}

static int pause_wake(lua_State *L)
{
  struct lca_ops *ops = luaL_checkudata(L, 1, PAUSE);
  struct ca_err none;
  ca_err_clear(&none);
  if(ops->first)
    ops->first->result.attempts = WOKEN;
  lca_wait_end_ops(ops, &none);
  return 0;
}

/* can_suspend() → whether the caller can suspend: it is a task's own code. */
static int can_suspend(lua_State *L)
{
  lua_pushboolean(L, lca_wait_can_suspend(L, lca_scheduler_of(L)));
  return 1;
}

/* in_item() → whether the running task plans for an item: its changes are
   recorded, not sent. */
static int in_item(lua_State *L)
{
  struct lca_task *task = lca_scheduler_running(lca_scheduler_of(L));
  lua_pushboolean(L, task && lca_task_item(task) != 0);
  return 1;
}

/* now() → monotonic time in seconds. */
static int now(lua_State *L)
{
  struct ca_engine *engine = lca_scheduler_engine(lca_scheduler_of(L));
  lua_pushnumber(L,
                 (double)ca_clock_mono_ms(ca_engine_clock(engine)) / 1000.0);
  return 1;
}

/* live_tasks() → the number of tasks that have not ended. */
static int live_tasks(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)lca_scheduler_of(L)->live);
  return 1;
}

/* ---- run ---- */

/* __close and __gc of a scope. If tasks are left, run did not end normally
   (a hook threw, or its coroutine was closed): they are killed. */
static int scope_close(lua_State *L)
{
  struct lca_scope *scope = lua_touserdata(L, 1);
  if(scope->live)
    lca_scheduler_kill_scope(L, scope->sched, scope);
  return 0;
}

enum { RUN_SCOPE = 1, RUN_TASK };

/* Stack: scope task. The scope is empty: returns the results of its first
   task, or throws the first error. */
static int run_end(lua_State *L)
{
  struct lca_scope *scope = lua_touserdata(L, RUN_SCOPE);
  struct lca_task *task = lua_touserdata(L, RUN_TASK);
  struct lca_task *self = lca_scheduler_running(scope->sched);

  if(task->failed && task->count) {
    lca_scheduler_keep_trace(L, RUN_TASK);
    lua_getiuservalue(L, RUN_TASK, LCA_TASK_RESULT);
    return lua_error(L);
  }
  if(self)
    lca_scheduler_check(L, scope->sched, false);
  if(lca_scheduler_take_failure(L, scope->sched, scope))
    return lua_error(L);
  return push_results(L, RUN_TASK);
}

static int run_step(lua_State *L, int status, lua_KContext ctx);

static int wait_scope(lua_State *L, struct lca_scope *scope)
{
  struct lca_scheduler *sched = scope->sched;
  if(lca_wait_can_suspend(L, sched))
    return lca_wait_flag(L, &scope->empty, &scope->token, true, 1, run_step);
  run_until(L, sched, &scope->empty, true, RUN_DEADLOCK);
  return run_step(L, LUA_OK, 1);
}

/* ctx 0: the first task ended; 1: all tasks did. */
static int run_step(lua_State *L, int status, lua_KContext ctx)
{
  struct lca_scope *scope = lua_touserdata(L, RUN_SCOPE);
  struct lca_task *task = lua_touserdata(L, RUN_TASK);
  (void)status;
  if(ctx == 0 && task->failed && scope->live)
    lca_scheduler_cancel_scope(L, scope->sched, scope,
                               "the run ended with an error");
  if(!scope->empty)
    return wait_scope(L, scope);
  return run_end(L);
}

static int run(lua_State *L)
{
  struct lca_scheduler *sched = lca_scheduler_of(L);
  struct lca_task *self = lca_scheduler_running(sched);
  struct lca_scope *scope;
  struct lca_task *task;
  int count = lua_gettop(L);

  if(!lua_isfunction(L, 1))
    return lca_error_usage(L, "composio.run: expected a function, got %s",
                           luaL_typename(L, 1));
  lca_scheduler_check(L, sched, false);
  if(self && !lca_wait_can_suspend(L, sched))
    return lca_error_usage(
        L, "composio.run: not from here (inside table.sort, gsub, __tostring, "
           "a coroutine of your own, …): run in the task's own code");
  scope = lua_newuserdatauv(L, sizeof(*scope), 0);
  memset(scope, 0, sizeof(*scope));
  scope->sched = sched;
  scope->id = ++sched->scopes;
  scope->up = self ? self->scope : &sched->root;
  scope->owner = self;
  luaL_setmetatable(L, SCOPE);
  lua_insert(L, 1); /* scope f … */
  lua_toclose(L, 1);
  task = lca_scheduler_spawn(L, sched, scope, count); /* scope task */
  task->joined = true; /* run reports its failure */
  if(self) {           /* it can suspend: checked above */
    task->joiners = self;
    self->joining = task;
    return lca_wait_flag(L, &task->done, &self->joiner_token, true, 0,
                         run_step);
  }
  run_until(L, sched, &task->done, true, RUN_DEADLOCK);
  return run_step(L, LUA_OK, 0);
}

/* ---- registration ---- */

static void new_classes(lua_State *L)
{
  static const luaL_Reg task[] = { { "__index", task_index },
                                   { "__tostring", task_tostring },
                                   { NULL, NULL } };
  static const luaL_Reg methods[] = { { "wait", pause_wait },
                                      { "wake", pause_wake },
                                      { NULL, NULL } };
  /* the list of ops is freed with the object */
  static const luaL_Reg pause[] = { { "__gc", pause_wake }, { NULL, NULL } };
  lca_table_class(L, TASK, task, NULL);
  lca_table_class(L, PAUSE, pause, methods);
  lca_table_owner_class(L, SCOPE, scope_close);
}

void lca_task_open(lua_State *L)
{
  static const luaL_Reg functions[] = { { "spawn", spawn },
                                        { "sleep", sleep_for },
                                        { "run", run },
                                        { "pause", pause_new },
                                        { "can_suspend", can_suspend },
                                        { "in_item", in_item },
                                        { "now", now },
                                        { "live_tasks", live_tasks },
                                        { NULL, NULL } };
  lca_wait_open(L);
  new_classes(L);
  lca_scheduler_of(L);
  luaL_setfuncs(L, functions, 0);
}
