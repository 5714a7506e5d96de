/* A set of ids for Lua: remembers which ids a listing has named before.
   Must not know: accounts. */
#ifndef LCA_IDSET_H
#define LCA_IDSET_H

#include <lua.h>

/* Puts the function idset into the table on top. idset() returns an object
   with add(text), true when the text is new; take(list); and count(). [-0, +0,
   m]
 */
void lca_idset_open(lua_State *L);

#endif
