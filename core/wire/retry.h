/* Decides what the end of an attempt means for its op: done, retry after a
   delay, failed, or unknown. The statuses that are retried and the backoff are
   those of the official client. Must not know: clocks, timers, curl. */
#ifndef CA_RETRY_H
#define CA_RETRY_H

#include <stdbool.h>
#include <stdint.h>
#include "wire/api.h"

enum ca_verdict {
  CA_VERDICT_DONE,
  CA_VERDICT_RETRY,
  CA_VERDICT_FAILED,
  CA_VERDICT_UNKNOWN
};

struct ca_attempt_end {
  int status;       /* HTTP status, 0 without a complete reply */
  bool never_left;  /* without a reply: no byte of the request was sent */
  int should_retry; /* x-should-retry: 1 true, 0 false, -1 absent */
  int64_t retry_after_ms; /* -1 absent */
  bool about_alias;       /* a 409 for a request that sets an alias */
  bool foreign;           /* a refusal that is not the service's own word */
};

struct ca_retry_state {
  const struct ca_api *api;
  int attempt; /* number of the attempt that ended, from 1 */
  int retries; /* allowed after the first attempt */
  int waits;   /* attempts after a Retry-After that was obeyed: no retries */
  bool maybe_sent;     /* an earlier attempt of this op may have arrived */
  int64_t left_ms;     /* until the op's deadline; -1 none */
  int64_t max_wait_ms; /* the longest delay from now; 0: none is allowed */
  double random;       /* 0 to 1, for the jitter */
};

/* Is it a throttle: a 429 or a 5xx that asks for a wait of a quarter of a
   second or more? */
bool ca_retry_is_throttle(int status, int64_t retry_after_ms);

/* Does this end prove that the service did nothing? A refusal in its own words
   does, except a 5xx or 408. So does 501, "not implemented". */
bool ca_retry_did_nothing(const struct ca_attempt_end *end);

/* Returns the verdict; for CA_VERDICT_RETRY, *delay_ms is the delay. */
enum ca_verdict ca_retry_decide(const struct ca_retry_state *state,
                                const struct ca_attempt_end *end,
                                int64_t *delay_ms);

/* Returns min(0.5 * 2^n, 8) s, minus up to a quarter by `random`; n from 0. */
int64_t ca_retry_backoff_ms(int n, double random);

/* Parses Retry-After: seconds, with a fraction, or an HTTP date, relative to
   wall_ms. Returns milliseconds above 0, or -1 if it is absent, cannot be
   parsed, or names no moment to come: the ordinary backoff then applies. */
int64_t ca_retry_after_ms(const char *value, int64_t wall_ms);

#endif
