/* What help.lua and job.lua ask of the host: the options, the script's
   arguments, the shipped scripts. Must not know: curl, the ledger, how runs
   are carried out. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <lualib.h>
#include "host/host.h"
#include "module/open.h"
#include "module/table.h"

/* ---- lists ---- */

void host_help_push_words(lua_State *L, char **words, int count)
{
  int i;
  lua_createtable(L, count, 1);
  for(i = 0; i < count; i++) {
    lua_pushstring(L, words[i]);
    lua_rawseti(L, -2, i + 1);
  }
}

/* host.scripts() → the directory of the shipped scripts, and their names.
   Raises if there are none. */
static int list_scripts(lua_State *L)
{
  char dir[HOST_PATH_SIZE];
  struct host_paths_names names;
  struct ca_err err;
  ca_err_clear(&err);
  if(host_paths_scripts(dir, sizeof(dir), &names, &err)) {
    lua_pushstring(L, err.text);
    return lua_error(L);
  }
  lua_pushstring(L, dir);
  host_help_push_words(L, names.list, names.count);
  host_paths_free_names(&names);
  return 2;
}

/* ---- composio.host ---- */

/* host.unreadable(path) → why the file cannot be read, or nil. */
static int host_unreadable(lua_State *L)
{
  if(access(luaL_checkstring(L, 1), R_OK))
    lua_pushfstring(L, "cannot be read: %s", strerror(errno));
  else
    lua_pushnil(L);
  return 1;
}

void host_help_add(lua_State *L, struct host *host)
{
  host_options_table_push(L);
  lua_setfield(L, -2, "options");
  host_help_push_words(L, host->options.params, host->options.param_count);
  lua_setfield(L, -2, "params");
  lca_table_set_text(L, "script", host->options.script);
  lca_table_set_bool(L, "wants_help", host->options.help);
  lua_pushcfunction(L, host_unreadable);
  lua_setfield(L, -2, "unreadable");
}

/* ---- help.lua ---- */

/* Prints the page (argument 2). The first argument is the host. */
static int print_page(lua_State *L)
{
  struct host *host = lua_touserdata(L, 1);
  luaL_openlibs(L);
  lca_open_parts(L);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "composio.help");
  lua_call(L, 1, 1);
  lua_pushvalue(L, 2);
  lua_gettable(L, -2);
  lua_newtable(L);
  host_help_add(L, host);
  lca_table_set_text(L, "version", COMPOSIO_VERSION);
  lua_pushcfunction(L, list_scripts);
  lua_setfield(L, -2, "scripts");
  lua_call(L, 1, 1);
  (void)fputs(luaL_checkstring(L, -1), stdout);
  return 0;
}

int host_help_print(struct host *host, const char *page)
{
  lua_State *L = luaL_newstate();
  int code = 2;
  if(!L)
    return code;
  lua_pushcfunction(L, print_page);
  lua_pushlightuserdata(L, host);
  lua_pushstring(L, page);
  if(lua_pcall(L, 2, 0, 0))
    host_terminal_complain(host, "%s", lua_tostring(L, -1));
  else
    code = 0;
  lua_close(L);
  return code;
}
