/* Tasks: the scheduler of Lua coroutines, and the only caller of lua_resume.
   The scheduler calls the engine's step, never the reverse.
   Must not know: curl, the ledger, operations. */
#ifndef LCA_SCHED_H
#define LCA_SCHED_H

#include <lua5.4/lua.h>
#include <lua5.4/lauxlib.h>
#include <stdbool.h>
#include <stdint.h>
#include "clock.h"
#include "engine.h"
#include "log.h"

struct lca_sched; /* one per Lua main state, in the registry */
struct lca_task;

/* The state's scheduler, made (with its engine) at the first call. May throw
   [-0, +0, m]. */
struct lca_sched *lca_sched_of(lua_State *L);
struct ca_engine *lca_sched_engine(struct lca_sched *sched);
struct ca_log *lca_sched_log(struct lca_sched *sched);

/* The task whose code runs now, NULL outside tasks; and its thread. A nested
   coroutine of a script's own counts as outside for suspending, but its task
   is still the running one. */
struct lca_task *lca_sched_running(struct lca_sched *sched);
lua_State *lca_task_thread(struct lca_task *task);

/* The plan item on whose behalf the task runs: 0 none (lua_ledger sets it). */
int64_t lca_task_item(const struct lca_task *task);
void lca_task_set_item(struct lca_task *task, int64_t item);

/* A task id and generation as one number: what completions carry. 0: none.
   Waking a task that has moved on is logged and dropped. */
uint64_t lca_task_token(const struct lca_task *task);
void lca_sched_wake(struct lca_sched *sched, uint64_t token);
/* lua_wait only: the running task is about to yield; returns its token. */
uint64_t lca_sched_suspend(struct lca_sched *sched);

/* Runs ready tasks and the engine once; waits at most wait_ms when nothing is
   ready. resume = false: only the engine (a caller in an awkward place
   waits). Throws what a signal asks for. [-0, +0, e] */
void lca_sched_turn(lua_State *L, struct lca_sched *sched, bool resume,
                    int wait_ms);

/* Called before each engine step (apply fills there); ctx is yours. NULL
   removes. */
void lca_sched_set_pump(struct lca_sched *sched,
                        void (*pump)(void *ctx, lua_State *L), void *ctx);

/* Host: set before a script runs. `interrupt` is polled after every engine
   step; non-zero: tasks raise at their next call (sticky). */
void lca_sched_set_interrupt(struct lca_sched *sched,
                             const volatile int *interrupt);
/* Host: a hook (limits) to set on every task thread. */
void lca_sched_set_hook(struct lca_sched *sched, lua_Hook hook, int count);

/* Tasks that are not finished. */
size_t lca_sched_live(const struct lca_sched *sched);

/* composio.spawn, sleep, run and the task class into the table on top.
   [-0, +0, m] */
void lca_sched_open(lua_State *L);

#endif
