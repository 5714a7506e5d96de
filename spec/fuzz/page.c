/* Fuzzes the accounts of list replies against the decoder: whatever page is
   taken is, once all of it was decoded, what lua-cjson makes of the text.
   Must not know: what accounts are for.
   Of a member that an object has twice, either value may be kept. */
#include <lauxlib.h>
#include <lualib.h>
#include "fuzz.h"
#include "module/account.h"
#include "module/json.h"
#include "base/json.h"

#define TEXT_MAX (1u << 24)

static const char touch[] =
    "local function touch(value)\n"
    "  if type(value) == 'table' then\n"
    "    for _, inner in pairs(value) do touch(inner) end\n"
    "  end\n"
    "end\n"
    "return touch";

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

/* page(class, text): the page, or nothing when it is none; raises, too. */
static int page(lua_State *L)
{
  size_t len;
  const char *text = luaL_checklstring(L, 2, &len);
  return lca_account_push_page(L, text, len, 1);
}

/* 1 the class of accounts, 2 touch */
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
    lca_account_open(L);
    lua_settop(L, 0);
    lua_newtable(L);
    lca_account_push_class(L, "account", 1);
    lua_remove(L, 1);
    CHECK("loads", !luaL_dostring(L, touch));
  }
  lua_settop(L, 2);
  return L;
}

static int encodes(lua_State *L, int index, struct ca_buf *out)
{
  lua_pushcfunction(L, encode);
  lua_pushvalue(L, index);
  lua_pushlightuserdata(L, out);
  if(!lua_pcall(L, 2, 0, 0))
    return 1;
  lua_pop(L, 1);
  return 0;
}

/* Does a name stand twice in one object? Escaped names and objects of many
   members count as if. */
static int has_twins(struct ca_json_scan *scan)
{
  struct ca_slice names[64], value;
  bool first = true;
  int count = 0, i;

  if(ca_json_enter(scan, '[')) {
    while(ca_json_element(scan, &first) > 0)
      if(has_twins(scan))
        return 1;
    return 0;
  }
  if(!ca_json_enter(scan, '{'))
    return ca_json_value(scan, &value) == CA_JSON_BAD;
  while(ca_json_member(scan, &first, &names[count]) > 0) {
    if(memchr(names[count].data, '\\', names[count].len) || count == 63)
      return 1;
    for(i = 0; i < count; i++)
      if(names[i].len == names[count].len &&
         !memcmp(names[i].data, names[count].data, names[i].len))
        return 1;
    count++;
    if(has_twins(scan))
      return 1;
  }
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  lua_State *L = state();
  char *text = exact_copy(data, size);
  struct ca_json_scan scan = { text, text + size };
  struct ca_buf light, whole;

  ca_buf_init(&light, TEXT_MAX);
  ca_buf_init(&whole, TEXT_MAX);
  lua_pushcfunction(L, page);
  lua_pushvalue(L, 1);
  lua_pushlstring(L, text, size);
  if(lua_pcall(L, 2, 1, 0) || !lua_istable(L, 3))
    goto out;
  lua_pushvalue(L, 2);
  lua_pushvalue(L, 3);
  if(lua_pcall(L, 1, 0, 0) || has_twins(&scan))
    goto out;
  lua_pushcfunction(L, decode);
  lua_pushlstring(L, text, size);
  CHECK("the decoder takes it too", !lua_pcall(L, 1, 1, 0));
  if(encodes(L, 3, &light)) {
    CHECK("both can be encoded", encodes(L, 4, &whole));
    CHECK("and are the same", light.len == whole.len &&
                                  !memcmp(light.data, whole.data, light.len));
  }
out:
  lua_settop(L, 2);
  ca_buf_clear(&light);
  ca_buf_clear(&whole);
  free(text);
  return 0;
}
