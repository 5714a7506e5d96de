/* Declares all of Lua's functions as weak references. The build includes this
   header before each file of composio.so, so that a Lua that lacks some of
   them can still load the module and get a clear error (module/entry.c): with
   strong references the dynamic linker fails first, and its message only names
   a symbol. luaconf.h defines how the functions are declared and is included
   once, so the change here applies to lua.h and lauxlib.h.
   Must not know: which functions are used. */
#ifndef LCA_WEAK_H
#define LCA_WEAK_H

#include <luaconf.h>
#undef LUA_API
#define LUA_API extern __attribute__((weak))
#include <lua.h>

/* Since 5.4.6, beside lua_resetthread. Checked when the module runs: it may
   be built with one 5.4 and loaded by another. */
LUA_API int lua_closethread(lua_State *thread, lua_State *from);

#endif
