/* The scheduler: starts, resumes, cancels and ends tasks, and runs the loop.
   It never resumes a task from within a resume, nor completes an op from
   within a submit: a task that becomes ready waits for the loop.
   Must not know: curl, the ledger, operations, how tasks wait. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "module/error.h"
#include "module/scheduler_private.h"

#define TASK          "composio.task"
#define GRACE_MS      10000 /* for ops in flight when a signal comes */
#define SAVED_RESULTS 250
/* How many times a task may catch its cancel. A loop over a list with a
   pcall around each call usually ends earlier; an endless loop does not. */
#define SWALLOWED_MAX 100

/* ---- the state's scheduler ---- */

/* Key in the registry, so that a module that is opened twice finds the same
   scheduler. */
static const char sched_key;

/* [-0, +1, -] */
static struct lca_scheduler *push_scheduler(lua_State *L)
{
  lua_rawgetp(L, LUA_REGISTRYINDEX, &sched_key);
  return lua_touserdata(L, -1);
}

/* Pushes a user value of the scheduler. [-0, +1, -] */
static void push_field(lua_State *L, int part)
{
  push_scheduler(L);
  lua_getiuservalue(L, -1, part);
  lua_remove(L, -2);
}

/* Pushes a live task. [-0, +1, -] */
static void push_task(lua_State *L, const struct lca_task *task)
{
  push_field(L, LCA_SCHED_LIVE);
  lua_rawgeti(L, -1, (lua_Integer)task->slot + 1);
  lua_remove(L, -2);
}

/* The core's registers of secrets and warnings have no lock, so one OS thread
   of a process uses composio: that of the first state, until all its states
   are closed. */
static pthread_mutex_t owner_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t owner_thread;
static int owned; /* the states of that thread */

/* Changes the number of this thread's states by `change`. Returns false if the
   states are another thread's. */
static bool own(int change)
{
  bool is_mine;
  (void)pthread_mutex_lock(&owner_lock);
  is_mine = !owned || pthread_equal(owner_thread, pthread_self());
  if(is_mine)
    owner_thread = pthread_self();
  if(is_mine || change < 0)
    owned += change;
  (void)pthread_mutex_unlock(&owner_lock);
  return is_mine;
}

static int refuse_thread(lua_State *L)
{
  return luaL_error(L, "composio: another thread of this process uses it; one "
                       "thread can");
}

static int sched_gc(lua_State *L)
{
  struct lca_scheduler *s = lua_touserdata(L, 1);
  int unjoined = 0;
  uint32_t i;
  if(s->live)
    ca_log_event(&s->log, CA_LOG_WARN, "task",
                 "%zu tasks were spawned and never finished; join them, or "
                 "use composio.run",
                 s->live);
  lua_getiuservalue(L, 1, LCA_SCHED_FAILED);
  for(i = 1; i <= (uint32_t)s->failures; i++) {
    struct lca_task *task;
    lua_rawgeti(L, -1, (lua_Integer)i);
    task = lua_touserdata(L, -1);
    unjoined += task && !task->joined;
    lua_pop(L, 1);
  }
  if(unjoined)
    ca_log_event(&s->log, CA_LOG_WARN, "task",
                 "%d tasks failed and were never joined", unjoined);
  for(i = 0; i < s->size; i++)
    if(s->slots[i].task)
      s->slots[i].task->sched = NULL;
  ca_engine_free(s->engine);
  s->engine = NULL;
  free(s->slots);
  s->slots = NULL;
  if(s->is_owned)
    (void)own(-1);
  s->is_owned = false;
  s->size = 0;
  return 0;
}

static void start_log(struct ca_log *log)
{
  const char *level = getenv("COMPOSIO_LOG");
  log->file = stderr;
  log->format = CA_LOG_TEXT;
  log->clock = ca_clock_system();
  log->level = CA_LOG_WARN;
  if(!level)
    return;
  if(!strcmp(level, "debug"))
    log->level = CA_LOG_DEBUG;
  else if(!strcmp(level, "info"))
    log->level = CA_LOG_INFO;
  else if(!strcmp(level, "off"))
    log->level = CA_LOG_QUIET;
}

/* ---- where a task's code is ---- */

static lua_State *push_origin(lua_State *L)
{
  struct lca_scheduler *s = push_scheduler(L);
  struct lca_task *task = s ? s->running : NULL;
  lua_pop(L, 1);
  if(!task || !task->thread)
    return NULL;
  push_task(L, task);
  lua_getiuservalue(L, -1, LCA_TASK_ORIGIN);
  lua_remove(L, -2);
  return task->thread;
}

void lca_scheduler_set_origin(lua_State *L, struct lca_scheduler *s, int index)
{
  const void *origin = lua_topointer(L, index);
  if(s->running->origin == origin)
    return; /* a bulk runs the same action for each item */
  s->running->origin = origin;
  lua_pushvalue(L, index);
  push_task(L, s->running);
  lua_insert(L, -2);
  lua_setiuservalue(L, -2, LCA_TASK_ORIGIN);
  lua_pop(L, 1);
}

/* Sets the origin of the task on top, which runs the function at index: the
   function, or the line that spawns it if it is not the script's. */
static void set_origin(lua_State *L, int function)
{
  if(lca_error_push_start(L, function)) {
    lua_pop(L, 1);
    lua_pushvalue(L, function);
  } else if(!lca_error_push_place(L))
    lua_pushnil(L);
  lua_setiuservalue(L, -2, LCA_TASK_ORIGIN);
}

/* ---- making the scheduler ---- */

struct lca_scheduler *lca_scheduler_of(lua_State *L)
{
  struct lca_scheduler *s = push_scheduler(L);
  struct ca_err err;
  int part;

  lua_pop(L, 1);
  if(s)
    return s;
  s = lua_newuserdatauv(L, sizeof(*s), 4);
  memset(s, 0, sizeof(*s));
  s->root.sched = s;
  s->root.empty = true;
  for(part = LCA_SCHED_LIVE; part <= LCA_SCHED_FAILED; part++) {
    lua_newtable(L);
    lua_setiuservalue(L, -2, part);
  }
  start_log(&s->log);
  lca_error_set_origin(push_origin);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, sched_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  s->thread = pthread_self();
  s->is_owned = own(1);
  if(!s->is_owned)
    refuse_thread(L);
  ca_err_clear(&err);
  s->engine = ca_engine_new(ca_clock_system(), &s->log, &err);
  if(!s->engine)
    luaL_error(L, "composio: %s", err.text);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &sched_key);
  return s;
}

/* ---- getters and setters ---- */

struct ca_engine *lca_scheduler_engine(struct lca_scheduler *s)
{
  return s->engine;
}

struct ca_log *lca_scheduler_log(struct lca_scheduler *s)
{
  return &s->log;
}

static int64_t now_ms(const struct lca_scheduler *s)
{
  return ca_clock_mono_ms(ca_engine_clock(s->engine));
}

struct lca_task *lca_scheduler_running(struct lca_scheduler *s)
{
  return s->running;
}

lua_State *lca_scheduler_thread(struct lca_task *task)
{
  return task->thread;
}

/* Lua before 5.4.4 does not tell. */
bool lca_scheduler_in_finalizer(lua_State *L)
{
  return lua_gc(L, LUA_GCISRUNNING) < 0;
}

bool lca_scheduler_is_stuck(const struct lca_scheduler *s)
{
  return !s->first && !s->pump && !ca_engine_pending(s->engine);
}

void lca_scheduler_set_pump(struct lca_scheduler *s, lca_pump_fn *pump,
                            void *ctx)
{
  s->pump = pump;
  s->pump_ctx = ctx;
}

void lca_scheduler_set_interrupt(struct lca_scheduler *s,
                                 const volatile int *interrupt)
{
  s->interrupt = interrupt;
}

void lca_scheduler_set_hook(struct lca_scheduler *s, lua_Hook hook, int count,
                            bool always)
{
  s->hook = hook;
  s->hook_count = count;
  s->hook_always = always;
}

void lca_scheduler_trip(struct lca_scheduler *s)
{
  struct lca_task *task = s->running;
  if(s->hook && task && task->thread)
    lua_sethook(task->thread, s->hook, LUA_MASKCOUNT, s->hook_count);
}

/* ---- errors of cancelled tasks ---- */

static void push_cancelled(lua_State *L, struct lca_scheduler *s,
                           struct lca_task *task, bool unknown)
{
  struct ca_err err;
  ca_err_clear(&err);
  if(task && task->cancelled) {
    push_task(L, task);
    lua_getiuservalue(L, -1, LCA_TASK_REASON);
    ca_err_set(&err, CA_CANCELLED, "the task was cancelled: %s",
               lua_isstring(L, -1) ? lua_tostring(L, -1) : "no reason given");
    lua_pop(L, 2);
  } else if(!s->interrupted)
    ca_err_set(&err, CA_CANCELLED, "the task was stopped with its run");
  else if(s->interrupted < 100)
    ca_err_set(&err, CA_CANCELLED, "the run was interrupted by signal %d",
               s->interrupted);
  else /* the host's own reasons, not signals */
    ca_err_set(&err, CA_CANCELLED, "the run is ending");
  err.unknown = unknown;
  lca_error_push_named(L, "ComposioRequestCancelledError", NULL, NULL, &err);
}

/* A cancelled task gets the error at each call, even after a pcall caught
   it. Once the error ends the task, its `__close` handlers may wait for I/O
   again. */
bool lca_scheduler_raises(lua_State *L, struct lca_scheduler *s, bool waiting)
{
  struct lca_task *task = s->running;
  if(!s->engine)
    luaL_error(L, "composio: the Lua state is closing");
  if(!pthread_equal(s->thread, pthread_self()))
    refuse_thread(L);
  if(task && task->killed)
    return true;
  if(s->interrupted && (!waiting || s->gave_up))
    return true;
  return task && task->cancelled && !task->unwinding;
}

/* Throws at every instruction, so that a loop around a pcall ends, too; but
   not while the task unwinds, so that its `__close` handlers still work. */
static void end_hook(lua_State *L, lua_Debug *at)
{
  struct lca_scheduler *s = push_scheduler(L);
  (void)at;
  lua_pop(L, 1);
  if(!s->running || !s->running->unwinding) {
    push_cancelled(L, s, s->running, false);
    lua_error(L);
  }
}

int lca_scheduler_throw(lua_State *L, struct lca_scheduler *s, bool unknown)
{
  struct lca_task *task = s->running;
  if(task && ++task->raised >= SWALLOWED_MAX) {
    lua_sethook(task->thread, end_hook, LUA_MASKCOUNT, 1);
    lua_sethook(L, end_hook, LUA_MASKCOUNT, 1);
  }
  push_cancelled(L, s, task, unknown);
  return lua_error(L);
}

void lca_scheduler_check(lua_State *L, struct lca_scheduler *s, bool waiting)
{
  if(lca_scheduler_raises(L, s, waiting))
    lca_scheduler_throw(L, s, false);
}

/* ---- life of a task ---- */

static int task_body(lua_State *L);

/* Called by on_error, the message handler of a task's bottom frame: returns
   whether the error on top ends the task. Lua also calls that handler for
   errors that something else catches: those of a reader of load, and of
   what coroutine.close closes. Then there is another C function between the
   error and the bottom frame; if all frames between are Lua functions, the
   error ends the task. [-0, +0, -] */
static bool ends_task(lua_State *L, const struct lca_task *task)
{
  lua_Debug at;
  int level;
  if(L != task->thread || !lca_error_is(L, 1))
    return false;
  for(level = 2; lua_getstack(L, level, &at); level++) {
    lua_CFunction function;
    lua_getinfo(L, "f", &at);
    function = lua_tocfunction(L, -1);
    lua_pop(L, 1);
    if(function)
      return function == task_body;
  }
  return false;
}

static int on_error(lua_State *L)
{
  struct lca_scheduler *s = push_scheduler(L);
  lua_pop(L, 1);
  if(s && s->running && s->running->cancelled && ends_task(L, s->running))
    s->running->unwinding = true;
  /* our error objects need no traceback, and there may be many */
  if(s && s->running && !lca_error_is(L, 1)) {
    push_task(L, s->running);
    luaL_traceback(L, L, NULL, 1);
    lua_setiuservalue(L, -2, LCA_TASK_TRACE);
    lua_pop(L, 1);
  }
  lua_settop(L, 1);
  return 1;
}

static int after_body(lua_State *L, int status, lua_KContext ctx)
{
  struct lca_task *task = (struct lca_task *)ctx;
  task->failed = status != LUA_OK && status != LUA_YIELD;
  return lua_gettop(L) - 1;
}

/* Stack: task (light userdata), f, arguments. The errors of f unwind here,
   inside the coroutine, so that its __close handlers may still wait for
   I/O. */
static int task_body(lua_State *L)
{
  struct lca_task *task = lua_touserdata(L, 1);
  lua_pushcfunction(L, on_error);
  lua_replace(L, 1);
  return after_body(L,
                    lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1,
                               (lua_KContext)task, after_body),
                    (lua_KContext)task);
}

static int reset_thread(lua_State *thread, lua_State *from)
{
  if(lua_closethread) /* not before 5.4.6 */
    return lua_closethread(thread, from);
  return lua_resetthread(thread);
}

struct lca_task *lca_scheduler_spawn(lua_State *L, struct lca_scheduler *s,
                                     struct lca_scope *scope, int count)
{
  int base = lua_gettop(L) - count + 1;
  struct lca_task *task = lua_newuserdatauv(L, sizeof(*task), 5);
  lua_State *thread;
  uint32_t slot = 0; /* compilers do not know that luaL_error never returns */

  memset(task, 0, sizeof(*task));
  task->state = LCA_DONE;
  luaL_setmetatable(L, TASK); /* f … task */
  set_origin(L, base);
  /* never a thread of an ended task: a script may hold that one */
  thread = lua_newthread(L);
  lua_setiuservalue(L, -2, LCA_TASK_THREAD);
  if(!lua_checkstack(thread, count + 2))
    luaL_error(L, "composio.spawn: too many arguments");
  if(!lca_taskset_find_slot(s, &slot))
    luaL_error(L, "composio.spawn: out of memory");
  push_field(L, LCA_SCHED_LIVE);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, (lua_Integer)slot + 1);
  lua_pop(L, 1);
  /* nothing throws from here on */
  lua_rotate(L, base, 1); /* task f … */
  lua_pushcfunction(thread, task_body);
  lua_pushlightuserdata(thread, task);
  lua_xmove(L, thread, count);
  task->sched = s;
  task->thread = thread;
  task->scope = scope;
  task->scope_id = scope->id;
  task->count = count + 1;
  task->item = s->running ? s->running->item : 0;
  scope->live++;
  scope->empty = false;
  lca_taskset_take_slot(s, task, slot);
  lca_taskset_make_ready(s, task);
  return task;
}

static void leave_scope(struct lca_scheduler *s, struct lca_scope *scope)
{
  if(--scope->live == 0) {
    uint64_t token = scope->token;
    scope->empty = true;
    scope->token = 0;
    lca_taskset_wake(s, token);
  }
}

/* Ends a task. Stack: … task result; the result is that of `count` values: the
   one value, a list of several, or nil. Runs no finalizer and never throws,
   so whoever joins finds the task either running or complete. [-2, +0, -] */
static void retire(lua_State *L, struct lca_scheduler *s,
                   struct lca_task *task, int count)
{
  lua_setiuservalue(L, -2, LCA_TASK_RESULT);
  lua_pushnil(L);
  lua_setiuservalue(L, -2, LCA_TASK_THREAD);
  task->thread = NULL;
  task->count = count;
  task->state = LCA_DONE;
  task->done = true;
  task->unseen = task->failed && !task->cancelled && !task->killed &&
                 !task->joined && !task->joiners;
  if(task->cancelled)
    s->cancelled--;
  lca_taskset_stop_joining(task);
  push_field(L, LCA_SCHED_LIVE);
  lua_pushnil(L);
  lua_rawseti(L, -2, (lua_Integer)task->slot + 1);
  lua_pop(L, 1);
  lca_taskset_free_slot(s, task);
  while(task->joiners) {
    struct lca_task *joiner = task->joiners;
    uint64_t token = joiner->joiner_token;
    lca_taskset_stop_joining(joiner);
    lca_taskset_wake(s, token);
  }
  leave_scope(s, task->scope);
  task->scope = NULL;
  if(task->unseen) {
    push_field(L, LCA_SCHED_FAILED);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, ++s->failures);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

static void kill_task(lua_State *L, struct lca_scheduler *s,
                      struct lca_task *task)
{
  struct lca_task *before = s->running;
  lca_taskset_leave_queue(s, task);
  push_task(L, task);
  task->killed = true;
  task->failed = true;
  task->state = LCA_RUNNING; /* from now on completions are dropped */
  s->running = task;
  reset_thread(task->thread, L);
  push_cancelled(L, s, task, false);
  s->running = before;
  retire(L, s, task, 1);
}

/* pack(count, …) → a list of a task's results. */
static int pack(lua_State *L)
{
  int count = (int)lua_tointeger(L, 1);
  if(lua_gettop(L) <= count)
    return luaL_error(L, "a task returned %d values; %d can be kept", count,
                      SAVED_RESULTS);
  lua_createtable(L, count, 0);
  lua_replace(L, 1);
  for(; count; count--)
    lua_rawseti(L, 1, count);
  return 1;
}

/* The thread has ended: status is that of lua_resume, count values are on
   its stack. It is still the running task: a finalizer, which may run while
   the results are packed, cannot make others run. */
static void end_task(lua_State *L, struct lca_scheduler *s,
                     struct lca_task *task, int status, int count)
{
  lua_State *thread = task->thread;
  push_task(L, task);
  if(status != LUA_OK) { /* a script closed the task's coroutine */
    lua_xmove(thread, L, 1);
    reset_thread(thread, L);
    task->failed = true;
    count = 1;
  } else if(count > 1) {
    bool fits = count <= SAVED_RESULTS && lua_checkstack(L, count + 10);
    lua_pushcfunction(L, pack);
    lua_pushinteger(L, count);
    if(fits)
      lua_xmove(thread, L, count);
    task->failed |= lua_pcall(L, fits ? count + 1 : 1, 1, 0) != LUA_OK;
  } else if(count)
    lua_xmove(thread, L, 1);
  else
    lua_pushnil(L);
  retire(L, s, task, task->failed ? 1 : count);
}

/* A new thread inherits the hook of the thread that made it, so it is
   cleared. The order makes sure that a signal in between is not missed:
   clear the hook, set s->running, then read s->interrupt. */
static void start_running(struct lca_scheduler *s, struct lca_task *task)
{
  if(s->hook && lua_gethook(task->thread) == s->hook)
    lua_sethook(task->thread, NULL, 0, 0);
  task->state = LCA_RUNNING;
  s->running = task;
  if(s->hook_always || (s->interrupt && *s->interrupt))
    lca_scheduler_trip(s);
}

static void resume(lua_State *L, struct lca_scheduler *s,
                   struct lca_task *task)
{
  lua_State *thread = task->thread;
  int count = 0;
  int status;

  if(!task->started && task->cancelled) {
    kill_task(L, s, task);
    return;
  }
  start_running(s, task);
  status = lua_resume(thread, L, task->started ? 0 : task->count, &count);
  task->started = true;
  if(status != LUA_YIELD)
    end_task(L, s, task, status, count);
  s->running = NULL;
  if(status != LUA_YIELD)
    return;
  lua_pop(thread, count);
  if(task->state == LCA_RUNNING) /* a plain coroutine.yield(): others run */
    lca_taskset_make_ready(s, task);
}

void lca_scheduler_call_apart(lua_State *L, lua_Hook hook, int count)
{
  lua_State *thread = lua_newthread(L);
  int results;
  int status;
  lua_insert(L, -3);
  lua_sethook(thread, hook, LUA_MASKCOUNT, count);
  lua_xmove(L, thread, 2);
  status = lua_resume(thread, L, 1, &results);
  if(status == LUA_YIELD)
    luaL_error(L, "attempt to yield from a finalizer");
  if(status != LUA_OK) {
    lua_xmove(thread, L, 1);
    lua_error(L);
  }
  lua_pop(L, 1);
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

void lca_scheduler_cancel(lua_State *L, int index, int64_t grace_ms)
{
  struct lca_task *task = lua_touserdata(L, index);
  struct lca_scheduler *s = task->sched;
  uint32_t i;
  index = lua_absindex(L, index);
  if(task->done || task->cancelled) {
    lua_pop(L, 1);
    return;
  }
  lua_setiuservalue(L, index, LCA_TASK_REASON);
  task->cancelled = true;
  task->grace_ms = grace_ms;
  task->kill_at_ms = now_ms(s) + grace_ms;
  s->cancelled++;
  if(task->state != LCA_WAITING)
    return;
  if(!task->wait.patient) {
    lca_taskset_make_ready(s, task);
    return;
  }
  /* it waits in composio.run: cancel the tasks of that run instead */
  for(i = 0; i < s->size; i++)
    if(s->slots[i].task && is_owned(s->slots[i].task->scope, task)) {
      push_task(L, s->slots[i].task);
      lua_getiuservalue(L, index, LCA_TASK_REASON);
      lca_scheduler_cancel(L, -2, grace_ms);
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

void lca_scheduler_cancel_scope(lua_State *L, struct lca_scheduler *s,
                                struct lca_scope *scope, const char *reason)
{
  uint32_t i;
  for(i = 0; i < s->size; i++)
    if(s->slots[i].task && is_within(s->slots[i].task->scope, scope)) {
      push_task(L, s->slots[i].task);
      lua_pushstring(L, reason);
      lca_scheduler_cancel(L, -2, GRACE_MS);
      lua_pop(L, 1);
    }
}

void lca_scheduler_kill_scope(lua_State *L, struct lca_scheduler *s,
                              struct lca_scope *scope)
{
  struct lca_scope *up = scope->up;
  uint32_t i;
  if(!s->engine)
    return;
  for(i = 0; i < s->size; i++)
    if(s->slots[i].task && is_within(s->slots[i].task->scope, scope) &&
       s->slots[i].task->state != LCA_RUNNING)
      kill_task(L, s, s->slots[i].task);
  /* a running task that closed its own run's coroutine moves to the outer
     scope */
  for(i = 0; i < s->size; i++)
    if(s->slots[i].task && up && s->slots[i].task->scope == scope) {
      s->slots[i].task->scope = up;
      up->live++;
      up->empty = false;
    }
}

static void kill_overdue(lua_State *L, struct lca_scheduler *s)
{
  int64_t now = now_ms(s);
  uint32_t i;
  for(i = 0; i < s->size; i++) {
    struct lca_task *task = s->slots[i].task;
    if(task && task->cancelled && task->kill_at_ms <= now &&
       task->state != LCA_RUNNING && !task->wait.patient) {
      ca_log_event(&s->log, CA_LOG_WARN, "task",
                   "a cancelled task did not end within %.1f s and was "
                   "stopped",
                   (double)task->grace_ms / 1000.0);
      kill_task(L, s, task);
    }
  }
}

/* Pushes the text of the error value on top. Does not call a script's own
   `__tostring`, which could make calls and so run the event loop while
   failures are collected. */
static const char *push_failure(lua_State *L)
{
  if(lca_error_is(L, -1))
    return lca_error_push_line(L, -1);
  if(lua_isstring(L, -1))
    lua_pushvalue(L, -1);
  else
    lua_pushfstring(L, "it raised a %s", luaL_typename(L, -1));
  return lua_tostring(L, -1);
}

bool lca_scheduler_take_failure(lua_State *L, struct lca_scheduler *s,
                                struct lca_scope *scope)
{
  bool found = false;
  int left = 0;
  int count = s->failures;
  int i;

  if(!count)
    return false;
  push_field(L, LCA_SCHED_FAILED); /* failed */
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
      lua_rawseti(L, -2, ++left);
    else if(!found) {
      found = true;
      lca_scheduler_keep_trace(L, lua_gettop(L));
      lua_getiuservalue(L, -1, LCA_TASK_RESULT);
      lua_replace(L, -2);
      lua_insert(L, -2); /* error failed */
    } else {
      lua_getiuservalue(L, -1, LCA_TASK_RESULT);
      ca_log_event(&s->log, CA_LOG_WARN, "task", "another task failed: %s",
                   push_failure(L));
      lua_pop(L, 3);
    }
  }
  s->failures = left;
  lua_pop(L, 1);
  return found;
}

void lca_scheduler_keep_trace(lua_State *L, int task)
{
  task = lua_absindex(L, task);
  push_scheduler(L);
  lua_getiuservalue(L, task, LCA_TASK_TRACE);
  lua_setiuservalue(L, -2, LCA_SCHED_TRACE);
  lua_pop(L, 1);
}

void lca_scheduler_push_traceback(lua_State *L, struct lca_scheduler *s)
{
  (void)s;
  push_scheduler(L);
  lua_getiuservalue(L, -1, LCA_SCHED_TRACE);
  lua_remove(L, -2);
}

/* ---- turning ---- */

/* Runs each task that is ready now once; returns false if there was none. */
static bool run_ready(lua_State *L, struct lca_scheduler *s)
{
  size_t count = s->ready;
  if(!count)
    return false;
  while(count-- && s->first) {
    struct lca_task *task = s->first;
    s->first = task->next;
    if(!s->first)
      s->last = NULL;
    s->ready--;
    resume(L, s, task);
  }
  return true;
}

static void check_signal(lua_State *L, struct lca_scheduler *s)
{
  if(!s->interrupt || !*s->interrupt)
    return;
  if(!s->interrupted) {
    s->interrupted = *s->interrupt;
    s->interrupted_ms = now_ms(s);
    ca_engine_stop(s->engine, true);
  } else if(!s->gave_up && now_ms(s) - s->interrupted_ms >= GRACE_MS) {
    s->gave_up = true;
    lca_scheduler_cancel_scope(L, s, &s->root, "the run was interrupted");
  }
}

static int nothing(lua_State *L)
{
  (void)L;
  return 0;
}

void lca_scheduler_turn(lua_State *L, struct lca_scheduler *s, bool may_resume,
                        int wait_ms)
{
  struct ca_err err;
  bool finalizer = lca_scheduler_in_finalizer(L);
  bool top = may_resume && !s->running && !finalizer;

  if(!s->engine)
    luaL_error(L, "composio: the Lua state is closing");
  if(top && run_ready(L, s))
    wait_ms = 0;            /* the caller's condition may be true now */
  if(s->pump && !finalizer) /* which may run within the pump */
    wait_ms = s->pump(s->pump_ctx, L, wait_ms);
  else if(!ca_engine_pending(s->engine))
    wait_ms = 0;
  if(top && s->first)
    wait_ms = 0;
  else if((s->cancelled || s->interrupted) && wait_ms > 50)
    wait_ms = 50; /* their deadlines are checked here, not by the engine */
  ca_err_clear(&err);
  if(ca_engine_step(s->engine, wait_ms, &err))
    luaL_error(L, "composio: %s", err.text);
  check_signal(L, s);
  if(s->cancelled && top)
    kill_overdue(L, s);
  /* the stand-alone interpreter handles Ctrl-C by a hook, and hooks need a
     call */
  if(lua_gethookmask(L) & LUA_MASKCALL) {
    lua_pushcfunction(L, nothing);
    lua_call(L, 0, 0);
  }
}
