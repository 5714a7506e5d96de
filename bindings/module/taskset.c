/* The state's scheduler: its making and end, its ready queue, slots and
   tokens. Must not know: what tasks do, how they are resumed. It is a userdata
   in the registry, so that a module that is opened twice finds the same one.
 */
#include <stdlib.h>
#include <string.h>
#include "module/scheduler_private.h"

static const char sched_key; /* in the registry */

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

void lca_sched_init_scope(struct lca_sched *s, struct lca_scope *scope,
                          struct lca_task *owner)
{
  memset(scope, 0, sizeof(*scope));
  scope->sched = s;
  scope->id = ++s->scopes;
  scope->up = owner ? owner->scope : &s->root;
  scope->owner = owner;
}

bool lca_sched_has_ready(const struct lca_sched *s)
{
  return s->first != NULL;
}

bool lca_sched_has_pump(const struct lca_sched *s)
{
  return s->pump != NULL;
}

void lca_sched_set_pump(struct lca_sched *s, lca_pump_fn *pump, void *ctx)
{
  s->pump = pump;
  s->pump_ctx = ctx;
}

void lca_sched_set_interrupt(struct lca_sched *s,
                             const volatile int *interrupt)
{
  s->interrupt = interrupt;
}

void lca_sched_set_hook(struct lca_sched *s, lua_Hook hook, int count,
                        bool always)
{
  s->hook = hook;
  s->hook_count = count;
  s->hook_always = always;
}

void lca_sched_trip(struct lca_sched *s)
{
  struct lca_task *task = s->running;
  if(s->hook && task && task->thread)
    lua_sethook(task->thread, s->hook, LUA_MASKCOUNT, s->hook_count);
}

int64_t lca_sched_now_ms(const struct lca_sched *s)
{
  return ca_clock_mono_ms(ca_engine_clock(s->engine));
}

/* ---- userdata of the scheduler and its tasks on the stack ---- */

/* [-0, +1, -] */
struct lca_sched *lca_sched_push(lua_State *L)
{
  lua_rawgetp(L, LUA_REGISTRYINDEX, &sched_key);
  return lua_touserdata(L, -1);
}

/* A table of the scheduler's. [-0, +1, -] */
void lca_sched_push_part(lua_State *L, int part)
{
  lca_sched_push(L);
  lua_getiuservalue(L, -1, part);
  lua_remove(L, -2);
}

/* A live task. [-0, +1, -] */
void lca_sched_push_task(lua_State *L, const struct lca_task *task)
{
  lca_sched_push_part(L, LCA_SCHED_LIVE);
  lua_rawgeti(L, -1, (lua_Integer)task->slot + 1);
  lua_remove(L, -2);
}

/* ---- the ready queue, slots, tokens ---- */

void lca_sched_make_ready(struct lca_sched *s, struct lca_task *task)
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

void lca_sched_leave_queue(struct lca_sched *s, struct lca_task *task)
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

bool lca_sched_find_slot(struct lca_sched *s, uint32_t *found)
{
  uint32_t slot = s->free_hint;
  while(slot < s->size && s->tasks[slot])
    slot++;
  if(slot == s->size) {
    uint32_t size = s->size ? s->size * 2 : 64;
    struct lca_task **tasks =
        realloc(s->tasks, size * sizeof(struct lca_task *));
    uint32_t *generations;
    if(!tasks)
      return false;
    s->tasks = tasks;
    generations = realloc(s->generations, size * sizeof(*generations));
    if(!generations)
      return false;
    s->generations = generations;
    memset(tasks + s->size, 0, (size - s->size) * sizeof(struct lca_task *));
    memset(generations + s->size, 0, (size - s->size) * sizeof(*generations));
    s->size = size;
  }
  *found = slot;
  return true;
}

void lca_sched_take_slot(struct lca_sched *s, struct lca_task *task,
                         uint32_t slot)
{
  s->tasks[slot] = task;
  s->free_hint = slot + 1;
  s->live++;
  task->slot = slot;
  task->generation = ++s->generations[slot];
}

void lca_sched_free_slot(struct lca_sched *s, struct lca_task *task)
{
  s->tasks[task->slot] = NULL;
  s->generations[task->slot] = task->generation + 1;
  if(task->slot < s->free_hint)
    s->free_hint = task->slot;
  s->live--;
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
    lca_sched_make_ready(s, task);
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

struct lca_sched *lca_sched_of(lua_State *L)
{
  struct lca_sched *s = lca_sched_push(L);
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
