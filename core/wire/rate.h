/* How many attempts may start, as arithmetic over (state, now): the service's
   own headers, a budget, a fixed rate, a pause after 429, and a window of
   concurrency that shrinks when the service struggles. No clock, no sleep.
   Facts: X-RateLimit, X-RateLimit-Remaining, X-RateLimit-Window-Size are sent
   on every reply, per organisation, fixed windows. */
#ifndef CA_RATE_H
#define CA_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct ca_rate {
  double budget;     /* share of the limit that is ours, 0 to 1 */
  double per_second; /* fixed rate, 0 for none */
  double next_ms;    /* with a fixed rate: the next start */
  int64_t limit;     /* of the window; 0 until a reply told */
  int64_t remaining; /* at the last reply */
  int64_t window_ms;
  int64_t window_from_ms; /* when the window now counted began, for us */
  int64_t used;           /* our starts in it */
  int64_t pause_until_ms; /* after 429 */
  double window;          /* concurrency now allowed */
  int max_window;
};

/* What one reply said; absent numbers are -1. */
struct ca_rate_reply {
  int status; /* 0: no reply */
  int64_t limit;
  int64_t remaining;
  int64_t window_ms;
  int64_t retry_after_ms; /* already capped */
};

void ca_rate_init(struct ca_rate *rate, double budget_percent,
                  double per_second, int max_window);
/* Milliseconds until another attempt may start with `active` under way: 0
   now, -1 not before one of those ends. */
int64_t ca_rate_wait_ms(struct ca_rate *rate, int64_t now_ms, int active);
/* An attempt starts. */
void ca_rate_start(struct ca_rate *rate, int64_t now_ms);
/* An attempt ended. */
void ca_rate_end(struct ca_rate *rate, int64_t now_ms,
                 const struct ca_rate_reply *reply);

#endif
