/* Tasks as the files of this level share them: module/scheduler.c moves them
   from state to state, module/wait.c suspends them, module/task.c is their
   face. Other rooms use module/scheduler.h and module/wait.h. Must not know:
   curl, the ledger, operations. */
#ifndef LCA_SCHEDULER_PRIVATE_H
#define LCA_SCHEDULER_PRIVATE_H

#include "module/scheduler.h"

enum lca_task_state {
  LCA_READY,   /* in the queue; its thread is not started or suspended */
  LCA_RUNNING, /* its code runs now */
  LCA_WAITING, /* suspended; a token wakes it */
  LCA_DONE
};

/* User values of the task userdata. */
enum { LCA_TASK_THREAD = 1, LCA_TASK_RESULT, LCA_TASK_TRACE, LCA_TASK_REASON };

struct lca_op;

/* One wait of one task. */
struct lca_wait {
  const bool *flag;
  struct lca_op *op; /* NULL: a flag of somebody else */
  uint64_t *token;   /* where its waker finds the token */
  lua_KContext ctx;
  lua_KFunction k;
  int top; /* of its stack, so that a stranger's resume leaves no values */
  bool patient; /* not woken early by a cancel: composio.run unwinds */
};

/* What one composio.run holds together; a userdata on its stack. */
struct lca_scope {
  struct lca_scheduler *sched;
  uint64_t id;
  size_t live;
  bool empty;     /* live became 0 */
  uint64_t token; /* of the task that waits for that */
  struct lca_scope *up;
  struct lca_task *owner; /* who waits in that run; NULL: outside tasks */
};

struct lca_task {
  struct lca_scheduler *sched; /* NULL when the state is closing */
  lua_State *thread;           /* NULL when done */
  struct lca_scope *scope;
  struct lca_task *next;    /* in the ready queue */
  struct lca_task *joiners; /* who waits for this one */
  struct lca_task *joining; /* whom this one waits for */
  struct lca_task *next_joiner;
  struct lca_wait wait;
  uint64_t joiner_token; /* what wakes it while joining */
  uint64_t scope_id;     /* whose run it was, when that is over */
  int64_t item;
  int64_t kill_at_ms; /* once cancelled */
  int64_t grace_ms;
  uint32_t slot;
  uint32_t generation;
  enum lca_task_state state;
  int raised; /* how often its cancel was thrown */
  int count;  /* of start arguments, later of results */
  bool started;
  bool done; /* what joins wait for */
  bool failed;
  bool joined;
  bool unseen; /* a failure that is kept for who ends the run */
  bool cancelled;
  bool unwinding; /* cancelled, and the error that ends it is under way */
  bool killed;
};

/* User values of the scheduler: tables, and a string. */
enum {
  LCA_SCHED_LIVE = 1, /* slot + 1 → task */
  LCA_SCHED_IDLE,     /* threads for later tasks */
  LCA_SCHED_FAILED,   /* tasks whose failure nobody joined yet */
  LCA_SCHED_TRACE
};

struct lca_scheduler {
  struct ca_engine *engine; /* NULL when the state is closing */
  struct ca_log log;
  struct lca_task **tasks; /* by slot; NULL: free */
  uint32_t *generations;   /* by slot; outlive the tasks */
  uint32_t size;
  uint32_t free_hint;
  size_t live;
  struct lca_task *first; /* ready, FIFO */
  struct lca_task *last;
  size_t ready;
  struct lca_task *running;
  int idle; /* threads in the pool */
  int failures;
  int cancelled;   /* live tasks with a time to be killed at */
  uint64_t scopes; /* how many there were: their ids */
  struct lca_scope root;
  lca_pump_fn *pump;
  void *pump_ctx;
  const volatile int *interrupt;
  int interrupted; /* the signal, once seen */
  int64_t interrupted_ms;
  bool gave_up; /* the time for ops under way is over */
  lua_Hook hook;
  int hook_count;
  bool hook_always;
};

/* ---- module/taskset.c ---- */

void lca_taskset_make_ready(struct lca_scheduler *sched,
                            struct lca_task *task);
void lca_taskset_leave_queue(struct lca_scheduler *sched,
                             struct lca_task *task);
/* A free slot, room made for it; false when out of memory. It stays free until
   it is taken. */
bool lca_taskset_find_slot(struct lca_scheduler *sched, uint32_t *slot);
void lca_taskset_take_slot(struct lca_scheduler *sched, struct lca_task *task,
                           uint32_t slot);
void lca_taskset_free_slot(struct lca_scheduler *sched, struct lca_task *task);
/* wait only: the running task is about to yield; returns its token. */
uint64_t lca_taskset_suspend(struct lca_scheduler *sched);
/* Takes a task out of the list of those who wait for `joining`. */
void lca_taskset_stop_joining(struct lca_task *task);

/* ---- module/scheduler.c ---- */

/* The scheduler's userdata; NULL before lca_scheduler_of. [-0, +1, -] */
struct lca_scheduler *lca_scheduler_push(lua_State *L);
/* One of its user values. [-0, +1, -] */
void lca_scheduler_push_field(lua_State *L, int part);
/* The userdata of a live task. [-0, +1, -] */
void lca_scheduler_push_task(lua_State *L, const struct lca_task *task);
int64_t lca_scheduler_now_ms(const struct lca_scheduler *sched);

/* The bottom frame of every task. */
int lca_scheduler_task_body(lua_State *L);
/* Ends a task that will not run again by itself. [-0, +0, m] */
void lca_scheduler_kill(lua_State *L, struct lca_scheduler *sched,
                        struct lca_task *task);
/* A new scope within another, for a run whose task waits in owner. */
void lca_scheduler_init_scope(struct lca_scheduler *sched,
                              struct lca_scope *scope, struct lca_task *owner);
/* The bottom of all scopes: tasks spawned outside any run. */
struct lca_scope *lca_scheduler_root(struct lca_scheduler *sched);
bool lca_scheduler_has_ready(const struct lca_scheduler *sched);
bool lca_scheduler_has_pump(const struct lca_scheduler *sched);

/* Makes a task of the function and its arguments, `count` values on top, and
   queues it. [-count, +1, m] */
struct lca_task *lca_scheduler_spawn(lua_State *L, struct lca_scheduler *sched,
                                     struct lca_scope *scope, int count);
/* The task's next call raises; it is woken to make it now. reason: a string
   on top of the stack, taken. task: stack index of its userdata.
   [-1, +0, m] */
void lca_scheduler_cancel(lua_State *L, int task, int64_t grace_ms);
/* Cancels every task of the scope and of the scopes inside it. */
void lca_scheduler_cancel_scope(lua_State *L, struct lca_scheduler *sched,
                                struct lca_scope *scope, const char *reason);
/* Ends what is left of the scope at once: threads are reset, calls in their
   __close raise. */
void lca_scheduler_kill_scope(lua_State *L, struct lca_scheduler *sched,
                              struct lca_scope *scope);
/* Ends the cancelled ones whose time is over. */
void lca_scheduler_kill_overdue(lua_State *L, struct lca_scheduler *sched);
/* Takes the failures of the scope that nobody joined: pushes the value of the
   first and returns true, and logs the others. [-0, +(0|1), m] */
bool lca_scheduler_take_failure(lua_State *L, struct lca_scheduler *sched,
                                struct lca_scope *scope);
/* Remembers the traceback of the task at index for
   lca_scheduler_push_traceback.
   [-0, +0, m] */
void lca_scheduler_keep_trace(lua_State *L, struct lca_scheduler *sched,
                              int task);
/* Pushes the error object of a cancelled task, or of an interrupted run when
   task is NULL. unknown: a request may have left. [-0, +1, m] */
void lca_scheduler_push_cancelled(lua_State *L, struct lca_scheduler *sched,
                                  struct lca_task *task, bool unknown);
/* Would lca_scheduler_check throw? [-0, +0, e] */
bool lca_scheduler_raises(lua_State *L, struct lca_scheduler *sched,
                          bool waiting);
/* Throws what a cancelled task, or an interrupted run, has to meet; a task
   that goes on swallowing it gets no further instruction. */
int lca_scheduler_throw(lua_State *L, struct lca_scheduler *sched,
                        bool unknown);
#endif
