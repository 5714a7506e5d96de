/* Fills Lua tables and registers classes, for all files that give values to
   scripts.
   Must not know: what the tables are for. */
#include "base/clock.h"
#include "module/table.h"

void lca_table_set_text(lua_State *L, const char *name, const char *text)
{
  if(!text)
    return;
  lua_pushstring(L, text);
  lua_setfield(L, -2, name);
}

void lca_table_set_integer(lua_State *L, const char *name, int64_t value)
{
  lua_pushinteger(L, value);
  lua_setfield(L, -2, name);
}

void lca_table_set_bool(lua_State *L, const char *name, bool value)
{
  lua_pushboolean(L, value);
  lua_setfield(L, -2, name);
}

void lca_table_set_time(lua_State *L, const char *name, int64_t ms)
{
  char text[40];
  if(!ms)
    return;
  ca_clock_format(ms, text, sizeof(text));
  lca_table_set_text(L, name, text);
}

void lca_table_class(lua_State *L, const char *name, const luaL_Reg *events,
                     const luaL_Reg *methods)
{
  if(luaL_newmetatable(L, name)) {
    if(events)
      luaL_setfuncs(L, events, 0);
    if(methods) {
      lua_newtable(L);
      luaL_setfuncs(L, methods, 0);
      lua_setfield(L, -2, "__index");
    }
    lca_table_set_bool(L, "__metatable", false);
  }
  lua_pop(L, 1);
}

void lca_table_owner_class(lua_State *L, const char *name, lua_CFunction free)
{
  const luaL_Reg events[] = { { "__gc", free },
                              { "__close", free },
                              { NULL, NULL } };
  lca_table_class(L, name, events, NULL);
}
