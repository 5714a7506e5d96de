/* The entry point for a Lua that loads composio.so; refuses every Lua but 5.4
   with a clear message. Hosts that link the module call lca_open instead.
   Until the version is known, only luaL_error may be called: it is the same
   function in all versions. Its reference is strong, so the dynamic linker
   refuses a program that exports no Lua at all.
   Must not know: what is in the module. */
#include <lauxlib.h>
#include <stddef.h>
#include "module/open.h"

#pragma weak luaJIT_setmode
#pragma weak lua_callk
#pragma weak lua_isyieldable
#pragma weak lua_newuserdatauv
#pragma weak lua_version

int luaJIT_setmode(lua_State *L, int index, int mode);
int luaopen_composio(lua_State *L);

/* A Lua without lua_newuserdatauv is older than 5.4: 5.3 added
   lua_isyieldable, 5.2 lua_callk. LuaJIT has adopted some of these. */
static const char *older_lua(void)
{
  if(luaJIT_setmode)
    return "LuaJIT";
  if(lua_isyieldable)
    return "Lua 5.3";
  return lua_callk ? "Lua 5.2" : "Lua 5.1";
}

__attribute__((visibility("default"))) int luaopen_composio(lua_State *L)
{
  int version;
  if(!lua_newuserdatauv)
    return luaL_error(L, "composio needs Lua 5.4; this is %s", older_lua());
  /* before 5.4 it returned a pointer */
  version = (int)lua_version(L);
  if(version != LUA_VERSION_NUM)
    return luaL_error(L, "composio needs Lua 5.4; this is Lua %d.%d",
                      version / 100, version % 100);
  return lca_open(L);
}
