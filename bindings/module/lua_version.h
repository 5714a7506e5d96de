/* Fails with words when the compiler found the headers of another Lua: what
   is called alike in 5.3 and 5.5 does not always do the same.
   Must not know: anything else. */
#ifndef LCA_VERSION_H
#define LCA_VERSION_H

#include <lua.h>

#if LUA_VERSION_NUM != 504
#error "composio-lua needs Lua 5.4; the lua.h that was found is another one's"
#endif

#endif
