/* Tasks: the scheduler of Lua coroutines, and the only caller of lua_resume.
   The scheduler calls the engine's step, never the reverse.
   Must not know: curl, the ledger, operations, how tasks wait. */
#ifndef LCA_SCHED_H
#define LCA_SCHED_H

#include <lua.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "wire/engine.h"
#include "base/log.h"

struct lca_sched; /* one per Lua main state, in the registry */
struct lca_task;

/* ---- the state's scheduler ---- */

/* Made, with its engine, at the first call. [-0, +0, e] */
struct lca_sched *lca_sched_of(lua_State *L);
struct ca_engine *lca_sched_engine(struct lca_sched *sched);
/* Warnings to stderr until the owner of the process says otherwise. */
struct ca_log *lca_sched_log(struct lca_sched *sched);

/* The task whose code runs now, NULL outside tasks; and its thread. A nested
   coroutine of a script's own counts as outside for suspending, but its task
   is still the running one. */
struct lca_task *lca_sched_running(struct lca_sched *sched);
lua_State *lca_task_thread(struct lca_task *task);

/* ---- turning ---- */

/* Wakes the task whose wait got this token from lca_sched_suspend. 0, and
   tokens of waits that are over, are dropped (the latter with a debug line):
   never wakes twice, never wakes another. */
void lca_sched_wake(struct lca_sched *sched, uint64_t token);

/* Runs ready tasks and the engine once; waits at most wait_ms when nothing is
   ready. resume = false: only the engine (a caller in an awkward place
   waits). Does not throw for a signal: who drives looks with
   lca_sched_check. [-0, +0, e] */
void lca_sched_turn(lua_State *L, struct lca_sched *sched, bool resume,
                    int wait_ms);

/* Every call that may wait begins with this: throws when the task that runs
   was cancelled (except while the error that ends it unwinds, so that its
   __close may do I/O), was killed, or the run was interrupted.
   waiting: the caller is in the midst of a wait, and an interrupt gives ops
   under way their time to end. [-0, +0, e] */
void lca_sched_check(lua_State *L, struct lca_sched *sched, bool waiting);

/* Called before each engine step (apply fills there); gives how long the step
   may wait, wait_ms or less. ctx is yours. NULL removes. It must not resume
   tasks; it may throw. */
typedef int lca_pump_fn(void *ctx, lua_State *L, int wait_ms);
void lca_sched_set_pump(struct lca_sched *sched, lca_pump_fn *pump, void *ctx);

/* Host: set before a script runs. `interrupt` is polled after every engine
   step; non-zero: no new attempt starts, tasks raise at their next call
   (sticky), and after ten seconds those that still wait are cancelled. */
void lca_sched_set_interrupt(struct lca_sched *sched,
                             const volatile int *interrupt);
/* Host: a hook (limits) for every task thread, with LUA_MASKCOUNT: from its
   start (always), else only once `interrupt` is set, since a hook that counts
   costs more than most instructions. */
void lca_sched_set_hook(struct lca_sched *sched, lua_Hook hook, int count,
                        bool always);
/* Host: sets that hook on the thread whose code runs now, so that code which
   only computes hears of the interrupt. May be called by the handler of a
   signal, as lua_sethook may. */
void lca_sched_trip(struct lca_sched *sched);

/* Tasks that are not finished. */
size_t lca_sched_live(const struct lca_sched *sched);

/* Pushes the traceback of the error that the last composio.run raised, nil
   when it has none. [-0, +1, m] */
void lca_sched_push_traceback(lua_State *L, struct lca_sched *sched);

#endif
