/* Cancelling: what a task that must not go on meets, and what becomes of
   failures nobody looked at.
   Must not know: curl, the ledger, operations, how tasks wait. */
#include "module/error.h"
#include "module/scheduler_private.h"

#define GRACE_MS 10000
/* A script that goes through a list with a pcall around each call comes to
   its end before that; a loop for ever does not. */
#define SWALLOWED_MAX 100

/* ---- errors of cancelled tasks ---- */

void lca_sched_push_cancelled(lua_State *L, struct lca_sched *s,
                              struct lca_task *task, bool unknown)
{
  struct ca_err err;
  ca_err_clear(&err);
  if(task && task->cancelled) {
    lca_sched_push_task(L, task);
    lua_getiuservalue(L, -1, LCA_TASK_REASON);
    ca_err_set(&err, CA_CANCELLED, "the task was cancelled: %s",
               lua_isstring(L, -1) ? lua_tostring(L, -1) : "no reason given");
    lua_pop(L, 2);
  } else if(!s->interrupted)
    ca_err_set(&err, CA_CANCELLED, "the task was stopped with its run");
  else if(s->interrupted < 100)
    ca_err_set(&err, CA_CANCELLED, "the run was interrupted by signal %d",
               s->interrupted);
  else /* the host's own reasons */
    ca_err_set(&err, CA_CANCELLED, "the run is ending");
  err.unknown = unknown;
  lca_error_push_named(L, "ComposioRequestCancelledError", NULL, NULL, &err);
}

/* A cancelled task meets its cancel at each call, also behind a pcall. When
   the error ends the task, what closes on the way out (`__close`) may wait for
   I/O again. */
bool lca_sched_raises(lua_State *L, struct lca_sched *s, bool waiting)
{
  struct lca_task *task = s->running;
  if(!s->engine)
    luaL_error(L, "composio: the Lua state is closing");
  if(task && task->killed)
    return true;
  if(s->interrupted && (!waiting || s->gave_up))
    return true;
  return task && task->cancelled && !task->unwinding;
}

/* Throws at every instruction, so that a loop around a pcall ends, too. What
   closes because of that may still work. */
static void end_hook(lua_State *L, lua_Debug *at)
{
  struct lca_sched *s = lca_sched_push(L);
  (void)at;
  lua_pop(L, 1);
  if(!s->running || !s->running->unwinding) {
    lca_sched_push_cancelled(L, s, s->running, false);
    lua_error(L);
  }
}

int lca_sched_throw(lua_State *L, struct lca_sched *s, bool unknown)
{
  struct lca_task *task = s->running;
  if(task && ++task->raised >= SWALLOWED_MAX) {
    lua_sethook(task->thread, end_hook, LUA_MASKCOUNT, 1);
    lua_sethook(L, end_hook, LUA_MASKCOUNT, 1);
  }
  lca_sched_push_cancelled(L, s, task, unknown);
  return lua_error(L);
}

void lca_sched_check(lua_State *L, struct lca_sched *s, bool waiting)
{
  if(lca_sched_raises(L, s, waiting))
    lca_sched_throw(L, s, false);
}

/* ---- cancelling ---- */

static bool is_owned(const struct lca_scope *scope,
                     const struct lca_task *owner)
{
  for(; scope; scope = scope->up)
    if(scope->owner == owner)
      return true;
  return false;
}

void lca_sched_cancel(lua_State *L, int index, int64_t grace_ms)
{
  struct lca_task *task = lua_touserdata(L, index);
  struct lca_sched *s = task->sched;
  uint32_t i;
  index = lua_absindex(L, index);
  if(task->done || task->cancelled) {
    lua_pop(L, 1);
    return;
  }
  lua_setiuservalue(L, index, LCA_TASK_REASON);
  task->cancelled = true;
  task->grace_ms = grace_ms;
  task->kill_at_ms = lca_sched_now_ms(s) + grace_ms;
  s->cancelled++;
  if(task->state != LCA_WAITING)
    return;
  if(!task->wait.patient) {
    lca_sched_make_ready(s, task);
    return;
  }
  /* it waits in composio.run: what it started goes first */
  for(i = 0; i < s->size; i++)
    if(s->tasks[i] && is_owned(s->tasks[i]->scope, task)) {
      lca_sched_push_task(L, s->tasks[i]);
      lua_getiuservalue(L, index, LCA_TASK_REASON);
      lca_sched_cancel(L, -2, grace_ms);
      lua_pop(L, 1);
    }
}

static bool is_within(const struct lca_scope *scope,
                      const struct lca_scope *outer)
{
  for(; scope; scope = scope->up)
    if(scope == outer)
      return true;
  return false;
}

void lca_sched_cancel_scope(lua_State *L, struct lca_sched *s,
                            struct lca_scope *scope, const char *reason)
{
  uint32_t i;
  for(i = 0; i < s->size; i++)
    if(s->tasks[i] && is_within(s->tasks[i]->scope, scope)) {
      lca_sched_push_task(L, s->tasks[i]);
      lua_pushstring(L, reason);
      lca_sched_cancel(L, -2, GRACE_MS);
      lua_pop(L, 1);
    }
}

void lca_sched_kill_scope(lua_State *L, struct lca_sched *s,
                          struct lca_scope *scope)
{
  struct lca_scope *up = scope->up;
  uint32_t i;
  if(!s->engine)
    return;
  for(i = 0; i < s->size; i++)
    if(s->tasks[i] && is_within(s->tasks[i]->scope, scope) &&
       s->tasks[i]->state != LCA_RUNNING)
      lca_sched_kill(L, s, s->tasks[i]);
  /* a task that closed its own run's coroutine goes on without it */
  for(i = 0; i < s->size; i++)
    if(s->tasks[i] && up && s->tasks[i]->scope == scope) {
      s->tasks[i]->scope = up;
      up->live++;
      up->empty = false;
    }
}

void lca_sched_kill_overdue(lua_State *L, struct lca_sched *s)
{
  int64_t now = lca_sched_now_ms(s);
  uint32_t i;
  for(i = 0; i < s->size; i++) {
    struct lca_task *task = s->tasks[i];
    if(task && task->cancelled && task->kill_at_ms <= now &&
       task->state != LCA_RUNNING && !task->wait.patient) {
      ca_log_event(&s->log, CA_LOG_WARN, "task",
                   "a cancelled task did not end within %.1f s and was "
                   "stopped",
                   (double)task->grace_ms / 1000.0);
      lca_sched_kill(L, s, task);
    }
  }
}

bool lca_sched_take_failure(lua_State *L, struct lca_sched *s,
                            struct lca_scope *scope)
{
  bool found = false;
  int kept = 0;
  int count = s->failures;
  int i;

  if(!count)
    return false;
  lca_sched_push_part(L, LCA_SCHED_FAILED); /* failed */
  s->failures = 0;
  for(i = 1; i <= count; i++) {
    struct lca_task *task;
    lua_rawgeti(L, -1, i);
    task = lua_touserdata(L, -1); /* failed task */
    lua_pushnil(L);
    lua_rawseti(L, -3, i);
    if(task->joined)
      lua_pop(L, 1);
    else if(task->scope_id != scope->id)
      lua_rawseti(L, -2, ++kept);
    else if(!found) {
      found = true;
      lca_sched_keep_trace(L, s, lua_gettop(L));
      lua_getiuservalue(L, -1, LCA_TASK_RESULT);
      lua_replace(L, -2);
      lua_insert(L, -2); /* error failed */
    } else {
      lua_getiuservalue(L, -1, LCA_TASK_RESULT);
      ca_log_event(&s->log, CA_LOG_WARN, "task", "another task failed: %s",
                   luaL_tolstring(L, -1, NULL));
      lua_pop(L, 3);
    }
  }
  s->failures = kept;
  lua_pop(L, 1);
  return found;
}

void lca_sched_keep_trace(lua_State *L, struct lca_sched *s, int task)
{
  (void)s;
  task = lua_absindex(L, task);
  lca_sched_push(L);
  lua_getiuservalue(L, task, LCA_TASK_TRACE);
  lua_setiuservalue(L, -2, LCA_SCHED_TRACE);
  lua_pop(L, 1);
}

void lca_sched_push_traceback(lua_State *L, struct lca_sched *s)
{
  (void)s;
  lca_sched_push(L);
  lua_getiuservalue(L, -1, LCA_SCHED_TRACE);
  lua_remove(L, -2);
}
