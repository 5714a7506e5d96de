/* The scheduler: moves tasks from state to state and turns the engine.
   Must not know: curl, the ledger, operations, how tasks wait.
   Nothing here is resumed from within a resume, and nothing is completed from
   within a submit: a task that becomes ready waits for the loop. */
#include <stdlib.h>
#include <string.h>
#include "lua_error.h"
#include "lua_sched_part.h"

#define TASK         "composio.task"
#define GRACE_MS     10000
#define IDLE_MAX     1024 /* threads kept for later tasks */
#define KEPT_RESULTS 250
/* A script that goes through a list with a pcall around each call comes to
   its end before that; a loop for ever does not. */
#define SWALLOWED_MAX 100

/* User values of the scheduler. */
enum { LIVE = 1, IDLE, FAILED, TRACE };

static const char sched_key; /* in the registry */

struct lca_sched {
  struct ca_engine *engine; /* NULL when the state is closing */
  struct ca_log log;
  struct lca_task **tasks; /* by slot; NULL: free */
  uint32_t *generations;   /* by slot; outlive the tasks */
  uint32_t size;
  uint32_t free_hint;
  size_t live;
  struct lca_task *first; /* ready, FIFO */
  struct lca_task *last;
  size_t ready;
  struct lca_task *running;
  bool busy; /* within the resuming loop */
  int idle;  /* threads in the pool */
  int failures;
  int cancelled; /* live tasks with a time to be killed at */
  struct lca_scope root;
  void (*pump)(void *ctx, lua_State *L);
  void *pump_ctx;
  const volatile int *interrupt;
  int interrupted; /* the signal, once seen */
  int64_t interrupted_ms;
  bool gave_up; /* the time for ops under way is over */
  lua_Hook hook;
  int hook_count;
  lua_CFunction pcall; /* how a swallowed error is told from unwinding */
  lua_CFunction xpcall;
};

/* ---- questions ---- */

struct ca_engine *lca_sched_engine(struct lca_sched *s)
{
  return s->engine;
}

struct ca_log *lca_sched_log(struct lca_sched *s)
{
  return &s->log;
}

struct lca_task *lca_sched_running(struct lca_sched *s)
{
  return s->running;
}

lua_State *lca_task_thread(struct lca_task *task)
{
  return task->thread;
}

int64_t lca_task_item(const struct lca_task *task)
{
  return task->item;
}

void lca_task_set_item(struct lca_task *task, int64_t item)
{
  task->item = item;
}

size_t lca_sched_live(const struct lca_sched *s)
{
  return s->live;
}

struct lca_scope *lca_sched_root(struct lca_sched *s)
{
  return &s->root;
}

bool lca_sched_busy(const struct lca_sched *s)
{
  return s->busy;
}

bool lca_sched_has_ready(const struct lca_sched *s)
{
  return s->first != NULL;
}

bool lca_sched_has_pump(const struct lca_sched *s)
{
  return s->pump != NULL;
}

void lca_sched_set_pump(struct lca_sched *s,
                        void (*pump)(void *ctx, lua_State *L), void *ctx)
{
  s->pump = pump;
  s->pump_ctx = ctx;
}

void lca_sched_set_interrupt(struct lca_sched *s,
                             const volatile int *interrupt)
{
  s->interrupt = interrupt;
}

void lca_sched_set_hook(struct lca_sched *s, lua_Hook hook, int count)
{
  s->hook = hook;
  s->hook_count = count;
}

static int64_t now_ms(const struct lca_sched *s)
{
  return ca_clock_mono_ms(ca_engine_clock(s->engine));
}

/* ---- userdata of the scheduler and its tasks on the stack ---- */

/* [-0, +1, -] */
static struct lca_sched *push_sched(lua_State *L)
{
  lua_rawgetp(L, LUA_REGISTRYINDEX, &sched_key);
  return lua_touserdata(L, -1);
}

/* A table of the scheduler's. [-0, +1, -] */
static void push_part(lua_State *L, int part)
{
  push_sched(L);
  lua_getiuservalue(L, -1, part);
  lua_remove(L, -2);
}

/* A live task. [-0, +1, -] */
static void push_task(lua_State *L, const struct lca_task *task)
{
  push_part(L, LIVE);
  lua_rawgeti(L, -1, (lua_Integer)task->slot + 1);
  lua_remove(L, -2);
}

/* ---- the ready queue, slots, tokens ---- */

static void make_ready(struct lca_sched *s, struct lca_task *task)
{
  task->state = LCA_READY;
  task->next = NULL;
  if(s->last)
    s->last->next = task;
  else
    s->first = task;
  s->last = task;
  s->ready++;
}

static void leave_queue(struct lca_sched *s, struct lca_task *task)
{
  struct lca_task **link = &s->first;
  struct lca_task *before = NULL;
  while(*link && *link != task) {
    before = *link;
    link = &before->next;
  }
  if(!*link)
    return;
  *link = task->next;
  if(s->last == task)
    s->last = before;
  s->ready--;
}

static bool take_slot(struct lca_sched *s, struct lca_task *task)
{
  uint32_t slot = s->free_hint;
  while(slot < s->size && s->tasks[slot])
    slot++;
  if(slot == s->size) {
    uint32_t size = s->size ? s->size * 2 : 64;
    struct lca_task **tasks = realloc(s->tasks, size * sizeof(*tasks));
    uint32_t *generations;
    if(!tasks)
      return false;
    s->tasks = tasks;
    generations = realloc(s->generations, size * sizeof(*generations));
    if(!generations)
      return false;
    s->generations = generations;
    memset(tasks + s->size, 0, (size - s->size) * sizeof(*tasks));
    memset(generations + s->size, 0, (size - s->size) * sizeof(*generations));
    s->size = size;
  }
  s->tasks[slot] = task;
  s->free_hint = slot + 1;
  task->slot = slot;
  task->generation = ++s->generations[slot];
  return true;
}

static void free_slot(struct lca_sched *s, struct lca_task *task)
{
  s->tasks[task->slot] = NULL;
  s->generations[task->slot] = task->generation + 1;
  if(task->slot < s->free_hint)
    s->free_hint = task->slot;
}

uint64_t lca_sched_suspend(struct lca_sched *s)
{
  struct lca_task *task = s->running;
  task->state = LCA_WAITING;
  task->generation++;
  return (uint64_t)task->generation << 32 | (task->slot + 1);
}

void lca_sched_wake(struct lca_sched *s, uint64_t token)
{
  uint32_t slot = (uint32_t)token - 1;
  struct lca_task *task;
  if(!token)
    return;
  task = slot < s->size ? s->tasks[slot] : NULL;
  if(task && task->state == LCA_WAITING &&
     task->generation == (uint32_t)(token >> 32))
    make_ready(s, task);
  else
    ca_log_event(&s->log, CA_LOG_DEBUG, "wake",
                 "a completion for a wait that is over was dropped");
}

void lca_task_leave(struct lca_task *task)
{
  struct lca_task **link;
  if(!task->joining)
    return;
  for(link = &task->joining->joiners; *link; link = &(*link)->next_joiner)
    if(*link == task) {
      *link = task->next_joiner;
      break;
    }
  task->joining = NULL;
  task->next_joiner = NULL;
}

/* ---- errors of cancelled tasks ---- */

void lca_sched_push_cancelled(lua_State *L, struct lca_sched *s,
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
  } else
    ca_err_set(&err, CA_CANCELLED, "the run was interrupted by signal %d",
               s->interrupted);
  err.unknown = unknown;
  lca_error_push_named(L, "ComposioRequestCancelledError", NULL, NULL, &err);
}

/* The bottom frame of every task. */
static int task_body(lua_State *L);

/* Is L inside a __close that runs because an error unwinds? Then a frame of
   pcall (or our own bottom frame) is on the stack whose callee does not stand
   in the callee's place any more: a C frame's values reach up to the next
   frame, and while it calls f the value at f's place belongs to f. */
static bool is_unwinding(lua_State *L, const struct lca_sched *s)
{
  lua_Debug at;
  int level;
  for(level = 1; lua_getstack(L, level, &at); level++) {
    lua_CFunction function;
    int place;
    lua_getinfo(L, "f", &at);
    function = lua_tocfunction(L, -1);
    lua_pop(L, 1);
    if(!function)
      continue;
    if(function == s->pcall || function == task_body)
      place = 2;
    else if(function == s->xpcall)
      place = 4;
    else
      continue;
    if(lua_getlocal(L, &at, place)) {
      lua_pop(L, 1);
      return true;
    }
  }
  return false;
}

bool lca_sched_raises(lua_State *L, struct lca_sched *s, bool waiting)
{
  struct lca_task *task = s->running;
  if(!s->engine)
    luaL_error(L, "composio: the Lua state is closing");
  if(task && task->killed)
    return true;
  if(s->interrupted && (!waiting || s->gave_up))
    return true;
  return task && task->cancelled && !is_unwinding(L, s);
}

/* Throws at every instruction, so that a loop around a pcall ends, too. What
   closes because of that may still work. */
static void end_hook(lua_State *L, lua_Debug *at)
{
  struct lca_sched *s = push_sched(L);
  (void)at;
  lua_pop(L, 1);
  if(!is_unwinding(L, s)) {
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

/* ---- life of a task ---- */

static int on_error(lua_State *L)
{
  struct lca_sched *s = push_sched(L);
  lua_pop(L, 1);
  /* what the world said needs no traceback, and there may be many */
  if(s && s->running && lua_type(L, 1) == LUA_TSTRING) {
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

/* Stack: task (light), f, arguments. The errors of f unwind here, inside the
   coroutine, so that its __close handlers may still wait for I/O. */
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
#if LUA_VERSION_RELEASE_NUM >= 50406
  return lua_closethread(thread, from);
#else
  (void)from;
  return lua_resetthread(thread);
#endif
}

struct lca_task *lca_sched_spawn(lua_State *L, struct lca_sched *s,
                                 struct lca_scope *scope, int count)
{
  int base = lua_gettop(L) - count + 1;
  struct lca_task *task = lua_newuserdatauv(L, sizeof(*task), 4);
  lua_State *thread;

  memset(task, 0, sizeof(*task));
  task->state = LCA_DONE;
  luaL_setmetatable(L, TASK); /* f … task */
  push_part(L, IDLE);
  if(s->idle)
    lua_rawgeti(L, -1, s->idle);
  else
    lua_newthread(L);
  thread = lua_tothread(L, -1); /* f … task idle thread */
  if(!lua_checkstack(thread, count + 2))
    luaL_error(L, "composio.spawn: too many arguments");
  if(s->idle) {
    lua_pushnil(L);
    lua_rawseti(L, -3, s->idle--);
  }
  lua_setiuservalue(L, -3, LCA_TASK_THREAD);
  lua_pop(L, 1);
  push_part(L, LIVE);
  if(!take_slot(s, task))
    luaL_error(L, "composio.spawn: out of memory");
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, (lua_Integer)task->slot + 1);
  lua_pop(L, 1);
  lua_rotate(L, base, 1); /* task f … */
  lua_pushcfunction(thread, task_body);
  lua_pushlightuserdata(thread, task);
  lua_xmove(L, thread, count);
  task->sched = s;
  task->thread = thread;
  task->scope = scope;
  task->count = count + 1;
  task->item = s->running ? s->running->item : 0;
  scope->live++;
  scope->empty = false;
  s->live++;
  make_ready(s, task);
  return task;
}

/* Gives the thread back. The task's userdata is on top. [-0, +0, m] */
static void store_thread(lua_State *L, struct lca_sched *s,
                         struct lca_task *task)
{
  lua_State *thread = task->thread;
  task->thread = NULL;
  lua_settop(thread, 0);
  lua_sethook(thread, NULL, 0, 0);
  if(s->idle < IDLE_MAX) {
    push_part(L, IDLE);
    lua_getiuservalue(L, -2, LCA_TASK_THREAD);
    lua_rawseti(L, -2, ++s->idle);
    lua_pop(L, 1);
  }
  lua_pushnil(L);
  lua_setiuservalue(L, -2, LCA_TASK_THREAD);
}

static void leave_scope(struct lca_sched *s, struct lca_scope *scope)
{
  if(--scope->live == 0) {
    uint64_t token = scope->token;
    scope->empty = true;
    scope->token = 0;
    lca_sched_wake(s, token);
  }
}

/* The task is over; its results, or its error, are the `count` values on top
   of L. [-count, +0, m] */
static void finish(lua_State *L, struct lca_sched *s, struct lca_task *task,
                   int count)
{
  int i;

  task->state = LCA_DONE;
  task->done = true;
  task->count = count;
  if(task->cancelled)
    s->cancelled--;
  lca_task_leave(task);
  push_task(L, task);
  lua_insert(L, -1 - count); /* task results */
  if(count > 1) {
    lua_createtable(L, count, 0);
    lua_insert(L, -1 - count);
    for(i = count; i >= 1; i--)
      lua_rawseti(L, -1 - i, i);
  }
  if(count)
    lua_setiuservalue(L, -2, LCA_TASK_RESULT);
  store_thread(L, s, task);
  if(task->failed && !task->cancelled && !task->joined && !task->joiners) {
    push_part(L, FAILED);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, ++s->failures);
    lua_pop(L, 1);
  }
  push_part(L, LIVE);
  lua_pushnil(L);
  lua_rawseti(L, -2, (lua_Integer)task->slot + 1);
  lua_pop(L, 2);
  free_slot(s, task);
  s->live--;
  while(task->joiners) {
    struct lca_task *joiner = task->joiners;
    uint64_t token = joiner->joiner_token;
    lca_task_leave(joiner);
    lca_sched_wake(s, token);
  }
  leave_scope(s, task->scope);
  task->scope = NULL;
}

/* Ends a task that will not run again by itself. [-0, +0, m] */
static void kill_task(lua_State *L, struct lca_sched *s, struct lca_task *task)
{
  struct lca_task *before = s->running;
  leave_queue(s, task);
  task->killed = true;
  task->failed = true;
  task->state = LCA_RUNNING; /* completions from now on are dropped */
  s->running = task;
  reset_thread(task->thread, L);
  s->running = before;
  lca_sched_push_cancelled(L, s, task, false);
  finish(L, s, task, 1);
}

static void resume(lua_State *L, struct lca_sched *s, struct lca_task *task)
{
  lua_State *thread = task->thread;
  int count = 0;
  int status;

  if(!task->started && task->cancelled) {
    kill_task(L, s, task);
    return;
  }
  if(s->hook)
    lua_sethook(thread, s->hook, LUA_MASKCOUNT, s->hook_count);
  task->state = LCA_RUNNING;
  s->running = task;
  status = lua_resume(thread, L, task->started ? 0 : task->count, &count);
  s->running = NULL;
  task->started = true;
  if(status == LUA_YIELD) {
    lua_pop(thread, count);
    if(task->state == LCA_RUNNING) /* a bare coroutine.yield(): others' turn */
      make_ready(s, task);
    return;
  }
  if(status != LUA_OK) { /* somebody closed the coroutine under us */
    lua_xmove(thread, L, 1);
    reset_thread(thread, L);
    task->failed = true;
    count = 1;
  } else {
    if(!task->failed && count > KEPT_RESULTS) {
      lua_settop(thread, 0);
      lua_pushfstring(thread, "a task returned %d values; %d can be kept",
                      count, KEPT_RESULTS);
      task->failed = true;
      count = 1;
    }
    luaL_checkstack(L, count + 8, "task results");
    lua_xmove(thread, L, count);
  }
  finish(L, s, task, count);
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
  task->kill_at_ms = now_ms(s) + grace_ms;
  s->cancelled++;
  if(task->state != LCA_WAITING)
    return;
  if(!task->wait.patient) {
    make_ready(s, task);
    return;
  }
  /* it waits in composio.run: what it started goes first */
  for(i = 0; i < s->size; i++)
    if(s->tasks[i] && is_owned(s->tasks[i]->scope, task)) {
      push_task(L, s->tasks[i]);
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
      push_task(L, s->tasks[i]);
      lua_pushstring(L, reason);
      lca_sched_cancel(L, -2, GRACE_MS);
      lua_pop(L, 1);
    }
}

void lca_sched_kill_scope(lua_State *L, struct lca_sched *s,
                          struct lca_scope *scope)
{
  uint32_t i;
  if(!s->engine)
    return;
  for(i = 0; i < s->size; i++)
    if(s->tasks[i] && is_within(s->tasks[i]->scope, scope) &&
       s->tasks[i]->state != LCA_RUNNING)
      kill_task(L, s, s->tasks[i]);
  /* a task that closed its own run's coroutine goes on without it */
  for(i = 0; i < s->size; i++)
    if(s->tasks[i] && s->tasks[i]->scope == scope) {
      s->tasks[i]->scope = scope->up;
      scope->up->live++;
      scope->up->empty = false;
    }
}

static void kill_overdue(lua_State *L, struct lca_sched *s)
{
  int64_t now = now_ms(s);
  uint32_t i;
  for(i = 0; i < s->size; i++) {
    struct lca_task *task = s->tasks[i];
    if(task && task->cancelled && task->kill_at_ms <= now &&
       task->state != LCA_RUNNING && !task->wait.patient) {
      ca_log_event(&s->log, CA_LOG_WARN, "task",
                   "a cancelled task did not end within %lld s and was "
                   "stopped",
                   (long long)(task->grace_ms / 1000));
      kill_task(L, s, task);
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
  push_part(L, FAILED); /* failed */
  s->failures = 0;
  for(i = 1; i <= count; i++) {
    struct lca_task *task;
    lua_rawgeti(L, -1, i);
    task = lua_touserdata(L, -1); /* failed task */
    lua_pushnil(L);
    lua_rawseti(L, -3, i);
    if(task->joined)
      lua_pop(L, 1);
    else if(!scope->empty)
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
  push_sched(L);
  lua_getiuservalue(L, task, LCA_TASK_TRACE);
  lua_setiuservalue(L, -2, TRACE);
  lua_pop(L, 1);
}

void lca_sched_push_traceback(lua_State *L, struct lca_sched *s)
{
  (void)s;
  push_sched(L);
  lua_getiuservalue(L, -1, TRACE);
  lua_remove(L, -2);
}

/* ---- turning ---- */

static void run_ready(lua_State *L, struct lca_sched *s)
{
  size_t count = s->ready;
  s->busy = true;
  while(count-- && s->first) {
    struct lca_task *task = s->first;
    s->first = task->next;
    if(!s->first)
      s->last = NULL;
    s->ready--;
    resume(L, s, task);
  }
  s->busy = false;
}

static void look_at_signal(lua_State *L, struct lca_sched *s)
{
  if(!s->interrupt || !*s->interrupt)
    return;
  if(!s->interrupted) {
    s->interrupted = *s->interrupt;
    s->interrupted_ms = now_ms(s);
    ca_engine_stop(s->engine, true);
  } else if(!s->gave_up && now_ms(s) - s->interrupted_ms >= GRACE_MS) {
    s->gave_up = true;
    lca_sched_cancel_scope(L, s, &s->root, "the run was interrupted");
  }
}

static int nothing(lua_State *L)
{
  (void)L;
  return 0;
}

void lca_sched_turn(lua_State *L, struct lca_sched *s, bool may_resume,
                    int wait_ms)
{
  struct ca_err err;
  bool top = may_resume && !s->running && !s->busy;

  if(!s->engine)
    luaL_error(L, "composio: the Lua state is closing");
  if(top)
    run_ready(L, s);
  if(s->pump)
    s->pump(s->pump_ctx, L);
  if(top && s->first)
    wait_ms = 0;
  else if((s->cancelled || s->interrupted) && wait_ms > 50)
    wait_ms = 50; /* their time is kept here, not by the engine */
  ca_err_clear(&err);
  if(ca_engine_step(s->engine, wait_ms, &err))
    luaL_error(L, "composio: %s", err.text);
  look_at_signal(L, s);
  if(s->cancelled && top)
    kill_overdue(L, s);
  /* the stand-alone interpreter's Ctrl-C is a hook, and hooks need a call */
  if(lua_gethookmask(L) & LUA_MASKCALL) {
    lua_pushcfunction(L, nothing);
    lua_call(L, 0, 0);
  }
}

/* ---- the state's scheduler ---- */

static int sched_gc(lua_State *L)
{
  struct lca_sched *s = lua_touserdata(L, 1);
  int unjoined = 0;
  uint32_t i;
  if(s->live)
    ca_log_event(&s->log, CA_LOG_WARN, "task",
                 "%zu tasks were spawned and never finished; join them, or "
                 "use composio.run",
                 s->live);
  lua_getiuservalue(L, 1, FAILED);
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
    if(s->tasks[i])
      s->tasks[i]->sched = NULL;
  ca_engine_free(s->engine);
  s->engine = NULL;
  free(s->tasks);
  free(s->generations);
  s->tasks = NULL;
  s->generations = NULL;
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

static lua_CFunction global_function(lua_State *L, const char *name)
{
  lua_CFunction function;
  lua_getglobal(L, name);
  function = lua_tocfunction(L, -1);
  lua_pop(L, 1);
  return function;
}

struct lca_sched *lca_sched_of(lua_State *L)
{
  struct lca_sched *s = push_sched(L);
  struct ca_err err;
  int part;

  lua_pop(L, 1);
  if(s)
    return s;
  s = lua_newuserdatauv(L, sizeof(*s), 4);
  memset(s, 0, sizeof(*s));
  s->root.sched = s;
  s->root.empty = true;
  for(part = LIVE; part <= FAILED; part++) {
    lua_newtable(L);
    lua_setiuservalue(L, -2, part);
  }
  s->pcall = global_function(L, "pcall");
  s->xpcall = global_function(L, "xpcall");
  start_log(&s->log);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, sched_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  ca_err_clear(&err);
  s->engine = ca_engine_new(ca_clock_system(), &s->log, &err);
  if(!s->engine)
    luaL_error(L, "composio: %s", err.text);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &sched_key);
  return s;
}
