/* composio-other-lua MODULE VERSION: loads composio.so as a Lua of that
   version (505 is 5.5) would, with hardly any of 5.4's functions, and prints
   the error that the module raises. For Lua versions that are not installed.
   Must not know: Lua's headers; the module finds only what this file exports.
 */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT int luaL_error(void *L, const char *format, ...);
EXPORT double lua_version(void *L);
EXPORT void *lua_newuserdatauv(void *L, size_t size, int count);

static double version;
static jmp_buf raised;

int luaL_error(void *L, const char *format, ...)
{
  va_list values;
  (void)L;
  va_start(values, format);
  vprintf(format, values); /* %s and %d mean the same in both */
  va_end(values);
  longjmp(raised, 1);
}

double lua_version(void *L)
{
  (void)L;
  return version;
}

void *lua_newuserdatauv(void *L, size_t size, int count)
{
  (void)L;
  (void)size;
  (void)count;
  abort();
}

int main(int argc, char **argv)
{
  int (*open)(void *);
  void *module;

  if(argc != 3)
    return 2;
  version = strtod(argv[2], NULL);
  module = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if(!module) {
    printf("%s\n", dlerror());
    return 1;
  }
  *(void **)&open = dlsym(module, "luaopen_composio");
  if(!open)
    return 1;
  if(!setjmp(raised))
    open(NULL);
  return 0;
}
