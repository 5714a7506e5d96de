/* Ids that were seen, as 64-bit hashes in an open table: 16 bytes an id at
   most, where a Lua table of strings takes about 80. Two ids of a million
   share a hash once in thirty million walks; it then counts as repeated, and
   the listing as incomplete: wrong, but on the safe side.
   Knows nothing of accounts but that they are tables with an id. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <lauxlib.h>
#include "module/idset.h"

#define SEEN  "composio.seen"
#define START 1024

struct seen {
  uint64_t *slots; /* 0: free */
  size_t size;     /* a power of two */
  size_t count;
};

static uint64_t hash_of(const char *text, size_t len)
{
  uint64_t hash = 0xcbf29ce484222325u;
  size_t i;
  for(i = 0; i < len; i++) {
    hash ^= (unsigned char)text[i];
    hash *= 0x100000001b3u;
  }
  hash ^= hash >> 32; /* FNV's low bits alone are weak */
  hash *= 0x9e3779b97f4a7c15u;
  hash ^= hash >> 29;
  return hash ? hash : 1;
}

static bool put(uint64_t *slots, size_t size, uint64_t hash)
{
  size_t i = (size_t)hash & (size - 1);
  while(slots[i] && slots[i] != hash)
    i = (i + 1) & (size - 1);
  if(slots[i])
    return false;
  slots[i] = hash;
  return true;
}

static bool grow(struct seen *seen)
{
  size_t size = seen->size ? seen->size * 2 : START;
  uint64_t *slots = calloc(size, sizeof(*slots));
  size_t i;
  if(!slots)
    return false;
  for(i = 0; i < seen->size; i++)
    if(seen->slots[i])
      put(slots, size, seen->slots[i]);
  free(seen->slots);
  seen->slots = slots;
  seen->size = size;
  return true;
}

/* Remembers the text at index; false when it was there. */
static bool add(lua_State *L, struct seen *seen, int index)
{
  size_t len;
  const char *text = luaL_checklstring(L, index, &len);
  bool fresh;
  if((seen->count + 1) * 4 > seen->size * 3 && !grow(seen))
    luaL_error(L, "out of memory");
  fresh = put(seen->slots, seen->size, hash_of(text, len));
  seen->count += fresh;
  return fresh;
}

static int seen_add(lua_State *L)
{
  lua_pushboolean(L, add(L, luaL_checkudata(L, 1, SEEN), 2));
  return 1;
}

/* seen:take(list): remembers the id of each table of the list, and takes those
   out of it whose id was there; how many they were. */
static int seen_take(lua_State *L)
{
  struct seen *seen = luaL_checkudata(L, 1, SEEN);
  lua_Integer count;
  lua_Integer kept = 0;
  lua_Integer i;
  luaL_checktype(L, 2, LUA_TTABLE);
  count = (lua_Integer)lua_rawlen(L, 2);
  lua_settop(L, 2);
  for(i = 1; i <= count; i++) {
    lua_rawgeti(L, 2, i);
    lua_pushliteral(L, "id");
    lua_rawget(L, 3);
    if(!add(L, seen, 4)) {
      lua_settop(L, 2);
      continue;
    }
    lua_settop(L, 3);
    if(++kept < i)
      lua_rawseti(L, 2, kept);
    lua_settop(L, 2);
  }
  for(i = kept + 1; i <= count; i++) {
    lua_pushnil(L);
    lua_rawseti(L, 2, i);
  }
  lua_pushinteger(L, count - kept);
  return 1;
}

static int seen_count(lua_State *L)
{
  struct seen *seen = luaL_checkudata(L, 1, SEEN);
  lua_pushinteger(L, (lua_Integer)seen->count);
  return 1;
}

static int seen_gc(lua_State *L)
{
  struct seen *seen = lua_touserdata(L, 1);
  free(seen->slots);
  memset(seen, 0, sizeof(*seen));
  return 0;
}

static int seen_new(lua_State *L)
{
  struct seen *seen = lua_newuserdatauv(L, sizeof(*seen), 0);
  memset(seen, 0, sizeof(*seen));
  luaL_setmetatable(L, SEEN);
  return 1;
}

void lca_seen_open(lua_State *L)
{
  static const luaL_Reg methods[] = { { "add", seen_add },
                                      { "take", seen_take },
                                      { "count", seen_count },
                                      { NULL, NULL } };
  if(luaL_newmetatable(L, SEEN)) {
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, seen_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_pop(L, 1);
  lua_pushcfunction(L, seen_new);
  lua_setfield(L, -2, "seen");
}
