/* composio-spec SCRIPT [ARGUMENTS]: runs a Lua script like lua5.4, without
   limits, with the module linked in, so that the specs run under the
   sanitizers that the program was built with. Must not know: what a spec is.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <lua.h>
#include <lauxlib.h>
#include <lualib.h>
#include "module/open.h"

static int on_error(lua_State *L)
{
  const char *text = luaL_tolstring(L, 1, NULL);
  luaL_traceback(L, L, text, 1);
  return 1;
}

static int run(lua_State *L)
{
  int argc = (int)lua_tointeger(L, 1);
  char **argv = lua_touserdata(L, 2);
  int i;

  luaL_checkversion(L);
  luaL_openlibs(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, lca_open);
  lua_setfield(L, -2, "composio");
  lua_createtable(L, argc, 1);
  for(i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - 1);
  }
  lua_setglobal(L, "arg");
  lua_pushcfunction(L, on_error);
  if(luaL_loadfile(L, argv[1]))
    return lua_error(L);
  luaL_checkstack(L, argc, "arguments");
  for(i = 2; i < argc; i++)
    lua_pushstring(L, argv[i]);
  if(lua_pcall(L, argc - 2, 0, -argc))
    return lua_error(L);
  return 0;
}

/* A background job or nohup starts us with signals ignored, and the programs
   to which specs send signals would inherit that. */
static void heed_signals(void)
{
  (void)signal(SIGINT, SIG_DFL);
  (void)signal(SIGQUIT, SIG_DFL);
  (void)signal(SIGHUP, SIG_DFL);
  (void)signal(SIGTERM, SIG_DFL);
}

int main(int argc, char **argv)
{
  lua_State *L;
  int status;

  if(argc < 2) {
    fprintf(stderr, "usage: composio-spec SCRIPT [ARGUMENTS]\n");
    return 2;
  }
  heed_signals();
  L = luaL_newstate();
  if(!L) {
    fprintf(stderr, "composio-spec: out of memory\n");
    return 1;
  }
  lua_pushcfunction(L, run);
  lua_pushinteger(L, argc);
  lua_pushlightuserdata(L, argv);
  status = lua_pcall(L, 2, 0, 0);
  if(status)
    fprintf(stderr, "composio-spec: %s\n", lua_tostring(L, -1));
  lua_close(L);
  return status ? 1 : 0;
}
