/* The functions and fields of composio.host that job.lua uses: the script's
   arguments, the help of the options, the argument parser.
   Must not know: curl, the ledger, how runs are carried out. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <lauxlib.h>
#include "host/host.h"

/* host.unreadable(path) → why the file cannot be read, or nil. */
static int host_unreadable(lua_State *L)
{
  if(access(luaL_checkstring(L, 1), R_OK))
    lua_pushfstring(L, "cannot be read: %s", strerror(errno));
  else
    lua_pushnil(L);
  return 1;
}

/* Finds a Lua library in the absolute directories of Lua's default path.
   Pushes its path and returns true, or pushes nothing. */
static bool find_library(lua_State *L, const char *name)
{
  const char *place = LUA_PATH_DEFAULT;
  while(*place) {
    size_t len = strcspn(place, ";");
    const char *path;
    lua_pushlstring(L, place, len);
    path = luaL_gsub(L, lua_tostring(L, -1), "?", name);
    lua_remove(L, -2);
    if(*place == '/' && !access(path, R_OK))
      return true;
    lua_pop(L, 1);
    place += len + (place[len] == ';');
  }
  return false;
}

/* host.argparse(name) → a new parser of the library argparse. */
static int host_argparse(lua_State *L)
{
  luaL_checkstring(L, 1);
  if(!find_library(L, "argparse"))
    return lca_run_stop(L, LCA_STOP_USAGE,
                        "composio.job needs argparse for Lua: install the "
                        "package lua-argparse");
  if(luaL_loadfilex(L, lua_tostring(L, -1), "t"))
    return lua_error(L);
  lua_call(L, 0, 1);
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

void host_command_line_push(lua_State *L, char **words, int count)
{
  int i;
  lua_createtable(L, count, 1);
  for(i = 0; i < count; i++) {
    lua_pushstring(L, words[i]);
    lua_rawseti(L, -2, i + 1);
  }
}

void host_command_line_add(lua_State *L, struct host *host)
{
  char text[HOST_OPTIONS_SIZE];
  int i;
  lua_newtable(L);
  for(i = 0; host_options_table_name(i); i++) {
    lua_pushstring(L, host_options_table_name(i));
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "option_names");
  host_options_table_text(text, sizeof(text));
  lua_pushstring(L, text);
  lua_setfield(L, -2, "options_text");
  host_command_line_push(L, host->options.params, host->options.param_count);
  lua_setfield(L, -2, "params");
  lua_pushstring(L, host->options.script);
  lua_setfield(L, -2, "script");
  lua_pushboolean(L, host->options.help);
  lua_setfield(L, -2, "wants_help");
  lua_pushcfunction(L, host_unreadable);
  lua_setfield(L, -2, "unreadable");
  lua_pushcfunction(L, host_argparse);
  lua_setfield(L, -2, "argparse");
}
