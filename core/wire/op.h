/* Ops as the engine keeps them: one call as the script meant it, over all its
   attempts, with a number that stays safe to hold after the op is gone.
   Private to the engine. Must not know: curl, pace, retries. */
#ifndef CA_OP_H
#define CA_OP_H

#include "wire/endpoint.h"
#include "wire/request.h"
#include "wire/result.h"
#include "base/timer.h"

enum ca_op_state {
  CA_OP_FREE,
  CA_OP_QUEUED,   /* may start when pace and concurrency let it */
  CA_OP_RUNNING,  /* an attempt is under way */
  CA_OP_WAITING,  /* for its next attempt */
  CA_OP_SLEEPING, /* it is a sleep */
  CA_OP_ENDED     /* its done is about to be called */
};

struct ca_attempt;

struct ca_op {
  uint64_t id;
  enum ca_op_state state;
  struct ca_endpoint *endpoint;
  struct ca_request request;
  char request_id[40];
  int64_t deadline_ms; /* monotonic; 0 none */
  int64_t again_ms;    /* WAITING: when */
  struct ca_timer timer;
  struct ca_attempt *attempt; /* RUNNING */
  int attempts;
  bool maybe_sent; /* an earlier attempt may have arrived */
  struct ca_result result;
  ca_done_fn *done;
  void *owner;
  uint64_t token;
  struct ca_op *next; /* in the queue it is in */
  struct ca_op *previous;
};

struct ca_op_table {
  struct ca_op **slots;
  size_t count; /* slots made */
  size_t size;
  size_t live;
  struct ca_op *spare;
  uint32_t generation;
};

void ca_op_table_init(struct ca_op_table *table);
void ca_op_table_clear(struct ca_op_table *table);
/* A fresh op with its id; NULL when out of memory. */
struct ca_op *ca_op_new(struct ca_op_table *table);
/* Gives up what it holds; its id is never valid again. */
void ca_op_free(struct ca_op_table *table, struct ca_op *op);
/* The same in two steps, between which its result can still be read. */
void ca_op_retire(struct ca_op_table *table, struct ca_op *op);
void ca_op_recycle(struct ca_op_table *table, struct ca_op *op);
/* NULL when the op has gone. */
struct ca_op *ca_op_find(const struct ca_op_table *table, uint64_t id);

#endif
