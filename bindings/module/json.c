/* Conversion between Lua values and JSON: lua-cjson decodes, one walk corrects
   the result, and a small writer encodes tables in requests. lua-cjson stays
   the decoder because Lua users know it, but it makes every number a float,
   null a true value, and [] the same as {}. The walk corrects that at a
   fraction of the cost of decoding. We use an instance of our own: other
   modules' settings do not affect it, nor ours them.
   Must not know: the meaning of operations, tasks. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <lauxlib.h>
#include "base/text.h"
#include "module/error.h"
#include "module/json.h"
#include "module/table.h"
#include "base/json_write.h"
#include "wire/request.h"

#define ARRAY     "composio.array"
#define TEXT      "composio.text"
#define EXACT     9007199254740992.0 /* 2^53 */
#define TEXT_MAX  (16u << 20)
#define NOT_FOUND "module 'cjson' not found:" /* from require */

static const char decoder_key, library_key; /* in the registry */

/* Names of members that are always lists, so that [] stays a list. */
static const char *const lists[] = { "items",
                                     "requested_scopes",
                                     "requested_user_scopes",
                                     "allowed_user_ids",
                                     "not_allowed_user_ids",
                                     "scopes",
                                     "user_scopes",
                                     "revoked_tokens",
                                     "errors",
                                     "expected_input_fields",
                                     "restrict_to_following_tools",
                                     "tools_for_connected_account_creation",
                                     "tools_available_for_execution",
                                     NULL };

static bool is_list_name(struct ca_slice name)
{
  int i;
  for(i = 0; lists[i]; i++)
    if(lists[i][0] == name.data[0] && strlen(lists[i]) == name.len &&
       !memcmp(lists[i], name.data, name.len)) /* a name may contain NUL */
      return true;
  return false;
}

void lca_json_push_list(lua_State *L)
{
  lua_newtable(L);
  luaL_setmetatable(L, ARRAY);
}

bool lca_json_is_null(lua_State *L, int index)
{
  return lua_type(L, index) == LUA_TLIGHTUSERDATA && !lua_touserdata(L, index);
}

/* ---- decoding ---- */

bool lca_json_push_library(lua_State *L)
{
  const char *why = "the module 'cjson' that was found is not lua-cjson";
  int status;
  if(lua_rawgetp(L, LUA_REGISTRYINDEX, &library_key) == LUA_TTABLE)
    return true;
  lua_getglobal(L, "require");
  lua_pushliteral(L, "cjson");
  status = lua_pcall(L, 1, 1, 0);
  if(status == LUA_ERRMEM)
    lua_error(L);
  if(status)
    why = luaL_tolstring(L, -1, NULL);
  else if(lua_istable(L, -1) && lua_getfield(L, -1, "new") == LUA_TFUNCTION) {
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &library_key);
    return true;
  }
  if(strncmp(why, NOT_FOUND, strlen(NOT_FOUND)) != 0)
    lua_pushfstring(L, "cannot be loaded: %s", why);
  else
    lua_pushliteral(L, "not found; install it (Debian: apt install "
                       "lua-cjson; elsewhere: luarocks install lua-cjson)");
  return false;
}

/* Makes a cjson instance of our own and stores its decode function. Called
   when the module is opened: a script that could not read replies must not
   start, and later it may have removed require. [-0, +0, e] */
static void load_decoder(lua_State *L)
{
  int top = lua_gettop(L);
  if(!lca_json_push_library(L))
    luaL_error(L, "composio needs lua-cjson: %s", lua_tostring(L, -1));
  lua_getfield(L, -1, "new");
  lua_call(L, 0, 1);
  /* nan, Infinity, 0x10: numbers for cjson, not in JSON */
  lua_getfield(L, -1, "decode_invalid_numbers");
  lua_pushboolean(L, false);
  lua_call(L, 1, 0);
  lua_getfield(L, -1, "decode_max_depth");
  lua_pushinteger(L, LCA_JSON_DEPTH);
  lua_call(L, 1, 0);
  lua_getfield(L, -1, "decode");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &decoder_key);
  lua_settop(L, top);
}

/* Replaces the number on top by an integer if it is a whole number up to
   2^53; returns whether it did. [-0, +0, -] */
static bool correct_number(lua_State *L)
{
  lua_Number number = lua_tonumber(L, -1);
  if(!(number >= -EXACT && number <= EXACT && floor(number) == number))
    return false;
  lua_pop(L, 1);
  lua_pushinteger(L, (lua_Integer)number);
  return true;
}

/* Marks the table on top as a list: the value of a member with the name of
   a list. An object with members is left as it is. array: stack index of
   the metatable. [-0, +0, -] */
static void mark_list(lua_State *L, int array)
{
  if(!lua_rawlen(L, -1)) {
    lua_pushnil(L);
    if(lua_next(L, -2)) {
      lua_pop(L, 2);
      return;
    }
  }
  lua_pushvalue(L, array);
  lua_setmetatable(L, -2);
}

/* Corrects the table on top in place. array: stack index of the metatable
   of lists. lua_next allows assignments to existing fields. [-0, +0, m] */
static void correct(lua_State *L, int array)
{
  int table = lua_gettop(L);
  struct ca_slice name;

  luaL_checkstack(L, 6, "JSON");
  lua_pushnil(L);
  while(lua_next(L, table)) {
    bool is_member = lua_type(L, -2) == LUA_TSTRING;
    switch(lua_type(L, -1)) {
    case LUA_TNUMBER:
      if(correct_number(L)) {
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, table);
      }
      break;
    case LUA_TLIGHTUSERDATA: /* a null member becomes absent; null in a list
                                stays */
      if(is_member) {
        lua_pushvalue(L, -2);
        lua_pushnil(L);
        lua_rawset(L, table);
      }
      break;
    case LUA_TTABLE:
      if(is_member) {
        name.data = lua_tolstring(L, -2, &name.len);
        if(is_list_name(name))
          mark_list(L, array);
      }
      correct(L, array);
      break;
    default:
      break;
    }
    lua_pop(L, 1);
  }
}

void lca_json_decode(lua_State *L, struct ca_slice name, struct ca_slice value)
{
  int top = lua_gettop(L);
  luaL_getmetatable(L, ARRAY);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &decoder_key);
  lua_pushlstring(L, value.data, value.len);
  lua_call(L, 1, 1); /* array value */
  if(lua_istable(L, -1)) {
    if(is_list_name(name))
      mark_list(L, top + 1);
    correct(L, top + 1);
  } else if(lua_type(L, -1) == LUA_TNUMBER)
    correct_number(L);
  lua_replace(L, top + 1);
}

/* ---- encoding ---- */

/* The path to the current value, as a chain of C frames: only an error
   needs it as text. */
struct place {
  const struct place *up;
  const char *key; /* NULL: a list item, at index */
  lua_Integer index;
};

struct writer {
  lua_State *L;
  struct ca_buf *out;
  const char *root;
};

static void push_place(luaL_Buffer *text, const struct place *place)
{
  char index[32];
  if(!place)
    return;
  push_place(text, place->up);
  if(place->key) {
    luaL_addstring(text, ".");
    luaL_addstring(text, place->key);
  } else {
    snprintf(index, sizeof(index), "[%lld]", (long long)place->index);
    luaL_addstring(text, index);
  }
}

/* Raises with the path of the value. Never returns; it is declared int as
   lua_error is. */
static int refuse(const struct writer *writer, const struct place *place,
                  const char *why)
{
  luaL_Buffer text;
  luaL_buffinit(writer->L, &text);
  luaL_addstring(&text, writer->root);
  push_place(&text, place);
  luaL_pushresult(&text);
  return lca_error_usage(writer->L, "%s: %s", lua_tostring(writer->L, -1),
                         why);
}

static void add(const struct writer *writer, const struct place *place,
                const char *bytes, size_t len)
{
  enum ca_code code = ca_buf_add(writer->out, bytes, len);
  if(code == CA_USAGE)
    refuse(writer, place, "the whole value is too large to be sent");
  else if(code)
    refuse(writer, place, "out of memory");
}

static void write_string(const struct writer *writer,
                         const struct place *place, int index)
{
  struct ca_slice value;
  size_t bad;
  enum ca_code code;

  value.data = lua_tolstring(writer->L, index, &value.len);
  if(ca_request_is_masked(value))
    refuse(writer, place,
           "this is a secret as the service shows it, masked; give the real "
           "one or leave it out");
  if(!ca_text_is_utf8(value, &bad)) {
    char why[64];
    snprintf(why, sizeof(why), "not valid UTF-8 at byte %zu", bad + 1);
    refuse(writer, place, why);
  }
  code = ca_json_write_string(writer->out, value);
  if(code)
    refuse(writer, place,
           code == CA_USAGE ? "too large to be sent" : "out of memory");
}

static void write_number(const struct writer *writer,
                         const struct place *place, int index)
{
  char text[40];
  lua_Number number;
  int digits;

  if(lua_isinteger(writer->L, index)) {
    snprintf(text, sizeof(text), "%lld",
             (long long)lua_tointeger(writer->L, index));
    add(writer, place, text, strlen(text));
    return;
  }
  number = lua_tonumber(writer->L, index);
  if(isnan(number) || isinf(number))
    refuse(writer, place, "JSON has no NaN and no infinity");
  for(digits = 15; digits <= 17; digits++) {
    snprintf(text, sizeof(text), "%.*g", digits, number);
    if(strtod(text, NULL) == number)
      break;
  }
  for(digits = 0; text[digits]; digits++)
    if(text[digits] == ',') /* the locale may have a decimal comma */
      text[digits] = '.';
  add(writer, place, text, strlen(text));
}

enum shape { SHAPE_OBJECT, SHAPE_LIST };

/* Returns whether the table at index is a list or an object; raises if JSON
   can represent it as neither. *count: its number of members. */
static enum shape shape_of(const struct writer *writer,
                           const struct place *place, int table,
                           lua_Integer *count)
{
  lua_State *L = writer->L;
  lua_Integer integers = 0;
  lua_Integer strings = 0;
  lua_Integer highest = 0;
  bool marked = false;

  if(lua_getmetatable(L, table)) {
    luaL_getmetatable(L, ARRAY);
    marked = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
  }
  lua_pushnil(L);
  while(lua_next(L, table)) {
    lua_pop(L, 1);
    if(lua_type(L, -1) == LUA_TSTRING)
      strings++;
    else if(lua_isinteger(L, -1) && lua_tointeger(L, -1) > 0) {
      integers++;
      if(lua_tointeger(L, -1) > highest)
        highest = lua_tointeger(L, -1);
    } else
      refuse(writer, place, "keys must be names, or 1, 2, 3 …");
  }
  if(strings && integers)
    refuse(writer, place, "names and list places are mixed in one table");
  if(strings && marked)
    refuse(writer, place, "a composio.array holds a name");
  if(highest != integers)
    refuse(writer, place, "the list has holes; composio.null fills one");
  *count = strings + integers;
  return integers || marked ? SHAPE_LIST : SHAPE_OBJECT;
}

static void write_value(const struct writer *writer, const struct place *place,
                        int index, int depth);

static void write_list(const struct writer *writer, const struct place *place,
                       int table, lua_Integer count, int depth)
{
  struct place here = { place, NULL, 0 };

  add(writer, place, "[", 1);
  for(here.index = 1; here.index <= count; here.index++) {
    if(here.index > 1)
      add(writer, place, ",", 1);
    lua_rawgeti(writer->L, table, here.index);
    write_value(writer, &here, lua_gettop(writer->L), depth + 1);
    lua_pop(writer->L, 1);
  }
  add(writer, place, "]", 1);
}

static int compare_names(const void *a, const void *b)
{
  const struct ca_slice *x = a;
  const struct ca_slice *y = b;
  size_t len = x->len < y->len ? x->len : y->len;
  int order = memcmp(x->data, y->data, len);
  return order ? order : (x->len > y->len) - (x->len < y->len);
}

static void write_object(const struct writer *writer,
                         const struct place *place, int table,
                         lua_Integer count, int depth)
{
  lua_State *L = writer->L;
  struct place here = { place, NULL, 0 };
  struct ca_slice *names;
  lua_Integer i = 0;
  int top = lua_gettop(L);

  /* a finalizer may change the table whenever memory is allocated: a list
     keeps its names alive, and only `count` are taken */
  lua_createtable(L, (int)count, 0);
  names = lua_newuserdatauv(L, (size_t)(count + 1) * sizeof(*names), 0);
  lua_pushnil(L);
  while(i < count && lua_next(L, table)) {
    lua_pop(L, 1);
    if(lua_type(L, -1) != LUA_TSTRING)
      refuse(writer, place, "names and list places are mixed in one table");
    names[i].data = lua_tolstring(L, -1, &names[i].len);
    lua_pushvalue(L, -1);
    lua_rawseti(L, top + 1, ++i);
  }
  lua_settop(L, top + 2);
  count = i;
  qsort(names, (size_t)count, sizeof(*names), compare_names);
  add(writer, place, "{", 1);
  for(i = 0; i < count; i++) {
    here.key = names[i].data;
    if(i)
      add(writer, place, ",", 1);
    if(ca_json_write_string(writer->out, names[i]))
      refuse(writer, &here, "this name cannot be sent");
    add(writer, place, ":", 1);
    lua_pushlstring(L, names[i].data, names[i].len);
    lua_rawget(L, table);
    write_value(writer, &here, lua_gettop(L), depth + 1);
    lua_pop(L, 1);
  }
  add(writer, place, "}", 1);
  lua_settop(L, top);
}

static void write_value(const struct writer *writer, const struct place *place,
                        int index, int depth)
{
  lua_State *L = writer->L;
  lua_Integer count;

  luaL_checkstack(L, 10, "JSON");
  switch(lua_type(L, index)) {
  case LUA_TSTRING:
    write_string(writer, place, index);
    break;
  case LUA_TNUMBER:
    write_number(writer, place, index);
    break;
  case LUA_TBOOLEAN:
    if(lua_toboolean(L, index))
      add(writer, place, "true", 4);
    else
      add(writer, place, "false", 5);
    break;
  case LUA_TTABLE:
    if(depth > LCA_JSON_DEPTH) /* what is in the last may be no table */
      refuse(writer, place, "nested deeper than 128");
    if(shape_of(writer, place, index, &count) == SHAPE_LIST)
      write_list(writer, place, index, count, depth);
    else
      write_object(writer, place, index, count, depth);
    break;
  default:
    if(lca_json_is_null(L, index))
      add(writer, place, "null", 4);
    else {
      lua_pushfstring(L, "a %s cannot be sent", luaL_typename(L, index));
      refuse(writer, place, lua_tostring(L, -1));
    }
  }
}

void lca_json_encode(lua_State *L, int index, struct ca_buf *out,
                     const char *path)
{
  struct writer writer = { L, out, path };
  write_value(&writer, NULL, lua_absindex(L, index), 1);
}

/* ---- what scripts and the shipped Lua see ---- */

/* composio.array(t) → t, or a new table, marked to be written as a list
   even when it is empty. */
static int array(lua_State *L)
{
  lua_settop(L, 1);
  if(lua_isnil(L, 1)) {
    lca_json_push_list(L);
    return 1;
  }
  if(!lua_istable(L, 1))
    return lca_error_usage(L, "composio.array: expected a table, got %s",
                           luaL_typename(L, 1));
  if(lua_getmetatable(L, 1)) {
    luaL_getmetatable(L, ARRAY);
    if(!lua_rawequal(L, -1, -2))
      return lca_error_usage(L, "composio.array: the table has a metatable of "
                                "its own");
    lua_settop(L, 1);
  }
  luaL_setmetatable(L, ARRAY);
  return 1;
}

static int decode(lua_State *L)
{
  struct ca_slice text;
  text.data = luaL_checklstring(L, 1, &text.len);
  lca_json_decode(L, LCA_JSON_UNNAMED, text);
  return 1;
}

static int free_text(lua_State *L)
{
  ca_buf_wipe(lua_touserdata(L, 1));
  return 0;
}

static int encode(lua_State *L)
{
  struct ca_buf *text;
  luaL_checkany(L, 1);
  lua_settop(L, 2);
  text = lua_newuserdatauv(L, sizeof(*text), 0);
  ca_buf_init(text, TEXT_MAX);
  luaL_setmetatable(L, TEXT);
  lua_toclose(L, -1);
  lca_json_encode(L, 1, text, luaL_optstring(L, 2, "value"));
  lua_pushlstring(L, ca_buf_text(text), text->len);
  return 1;
}

void lca_json_open(lua_State *L)
{
  static const luaL_Reg functions[] = { { "array", array },
                                        { "json_decode", decode },
                                        { "json_encode", encode },
                                        { NULL, NULL } };
  lca_table_class(L, ARRAY, NULL, NULL);
  lca_table_owner_class(L, TEXT, free_text);
  load_decoder(L);
  luaL_setfuncs(L, functions, 0);
  lua_pushlightuserdata(L, NULL); /* cjson.null */
  lua_setfield(L, -2, "null");
}
