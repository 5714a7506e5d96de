/* List replies. Must not know: clients, tasks, selections.
   Decoding a page through lua-cjson costs more than sending the requests that
   follow from it, so its accounts are read straight from the text. */
#include <lauxlib.h>
#include <string.h>
#include "module/page.h"
#include "module/value.h"

/* Pushes the list of accounts. False when it is none. */
static bool push_items(lua_State *L, struct ca_json_scan *scan, int class)
{
  lua_Integer place = 0;
  bool first = true;
  int more;

  if(!ca_json_enter(scan, '['))
    return false;
  lua_createtable(L, 100, 0);
  while((more = ca_json_element(scan, &first)) > 0) {
    /* in the page and its list */
    if(!lca_read_account(L, scan, 2, class))
      return false;
    lua_rawseti(L, -2, ++place);
  }
  luaL_setmetatable(L, "composio.array");
  return more == 0;
}

/* Pushes the page. False when it is none, or unlike any that was seen. */
static bool push_page(lua_State *L, struct ca_json_scan *scan, int class)
{
  static const char items[] = "items";
  struct ca_slice key;
  bool first = true;
  bool any = false;
  int more;

  if(!ca_json_enter(scan, '{'))
    return false;
  lua_newtable(L);
  while((more = ca_json_member(scan, &first, &key)) > 0) {
    bool is_items =
        key.len == sizeof(items) - 1 && !memcmp(key.data, items, key.len);
    if(memchr(key.data, '\\', key.len) || (is_items && any))
      return false;
    any = any || is_items;
    lua_pushlstring(L, key.data, key.len);
    if(is_items ? !push_items(L, scan, class) : !lca_read_value(L, scan, 1))
      return false;
    lua_rawset(L, -3); /* nil: a null member is absent */
  }
  return more == 0 && any;
}

bool lca_page_push(lua_State *L, const char *text, size_t len, int class)
{
  struct ca_json_scan scan = { text, text + len };
  int top = lua_gettop(L);

  luaL_checkstack(L, 8, "a page");
  if(push_page(L, &scan, class) && ca_json_at_end(&scan))
    return true;
  lua_settop(L, top);
  return false;
}
