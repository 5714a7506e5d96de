/* The module in several OS threads: one thread may use it, whatever the number
   of its Lua states; another gets a clear error, until those states are
   closed. */
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <string.h>
#include "check.h"
#include "module/open.h"

static lua_State *new_state(void)
{
  lua_State *L = luaL_newstate();
  CHECK(L);
  luaL_openlibs(L);
  return L;
}

/* Loads the module in a state of its own; returns whether that was allowed,
   and checks the error if not. */
static bool may_use(void)
{
  lua_State *L = new_state();
  bool is_allowed;
  lua_pushcfunction(L, lca_open);
  is_allowed = lua_pcall(L, 0, 1, 0) == LUA_OK;
  CHECK(is_allowed || strstr(lua_tostring(L, -1), "another thread"));
  lua_close(L);
  return is_allowed;
}

static void *use(void *allowed)
{
  *(bool *)allowed = may_use();
  return NULL;
}

static bool may_use_elsewhere(void)
{
  pthread_t thread;
  bool is_allowed = false;
  CHECK(!pthread_create(&thread, NULL, use, &is_allowed));
  CHECK(!pthread_join(thread, NULL));
  return is_allowed;
}

/* A state that was opened here and is used there. */
static void *call(void *state)
{
  lua_State *L = state;
  int failed = luaL_dostring(L, "composio.sleep(0)");
  CHECK(failed && strstr(lua_tostring(L, -1), "another thread"));
  return NULL;
}

static void one_thread(void)
{
  lua_State *L = new_state();
  pthread_t thread;
  int i;
  luaL_requiref(L, "composio", lca_open, 1);
  CHECK(may_use());
  for(i = 0; i < 20; i++)
    CHECK(!may_use_elsewhere());
  CHECK(!pthread_create(&thread, NULL, call, L));
  CHECK(!pthread_join(thread, NULL));
  CHECK(!luaL_dostring(L, "composio.sleep(0)"));
  lua_close(L);
}

static void one_after_the_other(void)
{
  CHECK(may_use_elsewhere());
  CHECK(may_use());
  CHECK(may_use_elsewhere());
}

int main(void)
{
  check_case("one thread at a time", one_thread);
  check_case("one thread after the other", one_after_the_other);
  return check_end();
}
