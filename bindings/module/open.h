/* Opens the module, for hosts that have it inside; composio.so does so in
   module/entry.c.
   Must not know: what is in the rooms it opens. */
#ifndef LCA_OPEN_H
#define LCA_OPEN_H

#include "module/lua_version.h"

/* Returns the module table. May be called again in the same state. */
int lca_open(lua_State *L);

/* Makes composio.core and the Lua files of the module known to require,
   without loading any. [-0, +0, m] */
void lca_open_parts(lua_State *L);

#endif
