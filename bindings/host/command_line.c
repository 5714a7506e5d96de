/* The functions and fields of composio.host that job.lua uses: the script's
   arguments, the help of the options.
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
}
