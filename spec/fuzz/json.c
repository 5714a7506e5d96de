/* Fuzzes the Lua side of JSON: what was decoded and encoded once, decodes and
   encodes to itself. Must not know: what values mean.
   Not every decoded value may be sent: masked secrets, texts that are not
   UTF-8 and numbers past a double's range (1e999 is JSON, infinity is not) are
   refused, and nothing else of what came out of JSON is. */
#include <lauxlib.h>
#include <lualib.h>
#include "fuzz.h"
#include "module/json.h"

#define TEXT_MAX (1u << 24)

static int decode(lua_State *L)
{
  struct ca_slice text;
  text.data = luaL_checklstring(L, 1, &text.len);
  lca_json_decode(L, LCA_JSON_UNNAMED, text);
  return 1;
}

static int encode(lua_State *L)
{
  lca_json_encode(L, 1, lua_touserdata(L, 2), "value");
  return 0;
}

static lua_State *state(void)
{
  static lua_State *L;
  if(!L) {
    L = luaL_newstate();
    CHECK("a Lua state", L);
    luaL_requiref(L, "_G", luaopen_base, 1);
    luaL_requiref(L, "package", luaopen_package, 1);
    lua_newtable(L);
    lca_json_open(L);
    lua_settop(L, 0);
  }
  return L;
}

/* text → value on top; false when it is no JSON. */
static int decodes(lua_State *L, const char *text, size_t len)
{
  lua_pushcfunction(L, decode);
  lua_pushlstring(L, text, len);
  if(!lua_pcall(L, 1, 1, 0))
    return 1;
  CHECK("a word on why", lua_type(L, -1) == LUA_TSTRING);
  lua_pop(L, 1);
  return 0;
}

/* The value on top → text; false when it must not be sent. */
static int encodes(lua_State *L, struct ca_buf *out)
{
  const char *why;
  lua_pushcfunction(L, encode);
  lua_pushvalue(L, -2);
  lua_pushlightuserdata(L, out);
  if(!lua_pcall(L, 2, 0, 0))
    return 1;
  why = luaL_tolstring(L, -1, NULL);
  if(!strstr(why, "masked") && !strstr(why, "UTF-8") &&
     !strstr(why, "infinity") && !strstr(why, "name cannot be sent")) {
    fprintf(stderr, "%s\n", why);
    CHECK("what was decoded can be encoded", 0);
  }
  lua_pop(L, 2);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static unsigned runs;
  lua_State *L = state();
  char *text = exact_copy(data, size);
  struct ca_buf once, twice;

  ca_buf_init(&once, TEXT_MAX);
  ca_buf_init(&twice, TEXT_MAX);
  if(decodes(L, text, size) && encodes(L, &once)) {
    CHECK("our own text decodes", decodes(L, ca_buf_text(&once), once.len));
    CHECK("and encodes", encodes(L, &twice));
    CHECK("to itself",
          once.len == twice.len && !memcmp(once.data, twice.data, once.len));
  }
  lua_settop(L, 0);
  ca_buf_clear(&once);
  ca_buf_clear(&twice);
  free(text);
  if(++runs % 10000 == 0)
    lua_gc(L, LUA_GCCOLLECT);
  return 0;
}
