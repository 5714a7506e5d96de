/* Fills the Lua table on top of the stack, and registers classes: for all
   files that give values to scripts.
   Must not know: what the tables are for. */
#ifndef LCA_TABLE_H
#define LCA_TABLE_H

#include <lauxlib.h>
#include <stdbool.h>
#include <stdint.h>

/* Set a field of the table on top. A text that is NULL sets nothing; a time,
   in milliseconds since 1970, becomes ISO 8601, and 0 sets nothing.
   [-0, +0, m] */
void lca_table_set_text(lua_State *L, const char *name, const char *text);
void lca_table_set_integer(lua_State *L, const char *name, int64_t value);
void lca_table_set_bool(lua_State *L, const char *name, bool value);
void lca_table_set_time(lua_State *L, const char *name, int64_t ms);

/* Registers the metatable `name`, unless it is registered: with the functions
   of `events` (__gc, __tostring …) and with a table of `methods` as __index;
   either may be NULL. A script's getmetatable returns false instead of it.
   [-0, +0, m] */
void lca_table_class(lua_State *L, const char *name, const luaL_Reg *events,
                     const luaL_Reg *methods);
/* The same for an object that only has to be freed, by this function, when
   it is collected or its to-be-closed slot ends. [-0, +0, m] */
void lca_table_owner_class(lua_State *L, const char *name, lua_CFunction free);

#endif
