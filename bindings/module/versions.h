/* Versions of the libraries in use: composio.versions(), and a warning at the
   first client if one of them has a known harmful bug.
   Must not know: curl, what a version means (base/version.h). */
#ifndef LCA_VERSIONS_H
#define LCA_VERSIONS_H

#include <lua.h>
#include "base/log.h"
#include "base/version.h"

/* Registers a library that only the program around the module has. Call
   once, before any Lua state is made. */
typedef void lca_version_fn(struct ca_version *out);
void lca_versions_also(lca_version_fn *version);

/* Stores the versions of the libraries, of Lua and of lua-cjson in out,
   which has room for CA_VERSIONS_MAX, and returns their number. Loads
   lua-cjson. [-0, +0, m] */
size_t lca_versions_list(lua_State *L, struct ca_version *out);

/* Warns about versions with known harmful bugs, once per state: in the log,
   or by Lua's warn if log is NULL. [-0, +0, m] */
void lca_versions_warn(lua_State *L, const struct ca_log *log);

/* Adds versions() → list of tables to the table on top. [-0, +0, m] */
void lca_versions_open(lua_State *L);

#endif
