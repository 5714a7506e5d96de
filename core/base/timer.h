/* A heap of deadlines. The caller passes the time.
   Must not know: clocks. */
#ifndef CA_TIMER_H
#define CA_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

/* Embed one in each waiting object. `owner` belongs to the caller, `slot` to
   the heap (0: not queued). */
struct ca_timer {
  int64_t due_ms;
  void *owner;
  size_t slot;
};

struct ca_timer_heap {
  struct ca_timer **heap; /* 1-based */
  size_t count;
  size_t size;
};

void ca_timer_heap_init(struct ca_timer_heap *queue);
void ca_timer_heap_clear(struct ca_timer_heap *queue);

/* Adds the timer or changes its deadline. Borrows it until it is removed or
   popped. CA_NOMEM. */
CA_MUST_USE enum ca_code ca_timer_heap_set(struct ca_timer_heap *queue,
                                           struct ca_timer *timer,
                                           int64_t due_ms);
void ca_timer_heap_remove(struct ca_timer_heap *queue, struct ca_timer *timer);

/* Removes and returns the earliest timer that is due at now_ms, or NULL. */
struct ca_timer *ca_timer_heap_pop(struct ca_timer_heap *queue,
                                   int64_t now_ms);
/* Returns the milliseconds until the earliest deadline, 0 if it is overdue, -1
   if there is none. */
int64_t ca_timer_heap_wait_ms(const struct ca_timer_heap *queue,
                              int64_t now_ms);

#endif
