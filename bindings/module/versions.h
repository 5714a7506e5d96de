/* Versions of the libraries, as the module sees them: composio.versions(),
   and the warning at the first client when one of them is known to do harm.
   Must not know: curl, what a version means (version). */
#ifndef LCA_VERSIONS_H
#define LCA_VERSIONS_H

#include <lua.h>
#include "base/log.h"
#include "base/version.h"

/* A library that the program around the module brings; said once, before any
   state is made. */
typedef void lca_version_fn(struct ca_version *out);
void lca_versions_also(lca_version_fn *version);

/* The libraries, Lua and lua-cjson into `out`, which has room for
   CA_VERSIONS_MAX; how many. Loads lua-cjson. [-0, +0, m] */
size_t lca_versions_list(lua_State *L, struct ca_version *out);

/* Warns of what is known to do harm, the first time in this state: into the
   log, or with log NULL by Lua's warn. [-0, +0, m] */
void lca_versions_warn(lua_State *L, const struct ca_log *log);

/* versions() → list of tables into the table on top. [-0, +0, m] */
void lca_versions_open(lua_State *L);

#endif
