/* The structs of tasks, scopes and the scheduler, shared by the four files
   that work on them: module/scheduler.c moves tasks from state to state,
   module/taskset.c queues and wakes them, module/wait.c suspends them,
   module/task.c offers them to scripts. Other rooms use module/scheduler.h and
   module/wait.h.
   Must not know: curl, the ledger, operations. */
#ifndef LCA_SCHEDULER_PRIVATE_H
#define LCA_SCHEDULER_PRIVATE_H

#include <pthread.h>
#include "module/scheduler.h"

enum lca_task_state {
  LCA_READY,   /* queued; its thread is suspended or not started */
  LCA_RUNNING, /* its code is running */
  LCA_WAITING, /* suspended; a token wakes it */
  LCA_DONE
};

/* User values of the task userdata. */
enum {
  LCA_TASK_THREAD = 1,
  LCA_TASK_RESULT,
  LCA_TASK_TRACE,
  LCA_TASK_REASON,
  LCA_TASK_ORIGIN /* the script's function that it runs, or a position */
};

struct lca_op;

/* One wait of one task. */
struct lca_wait {
  const bool *flag;
  struct lca_op *op; /* NULL: a wait for a caller's flag */
  uint64_t *token;   /* the waker reads the token here */
  lua_KContext ctx;
  lua_KFunction k;
  int top;      /* of the stack: values from a foreign resume are dropped */
  bool patient; /* a cancel does not wake it: used by composio.run */
};

/* The tasks of one composio.run; a userdata on its stack. */
struct lca_scope {
  struct lca_scheduler *sched;
  uint64_t id;
  size_t live;
  bool empty;     /* all its tasks have ended */
  uint64_t token; /* wakes the task that waits for empty */
  struct lca_scope *up;
  struct lca_task *owner; /* the caller of composio.run; NULL: no task */
};

struct lca_task {
  struct lca_scheduler *sched; /* NULL when the state is closing */
  lua_State *thread;           /* NULL when done */
  struct lca_scope *scope;
  struct lca_task *next;    /* in the ready queue */
  struct lca_task *joiners; /* the tasks that join this one */
  struct lca_task *joining; /* the task that this one joins */
  struct lca_task *next_joiner;
  struct lca_task *next_visit; /* within lca_taskset_blocks */
  uint64_t visit;
  struct lca_wait wait;
  uint64_t joiner_token; /* wakes this task when the joined one ends */
  uint64_t scope_id; /* id of its scope; still valid after the scope is gone */
  int64_t item;
  const void *origin; /* what lca_scheduler_set_origin set last, or NULL */
  int64_t kill_at_ms; /* monotonic; set by a cancel */
  int64_t grace_ms;
  uint32_t slot;
  uint32_t generation;
  enum lca_task_state state;
  int raised; /* how many times its cancel was thrown */
  int count;  /* of start values, later of results */
  bool started;
  bool done; /* the flag that joins wait for */
  bool failed;
  bool joined;
  bool unseen; /* failed, and nobody joined: composio.run reports it */
  bool cancelled;
  bool unwinding; /* cancelled, and the error that ends it is propagating */
  bool killed;
};

/* User values of the scheduler: two tables and a string. */
enum {
  LCA_SCHED_LIVE = 1, /* slot + 1 → task */
  LCA_SCHED_FAILED,   /* failed tasks that nobody has joined yet */
  LCA_SCHED_TRACE
};

struct lca_slot {
  struct lca_task *task; /* NULL: free */
  uint32_t generation;   /* kept when a task ends */
};

struct lca_scheduler {
  pthread_t thread;         /* the only one that may use it */
  bool is_owned;            /* counted as one of that thread\'s states */
  struct ca_engine *engine; /* NULL when the state is closing */
  struct ca_log log;
  struct lca_slot *slots;
  uint32_t size;
  uint32_t free_hint;
  size_t live;
  struct lca_task *first; /* ready, FIFO */
  struct lca_task *last;
  size_t ready;
  struct lca_task *running;
  int failures;
  int cancelled;         /* cancelled tasks that have not ended */
  uint64_t scopes;       /* how many were made; the last one's id */
  uint64_t visits;       /* how many walks lca_taskset_blocks has made */
  struct lca_scope root; /* of tasks that were spawned outside any run */
  lca_pump_fn *pump;
  void *pump_ctx;
  const volatile int *interrupt;
  int interrupted; /* the signal number, once noticed */
  int64_t interrupted_ms;
  bool gave_up; /* the grace period for ops in flight is over */
  lua_Hook hook;
  int hook_count;
  bool hook_always;
};

/* ---- module/taskset.c ---- */

void lca_taskset_make_ready(struct lca_scheduler *sched,
                            struct lca_task *task);
void lca_taskset_leave_queue(struct lca_scheduler *sched,
                             struct lca_task *task);
/* Finds a free slot and grows the arrays if needed; false when out of
   memory. The slot stays free until lca_taskset_take_slot. */
bool lca_taskset_find_slot(struct lca_scheduler *sched, uint32_t *slot);
void lca_taskset_take_slot(struct lca_scheduler *sched, struct lca_task *task,
                           uint32_t slot);
void lca_taskset_free_slot(struct lca_scheduler *sched, struct lca_task *task);
/* For wait.c only: marks the running task as waiting, just before it
   yields, and returns the token that wakes it. */
uint64_t lca_taskset_suspend(struct lca_scheduler *sched);
/* Returns whether `other` cannot end before the task has ended, because it
   waits for it, directly or through others. */
bool lca_taskset_blocks(struct lca_task *task, const struct lca_task *other);
/* Removes a task from the joiners of the task that it joins. */
void lca_taskset_stop_joining(struct lca_task *task);

/* ---- module/scheduler.c ---- */

/* Returns whether the loop would wait for ever: nothing is ready or under
   way, and nothing can begin. */
bool lca_scheduler_is_stuck(const struct lca_scheduler *sched);

/* Makes a task of a function and its arguments, the `count` values on top,
   and queues it. [-count, +1, m] */
struct lca_task *lca_scheduler_spawn(lua_State *L, struct lca_scheduler *sched,
                                     struct lca_scope *scope, int count);
/* Cancels a task: its next call raises, and a waiting task is woken so that
   this happens now. Pops the reason, a string. task: stack index of its
   userdata. [-1, +0, m] */
void lca_scheduler_cancel(lua_State *L, int task, int64_t grace_ms);
/* Cancels every task of the scope and of the scopes inside it. */
void lca_scheduler_cancel_scope(lua_State *L, struct lca_scheduler *sched,
                                struct lca_scope *scope, const char *reason);
/* Kills the remaining tasks of the scope at once: their threads are closed,
   and calls in their __close handlers raise. */
void lca_scheduler_kill_scope(lua_State *L, struct lca_scheduler *sched,
                              struct lca_scope *scope);
/* Removes the failures of the scope that nobody joined. Pushes the first
   one's error and returns true; logs the others. [-0, +(0|1), m] */
bool lca_scheduler_take_failure(lua_State *L, struct lca_scheduler *sched,
                                struct lca_scope *scope);
/* Stores the traceback of the task at index for
   lca_scheduler_push_traceback. [-0, +0, m] */
void lca_scheduler_keep_trace(lua_State *L, int task);
/* Returns whether lca_scheduler_check would throw. [-0, +0, e] */
bool lca_scheduler_raises(lua_State *L, struct lca_scheduler *sched,
                          bool waiting);
/* Throws the error of a cancelled task or an interrupted run. A task that
   has caught it a hundred times then raises at every instruction. */
int lca_scheduler_throw(lua_State *L, struct lca_scheduler *sched,
                        bool unknown);
#endif
