/* Opens the C code of the module as one private table, composio.core; the
   embedded Lua files build the public table from it. Specs clear
   package.loaded and require the module again: opening it twice in a state
   must work, so data that exists once per state is in the registry.
   Must not know: what is in the rooms. */
#include <string.h>
#include <lauxlib.h>
#include "module/account.h"
#include "module/client.h"
#include "module/embed.h"
#include "module/error.h"
#include "module/idset.h"
#include "module/json.h"
#include "module/open.h"
#include "module/task.h"
#include "module/versions.h"

static const struct lca_embedded *find(const char *name)
{
  const struct lca_embedded *file;
  for(file = lca_embedded; file->name; file++)
    if(!strcmp(file->name, name))
      return file;
  return NULL;
}

static const char globals_key; /* in the registry */

/* Adds the fields of the table at index to the one on top. [-0, +0, m] */
static void add_fields(lua_State *L, int index)
{
  lua_pushnil(L);
  while(lua_next(L, index)) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -4);
  }
}

/* Pushes the globals of the embedded files: Lua's, as they were when the state
   first opened the module, with copies of the libraries. A script that
   replaces pcall or math.tointeger must not reach the guards. [-0, +1, m] */
static void push_globals(lua_State *L)
{
  int from;
  if(lua_rawgetp(L, LUA_REGISTRYINDEX, &globals_key) == LUA_TTABLE)
    return;
  lua_pop(L, 1);
  luaL_checkstack(L, 12, "globals");
  lua_newtable(L);
  lua_pushglobaltable(L);
  from = lua_gettop(L);
  for(lua_pushnil(L); lua_next(L, from); lua_pop(L, 1)) {
    lua_pushvalue(L, -2); /* globals _G name value name */
    if(lua_istable(L, -2) && !lua_rawequal(L, -2, from)) {
      lua_newtable(L);
      add_fields(L, lua_absindex(L, -3));
    } else
      lua_pushvalue(L, -2);
    lua_rawset(L, from - 1);
  }
  lua_settop(L, from - 1);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &globals_key);
}

/* Pushes the file's function. sandbox.lua changes what scripts see, so its
   globals are theirs. [-0, +1, e] */
static void push_file(lua_State *L, const struct lca_embedded *file)
{
  if(luaL_loadbufferx(L, file->text, file->len, file->chunk, NULL))
    lua_error(L);
  if(!strcmp(file->name, "composio.sandbox"))
    return;
  push_globals(L);
  if(!lua_setupvalue(L, -2, 1)) /* it uses no global */
    lua_pop(L, 1);
}

/* Loads and runs an embedded Lua file; argument 1 is its module name. */
static int load_embedded(lua_State *L)
{
  push_file(L, lua_touserdata(L, lua_upvalueindex(1)));
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

static int open_core(lua_State *L)
{
  lua_newtable(L);
  lca_error_open(L);
  lca_json_open(L);
  lca_account_open(L);
  lca_idset_open(L);
  lca_task_open(L);
  lca_client_open(L);
  lca_call_open(L);
  lca_operations_open(L);
  lca_versions_open(L);
  lua_pushliteral(L, COMPOSIO_VERSION);
  lua_setfield(L, -2, "version");
  return 1;
}

void lca_open_parts(lua_State *L)
{
  const struct lca_embedded *file;
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, open_core);
  lua_setfield(L, -2, "composio.core");
  for(file = lca_embedded; file->name; file++) {
    lua_pushstring(L, file->name);
    lua_pushlightuserdata(L, (void *)file);
    lua_pushcclosure(L, load_embedded, 1);
    lua_rawset(L, -3);
  }
  lua_pop(L, 1);
}

int lca_open(lua_State *L)
{
  const struct lca_embedded *init = find("composio.init");
  lca_open_parts(L);
  lua_settop(L, 0);
  lua_pushliteral(L, "composio");
  push_file(L, init);
  lua_insert(L, 1);
  lua_call(L, 1, 1);
  return 1;
}
