/* A set of ids for Lua: it remembers which ids a listing has returned.
   Must not know: accounts. */
#ifndef LCA_IDSET_H
#define LCA_IDSET_H

#include <lua.h>

/* Adds idset to the table on top. idset() returns an object with add(text),
   true if the text is new, and count(). [-0, +0, m] */
void lca_idset_open(lua_State *L);

#endif
