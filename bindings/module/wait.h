/* Waiting: the only place that yields. The law: suspend if we can, otherwise
   wait. Suspends when L is the thread of the running task and yieldable;
   everywhere else it drives the engine until the op has ended.
   Must not know: what is waited for. */
#ifndef LCA_WAIT_H
#define LCA_WAIT_H

#include "module/scheduler.h"

struct lca_op;

/* Ops that must end when their client closes: a list head. */
struct lca_ops {
  struct lca_op *first;
};

/* One op under way, a full userdata in a to-be-closed slot: when its task
   dies the op is cancelled by itself. */
struct lca_op {
  struct lca_scheduler *sched;
  uint64_t id;    /* of the engine; 0 before submit and when ended */
  uint64_t token; /* of the task that waits; 0: someone drives */
  bool ended;
  bool changes; /* cut short, its outcome is unknown once bytes have left */
  struct ca_result result;
  struct lca_op *next; /* among the ops of a client */
  struct lca_op **link;
};

/* Pushes a new op (to be closed) and returns it. Submit with lca_wait_op_done
   and the op as owner, and put the engine's id into op->id. [-0, +1, m] */
struct lca_op *lca_wait_push_op(lua_State *L);
/* The done function to submit with; owner is the op. */
void lca_wait_op_done(void *owner, uint64_t token, struct ca_result *result);
/* Lists the op until it ends. */
void lca_wait_list_op(struct lca_op *op, struct lca_ops *ops);
/* Ends all listed ops with this error: they are cancelled, and their waiters
   woken. */
void lca_wait_end_ops(struct lca_ops *ops, const struct ca_err *err);

/* Waits until op->ended and continues in k (which finds the op on the stack
   where it was). Use as `return lca_wait_op(L, op, ctx, k);`. k is called
   directly when no suspension was needed. Raises when the task was cancelled
   or the run interrupted; the op is then cancelled by its close.
   [-?, +?, e] */
int lca_wait_op(lua_State *L, struct lca_op *op, lua_KContext ctx,
                lua_KFunction k);

/* Waits until *flag becomes true; something else sets it and calls
   lca_taskset_wake with the token that this stores in *token. Same law. The
   flag and the token must live as long as the wait: in a userdata on the
   stack, or in static or owned memory. [-?, +?, e] */
int lca_wait_flag(lua_State *L, const bool *flag, uint64_t *token,
                  lua_KContext ctx, lua_KFunction k);

/* The same for who must see the end: a cancel does not wake it. */
int lca_wait_patiently(lua_State *L, const bool *flag, uint64_t *token,
                       lua_KContext ctx, lua_KFunction k);

/* Can this place suspend, that is, is it a task's own code? */
bool lca_wait_can_suspend(lua_State *L, struct lca_scheduler *sched);

/* The class of ops. [-0, +0, m] */
void lca_wait_open(lua_State *L);

#endif
