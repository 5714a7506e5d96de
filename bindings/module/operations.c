/* The operation table for Lua: the rows as tables, and whether a field has a
   value.
   Must not know: which operation it is, who asks. */
#include <lauxlib.h>
#include <string.h>
#include "module/client.h"
#include "module/table.h"
#include "wire/proof.h"

static void push_names(lua_State *L, const struct ca_api *api, bool positional)
{
  const struct ca_field *field;
  lua_Integer count = 0;
  lua_newtable(L);
  for(field = api->fields; field->name; field++)
    if(((field->flags & CA_POSITIONAL) != 0) == positional) {
      lua_pushstring(L, field->name);
      lua_rawseti(L, -2, ++count);
    }
}

/* Returns the name of the field with the credentials; NULL if the row has
   none. */
static const char *credentials_of(const struct ca_api *api)
{
  const struct ca_field *field;
  for(field = api->fields; field->name; field++)
    if(field->type == CA_SCHEME)
      return field->name;
  return NULL;
}

/* Pushes the fields that a get shows: name, where it is sent and where it
   is shown, and a title for people. */
static void push_shown(lua_State *L, const struct ca_api *api)
{
  const struct ca_field *field;
  lua_Integer count = 0;
  lua_newtable(L);
  for(field = api->fields; field->name; field++)
    if(field->shown) {
      lua_createtable(L, 0, 6);
      lca_table_set_text(L, "name", field->name);
      lca_table_set_text(L, "wire", field->wire);
      lca_table_set_text(L, "shown", field->shown);
      lca_table_set_text(L, "title",
                         field->type == CA_ACL ? "ACL" : field->name);
      /* an absent text is empty; for other fields absence says nothing */
      if(field->type == CA_TEXT)
        lca_table_set_text(L, "absent", "");
      lca_table_set_bool(L, "item_keeps", field->flags & CA_ITEM_KEEPS);
      lua_rawseti(L, -2, ++count);
    }
}

static void push_row(lua_State *L, const struct ca_api *api)
{
  lua_createtable(L, 0, 16);
  lca_table_set_text(L, "resource", api->resource);
  lca_table_set_text(L, "name", api->name);
  lca_table_set_text(L, "method", ca_api_method_name(api->method));
  lca_table_set_text(L, "class", ca_api_class_name(api->cost));
  lca_table_set_text(L, "becomes", api->becomes);
  lca_table_set_text(L, "undo", api->undo);
  lca_table_set_text(L, "weight", api->weight);
  lca_table_set_text(L, "makes", api->makes);
  lca_table_set_text(L, "option", api->option);
  lca_table_set_text(L, "spares", api->spares);
  lca_table_set_text(L, "failure", api->failure);
  lca_table_set_text(L, "credentials", credentials_of(api));
  lca_table_set_bool(L, "of_account",
                     ca_api_has_id(api) && ca_api_of_accounts(api));
  push_names(L, api, true);
  lua_setfield(L, -2, "arguments");
  push_names(L, api, false);
  lua_setfield(L, -2, "options");
  push_shown(L, api);
  lua_setfield(L, -2, "shown");
}

/* operations() → every row as a table. */
static int operations(lua_State *L)
{
  size_t count;
  size_t i;
  const struct ca_api *rows = ca_api_rows(&count);
  lua_createtable(L, (int)count, 0);
  for(i = 0; i < count; i++) {
    push_row(L, &rows[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* same_field(row, name, wanted, shown) → whether the row's field has the
   wanted value. Both are JSON texts; nil if absent. */
static int same_field(lua_State *L)
{
  const struct ca_api *api;
  const struct ca_field *field;
  struct ca_slice wanted;
  struct ca_slice shown;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 4);
  lua_getfield(L, 1, "resource");
  lua_getfield(L, 1, "name");
  api = ca_api_find(luaL_checkstring(L, 5), luaL_checkstring(L, 6));
  field = api ? ca_api_field(api, luaL_checkstring(L, 2)) : NULL;
  if(!field)
    return luaL_error(L, "the table has no such field");
  wanted.data = luaL_optlstring(L, 3, NULL, &wanted.len);
  shown.data = luaL_optlstring(L, 4, NULL, &shown.len);
  lua_pushboolean(L, ca_proof_same(field, wanted, shown));
  return 1;
}

void lca_operations_open(lua_State *L)
{
  static const luaL_Reg functions[] = { { "operations", operations },
                                        { "same_field", same_field },
                                        { NULL, NULL } };
  luaL_setfuncs(L, functions, 0);
}
