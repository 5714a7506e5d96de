/* Makes every function of Lua's a weak reference. The build puts it in front
   of each file that ends up in composio.so, so that a Lua that lacks some of
   them can load the module and be told what is wrong (module/entry.c): with
   strong references the dynamic linker gives up first, and its message names
   a symbol.
   Must not know: which functions are used.
   luaconf.h says how the functions are declared and is included once, so that
   what is said here holds for lua.h and lauxlib.h. */
#ifndef LCA_WEAK_H
#define LCA_WEAK_H

#include <luaconf.h>
#undef LUA_API
#define LUA_API extern __attribute__((weak))
#include <lua.h>

/* Since 5.4.6, beside lua_resetthread: whether it is there is seen when the
   module runs, since it may be built with one 5.4 and loaded by another. */
LUA_API int lua_closethread(lua_State *thread, lua_State *from);

#endif
