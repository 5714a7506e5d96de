/* What a script may use: memory, instructions, and which libraries. Against
   mistakes, not against malice: a slow C function is not interrupted.
   Must not know: options of the command line, the ledger's rows. */
#ifndef HOST_SANDBOX_H
#define HOST_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <lua.h>

struct lca_sched;

struct host_sandbox {
  size_t memory_bytes;  /* ceiling */
  size_t used_bytes;    /* now */
  bool memory_refused;  /* an allocation hit the ceiling */
  int64_t instructions; /* ceiling, 0 for none */
  int64_t executed;     /* so far, in steps of the hook */
  /* whose tasks a signal interrupts; NULL before and after */
  struct lca_sched *volatile sched;
};

/* A state whose memory is counted; NULL when there is none. limits must
   outlive it. */
lua_State *host_sandbox_state(struct host_sandbox *limits);
/* Readies the hook that ends scripts: it is set where code runs when a signal
   comes, and everywhere where instructions are counted. [-0, +0, e] */
void host_sandbox_hook(lua_State *L);
/* For the handler of a signal: code that only computes shall hear of it. */
void host_sandbox_trip(struct host_sandbox *limits);

/* Lua's own libraries. What the host loads before host_sandbox_close
   (lua-cjson) is looked for in absolute places alone: the current directory,
   where Lua looks too, can be anybody's. [-0, +0, e] */
void host_sandbox_open(lua_State *L);
/* Takes away what scripts do not get: io, debug, package, the parts of os that
   reach outside, bytecode; require finds composio and text modules in dir. To
   be called when composio is loaded. [-0, +0, e] */
void host_sandbox_close(lua_State *L, const char *dir, bool allow_io,
                        bool allow_os);

/* Loads a script's text (a first line with "#!" is skipped) and pushes its
   function. LUA_OK, or an error with its message on top. */
int host_sandbox_load(lua_State *L, const char *text, size_t len,
                      const char *path);

#endif
