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

static int idset_add(lua_State *L)
{
  struct ca_hashset *ids = luaL_checkudata(L, 1, IDSET);
  size_t len;
  const char *text = luaL_checklstring(L, 2, &len);
  bool present;
  if(ca_hashset_add(ids, ca_digest_hash(0, text, len), &present))
    return luaL_error(L, "out of memory");
  lua_pushboolean(L, !present);
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
                                      { "count", idset_count },
                                      { NULL, NULL } };
  static const luaL_Reg events[] = { { "__gc", idset_gc }, { NULL, NULL } };
  lca_table_class(L, IDSET, events, methods);
  lua_pushcfunction(L, idset_new);
  lua_setfield(L, -2, "idset");
}
