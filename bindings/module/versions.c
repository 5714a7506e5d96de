/* Versions of the libraries in use, for scripts and for warnings.
   Must not know: curl, what a version means (base/version.h). */
#include <string.h>
#include <lauxlib.h>
#include "base/text.h"
#include "wire/libraries.h"
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

static void set_lua(lua_State *L, struct ca_version *version)
{
  char built[24];
  char runs[24] = "";
  copy_number(built, sizeof(built), LUA_RELEASE);
  lua_getglobal(L, "_VERSION");
  if(lua_ident)
    copy_number(runs, sizeof(runs), lua_ident);
  else if(lua_type(L, -1) == LUA_TSTRING) /* only "Lua 5.4" */
    copy_number(runs, sizeof(runs), lua_tostring(L, -1));
  lua_pop(L, 1);
  ca_version_set(version, "Lua", built, runs);
}

/* lua-cjson is a Lua module: there is no version that we were built with. */
static void set_cjson(lua_State *L, struct ca_version *version)
{
  bool found = lca_json_push_library(L); /* the library, or the reason */
  const char *text;
  if(found)
    lua_getfield(L, -1, "_VERSION");
  else
    lca_json_push_missing(L);
  text = luaL_tolstring(L, -1, NULL);
  ca_version_set(version, "lua-cjson", NULL, found ? text : NULL);
  if(!found)
    ca_err_copy_text(version->more, sizeof(version->more), text, strlen(text));
  lua_pop(L, 3);
}

static lca_version_fn *also; /* the host's library, or NULL */

void lca_versions_also(lca_version_fn *version)
{
  also = version;
}

/* Lists all but lua-cjson, which would have to be loaded. */
static size_t list_linked(lua_State *L, struct ca_version *out)
{
  size_t count = ca_libraries(out);
  if(also)
    also(&out[count++]);
  set_lua(L, &out[count++]);
  return count;
}

size_t lca_versions_list(lua_State *L, struct ca_version *out)
{
  size_t count = list_linked(L, out);
  set_cjson(L, &out[count++]);
  return count;
}

static void warn_in_lua(lua_State *L, const char *text)
{
  lua_warning(L, lua_pushfstring(L, "composio: %s", text), 0);
  lua_pop(L, 1);
}

void lca_versions_warn(lua_State *L, const struct ca_log *log)
{
  struct ca_version versions[CA_VERSIONS_MAX];
  char text[400];
  size_t count;
  size_t i;
  if(lua_rawgetp(L, LUA_REGISTRYINDEX, &warned_key) != LUA_TNIL) {
    lua_pop(L, 1);
    return;
  }
  lua_pop(L, 1);
  lua_pushboolean(L, true);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &warned_key);
  count = list_linked(L, versions);
  for(i = 0; i < count; i++) {
    if(!ca_version_warning(&versions[i], text, sizeof(text)))
      continue;
    if(log)
      ca_log_event(log, CA_LOG_WARN, "library", "%s", text);
    else
      warn_in_lua(L, text);
  }
}

static int versions(lua_State *L)
{
  struct ca_version list[CA_VERSIONS_MAX];
  size_t count = lca_versions_list(L, list);
  char warning[400];
  size_t i;
  lua_createtable(L, (int)count, 0);
  for(i = 0; i < count; i++) {
    lua_createtable(L, 0, 5);
    lca_table_set_text(L, "library", list[i].library);
    lca_table_set_text(L, "built", ca_text_or_null(list[i].built));
    lca_table_set_text(L, "runs", ca_text_or_null(list[i].runs));
    lca_table_set_text(L, "more", ca_text_or_null(list[i].more));
    (void)ca_version_warning(&list[i], warning, sizeof(warning));
    lca_table_set_text(L, "warning", ca_text_or_null(warning));
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

void lca_versions_open(lua_State *L)
{
  lua_pushcfunction(L, versions);
  lua_setfield(L, -2, "versions");
}
