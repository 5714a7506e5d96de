/* Limits a script's memory, CPU time and instructions; sandbox.lua limits the
   libraries that it sees. Must not know: command line options, the ledger's
   rows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>
#include <lauxlib.h>
#include <lualib.h>
#include "base/held.h"
#include "host/sandbox.h"
#include "base/text.h"
#include "module/error.h"
#include "job/run.h"
#include "module/open.h"
#include "module/scheduler.h"
#include "module/table.h"

#define HOOK_STEP   10000
#define CPU_STEP_MS 100
/* How much more CPU time a script has to notice that it has none left: a C
   function, such as string.find, does not. */
#define CPU_GRACE_MS 2000

/* ---- memory ---- */

void host_sandbox_end_refused(struct host_sandbox *limits)
{
  char text[100];
  if(!limits->refused || !limits->run)
    return;
  snprintf(text, sizeof(text),
           "the script needs more than %zu MB of memory (--memory MB)",
           limits->memory_bytes >> 20);
  /* only once: to set a hook starts its count anew */
  if(lca_run_limit(limits->run, text))
    host_sandbox_trip(limits);
}

/* Returns whether the limit lets a block grow. When an allocation is refused,
   Lua collects all garbage and asks for the same once more, so a refusal is an
   error if anything else follows it. A script may catch that error. */
static bool may_grow(struct host_sandbox *limits, const void *old,
                     size_t old_size, size_t size)
{
  bool over = limits->used_bytes + (size - old_size) > limits->memory_bytes;
  bool retries = limits->refused_block == old && limits->refused_size == size;
  if(over || !retries)
    host_sandbox_end_refused(limits);
  limits->refused = over;
  limits->refused_block = old;
  limits->refused_size = size;
  return !over;
}

static void *allocate(void *ctx, void *old, size_t old_size, size_t size)
{
  struct host_sandbox *limits = ctx;
  void *now;
  if(!old)
    old_size = 0; /* Lua passes the kind of object here */
  if(!size) {
    free(old);
    limits->used_bytes -= old_size;
    return NULL;
  }
  if(size > old_size && !may_grow(limits, old, old_size, size))
    return NULL;
  now = old ? realloc(old, size) : malloc(size);
  if(now)
    limits->used_bytes += size - old_size;
  return now;
}

static int panic(lua_State *L)
{
  const char *text = lua_tostring(L, -1);
  fprintf(stderr, "composio-lua: %s\n", text ? text : "out of memory");
  _exit(70);
}

static const char limits_key;

lua_State *host_sandbox_state(struct host_sandbox *limits)
{
  lua_State *L = lua_newstate(allocate, limits);
  if(!L)
    return NULL;
  memset(lua_getextraspace(L), 0, LUA_EXTRASPACE); /* there is no run yet */
  lua_atpanic(L, panic);
  lua_pushlightuserdata(L, limits);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &limits_key);
  return L;
}

/* ---- instructions ---- */

/* Has the script computed for so long, and longer than the limit by grace_ms,
   without a call or a step of the engine? */
static bool is_cpu_used_up(const struct host_sandbox *limits, int64_t grace_ms)
{
  return limits->cpu_ms && limits->alive == limits->alive_seen &&
         (int64_t)limits->cpu_steps * CPU_STEP_MS >= limits->cpu_ms + grace_ms;
}

static void hook(lua_State *L, lua_Debug *debug)
{
  struct host_sandbox *limits;
  (void)debug;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &limits_key);
  limits = lua_touserdata(L, -1);
  lua_pop(L, 1);
  limits->executed += HOOK_STEP;
  if(limits->instructions && limits->executed > limits->instructions)
    lca_run_stop(L, LCA_STOP_LIMIT,
                 "the script executed more than %lld instructions "
                 "(--instructions)",
                 (long long)limits->instructions);
  if(is_cpu_used_up(limits, 0))
    lca_run_stop(L, LCA_STOP_LIMIT,
                 "the script used the CPU for %g s without an API call "
                 "(--cpu DUR)",
                 (double)limits->cpu_ms / 1000);
  lca_run_check(L);
}

/* Lua calls no hook within a hook, in a finalizer, or in a message handler or
   a `__close` of an error that a hook raised. What a script can put into these
   places is wrapped, so that a limit still ends it. */

static int body_ended(lua_State *L, int status, lua_KContext ctx)
{
  (void)ctx;
  return status == LUA_OK || status == LUA_YIELD ? lua_gettop(L)
                                                 : lua_error(L);
}

/* The body of a coroutine, around the script's (upvalue 1): an error unwinds
   here, and not when the dead coroutine is closed. */
static int coroutine_body(lua_State *L)
{
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  return body_ended(
      L, lua_pcallk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, 0, body_ended), 0);
}

/* coroutine.create and coroutine.wrap (upvalue 1): their threads have the hook
   from the start, because a signal handler knows only the threads of tasks. */
static int make_coroutine(lua_State *L)
{
  lua_Hook before = lua_gethook(L);
  int mask = lua_gethookmask(L);
  int count = lua_gethookcount(L);
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_pushcclosure(L, coroutine_body, 1);
  lua_sethook(L, hook, LUA_MASKCOUNT,
              HOOK_STEP); /* a new thread inherits it */
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 1);
  lua_sethook(L, before, mask, count);
  lca_run_check(L); /* a signal may have arrived meanwhile */
  return 1;
}

/* The message handler of xpcall, around the script's (upvalue 1). */
static int handle_message(lua_State *L)
{
  if(lca_run_has_ended(L))
    return 1;
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 1);
  return 1;
}

/* What pcall and xpcall return. The error that ends a run cannot be caught: it
   goes on, so that what is open is closed and nothing else runs. hidden: how
   many values below the results are not among them. */
static int protected_ended(lua_State *L, int status, lua_KContext hidden)
{
  if(status == LUA_OK || status == LUA_YIELD)
    return lua_gettop(L) - (int)hidden;
  if(lca_run_has_ended(L))
    return lua_error(L);
  lua_pushboolean(L, 0);
  lua_insert(L, -2);
  return 2;
}

static int hooked_pcall(lua_State *L)
{
  luaL_checkany(L, 1);
  lua_pushboolean(L, 1);
  lua_insert(L, 1);
  return protected_ended(
      L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, protected_ended),
      0);
}

static int hooked_xpcall(lua_State *L)
{
  int count = lua_gettop(L);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_pushvalue(L, 2);
  lua_pushcclosure(L, handle_message, 1);
  lua_replace(L, 2);
  lua_pushboolean(L, 1);
  lua_pushvalue(L, 1);
  lua_rotate(L, 3, 2); /* function, handler, true, function, arguments */
  return protected_ended(
      L, lua_pcallk(L, count - 2, LUA_MULTRET, 2, 2, protected_ended), 2);
}

/* coroutine.resume; upvalue 1 is Lua's. As pcall, it does not catch the error
   that ends a run. */
static int hooked_resume(lua_State *L)
{
  int count = lua_tocfunction(L, lua_upvalueindex(1))(L);
  if(!lua_toboolean(L, -count) && lca_run_has_ended(L))
    return lua_error(L);
  return count;
}

static void hook_coroutines(lua_State *L)
{
  static const char *const makers[] = { "create", "wrap" };
  size_t i;
  lua_getglobal(L, "coroutine");
  for(i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
    lua_getfield(L, -1, makers[i]);
    lua_pushcclosure(L, make_coroutine, 1);
    lua_setfield(L, -2, makers[i]);
  }
  lua_getfield(L, -1, "resume");
  lua_pushcclosure(L, hooked_resume, 1);
  lua_setfield(L, -2, "resume");
  lua_pop(L, 1);
}

/* Lua itself never sees a script's finalizer, which could be replaced after
   setmetatable: a sentinel, which holds the object, is finalized in its place.
   It is the value of the object in a table with weak keys, so both die
   together, and it calls what is then the `__gc` of the object. */

static const char sentinels_key;
#define SENTINEL "composio.sentinel"

/* Calls the finalizer in a thread of its own, where there are hooks. */
static int finalize(lua_State *L)
{
  lua_settop(L, 1);
  lua_getiuservalue(L, 1, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &sentinels_key);
  lua_pushvalue(L, 2);
  lua_pushnil(L);
  lua_rawset(L, -3); /* setmetatable may mark the object again */
  if(!lua_getmetatable(L, 2))
    return 0;
  lua_pushliteral(L, "__gc");
  if(lua_rawget(L, -2) == LUA_TNIL)
    return 0;
  lua_pushvalue(L, 2);
  lca_scheduler_call_apart(L, hook, HOOK_STEP);
  return 0;
}

/* Gives the table at 1 a sentinel unless it has one. */
static void add_sentinel(lua_State *L)
{
  lua_rawgetp(L, LUA_REGISTRYINDEX, &sentinels_key);
  lua_pushvalue(L, 1);
  if(lua_rawget(L, -2) == LUA_TNIL) {
    lua_pushvalue(L, 1);
    (void)lua_newuserdatauv(L, 0, 1);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    lua_pushvalue(L, -1);
    lua_insert(L, -3);
    lua_rawset(L, -5);
    luaL_setmetatable(L, SENTINEL); /* the last: it cannot die before */
  }
  lua_settop(L, 2);
}

/* setmetatable; upvalue 1 is Lua's. It hides `__gc` from Lua meanwhile; no
   garbage is collected then, so that no script sees it. */
static int hooked_setmetatable(lua_State *L)
{
  if(lua_type(L, 1) != LUA_TTABLE || lua_type(L, 2) != LUA_TTABLE)
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
  lua_settop(L, 2);
  lua_pushliteral(L, "__gc");
  lua_pushvalue(L, 3);
  if(lua_rawget(L, 2) == LUA_TNIL) {
    lua_settop(L, 2);
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
  }
  if(luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
    return luaL_error(L, "cannot change a protected metatable");
  lua_pushvalue(L, 3);
  lua_pushnil(L);
  lua_rawset(L, 2);
  lua_pushvalue(L, 2);
  lua_setmetatable(L, 1);
  lua_rawset(L, 2);
  add_sentinel(L);
  lua_settop(L, 1);
  return 1;
}

static void open_sentinels(lua_State *L)
{
  static const luaL_Reg events[] = { { "__gc", finalize }, { NULL, NULL } };
  lca_table_class(L, SENTINEL, events, NULL);
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lca_table_set_text(L, "__mode", "k");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &sentinels_key);
}

static void wrap_global(lua_State *L, const char *name, lua_CFunction wrapper)
{
  lua_getglobal(L, name);
  lua_pushcclosure(L, wrapper, 1);
  lua_setglobal(L, name);
}

void host_sandbox_hook(lua_State *L)
{
  struct host_sandbox *limits;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &limits_key);
  limits = lua_touserdata(L, -1);
  lua_pop(L, 1);
  lua_sethook(L, hook, LUA_MASKCOUNT, HOOK_STEP);
  lca_scheduler_set_hook(lca_scheduler_of(L), hook, HOOK_STEP,
                         limits->instructions != 0);
  hook_coroutines(L);
  lua_pushcfunction(L, hooked_pcall);
  lua_setglobal(L, "pcall");
  lua_pushcfunction(L, hooked_xpcall);
  lua_setglobal(L, "xpcall");
  open_sentinels(L);
  wrap_global(L, "setmetatable", hooked_setmetatable);
  limits->run = lca_run_of(L);
  limits->sched = lca_scheduler_of(L);
}

void host_sandbox_trip(struct host_sandbox *limits)
{
  if(limits->sched)
    lca_scheduler_trip(limits->sched);
}

void host_sandbox_watch_cpu(const struct host_sandbox *limits, bool on)
{
  struct itimerval every = { { 0, 0 }, { 0, 0 } };
  if(on && limits->cpu_ms)
    every.it_interval.tv_usec = CPU_STEP_MS * 1000;
  every.it_value = every.it_interval;
  (void)setitimer(ITIMER_PROF, &every, NULL);
}

bool host_sandbox_count_cpu(struct host_sandbox *limits)
{
  if(limits->alive != limits->alive_seen) {
    limits->alive_seen = limits->alive;
    limits->cpu_steps = 0;
  } else {
    limits->cpu_steps++;
    if(is_cpu_used_up(limits, 0))
      host_sandbox_trip(limits);
  }
  return !is_cpu_used_up(limits, CPU_GRACE_MS);
}

/* ---- functions for scripts ---- */

/* printable(line) → the line with control bytes escaped. */
static int printable(lua_State *L)
{
  size_t len;
  const char *line = luaL_checklstring(L, 1, &len);
  luaL_Buffer clean;
  char *to = luaL_buffinitsize(L, &clean, len * 6 + 1);
  ca_text_harmless(to, len * 6 + 1, line, len);
  luaL_pushresultsize(&clean, strlen(to));
  return 1;
}

/* hold(text): holds back what the script prints until the run has ended. */
static int hold(lua_State *L)
{
  struct host_sandbox *limits = lua_touserdata(L, lua_upvalueindex(1));
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  ca_held_add(limits->held, text, len);
  return 0;
}

/* os.exit(code): ends the run, so that the ledger is closed. */
static int run_exit(lua_State *L)
{
  int code;
  if(lua_isnoneornil(L, 1) || lua_isboolean(L, 1))
    code = lua_isboolean(L, 1) && !lua_toboolean(L, 1) ? 1 : 0;
  else
    code = (int)luaL_checkinteger(L, 1) & 0xff;
  return lca_run_exit(L, code);
}

/* ---- libraries ---- */

/* Pushes a function of sandbox.lua. */
static void push_function(lua_State *L, const char *name)
{
  lua_getglobal(L, "require");
  lua_pushliteral(L, "composio.sandbox");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, name);
  lua_remove(L, -2);
}

void host_sandbox_open(lua_State *L)
{
  luaL_openlibs(L);
  lca_open_parts(L);
  push_function(L, "open");
  lua_call(L, 0, 0);
}

void host_sandbox_close(lua_State *L, const char *dir, bool allow_io,
                        bool allow_os, bool is_ours)
{
  push_function(L, "close");
  lua_createtable(L, 0, 8);
  lca_table_set_text(L, "dir", dir);
  lca_table_set_text(L, "library_path", LUA_PATH_DEFAULT);
  lca_table_set_bool(L, "allow_io", allow_io);
  lca_table_set_bool(L, "allow_os", allow_os);
  lca_table_set_bool(L, "is_ours", is_ours);
  lca_table_set_bool(L, "on_terminal", isatty(STDOUT_FILENO));
  lua_pushcfunction(L, run_exit);
  lua_setfield(L, -2, "exit");
  lua_pushcfunction(L, printable);
  lua_setfield(L, -2, "printable");
  lua_rawgetp(L, LUA_REGISTRYINDEX, &limits_key);
  if(((struct host_sandbox *)lua_touserdata(L, -1))->held) {
    lua_pushcclosure(L, hold, 1);
    lua_setfield(L, -2, "hold");
  } else {
    lua_pop(L, 1);
  }
  lua_call(L, 1, 0);
}

int host_sandbox_load(lua_State *L, const char *text, size_t len,
                      const char *path)
{
  const struct ca_slice whole = { text, len };
  int status;
  lua_pushfstring(L, "@%s", path);
  if(len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
    text += 3;
    len -= 3;
  }
  if(len && text[0] == '#') { /* keep its line end: line numbers stay right */
    const char *end = memchr(text, '\n', len);
    len = end ? len - (size_t)(end - text) : 0;
    text = end ? end : text;
  }
  if(len && text[0] == LUA_SIGNATURE[0]) {
    lua_pushfstring(L, "%s is bytecode; a script must be Lua text", path);
    status = LUA_ERRSYNTAX;
  } else if(ca_text_is_utf16(whole)) {
    lua_pushfstring(L, "%s is UTF-16: save it as UTF-8", path);
    status = LUA_ERRSYNTAX;
  } else {
    status = luaL_loadbufferx(L, text, len, lua_tostring(L, -1), "t");
  }
  lua_remove(L, -2); /* the name */
  return status;
}
