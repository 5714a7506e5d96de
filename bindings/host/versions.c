/* `composio-lua --version`: the versions of the program and of its libraries,
   as built and as running. Must not know: which versions do harm
   (versions.lua). */
#include <csv.h>
#include <lauxlib.h>
#include <stdio.h>
#include "host/host.h"
#include "module/versions.h"

#if defined(__has_include)
#if __has_include(<mimalloc.h>)
#include <mimalloc.h>
#endif
#endif

/* Weak: builds with sanitizers are not linked with mimalloc. */
extern int mi_version(void);
#pragma weak mi_version

#define TEXT_OF(number) #number
#define TEXT(number)    TEXT_OF(number)

/* 209 is 2.0.9. Newer versions have two digits for each part: 30207. */
static void mimalloc_text(int number, char *out, size_t size)
{
  bool wide = number >= 10000;
  int patch = wide ? 100 : 10;
  int minor = wide ? 100 : 10;
  snprintf(out, size, "%d.%d.%d", number / patch / minor,
           number / patch % minor, number % patch);
}

static void add_mimalloc(lua_State *L)
{
  char built[24];
  char runs[24];
  struct ca_library mimalloc = { "mimalloc", NULL, runs, "" };
  if(!mi_version)
    return;
#ifdef MI_MALLOC_VERSION
  mimalloc_text(MI_MALLOC_VERSION, built, sizeof(built));
  mimalloc.built = built;
#endif
  mimalloc_text(mi_version(), runs, sizeof(runs));
  lca_versions_add(L, mimalloc);
}

static int print_all(lua_State *L)
{
  /* libcsv cannot report the version that is loaded */
  struct ca_library csv = {
    "libcsv", TEXT(CSV_MAJOR) "." TEXT(CSV_MINOR) "." TEXT(CSV_RELEASE), NULL,
    ""
  };
  host_sandbox_open(L);
  lca_versions_push(L);
  lca_versions_add(L, csv);
  add_mimalloc(L);
  lca_versions_call(L, "text");
  puts(lua_tostring(L, -1));
  return 0;
}

int host_versions(void)
{
  lua_State *L = luaL_newstate();
  puts("composio-lua " COMPOSIO_VERSION);
  if(!L)
    return 0;
  lua_pushcfunction(L, print_all);
  if(lua_pcall(L, 0, 0, 0))
    printf("cannot list the libraries: %s\n", lua_tostring(L, -1));
  lua_close(L);
  return 0;
}
