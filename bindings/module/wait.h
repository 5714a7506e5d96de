/* Waiting for an op or a flag; the only code that yields. A wait suspends if L
   is the thread of the running task and can yield; everywhere else it drives
   the engine until the wait is over.
   Must not know: what is waited for. */
#ifndef LCA_WAIT_H
#define LCA_WAIT_H

#include "module/scheduler.h"

struct lca_op;

/* The head of a list of ops that must end when their client closes. */
struct lca_ops {
  struct lca_op *first;
};

/* One op in flight, a full userdata in a to-be-closed slot: when its task
   dies, closing the slot cancels the op. */
struct lca_op {
  struct lca_scheduler *sched;
  uint64_t id;    /* the engine's; 0 before submit and after the end */
  uint64_t token; /* of the waiting task; 0: nobody is suspended on it */
  bool ended;
  bool changes; /* mutating: unknown if cancelled after it was sent */
  struct ca_result result;
  struct lca_op *next; /* in the client's list */
  struct lca_op **link;
};

/* Pushes a new op, marked to be closed, and returns it. The caller submits
   with lca_wait_op_done and the op as owner, and stores the engine's id in
   op->id. [-0, +1, m] */
struct lca_op *lca_wait_push_op(lua_State *L);
/* The done callback for submit; owner is the op. */
void lca_wait_op_done(void *owner, uint64_t token, struct ca_result *result);
/* Adds the op to the list; it leaves the list when it ends. */
void lca_wait_list_op(struct lca_op *op, struct lca_ops *ops);
/* Cancels all listed ops, gives them this error and wakes their waiters. */
void lca_wait_end_ops(struct lca_ops *ops, const struct ca_err *err);

/* Waits until op->ended, then calls k, which finds the op at the same stack
   index. Use it as `return lca_wait_op(L, op, ctx, k);`. If no suspension
   was needed, k is called directly. Raises if the task was cancelled or the
   run interrupted; the op is then cancelled. [-?, +?, e] */
int lca_wait_op(lua_State *L, struct lca_op *op, lua_KContext ctx,
                lua_KFunction k);

/* Waits until *flag is true, as lca_wait_op does. Whoever sets the flag
   calls lca_taskset_wake with the token that this function stores in
   *token. patient: a cancel or an interrupt neither wakes the wait nor
   raises in it. Flag and token must outlive the wait: they are in a userdata
   on the stack, or in static or owned memory. [-?, +?, e] */
int lca_wait_flag(lua_State *L, const bool *flag, uint64_t *token,
                  bool patient, lua_KContext ctx, lua_KFunction k);

/* Returns whether the caller can suspend: L is the running task's own
   thread and can yield. */
bool lca_wait_can_suspend(lua_State *L, struct lca_scheduler *sched);

/* Registers the metatable of ops. [-0, +0, m] */
void lca_wait_open(lua_State *L);

#endif
