/* The scheduler of tasks (Lua coroutines), and the only caller of lua_resume.
   It calls the engine's step; the engine never calls it.
   Must not know: curl, the ledger, operations, how tasks wait. */
#ifndef LCA_SCHEDULER_H
#define LCA_SCHEDULER_H

#include <lua.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "wire/engine.h"
#include "base/log.h"

struct lca_scheduler; /* one per Lua main state, in the registry */
struct lca_task;

/* ---- the state's scheduler ---- */

/* Returns the scheduler; the first call creates it with its engine.
   [-0, +0, e] */
struct lca_scheduler *lca_scheduler_of(lua_State *L);
struct ca_engine *lca_scheduler_engine(struct lca_scheduler *sched);
/* Returns the log, which prints warnings to stderr until the caller changes
   it. */
struct ca_log *lca_scheduler_log(struct lca_scheduler *sched);

/* Returns the task whose code runs now, or NULL outside tasks; and its thread.
   In a coroutine that the script created itself a call cannot suspend, but the
   task is still the running one. */
struct lca_task *lca_scheduler_running(struct lca_scheduler *sched);
lua_State *lca_scheduler_thread(struct lca_task *task);

/* The running task, which began with our own code, now runs the script's
   function at index: errors without a line of the script name the line where
   it starts. [-0, +0, -] */
void lca_scheduler_set_origin(lua_State *L, struct lca_scheduler *sched,
                              int index);

/* ---- the loop ---- */

/* Wakes the task whose wait got this token from lca_taskset_suspend. Ignores
   0, and tokens of waits that are over (with a debug line): no wait is woken
   twice, and no token wakes another wait. */
void lca_taskset_wake(struct lca_scheduler *sched, uint64_t token);

/* Runs the ready tasks and the engine once. Waits up to wait_ms if no task is
   ready. With resume = false only the engine runs (the caller cannot suspend).
   Does not throw for a signal: the caller checks with lca_scheduler_check.
   [-0, +0, e] */
void lca_scheduler_turn(lua_State *L, struct lca_scheduler *sched, bool resume,
                        int wait_ms);

/* Every call that may wait begins with this. Throws if the running task was
   cancelled (except while the error that ends it unwinds, so that its __close
   may do I/O) or killed, or if the run was interrupted. waiting: the caller is
   already waiting, and an interrupt gives ops in flight their time to end.
   [-0, +0, e] */
void lca_scheduler_check(lua_State *L, struct lca_scheduler *sched,
                         bool waiting);

/* Returns whether a finalizer (__gc) is running. It runs at any moment, also
   while a task ends or a change is carried out: it may wait for its own
   reads, but must not run tasks or make changes through the ledger. */
bool lca_scheduler_in_finalizer(lua_State *L);

/* Called before each engine step; apply submits its requests there. Returns
   how long the step may wait, at most wait_ms. It may throw but must not
   resume tasks. ctx belongs to the caller; NULL removes the callback. */
typedef int lca_pump_fn(void *ctx, lua_State *L, int wait_ms);
void lca_scheduler_set_pump(struct lca_scheduler *sched, lca_pump_fn *pump,
                            void *ctx);

/* For the host, before a script runs. `interrupt` is polled after every engine
   step. Once it is not zero, no attempt starts, tasks raise at every call, and
   after ten seconds those that still wait are cancelled. */
void lca_scheduler_set_interrupt(struct lca_scheduler *sched,
                                 const volatile int *interrupt);
/* For the host: a hook with LUA_MASKCOUNT for every task thread. If `always`,
   from the thread's start; else only once `interrupt` is set, because a count
   hook costs more than most instructions. */
void lca_scheduler_set_hook(struct lca_scheduler *sched, lua_Hook hook,
                            int count, bool always);
/* For the host: sets that hook on the running thread, so that a script that
   only computes is interrupted, too. A signal handler may call it, as it may
   call lua_sethook. */
void lca_scheduler_trip(struct lca_scheduler *sched);

/* For the host: calls the function below the value on top with that value, in
   a thread of its own that has this hook (LUA_MASKCOUNT). Lua calls none in a
   finalizer's thread. [-2, +0, e] */
void lca_scheduler_call_apart(lua_State *L, lua_Hook hook, int count);

/* Pushes the traceback of the error that the last composio.run raised, or nil.
   [-0, +1, m] */
void lca_scheduler_push_traceback(lua_State *L, struct lca_scheduler *sched);

#endif
