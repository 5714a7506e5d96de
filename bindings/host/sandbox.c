/* Limits a script's memory and instructions; sandbox.lua limits the libraries
   that it sees. Must not know: command line options, the ledger's rows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <lauxlib.h>
#include <lualib.h>
#include "host/sandbox.h"
#include "base/text.h"
#include "module/error.h"
#include "job/run.h"
#include "module/open.h"
#include "module/scheduler.h"
#include "module/table.h"

#define HOOK_STEP 10000

/* ---- memory ---- */

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
  if(size > old_size &&
     limits->used_bytes + (size - old_size) > limits->memory_bytes) {
    limits->memory_refused = true;
    return NULL;
  }
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
  lua_atpanic(L, panic);
  lua_pushlightuserdata(L, limits);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &limits_key);
  return L;
}

/* ---- instructions ---- */

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
  lca_run_check(L);
}

/* coroutine.create and coroutine.wrap (upvalue 1): their threads have the hook
   from the start, because a signal handler knows only the threads of tasks. */
static int make_coroutine(lua_State *L)
{
  lua_Hook before = lua_gethook(L);
  int mask = lua_gethookmask(L);
  int count = lua_gethookcount(L);
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_sethook(L, hook, LUA_MASKCOUNT,
              HOOK_STEP); /* a new thread inherits it */
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 1);
  lua_sethook(L, before, mask, count);
  lca_run_check(L); /* a signal may have arrived meanwhile */
  return 1;
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
  lua_pop(L, 1);
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
  limits->sched = lca_scheduler_of(L);
}

void host_sandbox_trip(struct host_sandbox *limits)
{
  if(limits->sched)
    lca_scheduler_trip(limits->sched);
}

/* ---- functions for scripts ---- */

/* printable(line) → the line with control bytes escaped. */
static int printable(lua_State *L)
{
  size_t len;
  const char *line = luaL_checklstring(L, 1, &len);
  luaL_Buffer clean;
  char *to = luaL_buffinitsize(L, &clean, len * 6 + 1);
  ca_text_printable(to, len * 6 + 1, line, len);
  luaL_pushresultsize(&clean, strlen(to));
  return 1;
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
  lua_call(L, 1, 0);
}

int host_sandbox_load(lua_State *L, const char *text, size_t len,
                      const char *path)
{
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
  } else {
    status = luaL_loadbufferx(L, text, len, lua_tostring(L, -1), "t");
  }
  lua_remove(L, -2); /* the name */
  return status;
}
