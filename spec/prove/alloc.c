/* A host like composio-spec whose scripts can run another script in a separate
   Lua state while the n-th allocation fails, whether Lua, libcurl, SQLite or
   our own code makes it (the linker wraps our malloc, calloc, realloc, strdup
   and strndup). alloc_try(path, arguments, n, width) runs the script;
   allocations n to n+width-1 fail. Returns the number of allocations, the
   script's error or nil, and its global `verdict`. Must not know: what the
   scripts do. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <curl/curl.h>
#include <dlfcn.h>
#include <lua.h>
#include <lauxlib.h>
#include <lualib.h>
#include <sqlite3.h>
#include "module/open.h"

/* The names that the linker's --wrap gives; see CMakeLists.txt. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);

static bool armed;
static long made, first, width;

/* Counts an allocation; returns whether it is to fail. */
static bool strike(void)
{
  if(!armed)
    return false;
  made++;
  return made >= first && made - first < width;
}

void *__wrap_malloc(size_t size)
{
  return strike() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
  return strike() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
  return strike() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
  return strike() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t len)
{
  return strike() ? NULL : __real_strndup(text, len);
}

/* ---- SQLite: it asks for a block's size, kept in front of the block ---- */

#define ROOM 16

static void *sql_malloc(int size)
{
  char *at = strike() ? NULL : __real_malloc((size_t)size + ROOM);
  if(!at)
    return NULL;
  memcpy(at, &size, sizeof(size));
  return at + ROOM;
}

static void sql_free(void *old)
{
  if(old)
    free((char *)old - ROOM);
}

static void *sql_realloc(void *old, int size)
{
  char *at;
  if(strike())
    return NULL;
  at = __real_realloc(old ? (char *)old - ROOM : NULL, (size_t)size + ROOM);
  if(!at)
    return NULL;
  memcpy(at, &size, sizeof(size));
  return at + ROOM;
}

static int sql_size(void *old)
{
  int size = 0;
  if(old)
    memcpy(&size, (char *)old - ROOM, sizeof(size));
  return size;
}

static int sql_round(int size)
{
  return (size + 7) & ~7;
}

static int sql_begin(void *ctx)
{
  (void)ctx;
  return SQLITE_OK;
}

static void sql_end(void *ctx)
{
  (void)ctx;
}

static bool take_over(void)
{
  static const struct sqlite3_mem_methods methods = { sql_malloc,  sql_free,
                                                      sql_realloc, sql_size,
                                                      sql_round,   sql_begin,
                                                      sql_end,     NULL };
  return !sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) &&
         !sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) &&
         !curl_global_init_mem(CURL_GLOBAL_DEFAULT, __wrap_malloc, free,
                               __wrap_realloc, __wrap_strdup, __wrap_calloc);
}

/* ---- lua-cjson ---- */

/* Its decoder leaks a buffer when Lua throws inside it: a known bug, not ours.
   The module has to stay loaded so that the leak report has its name. */
__attribute__((visibility("default"))) const char *
__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
  return "leak:cjson.so";
}

/* alloc_pin(path): keeps a C module loaded until the program ends. */
static int alloc_pin(lua_State *L)
{
  if(!dlopen(luaL_checkstring(L, 1), RTLD_NOW | RTLD_NODELETE))
    return luaL_error(L, "%s", dlerror());
  return 0;
}

/* ---- states ---- */

static void *lua_memory(void *ctx, void *old, size_t old_size, size_t size)
{
  (void)ctx;
  if(!size) {
    free(old);
    return NULL;
  }
  /* Lua assumes that shrinking a block never fails */
  if((!old || size > old_size) && strike())
    return NULL;
  return __real_realloc(old, size);
}

static int panic(lua_State *L)
{
  fprintf(stderr, "panic at allocation %ld, width %ld: %s\n", first, width,
          lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "?");
  _exit(70);
}

static int on_error(lua_State *L)
{
  if(lua_type(L, 1) != LUA_TSTRING)
    luaL_tolstring(L, 1, NULL);
  return 1;
}

/* Lua arguments: path, a string that the script gets. */
static int run_script(lua_State *L)
{
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, lca_open);
  lua_setfield(L, -2, "composio");
  if(luaL_loadfile(L, lua_touserdata(L, 1)))
    return lua_error(L);
  lua_pushstring(L, lua_touserdata(L, 2));
  lua_call(L, 1, 0);
  return 0;
}

static int open_libraries(lua_State *L)
{
  luaL_openlibs(L);
  return 0;
}

/* Pushes everything first: once armed, the state may run out of memory. */
static int run_state(lua_State *inner, const char *path, const char *argument)
{
  lua_pushcfunction(inner, on_error);
  lua_pushcfunction(inner, run_script);
  lua_pushlightuserdata(inner, (void *)(uintptr_t)path);
  lua_pushlightuserdata(inner, (void *)(uintptr_t)argument);
  made = 0;
  armed = true;
  return lua_pcall(inner, 2, 0, -4);
}

static void copy_text(lua_State *to, lua_State *from)
{
  const char *text =
      lua_type(from, -1) == LUA_TSTRING ? lua_tostring(from, -1) : NULL;
  lua_pushstring(to, text); /* nil when there is none */
}

static int alloc_try(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1);
  const char *argument = luaL_checkstring(L, 2);
  lua_State *inner;
  int status;
  first = (long)luaL_checkinteger(L, 3);
  width = (long)luaL_checkinteger(L, 4);
  inner = lua_newstate(lua_memory, NULL);
  if(!inner)
    return luaL_error(L, "out of memory");
  lua_atpanic(inner, panic);
  lua_pushcfunction(inner, open_libraries);
  lua_call(inner, 0, 0);
  status = run_state(inner, path, argument);
  armed = false;
  lua_pushinteger(L, made);
  if(status)
    copy_text(L, inner);
  else
    lua_pushnil(L);
  lua_getglobal(inner, "verdict");
  copy_text(L, inner);
  armed = true; /* closing the state must work without memory, too */
  lua_close(inner);
  armed = false;
  return 3;
}

static int run(lua_State *L)
{
  int argc = (int)lua_tointeger(L, 1);
  char **argv = lua_touserdata(L, 2);
  int i;
  luaL_openlibs(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, lca_open);
  lua_setfield(L, -2, "composio");
  lua_register(L, "alloc_try", alloc_try);
  lua_register(L, "alloc_pin", alloc_pin);
  lua_createtable(L, argc, 1);
  for(i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - 1);
  }
  lua_setglobal(L, "arg");
  if(luaL_loadfile(L, argv[1]))
    return lua_error(L);
  lua_call(L, 0, 0);
  return 0;
}

int main(int argc, char **argv)
{
  lua_State *L;
  int status;
  if(argc < 2) {
    fprintf(stderr, "usage: composio-alloc SCRIPT [ARGUMENTS]\n");
    return 2;
  }
  if(!take_over()) {
    fprintf(stderr, "composio-alloc: cannot take over allocation\n");
    return 1;
  }
  L = luaL_newstate();
  if(!L)
    return 1;
  lua_pushcfunction(L, run);
  lua_pushinteger(L, argc);
  lua_pushlightuserdata(L, argv);
  status = lua_pcall(L, 2, 0, 0);
  if(status)
    fprintf(stderr, "composio-alloc: %s\n", lua_tostring(L, -1));
  lua_close(L);
  return status ? 1 : 0;
}
