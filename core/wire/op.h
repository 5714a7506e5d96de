/* Ops: one call of the script each, over all its attempts. An id may be kept
   after its op is gone. Private to the engine. Must not know: curl, pace,
   retries. */
#ifndef CA_OP_H
#define CA_OP_H

#include "wire/endpoint.h"
#include "wire/request.h"
#include "wire/result.h"
#include "base/timer.h"

enum ca_op_state {
  CA_OP_FREE,
  CA_OP_QUEUED,   /* starts when pace and concurrency allow it */
  CA_OP_RUNNING,  /* an attempt is in flight */
  CA_OP_WAITING,  /* for its next attempt */
  CA_OP_SLEEPING, /* a sleep */
  CA_OP_ENDED     /* its done callback is due */
};

struct ca_attempt;

struct ca_op {
  uint64_t id;
  enum ca_op_state state;
  struct ca_endpoint *endpoint;
  struct ca_request request;
  char request_id[40];
  int64_t deadline_ms; /* monotonic; 0 none */
  int64_t start_by_ms; /* see ca_engine_submit_recorded */
  int64_t retry_ms;    /* WAITING: when to retry */
  struct ca_timer timer;
  struct ca_attempt *attempt; /* RUNNING */
  int attempts;
  int waits; /* attempts that a Retry-After had ended, which was obeyed */
  struct ca_request *precheck; /* a get of what it changes, which the next
                              attempt sends instead; owned, NULL: none */
  bool prechecked;
  bool maybe_sent; /* an earlier attempt may have reached the service */
  struct ca_result result;
  ca_done_fn *done;
  void *owner;
  uint64_t token;
  struct ca_op *next; /* in its queue */
  struct ca_op *previous;
};

struct ca_op_table {
  struct ca_op **slots;
  size_t count; /* slots allocated */
  size_t size;
  size_t live;
  struct ca_op *idle;
  uint32_t generation;
};

void ca_op_table_init(struct ca_op_table *table);
void ca_op_table_clear(struct ca_op_table *table);
/* Returns a new op with an id, or NULL when out of memory. */
struct ca_op *ca_op_new(struct ca_op_table *table);
/* Frees an op; its id becomes invalid. */
void ca_op_free(struct ca_op_table *table, struct ca_op *op);
/* The same in two steps; between them the result can still be read. */
void ca_op_retire(struct ca_op_table *table, struct ca_op *op);
void ca_op_recycle(struct ca_op_table *table, struct ca_op *op);
void ca_op_forget_precheck(struct ca_op *op);
/* Returns the op, or NULL if it is gone. */
struct ca_op *ca_op_find(const struct ca_op_table *table, uint64_t id);

#endif
