/* Versions of the libraries in use: composio.versions(), and a warning at the
   first client if one of them has a known harmful bug.
   Must not know: curl, what a version means (versions.lua). */
#ifndef LCA_VERSIONS_H
#define LCA_VERSIONS_H

#include <lua.h>
#include "base/log.h"
#include "wire/libraries.h"

/* Registers a library that only the program around the module has. Call
   once, before any Lua state is made. */
typedef struct ca_library lca_versions_fn(void);
void lca_versions_also(lca_versions_fn *version);

/* Pushes the list of the libraries, of Lua and of lua-cjson, which it loads.
   [-0, +1, m] */
void lca_versions_push(lua_State *L);
/* Adds one to the list on top. [-0, +0, m] */
void lca_versions_add(lua_State *L, struct ca_library version);
/* Calls a function of versions.lua with the list on top, and leaves what it
   returns. [-1, +1, m] */
void lca_versions_call(lua_State *L, const char *name);

/* Warns about versions with known harmful bugs, once per state: in the log,
   or by Lua's warn if log is NULL. [-0, +0, m] */
void lca_versions_warn(lua_State *L, const struct ca_log *log);

/* Adds versions() → list of tables to the table on top. [-0, +0, m] */
void lca_versions_open(lua_State *L);

#endif
