/* Fuzzes the light reading of list replies against the decoder: whatever page
   it takes is, once all of it was touched, what lua-cjson makes of the text.
   Must not know: what accounts are for.
   Where the two differ on purpose: of a name that stands twice in one object
   either value may be kept; and the decoder, unlike the light reader, takes []
   for {} where no list is known by its name. */
#include <lauxlib.h>
#include <lualib.h>
#include "fuzz.h"
#include "module/json.h"
#include "module/page.h"
#include "module/value.h"
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
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  lca_json_decode(L, text, len);
  return 1;
}

static int encode(lua_State *L)
{
  lca_json_encode(L, 1, lua_touserdata(L, 2), "value");
  return 0;
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
    lua_settop(L, 0);
    lua_newtable(L);
    lua_newtable(L);
    lua_setfield(L, 1, "__index");
    CHECK("loads", !luaL_dostring(L, touch));
    lca_read_guard(L);
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

/* [] and {} become one. */
static void forget_kind(struct ca_buf *text)
{
  size_t i;
  for(i = 0; i + 1 < text->len; i++)
    if(text->data[i] == '[' && text->data[i + 1] == ']')
      memcpy(text->data + i, "{}", 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  lua_State *L = state();
  char *text = exact_copy(data, size);
  struct ca_json_scan scan = { text, text + size };
  struct ca_buf light, whole;

  ca_buf_init(&light, TEXT_MAX);
  ca_buf_init(&whole, TEXT_MAX);
  if(!lca_page_push(L, text, size, 1)) {
    CHECK("leaves the stack as it was", lua_gettop(L) == 2);
    goto out;
  }
  CHECK("one value", lua_gettop(L) == 3);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, 3);
  if(lua_pcall(L, 1, 0, 0) || has_twins(&scan))
    goto out;
  lua_pushcfunction(L, decode);
  lua_pushlstring(L, text, size);
  CHECK("the decoder takes it too", !lua_pcall(L, 1, 1, 0));
  if(encodes(L, 3, &light)) {
    CHECK("both can be encoded", encodes(L, 4, &whole));
    forget_kind(&light);
    forget_kind(&whole);
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
