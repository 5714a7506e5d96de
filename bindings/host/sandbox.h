/* Limits a script's memory, CPU time and instructions, and the libraries that
   it sees. The limits protect against mistakes, not malice: a slow C function
   is not interrupted. Must not know: command line options, the ledger's rows.
 */
#ifndef HOST_SANDBOX_H
#define HOST_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <lua.h>

struct ca_held;
struct lca_run;
struct lca_scheduler;

struct host_sandbox {
  size_t memory_bytes; /* the limit */
  size_t used_bytes;   /* now */
  bool refused;        /* the last allocation exceeded the limit: */
  const void *refused_block;
  size_t refused_size;
  int64_t instructions; /* the limit, 0: none */
  int64_t executed;     /* so far, counted in steps of the hook */
  int64_t cpu_ms;       /* the limit between two calls or steps of the
                           engine, 0: none */
  /* counts calls of the script and steps of the engine */
  volatile sig_atomic_t alive;
  volatile sig_atomic_t alive_seen; /* its value when CPU time was last
                                       counted */
  volatile sig_atomic_t cpu_steps;  /* steps of CPU time since `alive`
                                       changed */
  /* whose tasks a signal interrupts; NULL before and after the script */
  struct lca_scheduler *volatile sched;
  struct lca_run *run;  /* which a limit ends; NULL likewise */
  struct ca_held *held; /* receives what the script prints; NULL: stdout
                           does */
};

/* Returns a new state whose memory is counted, or NULL when out of memory.
   limits must outlive it. */
lua_State *host_sandbox_state(struct host_sandbox *limits);
/* Prepares the hook that interrupts scripts. It runs in every thread under
   --instructions; without, it is set only once a signal has arrived.
   [-0, +0, e] */
void host_sandbox_hook(lua_State *L);
/* Ends the run if the last allocation was refused. Call it when the script has
   ended; before, the allocator does. */
void host_sandbox_end_refused(struct host_sandbox *limits);
/* For a signal handler: interrupts a script that only computes. Async-signal
   safe. */
void host_sandbox_trip(struct host_sandbox *limits);

/* Starts or stops a timer of the process's CPU time. Its signal handler has
   to call host_sandbox_count_cpu. */
void host_sandbox_watch_cpu(const struct host_sandbox *limits, bool on);
/* For the handler of SIGPROF. Async-signal safe. Returns false when the script
   does not notice that it has used up its CPU time: nothing but the end of the
   process ends it then. */
bool host_sandbox_count_cpu(struct host_sandbox *limits);

/* Opens Lua's standard libraries. Modules that the host loads before
   host_sandbox_close (lua-cjson) are searched in absolute paths only: anybody
   may own the current directory, which Lua searches, too. [-0, +0, e] */
void host_sandbox_open(lua_State *L);
/* Replaces what scripts may not use (io, debug, package, most of os) by
   tables that raise an error with the reason; removes functions that load
   bytecode. After this, require finds composio and the Lua text files in
   dir. It finds our private modules, such as composio.core, only if the
   script is_ours: compiled in. Call it after composio is loaded. [-0, +0,
   e] */
void host_sandbox_close(lua_State *L, const char *dir, bool allow_io,
                        bool allow_os, bool is_ours);

/* Compiles a script's text, skipping a first line that begins with '#', and
   pushes its function. Returns LUA_OK, or Lua's error with the message on the
   stack. */
int host_sandbox_load(lua_State *L, const char *text, size_t len,
                      const char *path);

#endif
