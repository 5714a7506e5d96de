/* What an attempt's end means for its op: done, again after a while, failed,
   or unknown. Pure: (facts) → verdict; the engine owns timers.
   Facts: retried statuses and backoff as the official client has them. */
#ifndef CA_RETRY_H
#define CA_RETRY_H

#include <stdbool.h>
#include <stdint.h>
#include "wire/api.h"

enum ca_verdict {
  CA_VERDICT_DONE,
  CA_VERDICT_AGAIN,
  CA_VERDICT_FAILED,
  CA_VERDICT_UNKNOWN
};

struct ca_attempt_end {
  int status;             /* HTTP status, 0 without a whole reply */
  bool never_left;        /* without reply: no byte of it was sent */
  bool refused_stream;    /* HTTP/2 said that it did not process it */
  int should_retry;       /* x-should-retry: 1 true, 0 false, -1 absent */
  int64_t retry_after_ms; /* -1 absent */
  bool about_alias;       /* a 409 whose message speaks of an alias */
};

struct ca_retry_state {
  const struct ca_api *api;
  int attempt;     /* that just ended, from 1 */
  int retries;     /* allowed after the first */
  bool maybe_sent; /* an earlier attempt of this op may have arrived */
  int64_t left_ms; /* until the op's deadline; -1 none */
  int64_t max_wait_ms;
  double random; /* 0 to 1, for the jitter */
};

/* *delay_ms is set for CA_VERDICT_AGAIN. */
enum ca_verdict ca_retry_decide(const struct ca_retry_state *state,
                                const struct ca_attempt_end *end,
                                int64_t *delay_ms);

/* min(0.5 * 2^n, 8) s, less up to a quarter by `random`; n from 0. */
int64_t ca_retry_backoff_ms(int n, double random);

/* Retry-After in seconds (with fraction) or as HTTP date against wall_ms;
   -1 when absent or unreadable, never below 0. */
int64_t ca_retry_after_ms(const char *value, int64_t wall_ms);

#endif
