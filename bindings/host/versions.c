/* `composio-lua --version`: the versions of the program and of its libraries,
   as built and as running. Must not know: which versions do harm
   (base/version). */
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

static size_t add_mimalloc(struct ca_version *out)
{
  char built[24] = "";
  char runs[24];
  if(!mi_version)
    return 0;
#ifdef MI_MALLOC_VERSION
  mimalloc_text(MI_MALLOC_VERSION, built, sizeof(built));
#endif
  mimalloc_text(mi_version(), runs, sizeof(runs));
  ca_version_set(out, "mimalloc", built, runs);
  return 1;
}

static void print_one(const struct ca_version *version)
{
  char line[200];
  ca_version_line(version, line, sizeof(line));
  puts(line);
}

static int print_all(lua_State *L)
{
  struct ca_version versions[CA_VERSIONS_MAX];
  char warning[400];
  size_t count;
  size_t i;
  host_sandbox_open(L);
  count = lca_versions_list(L, versions);
  /* libcsv cannot report the version that is loaded */
  ca_version_set(&versions[count++], "libcsv",
                 TEXT(CSV_MAJOR) "." TEXT(CSV_MINOR) "." TEXT(CSV_RELEASE),
                 NULL);
  count += add_mimalloc(&versions[count]);
  for(i = 0; i < count; i++)
    print_one(&versions[i]);
  for(i = 0; i < count; i++)
    if(ca_version_warning(&versions[i], warning, sizeof(warning)))
      printf("warning: %s\n", warning);
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
