/* A set of ids, stored as 64-bit hashes: at most 22 bytes an id, where a Lua
   table of strings takes about 80. In a listing of a million ids, two share a
   hash once in thirty million listings; the second then counts as repeated,
   and the listing as incomplete: wrong, but on the safe side.
   Must not know: accounts. */
#include <string.h>
#include <lauxlib.h>
#include "base/digest.h"
#include "base/hashset.h"
#include "module/error.h"
#include "module/idset.h"
#include "module/scheduler.h"
#include "module/table.h"

#define IDSET "composio.idset"

/* Adds the id at index; returns whether it is new. [-0, +0, e] */
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

/* ids:add_accounts(list): adds the accounts' ids. Removes accounts from the
   list whose id is in the set already, and returns how many. */
static int idset_add_accounts(lua_State *L)
{
  struct ca_hashset *ids = luaL_checkudata(L, 1, IDSET);
  lua_Integer count = luaL_len(L, 2);
  lua_Integer remaining = 0;
  lua_Integer i;
  for(i = 1; i <= count; i++) {
    lua_settop(L, 2);
    lua_rawgeti(L, 2, i);
    lua_pushliteral(L, "id");
    lua_rawget(L, 3);
    if(!add(L, ids, 4))
      continue;
    lua_pop(L, 1);
    if(++remaining < i)
      lua_rawseti(L, 2, remaining);
  }
  for(i = remaining + 1; i <= count; i++) {
    lua_pushnil(L);
    lua_rawseti(L, 2, i);
  }
  lua_pushinteger(L, count - remaining);
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
  struct ca_hashset *ids;
  if(lca_scheduler_in_finalizer(L)) /* in a state that closes, Lua would not
                                       collect it */
    return lca_error_usage(L, "a finalizer (__gc) cannot list all accounts");
  ids = lua_newuserdatauv(L, sizeof(*ids), 0);
  memset(ids, 0, sizeof(*ids));
  luaL_setmetatable(L, IDSET);
  return 1;
}

void lca_idset_open(lua_State *L)
{
  static const luaL_Reg methods[] = { { "add", idset_add },
                                      { "add_accounts", idset_add_accounts },
                                      { "count", idset_count },
                                      { NULL, NULL } };
  static const luaL_Reg events[] = { { "__gc", idset_gc }, { NULL, NULL } };
  lca_table_class(L, IDSET, events, methods);
  lua_pushcfunction(L, idset_new);
  lua_setfield(L, -2, "idset");
}
