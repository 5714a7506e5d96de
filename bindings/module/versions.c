/* Versions of the libraries in use, for scripts and for warnings.
   Must not know: curl, what a version means (versions.lua). */
#include <string.h>
#include <lauxlib.h>
#include "base/text.h"
#include "module/json.h"
#include "module/table.h"
#include "module/versions.h"

/* "$LuaVersion: Lua 5.4.4 Copyright …". The reference is weak: a program
   with Lua inside may not export it. */
#pragma weak lua_ident

static const char warned_key; /* in the registry */

/* Copies the version number out of "Lua 5.4.4 Copyright …". */
static void copy_number(char *to, size_t size, const char *text)
{
  const char *from = text + strcspn(text, "0123456789");
  ca_err_copy_text(to, size, from, strspn(from, "0123456789."));
}

void lca_versions_add(lua_State *L, struct ca_library version)
{
  lua_createtable(L, 0, 4);
  lca_table_set_text(L, "library", version.name);
  lca_table_set_text(L, "built", version.built);
  lca_table_set_text(L, "runs", version.runs);
  lca_table_set_text(L, "more", ca_text_or_null(version.more));
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

static void add_lua(lua_State *L)
{
  char built[24];
  char runs[24] = "";
  struct ca_library version = { "Lua", built, runs, "" };
  copy_number(built, sizeof(built), LUA_RELEASE);
  lua_getglobal(L, "_VERSION");
  if(lua_ident)
    copy_number(runs, sizeof(runs), lua_ident);
  else if(lua_type(L, -1) == LUA_TSTRING) /* only "Lua 5.4" */
    copy_number(runs, sizeof(runs), lua_tostring(L, -1));
  lua_pop(L, 1);
  version.runs = ca_text_or_null(runs);
  lca_versions_add(L, version);
}

/* lua-cjson is a Lua module: there is no version that we were built with. */
static void add_cjson(lua_State *L)
{
  struct ca_library version = { "lua-cjson", NULL, NULL, "" };
  int top = lua_gettop(L);
  bool found = lca_json_push_library(L); /* the library, or the reason */
  const char *text;
  if(found)
    lua_getfield(L, -1, "_VERSION");
  text = luaL_tolstring(L, -1, NULL);
  if(found)
    version.runs = text;
  else
    ca_text_copy(version.more, sizeof(version.more), text);
  lua_pushvalue(L, top); /* the list */
  lca_versions_add(L, version);
  lua_settop(L, top);
}

static lca_versions_fn *also; /* the host's library, or NULL */

void lca_versions_also(lca_versions_fn *version)
{
  also = version;
}

/* Lists all but lua-cjson, which would have to be loaded. */
static void push_linked(lua_State *L)
{
  struct ca_library list[CA_LIBRARIES];
  size_t count = ca_libraries(list);
  size_t i;
  lua_newtable(L);
  for(i = 0; i < count; i++)
    lca_versions_add(L, list[i]);
  if(also)
    lca_versions_add(L, also());
  add_lua(L);
}

void lca_versions_push(lua_State *L)
{
  push_linked(L);
  add_cjson(L);
}

void lca_versions_call(lua_State *L, const char *name)
{
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_getfield(L, -1, "composio.versions");
  lua_pushliteral(L, "composio.versions");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, name);
  lua_pushvalue(L, -4); /* the list */
  lua_call(L, 1, 1);
  lua_replace(L, -4);
  lua_pop(L, 2);
}

static void warn(lua_State *L, const struct ca_log *log, const char *text)
{
  if(log)
    ca_log_event(log, CA_LOG_WARN, "library", "%s", text);
  else {
    lua_warning(L, lua_pushfstring(L, "composio: %s", text), 0);
    lua_pop(L, 1);
  }
}

void lca_versions_warn(lua_State *L, const struct ca_log *log)
{
  lua_Integer i;
  if(lua_rawgetp(L, LUA_REGISTRYINDEX, &warned_key) != LUA_TNIL) {
    lua_pop(L, 1);
    return;
  }
  lua_pushboolean(L, true);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &warned_key);
  push_linked(L);
  lca_versions_call(L, "check");
  for(i = 1; lua_rawgeti(L, -1, i) == LUA_TTABLE; i++) {
    if(lua_getfield(L, -1, "warning") == LUA_TSTRING)
      warn(L, log, lua_tostring(L, -1));
    lua_pop(L, 2);
  }
  lua_pop(L, 3);
}

static int versions(lua_State *L)
{
  lca_versions_push(L);
  lca_versions_call(L, "check");
  return 1;
}

void lca_versions_open(lua_State *L)
{
  lua_pushcfunction(L, versions);
  lua_setfield(L, -2, "versions");
}
