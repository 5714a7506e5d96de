/* What the files of apply share: items under way as works of steps, and the
   secret bodies that wait to be sent. Nobody else includes this. */
#ifndef CA_APPLY_PRIVATE_H
#define CA_APPLY_PRIVATE_H

#include "apply.h"
#include "reply.h"

/* One change, copied out of the ledger; the row's texts follow it. */
struct ca_step {
  struct ca_step *next;
  struct ca_change_row row;
};

/* One item's changes that have not ended, in order. It is in exactly one
   queue, or under way with the op of its first step. */
struct ca_work {
  struct ca_work *next;
  struct ca_work *previous; /* among those under way only */
  int64_t item;
  struct ca_step *first;
  struct ca_step *last;
  bool complete; /* all its changes have been read */
  bool single;   /* of ca_apply_one: owner and visit are its own */
  uint64_t op;   /* 0 unless under way */
  ca_applied_fn *visit;
  void *owner;
};

struct ca_work_queue {
  struct ca_work *first;
  struct ca_work *last;
  size_t count;
};

struct ca_kept {
  int64_t change;
  char *body; /* NULL once given up */
  size_t len;
};

struct ca_apply {
  struct ca_engine *engine; /* borrowed, as the next two */
  struct ca_endpoint *endpoint;
  struct ca_ledger *ledger;
  struct ca_json *json;

  int bulk;
  size_t concurrency;
  size_t group; /* intents written at once, about */
  ca_applied_fn *visit;
  void *owner;
  int64_t read_to; /* the last change read */
  bool read_all;   /* no more changes in the ledger */

  struct ca_work_queue waiting; /* read, in order; the last may lack steps */
  struct ca_work_queue again;   /* begun; the next step needs its intent */
  struct ca_work_queue ready;   /* intent durable, not submitted */
  struct ca_work *under_way;
  size_t active; /* works under way, without single ones */
  size_t singles;
  int64_t *numbers; /* room for a group */

  bool stopped;
  bool ledger_lost; /* outcomes cannot be written any more */
  bool key_rejected;
  bool dropping;
  int depth;            /* of callbacks to visit */
  int64_t unsynced_ms;  /* since when an outcome waits; 0: none does */
  struct ca_err failed; /* code set once it cannot go on */

  struct ca_kept *kept; /* sorted by change */
  size_t kept_count;
  size_t kept_size;
};

/* The next work in the ledger's order, NULL when there is none. */
CA_MUST_USE enum ca_code ca_apply_next(struct ca_apply *apply,
                                       struct ca_work **work,
                                       struct ca_err *err);

/* A copy of the row with all its texts; NULL when out of memory. */
struct ca_step *ca_step_new(const struct ca_change_row *row);
/* Gives up the work with all its steps; safe with NULL. */
void ca_work_free(struct ca_work *work);
void ca_work_add(struct ca_work *work, struct ca_step *step);
/* Takes the first step off; it stays the caller's. */
struct ca_step *ca_work_take(struct ca_work *work);

void ca_work_push(struct ca_work_queue *queue, struct ca_work *work);
struct ca_work *ca_work_pop(struct ca_work_queue *queue);
void ca_work_clear(struct ca_work_queue *queue);

/* The secret body of a change, NULL when none is kept; borrowed. */
const struct ca_kept *ca_kept_find(const struct ca_apply *apply,
                                   int64_t change);
/* Wipes and forgets one. */
void ca_kept_drop(struct ca_apply *apply, int64_t change);
void ca_kept_clear(struct ca_apply *apply);

#endif
