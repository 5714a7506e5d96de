/* Decides how many attempts may start, from the service's rate headers, a
   budget, a fixed rate, the pause after a 429, and a concurrency window that
   shrinks when the service struggles. Must not know: clocks, sleeping.

   The service sends X-RateLimit, X-RateLimit-Remaining and
   X-RateLimit-Window-Size in every reply; they count per organisation, in
   fixed windows. */
#ifndef CA_RATE_H
#define CA_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct ca_rate {
  double budget;     /* our share of the limit, 0 to 1 */
  double per_second; /* fixed rate, 0: none */
  double next_ms;    /* when the fixed rate allows the next start */
  int64_t limit;     /* per window; 0 until a reply stated it */
  int64_t remaining; /* at the last reply */
  int64_t window_ms;
  int64_t window_from_ms; /* start of our current window */
  int64_t used;           /* our starts in this window */
  int64_t pause_until_ms; /* after 429 */
  double window;          /* concurrency allowed now */
  int max_window;
};

/* The facts of one reply; absent numbers are -1. */
struct ca_rate_reply {
  int status; /* 0: no reply */
  int64_t limit;
  int64_t remaining;
  int64_t window_ms;
  int64_t retry_after_ms; /* already capped */
};

void ca_rate_init(struct ca_rate *rate, double budget_percent,
                  double per_second, int max_window);
/* Returns the milliseconds until another attempt may start while `active` run:
   0 means now, -1 not before one of them ends. */
int64_t ca_rate_wait_ms(struct ca_rate *rate, int64_t now_ms, int active);
/* Records that an attempt starts. */
void ca_rate_start(struct ca_rate *rate, int64_t now_ms);
/* Records that an attempt ended. */
void ca_rate_end(struct ca_rate *rate, int64_t now_ms,
                 const struct ca_rate_reply *reply);

#endif
