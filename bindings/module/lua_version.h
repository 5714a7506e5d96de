/* Stops the build with a clear message if the compiler found another Lua's
   headers: functions with the same name do not always do the same in 5.3 and
   5.5.
   Must not know: anything else. */
#ifndef LCA_VERSION_H
#define LCA_VERSION_H

#include <lua.h>

#if LUA_VERSION_NUM != 504
#error "composio-lua needs Lua 5.4; the lua.h that was found is another one's"
#endif

#endif
