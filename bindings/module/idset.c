/* A set of ids, stored as 64-bit hashes: at most 22 bytes an id, where a Lua
   table of strings takes about 80. In a listing of a million ids, two share a
   hash once in thirty million listings; the second then counts as repeated,
   and the listing as incomplete: wrong, but on the safe side.
   Must not know: accounts, except that they are tables with an id. */
#include <string.h>
#include <lauxlib.h>
#include "base/digest.h"
#include "base/hashset.h"
#include "module/idset.h"
#include "module/table.h"

#define IDSET "composio.idset"

/* Adds the text at index; false if it was in the set. */
static bool add(lua_State *L, struct ca_hashset *ids, int index)
{
  size_t len;
  const char *text = luaL_checklstring(L, index, &len);
  bool present;
  if(ca_hashset_add(ids, ca_digest_hash(0, text, len), &present))
    luaL_error(L, "out of memory");
  return !present;
}

static int idset_add(lua_State *L)
{
  lua_pushboolean(L, add(L, luaL_checkudata(L, 1, IDSET), 2));
  return 1;
}

/* ids:take(list): adds the id of each table in the list, removes the tables
   whose id was in the set, and returns how many it removed. */
static int idset_take(lua_State *L)
{
  struct ca_hashset *ids = luaL_checkudata(L, 1, IDSET);
  lua_Integer count;
  lua_Integer left = 0;
  lua_Integer i;
  luaL_checktype(L, 2, LUA_TTABLE);
  count = (lua_Integer)lua_rawlen(L, 2);
  lua_settop(L, 2);
  for(i = 1; i <= count; i++) {
    lua_rawgeti(L, 2, i);
    luaL_checktype(L, 3, LUA_TTABLE);
    lua_pushliteral(L, "id");
    lua_rawget(L, 3);
    if(!add(L, ids, 4)) {
      lua_settop(L, 2);
      continue;
    }
    lua_settop(L, 3);
    if(++left < i)
      lua_rawseti(L, 2, left);
    lua_settop(L, 2);
  }
  for(i = left + 1; i <= count; i++) {
    lua_pushnil(L);
    lua_rawseti(L, 2, i);
  }
  lua_pushinteger(L, count - left);
  return 1;
}

static int idset_count(lua_State *L)
{
  struct ca_hashset *ids = luaL_checkudata(L, 1, IDSET);
  lua_pushinteger(L, (lua_Integer)ids->count);
  return 1;
}

static int idset_gc(lua_State *L)
{
  struct ca_hashset *ids = lua_touserdata(L, 1);
  ca_hashset_clear(ids);
  return 0;
}

static int idset_new(lua_State *L)
{
  struct ca_hashset *ids = lua_newuserdatauv(L, sizeof(*ids), 0);
  memset(ids, 0, sizeof(*ids));
  luaL_setmetatable(L, IDSET);
  return 1;
}

void lca_idset_open(lua_State *L)
{
  static const luaL_Reg methods[] = { { "add", idset_add },
                                      { "take", idset_take },
                                      { "count", idset_count },
                                      { NULL, NULL } };
  static const luaL_Reg events[] = { { "__gc", idset_gc }, { NULL, NULL } };
  lca_table_class(L, IDSET, events, methods);
  lua_pushcfunction(L, idset_new);
  lua_setfield(L, -2, "idset");
}
