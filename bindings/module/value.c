/* Reading values, and reading objects in parts.
   Must not know: clients, tasks, pages, what an account is for.
   A table that is read in parts holds, at a key that no script can name, the
   object's own text and where its members stand in it. The text was judged
   when that was made, so that reading a member later cannot fail. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <lauxlib.h>
#include "module/value_private.h"

#define ARRAY       "composio.array"
#define EXACT       9007199254740992.0 /* 2^53 */
#define MEMBERS_MAX 64                 /* bits of parts.given */
#define PARTS_LEN   256                /* a shorter object is read at once */
#define BELOW_MAX   1000               /* as deep as lua-cjson writes */

static const char parts_key;   /* in the table: its parts */
static const char plain_class; /* in the registry, of what is no account */
static const char guard_key;   /* in the registry */

/* ---- values ---- */

static void push_string(lua_State *L, struct ca_slice value)
{
  luaL_Buffer buffer;
  int64_t len;
  if(!memchr(value.data, '\\', value.len)) {
    lua_pushlstring(L, value.data + 1, value.len - 2);
    return;
  }
  len = ca_json_unescape(value, luaL_buffinitsize(L, &buffer, value.len));
  luaL_pushresultsize(&buffer, len < 0 ? 0 : (size_t)len);
  if(len < 0) { /* a lone surrogate: what lua-cjson refuses */
    lua_pop(L, 1);
    lua_pushnil(L);
  }
}

static void push_number(lua_State *L, struct ca_slice value)
{
  /* a copy, since strtod wants an end */
  const char *text = lua_pushlstring(L, value.data, value.len);
  double number = strtod(text, NULL);
  lua_pop(L, 1);
  if(number >= -EXACT && number <= EXACT && floor(number) == number)
    lua_pushinteger(L, (lua_Integer)number);
  else
    lua_pushnumber(L, number);
}

/* Pushes a member's name. False when it is no valid text. */
static bool push_name(lua_State *L, struct ca_slice key)
{
  if(memchr(key.data, '\\', key.len)) {
    struct ca_slice quoted = { key.data - 1, key.len + 2 };
    push_string(L, quoted);
    return !lua_isnil(L, -1);
  }
  lua_pushlstring(L, key.data, key.len);
  return true;
}

static bool push_members(lua_State *L, struct ca_json_scan *scan, int depth)
{
  int table = lua_gettop(L);
  struct ca_slice key;
  bool first = true;
  int more;
  while((more = ca_json_member(scan, &first, &key)) > 0) {
    if(!push_name(L, key) || !lca_read_value(L, scan, depth + 1))
      return false;
    lua_rawset(L, table); /* nil: a null member is absent */
  }
  return more == 0;
}

static bool push_array(lua_State *L, struct ca_json_scan *scan, int depth)
{
  lua_Integer place = 0;
  bool first = true;
  int more;
  lua_newtable(L);
  while((more = ca_json_element(scan, &first)) > 0) {
    if(!lca_read_value(L, scan, depth + 1))
      return false;
    if(lua_isnil(L, -1)) { /* null keeps its place in a list */
      lua_pop(L, 1);
      lua_pushlightuserdata(L, NULL);
    }
    lua_rawseti(L, -2, ++place);
  }
  luaL_setmetatable(L, ARRAY);
  return more == 0;
}

bool lca_read_value(lua_State *L, struct ca_json_scan *scan, int depth)
{
  struct ca_slice value;

  if(depth > CA_JSON_DEPTH)
    return false;
  luaL_checkstack(L, 8, "JSON");
  if(ca_json_enter(scan, '{')) {
    lua_newtable(L);
    return push_members(L, scan, depth);
  }
  if(ca_json_enter(scan, '['))
    return push_array(L, scan, depth);
  switch(ca_json_value(scan, &value)) {
  case CA_JSON_STRING:
    push_string(L, value);
    return !lua_isnil(L, -1);
  case CA_JSON_NUMBER:
    push_number(L, value);
    return true;
  case CA_JSON_TRUE:
    lua_pushboolean(L, true);
    return true;
  case CA_JSON_FALSE:
    lua_pushboolean(L, false);
    return true;
  case CA_JSON_NULL:
    lua_pushnil(L);
    return true;
  default:
    return false;
  }
}

/* ---- an object in parts ---- */

/* The parts of the table at index, or NULL. [-0, +0, -] */
static struct lca_aside *parts_of(lua_State *L, int index)
{
  struct lca_aside *parts = NULL;
  if(!lua_istable(L, index))
    return NULL;
  if(lua_rawgetp(L, index, &parts_key) == LUA_TUSERDATA)
    parts = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return parts;
}

static void give(struct lca_aside *parts, const struct lca_member *member)
{
  parts->given |= UINT64_C(1) << (member - parts->members);
}

/* The member with the name at index that the table has not got, or NULL. */
static struct lca_member *find_missing(lua_State *L, struct lca_aside *parts,
                                       int name)
{
  struct lca_member *member;
  struct ca_slice key;
  if(!parts || lua_type(L, name) != LUA_TSTRING)
    return NULL;
  key.data = lua_tolstring(L, name, &key.len);
  member = lca_find_member(parts, key);
  return member && !lca_is_given(parts, member) ? member : NULL;
}

static bool push_parts(lua_State *L, struct ca_json_scan *scan, int depth,
                       int class);

/* Pushes the member's value: what was judged cannot fail. */
static void push_member(lua_State *L, const struct lca_member *member)
{
  struct ca_json_scan scan = { member->value.data,
                               member->value.data + member->value.len };
  if(*scan.at == '{' && member->value.len >= PARTS_LEN) {
    if(push_parts(L, &scan, 0, 0))
      return;
    scan.at = member->value.data;
  }
  if(!lca_read_value(L, &scan, 0))
    luaL_error(L, "a reply's member cannot be read twice");
}

/* Table at 1, name at 2: the table gets the member, if it has it. Pushes the
   value and returns true, or pushes nothing. */
static bool fetch(lua_State *L, struct lca_aside *parts)
{
  struct lca_member *member = find_missing(L, parts, 2);
  if(!member)
    return false;
  push_member(L, member);
  give(parts, member);
  if(lua_isnil(L, -1)) {
    lua_pop(L, 1);
    return false;
  }
  lua_pushvalue(L, 2);
  lua_pushvalue(L, -2);
  lua_rawset(L, 1);
  return true;
}

void lca_read_all(lua_State *L, int index)
{
  struct lca_aside *parts = parts_of(L, index);
  int i;
  if(!parts)
    return;
  index = lua_absindex(L, index);
  luaL_checkstack(L, 8, "JSON");
  lua_rawgetp(L, index, &parts_key); /* stays while it is read */
  for(i = 0; i < parts->count; i++)
    if(!lca_is_given(parts, &parts->members[i])) {
      const struct lca_member *member = &parts->members[i];
      lua_pushlstring(L, member->key.data, member->key.len);
      push_member(L, member);
      give(parts, member);
      lua_rawset(L, index); /* nil: a null member is absent */
    }
  lua_pushnil(L);
  lua_rawsetp(L, index, &parts_key);
  lua_pop(L, 1);
  /* the class of whole ones, or nil */
  if(luaL_getmetafield(L, index, "whole") == LUA_TNIL)
    lua_pushnil(L);
  lua_setmetatable(L, index);
}

struct lca_aside *lca_read_aside(lua_State *L, int index)
{
  return parts_of(L, index);
}

/* ---- its class ---- */

/* __index: the members, then the methods (upvalue 1, or nil). */
static int index_parts(lua_State *L)
{
  if(fetch(L, parts_of(L, 1)))
    return 1;
  if(!lua_istable(L, lua_upvalueindex(1)))
    return 0;
  lua_settop(L, 2);
  lua_rawget(L, lua_upvalueindex(1));
  return 1;
}

/* __newindex, and the guarded rawset. */
static int set_member(lua_State *L)
{
  struct lca_aside *parts = parts_of(L, 1);
  struct lca_member *member = find_missing(L, parts, 2);
  if(member)
    give(parts, member);
  lua_settop(L, 3);
  lua_rawset(L, 1);
  return 0;
}

static int next_member(lua_State *L)
{
  lua_settop(L, 2);
  return lua_next(L, 1) ? 2 : 0;
}

/* __pairs: a walk sees everything. */
static int pairs_parts(lua_State *L)
{
  lua_settop(L, 1);
  lca_read_all(L, 1);
  lua_pushcfunction(L, next_member);
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  return 3;
}

/* Pushes a class for objects read in parts: of those with the metatable at
   index whole, or of plain ones (0). [-0, +1, m] */
static void make_class(lua_State *L, int whole)
{
  lua_createtable(L, 0, 6);
  if(whole) {
    lua_pushvalue(L, whole);
    lua_setfield(L, -2, "whole");
    lua_getfield(L, whole, "__index");
    lua_getfield(L, whole, "__name");
    lua_setfield(L, -3, "__name");
  } else
    lua_pushnil(L);
  lua_pushcclosure(L, index_parts, 1);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, set_member);
  lua_setfield(L, -2, "__newindex");
  lua_pushcfunction(L, pairs_parts);
  lua_setfield(L, -2, "__pairs");
  lua_pushboolean(L, false);
  lua_setfield(L, -2, "__metatable");
}

/* The class for accounts stands in that of the whole ones, so that it goes
   with its client. */
static void push_class(lua_State *L, int class)
{
  if(class) {
    if(lua_rawgetp(L, class, &parts_key) == LUA_TTABLE)
      return;
  } else if(lua_rawgetp(L, LUA_REGISTRYINDEX, &plain_class) == LUA_TTABLE)
    return;
  lua_pop(L, 1);
  make_class(L, class);
  lua_pushvalue(L, -1);
  if(class)
    lua_rawsetp(L, class, &parts_key);
  else
    lua_rawsetp(L, LUA_REGISTRYINDEX, &plain_class);
}

/* ---- making one ---- */

/* Half a surrogate pair, or any surrogate at all: rare enough to be left to
   the reader of whole objects. */
static bool may_be_half(const char *at, const char *end)
{
  while((at = memchr(at, '\\', (size_t)(end - at))) != NULL) {
    if(end - at > 2 && at[1] == 'u' && (at[2] | 0x20) == 'd')
      return true;
    at += 2; /* a text ends behind its escapes */
  }
  return false;
}

/* Is there one with this name? Names that differ in length or in the first or
   last letter are told apart by one bit each, without a look at the others. */
static bool is_repeated(const struct lca_member *members, int count,
                        uint64_t *marks)
{
  struct ca_slice key = members[count].key;
  uint64_t mark = 1;
  int i;
  if(key.len)
    mark <<= (key.len * 7 + (unsigned char)key.data[0] * 5U +
              (unsigned char)key.data[key.len - 1] * 3U) &
             63;
  if(*marks & mark)
    for(i = 0; i < count; i++)
      if(lca_same_text(members[i].key, key))
        return true;
  *marks |= mark;
  return false;
}

/* Behind the opening bracket: where the members are. Their number, or -1 when
   the object is to be read whole, which may fail then. */
static int find_members(struct ca_json_scan *scan, int depth,
                        struct lca_member *members)
{
  const char *from = scan->at;
  uint64_t marks = 0;
  bool first = true;
  int count = 0;
  int more;

  while((more = ca_json_member(scan, &first, &members[count].key)) > 0) {
    if(memchr(members[count].key.data, '\\', members[count].key.len) ||
       is_repeated(members, count, &marks) ||
       ca_json_value_within(scan, CA_JSON_DEPTH - depth - 1,
                            &members[count].value) == CA_JSON_BAD ||
       ++count == MEMBERS_MAX)
      return -1;
  }
  return more < 0 || may_be_half(from, scan->at) ? -1 : count;
}

/* Pushes the next object as a table that is read in parts. False when it has
   to be read whole. [-0, +(0|1), m] */
static bool push_parts(lua_State *L, struct ca_json_scan *scan, int depth,
                       int class)
{
  struct lca_member members[MEMBERS_MAX];
  struct lca_aside *parts;
  const char *from;
  size_t len;
  char *text;
  int count;
  int i;

  if(!ca_json_enter(scan, '{'))
    return false;
  from = scan->at;
  count = find_members(scan, depth, members);
  if(count < 0)
    return false;
  len = (size_t)(scan->at - from);
  luaL_checkstack(L, 6, "JSON");
  lua_createtable(L, 0, 4);
  parts = lua_newuserdatauv(
      L, sizeof(*parts) + (size_t)count * sizeof(*members) + len, 0);
  parts->given = 0;
  parts->count = count;
  text = (char *)&parts->members[count];
  memcpy(text, from, len);
  for(i = 0; i < count; i++) {
    parts->members[i] = members[i];
    parts->members[i].key.data = text + (members[i].key.data - from);
    parts->members[i].value.data = text + (members[i].value.data - from);
  }
  lua_rawsetp(L, -2, &parts_key);
  push_class(L, class);
  lua_setmetatable(L, -2);
  return true;
}

/* Gives the account on top its id, which everybody asks for. False when it is
   no text. */
static bool give_id(lua_State *L)
{
  static const struct ca_slice name = { "id", 2 };
  struct lca_aside *parts = parts_of(L, -1);
  const struct lca_member *id = lca_find_member(parts, name);
  if(!id || id->value.data[0] != '"')
    return false;
  lua_pushliteral(L, "id");
  push_string(L, id->value);
  give(parts, id);
  lua_rawset(L, -3);
  return true;
}

bool lca_read_account(lua_State *L, struct ca_json_scan *scan, int depth,
                      int class)
{
  struct ca_json_scan before = *scan;

  if(lca_read_is_guarded(L) && push_parts(L, scan, depth, class))
    return give_id(L);
  *scan = before;
  if(!lca_read_value(L, scan, depth) || !lua_istable(L, -1))
    return false;
  lua_pushliteral(L, "id");
  if(lua_rawget(L, -2) != LUA_TSTRING)
    return false;
  lua_pop(L, 1);
  lua_pushvalue(L, class);
  lua_setmetatable(L, -2);
  return true;
}

/* ---- raw access ---- */

static int guarded_next(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  lca_read_all(L, 1);
  if(lua_next(L, 1))
    return 2;
  lua_pushnil(L);
  return 1;
}

static int guarded_rawget(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checkany(L, 2);
  lua_settop(L, 2);
  if(fetch(L, parts_of(L, 1)))
    return 1;
  lua_rawget(L, 1);
  return 1;
}

static int guarded_rawset(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checkany(L, 2);
  luaL_checkany(L, 3);
  set_member(L);
  lua_settop(L, 1);
  return 1;
}

/* Reads everything below the table at index, once each; seen is a table of
   those that were met. No codec goes deeper than this. */
static void read_below(lua_State *L, int index, int seen, int depth)
{
  index = lua_absindex(L, index);
  luaL_checkstack(L, 8, "JSON");
  lua_pushvalue(L, index);
  if(lua_rawget(L, seen) == LUA_TNIL && depth < BELOW_MAX) {
    lua_pushvalue(L, index);
    lua_pushboolean(L, true);
    lua_rawset(L, seen);
    lca_read_all(L, index);
    lua_pushnil(L);
    while(lua_next(L, index)) {
      if(lua_istable(L, -1))
        read_below(L, -1, seen, depth + 1);
      lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
}

/* encode of a codec that walks tables raw; upvalue 1 is the real one. */
static int guarded_encode(lua_State *L)
{
  if(lua_istable(L, 1)) {
    lua_newtable(L);
    read_below(L, 1, lua_gettop(L), 0);
    lua_pop(L, 1);
  }
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

static void guard_codec(lua_State *L);

/* new of the codec; upvalue 1 is the real one. */
static int guarded_new(lua_State *L)
{
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 1);
  guard_codec(L);
  return 1;
}

/* The codec on top. [-0, +0, m] */
static void guard_codec(lua_State *L)
{
  if(lua_getfield(L, -1, "encode") == LUA_TFUNCTION) {
    lua_pushcclosure(L, guarded_encode, 1);
    lua_setfield(L, -2, "encode");
  } else
    lua_pop(L, 1);
  if(lua_getfield(L, -1, "new") == LUA_TFUNCTION) {
    lua_pushcclosure(L, guarded_new, 1);
    lua_setfield(L, -2, "new");
  } else
    lua_pop(L, 1);
}

void lca_read_guard(lua_State *L)
{
  static const luaL_Reg functions[] = { { "next", guarded_next },
                                        { "rawget", guarded_rawget },
                                        { "rawset", guarded_rawset },
                                        { NULL, NULL } };
  static const char *const codecs[] = { "cjson", "cjson.safe", NULL };
  int i;
  lua_pushglobaltable(L);
  luaL_setfuncs(L, functions, 0);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  for(i = 0; codecs[i]; i++) {
    if(lua_getfield(L, -1, codecs[i]) == LUA_TTABLE)
      guard_codec(L);
    lua_pop(L, 1);
  }
  lua_pop(L, 2);
  lua_pushboolean(L, true);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &guard_key);
}

bool lca_read_is_guarded(lua_State *L)
{
  bool is = lua_rawgetp(L, LUA_REGISTRYINDEX, &guard_key) == LUA_TBOOLEAN;
  lua_pop(L, 1);
  return is;
}
