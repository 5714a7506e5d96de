/* List replies for bulk work. Must not know: clients, tasks, selections.
   Decoding a page through lua-cjson costs more than sending the requests that
   follow from it: of an account's two kilobytes a script reads a few words.
   Here the page is scanned once; short members become Lua values at once, and
   the text of the heavy ones is kept aside, by the table they belong to, until
   somebody asks for them. Then lua-cjson decodes them as anywhere else. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <lua5.4/lauxlib.h>
#include "lua_json.h"
#include "lua_page.h"
#include "scan.h"

/* Members worth keeping aside, and from what length on. */
static const char *const heavy[] = { "val", "data", "params", NULL };
#define HEAVY_LEN 48

#define ARRAY "composio.array"
#define EXACT 9007199254740992.0 /* 2^53 */

/* In the registry: { [table] = text } with weak keys, one per heavy name. */
static const char side_keys[3];
static const char plain_class; /* of tables that are no account: state */

struct reader {
  lua_State *L;
  struct ca_scan scan;
  int class; /* metatable for accounts with something kept aside */
  int plain; /* the same for other tables */
  int array; /* metatable of composio.array */
  int side;  /* the first of the three side tables */
  int names; /* the list of well-known names */
};

/* Names that every account has: kept as Lua strings, so that they need not be
   looked up by their bytes again and again. */
static const char *const names[] = {
  "id",           "toolkit",      "slug",       "auth_config",
  "auth_scheme",  "is_disabled",  "user_id",    "is_composio_managed",
  "authScheme",   "alias",        "word_id",    "status_reason",
  "status",       "state",        "created_at", "updated_at",
  "experimental", "account_type", NULL
};
static const char names_key; /* in the registry: the list of them */

static int heavy_index(struct ca_slice key)
{
  int i;
  for(i = 0; heavy[i]; i++)
    if(strlen(heavy[i]) == key.len && !memcmp(heavy[i], key.data, key.len))
      return i;
  return -1;
}

/* ---- what is kept aside, when it is asked for ---- */

static void push_side(lua_State *L, int which)
{
  if(lua_rawgetp(L, LUA_REGISTRYINDEX, &side_keys[which]) == LUA_TTABLE)
    return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &side_keys[which]);
}

/* Decodes what is kept aside under one name into the table at 1; pushes the
   value and returns true, or pushes nothing. */
static bool fetch(lua_State *L, int which)
{
  size_t len;
  const char *text;

  push_side(L, which);
  lua_pushvalue(L, 1);
  if(lua_rawget(L, -2) != LUA_TSTRING) {
    lua_pop(L, 2);
    return false;
  }
  text = lua_tolstring(L, -1, &len);
  lca_json_decode(L, text, len);
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  lua_rawset(L, -5); /* side[table] = nil */
  lua_pushstring(L, heavy[which]);
  lua_pushvalue(L, -2);
  lua_rawset(L, 1);
  lua_replace(L, -3);
  lua_pop(L, 1);
  return true;
}

/* __index: methods first (upvalue 1, or nil), then what is kept aside. */
static int index_deferred(lua_State *L)
{
  struct ca_slice key;
  int which;

  if(lua_istable(L, lua_upvalueindex(1))) {
    lua_pushvalue(L, 2);
    if(lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
      return 1;
    lua_pop(L, 1);
  }
  if(lua_type(L, 2) != LUA_TSTRING)
    return 0;
  key.data = lua_tolstring(L, 2, &key.len);
  which = heavy_index(key);
  return which >= 0 && fetch(L, which) ? 1 : 0;
}

static int next_member(lua_State *L)
{
  lua_settop(L, 2);
  return lua_next(L, 1) ? 2 : 0;
}

/* __pairs: a walk sees everything. */
static int pairs_deferred(lua_State *L)
{
  int which;
  lua_settop(L, 1);
  for(which = 0; heavy[which]; which++) {
    if(fetch(L, which))
      lua_pop(L, 1);
  }
  lua_pushcfunction(L, next_member);
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  return 3;
}

/* A metatable whose methods are on top (nil for none); replaces them. */
static void make_class(lua_State *L, const char *name)
{
  lua_createtable(L, 0, 4);
  lua_insert(L, -2);
  lua_pushcclosure(L, index_deferred, 1);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, pairs_deferred);
  lua_setfield(L, -2, "__pairs");
  lua_pushstring(L, name);
  lua_setfield(L, -2, "__name");
  lua_pushboolean(L, false);
  lua_setfield(L, -2, "__metatable");
}

/* The class of deferred accounts stands in the class of the others, so that it
   goes with its client. */
static void push_account_class(lua_State *L, int class)
{
  if(lua_getfield(L, class, "deferred") == LUA_TTABLE)
    return;
  lua_pop(L, 1);
  lua_getfield(L, class, "__index");
  make_class(L, "composio.account");
  lua_pushvalue(L, -1);
  lua_setfield(L, class, "deferred");
}

static void push_plain_class(lua_State *L)
{
  if(lua_rawgetp(L, LUA_REGISTRYINDEX, &plain_class) == LUA_TTABLE)
    return;
  lua_pop(L, 1);
  lua_pushnil(L);
  make_class(L, "composio.deferred");
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &plain_class);
}

/* ---- reading a page ---- */

static void push_string(lua_State *L, struct ca_slice value)
{
  luaL_Buffer buffer;
  int64_t len;
  if(!memchr(value.data, '\\', value.len)) {
    lua_pushlstring(L, value.data + 1, value.len - 2);
    return;
  }
  len = ca_scan_unescape(value, luaL_buffinitsize(L, &buffer, value.len));
  luaL_pushresultsize(&buffer, len < 0 ? 0 : (size_t)len);
  if(len < 0) { /* a lone surrogate: what lua-cjson refuses */
    lua_pop(L, 1);
    lua_pushnil(L);
  }
}

static void push_number(lua_State *L, struct ca_slice value)
{
  char text[64];
  double number;
  if(value.len >= sizeof(text)) {
    lua_pushnumber(L, HUGE_VAL);
    return;
  }
  memcpy(text, value.data, value.len);
  text[value.len] = '\0';
  number = strtod(text, NULL);
  if(number >= -EXACT && number <= EXACT && floor(number) == number)
    lua_pushinteger(L, (lua_Integer)number);
  else
    lua_pushnumber(L, number);
}

static bool push_value(struct reader *reader, int depth);

static void push_names(lua_State *L)
{
  int i;
  if(lua_rawgetp(L, LUA_REGISTRYINDEX, &names_key) == LUA_TTABLE)
    return;
  lua_pop(L, 1);
  lua_newtable(L);
  for(i = 0; names[i]; i++) {
    lua_pushstring(L, names[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &names_key);
}

/* Pushes a member's name. False when it is no valid text. */
static bool push_name(struct reader *reader, struct ca_slice key)
{
  lua_State *L = reader->L;
  int i;
  for(i = 0; names[i]; i++)
    if(names[i][0] == key.data[0] && !strncmp(names[i], key.data, key.len) &&
       !names[i][key.len]) {
      lua_rawgeti(L, reader->names, i + 1);
      return true;
    }
  if(memchr(key.data, '\\', key.len)) {
    struct ca_slice quoted = { key.data - 1, key.len + 2 };
    push_string(L, quoted);
    return !lua_isnil(L, -1);
  }
  lua_pushlstring(L, key.data, key.len);
  return true;
}

/* Pushes what is not kept aside. *kept tells that something was. */
static bool push_members(struct reader *reader, int depth, bool *kept)
{
  lua_State *L = reader->L;
  int table = lua_gettop(L);
  struct ca_slice key;
  bool first = true;
  int more;

  *kept = false;
  while((more = ca_scan_member(&reader->scan, &first, &key)) > 0) {
    struct ca_scan before = reader->scan;
    int which = depth > 1 ? heavy_index(key) : -1;
    if(which >= 0) {
      struct ca_slice value;
      if(ca_scan_value(&reader->scan, &value) == CA_SCAN_BAD)
        return false;
      if(value.len >= HEAVY_LEN) {
        lua_pushvalue(L, table);
        lua_pushlstring(L, value.data, value.len);
        lua_rawset(L, reader->side + which);
        *kept = true;
        continue;
      }
      reader->scan = before;
    }
    if(!push_name(reader, key))
      return false;
    if(!push_value(reader, depth + 1))
      return false;
    lua_rawset(L, table); /* nil: a null member is absent */
  }
  return more == 0;
}

static bool push_object(struct reader *reader, int depth)
{
  lua_State *L = reader->L;
  bool kept;
  lua_createtable(L, 0, depth == 2 ? 16 : 4);
  if(!push_members(reader, depth, &kept))
    return false;
  /* depth 2 is an item of the page: an account */
  if(kept || depth == 2) {
    lua_pushvalue(L, depth == 2 ? reader->class : reader->plain);
    lua_setmetatable(L, -2);
  }
  return true;
}

static bool push_array(struct reader *reader, int depth)
{
  lua_State *L = reader->L;
  lua_Integer place = 0;
  bool first = true;
  int more;

  lua_newtable(L);
  while((more = ca_scan_element(&reader->scan, &first)) > 0) {
    if(!push_value(reader, depth + 1))
      return false;
    if(lua_isnil(L, -1)) { /* null keeps its place in a list */
      lua_pop(L, 1);
      lca_json_push_null(L);
    }
    lua_rawseti(L, -2, ++place);
  }
  lua_pushvalue(L, reader->array);
  lua_setmetatable(L, -2);
  return more == 0;
}

/* Pushes one value; nil for null. What it leaves on failure the caller's
   settop takes away. */
static bool push_value(struct reader *reader, int depth)
{
  lua_State *L = reader->L;
  struct ca_scan before;
  struct ca_slice value;

  if(depth > LCA_JSON_DEPTH)
    return false;
  luaL_checkstack(L, 8, "JSON");
  before = reader->scan;
  if(ca_scan_enter(&reader->scan, '{'))
    return push_object(reader, depth);
  if(ca_scan_enter(&reader->scan, '['))
    return push_array(reader, depth);
  reader->scan = before;
  switch(ca_scan_value(&reader->scan, &value)) {
  case CA_SCAN_STRING:
    push_string(L, value);
    return !lua_isnil(L, -1);
  case CA_SCAN_NUMBER:
    push_number(L, value);
    return true;
  case CA_SCAN_TRUE:
    lua_pushboolean(L, true);
    return true;
  case CA_SCAN_FALSE:
    lua_pushboolean(L, false);
    return true;
  case CA_SCAN_NULL:
    lua_pushnil(L);
    return true;
  default:
    return false;
  }
}

/* The page on top has items, each with an id? */
static bool is_page(lua_State *L)
{
  lua_Integer i;
  bool fine = lua_istable(L, -1) && lua_getfield(L, -1, "items") == LUA_TTABLE;
  for(i = 1; fine && lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
    lua_pushliteral(L, "id");
    fine = lua_istable(L, -2) && lua_rawget(L, -2) == LUA_TSTRING;
    lua_settop(L, -3);
  }
  return fine;
}

bool lca_page_push(lua_State *L, const char *text, size_t len, int class)
{
  struct reader reader = { L, { text, text + len }, 0, 0, 0, 0, 0 };
  int top = lua_gettop(L);
  int which;

  luaL_checkstack(L, 16, "a page");
  push_account_class(L, class);
  reader.class = lua_gettop(L);
  push_plain_class(L);
  reader.plain = lua_gettop(L);
  luaL_getmetatable(L, ARRAY);
  reader.array = lua_gettop(L);
  for(which = 0; heavy[which]; which++)
    push_side(L, which);
  reader.side = reader.array + 1;
  push_names(L);
  reader.names = lua_gettop(L);
  /* depth 0 the page, 1 its items, 2 an account */
  if(!push_value(&reader, 0) || !ca_scan_at_end(&reader.scan)) {
    lua_settop(L, top);
    return false;
  }
  lua_replace(L, top + 1);
  lua_settop(L, top + 1);
  if(!is_page(L)) {
    lua_settop(L, top);
    return false;
  }
  lua_settop(L, top + 1);
  return true;
}
