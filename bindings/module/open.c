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

/* Loads and runs an embedded Lua file; argument 1 is its module name. */
static int load_embedded(lua_State *L)
{
  const struct lca_embedded *file = lua_touserdata(L, lua_upvalueindex(1));
  if(luaL_loadbufferx(L, file->text, file->len, file->chunk, NULL))
    return lua_error(L);
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
    lua_pushfstring(L, "composio.%s", file->name);
    lua_pushlightuserdata(L, (void *)file);
    lua_pushcclosure(L, load_embedded, 1);
    lua_rawset(L, -3);
  }
  lua_pop(L, 1);
}

int lca_open(lua_State *L)
{
  const struct lca_embedded *init = find("init");
  lca_open_parts(L);
  lua_settop(L, 0);
  lua_pushliteral(L, "composio");
  if(luaL_loadbufferx(L, init->text, init->len, init->chunk, NULL))
    return lua_error(L);
  lua_insert(L, 1);
  lua_call(L, 1, 1);
  return 1;
}
