/* luaopen_composio, for hosts that have the module inside.
   Must not know: what is in the rooms it opens. */
#ifndef LCA_OPEN_H
#define LCA_OPEN_H

#include "lua_version.h"

/* Returns the module table. May be called again in the same state. */
int luaopen_composio(lua_State *L);

#endif
