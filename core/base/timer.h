/* A heap of deadlines. Pure: who looks at a clock is the caller. */
#ifndef CA_TIMERQ_H
#define CA_TIMERQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

/* Embed one in what waits; `owner` is yours. slot is ours: 0 = not queued. */
struct ca_timer {
  int64_t due_ms;
  void *owner;
  size_t slot;
};

struct ca_timerq {
  struct ca_timer **heap; /* 1-based */
  size_t count;
  size_t size;
};

void ca_timerq_init(struct ca_timerq *queue);
void ca_timerq_clear(struct ca_timerq *queue);

/* Queues or moves. Borrows the timer until it is removed or popped. */
CA_MUST_USE enum ca_code ca_timerq_set(struct ca_timerq *queue,
                                       struct ca_timer *timer, int64_t due_ms);
void ca_timerq_remove(struct ca_timerq *queue, struct ca_timer *timer);

/* The earliest one that is due at `now_ms`, taken out; NULL when none is. */
struct ca_timer *ca_timerq_pop(struct ca_timerq *queue, int64_t now_ms);
/* Milliseconds until the earliest, 0 when overdue, -1 when there is none. */
int64_t ca_timerq_wait_ms(const struct ca_timerq *queue, int64_t now_ms);

#endif
