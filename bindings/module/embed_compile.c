/* Compiles one Lua file during the host's build. The bytecode in a program
   must come from the Lua that it is linked with; this tool is linked with the
   same one.
   Usage: composio-embed FILE CHUNK OUT
   Must not know: what OUT is used for (embed.cmake). */
#include <lauxlib.h>
#include <stdio.h>
#include "module/lua_version.h"

static int write_bytes(lua_State *L, const void *bytes, size_t len, void *file)
{
  (void)L;
  return len && fwrite(bytes, len, 1, file) != 1;
}

/* Stack: path, chunk name, output path. */
static int compile(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1);
  const char *out = luaL_checkstring(L, 3);
  luaL_Buffer text;
  char bytes[4096];
  size_t len;
  FILE *file = fopen(path, "rb");
  int failed;

  if(!file)
    return luaL_error(L, "cannot read %s", path);
  luaL_buffinit(L, &text);
  while((len = fread(bytes, 1, sizeof(bytes), file)))
    luaL_addlstring(&text, bytes, len);
  failed = ferror(file);
  (void)fclose(file);
  if(failed)
    return luaL_error(L, "cannot read %s", path);
  luaL_pushresult(&text);
  if(luaL_loadbufferx(L, lua_tostring(L, -1), lua_rawlen(L, -1),
                      lua_tostring(L, 2), "t"))
    return lua_error(L);
  file = fopen(out, "wb");
  if(!file)
    return luaL_error(L, "cannot write %s", out);
  /* not stripped: errors need lines and names */
  failed = lua_dump(L, write_bytes, file, 0);
  if(fclose(file) || failed)
    return luaL_error(L, "cannot write %s", out);
  return 0;
}

int main(int argc, char **argv)
{
  lua_State *L = luaL_newstate();
  int failed;
  if(argc != 4 || !L) {
    (void)fputs("usage: composio-embed FILE CHUNK OUT\n", stderr);
    return 2;
  }
  lua_pushcfunction(L, compile);
  lua_pushstring(L, argv[1]);
  lua_pushstring(L, argv[2]);
  lua_pushstring(L, argv[3]);
  failed = lua_pcall(L, 3, 0, 0);
  if(failed)
    fprintf(stderr, "composio-embed: %s\n", lua_tostring(L, -1));
  lua_close(L);
  return failed ? 1 : 0;
}
