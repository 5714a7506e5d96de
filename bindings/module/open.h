/* Opens the module for hosts that link it; for composio.so, module/entry.c
   does it.
   Must not know: what is in the rooms that it opens. */
#ifndef LCA_OPEN_H
#define LCA_OPEN_H

#include "module/lua_version.h"

/* Returns the module table. Can be called again in the same state. */
int lca_open(lua_State *L);

/* Registers composio.core and the module's Lua files in package.preload,
   without loading any. [-0, +0, m] */
void lca_open_parts(lua_State *L);

#endif
