/* Ids that were seen, as hashes: what a walk over a hundred thousand accounts
   may keep of each. Knows nothing of accounts. */
#ifndef LCA_SEEN_H
#define LCA_SEEN_H

#include <lua.h>

/* seen() → object with add(text) → true when it is new, and count() into the
   table on top. [-0, +0, m] */
void lca_seen_open(lua_State *L);

#endif
