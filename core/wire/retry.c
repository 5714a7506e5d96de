/* Decides what the end of an attempt means for its op.
   Must not know: clocks, timers, curl. */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "wire/retry.h"

int64_t ca_retry_backoff_ms(int n, double random)
{
  double base_ms = n < 4 ? 500.0 * (double)(1 << (n < 0 ? 0 : n)) : 8000.0;
  return (int64_t)(base_ms * (1.0 - random * 0.25));
}

int64_t ca_retry_after_ms(const char *value, int64_t wall_ms)
{
  size_t digits;
  char *end;
  double seconds;
  int64_t ms;

  while(value && (*value == ' ' || *value == '\t'))
    value++;
  if(!value || !*value)
    return -1;
  /* only digits: strtod also accepts "inf", "nan" and hex */
  digits = strspn(value, "0123456789.");
  if(digits) {
    seconds = strtod(value, &end);
    if(end != value + digits || end[strspn(end, " \t")])
      return -1;
    ms = (int64_t)((seconds > 9e15 ? 9e15 : seconds) * 1000.0 + 0.5);
  } else if(ca_clock_parse_http(value, &ms))
    ms -= wall_ms;
  else
    return -1;
  return ms > 0 ? ms : -1; /* no wait is none that the service asks for */
}

static bool is_transient(const struct ca_attempt_end *end, bool answers_409)
{
  if(end->should_retry >= 0)
    return end->should_retry == 1;
  if(end->status == 409)
    return !end->about_alias && !answers_409;
  return end->status == 408 || end->status == 429 ||
         (end->status >= 500 && end->status != 501);
}

bool ca_retry_did_nothing(const struct ca_attempt_end *end)
{
  if(!end->status)
    return end->never_left;
  return !end->foreign &&
         ((end->status < 500 && end->status != 408) || end->status == 501);
}

/* A shorter wait counts as a retry: obeyed without a limit, waits of some
   milliseconds would send hundreds of requests to a service that is failing.
 */
#define THROTTLE_LEAST_MS 250

bool ca_retry_is_throttle(int status, int64_t retry_after_ms)
{
  return retry_after_ms >= THROTTLE_LEAST_MS &&
         (status == 429 || status >= 500);
}

static enum ca_verdict give_up(const struct ca_retry_state *state, bool maybe)
{
  return maybe && ca_api_mutates(state->api) ? CA_VERDICT_UNKNOWN
                                             : CA_VERDICT_FAILED;
}

enum ca_verdict ca_retry_decide(const struct ca_retry_state *state,
                                const struct ca_attempt_end *end,
                                int64_t *delay_ms)
{
  bool maybe = state->maybe_sent || !ca_retry_did_nothing(end);
  bool throttled = ca_retry_is_throttle(end->status, end->retry_after_ms);
  int failed = state->attempt - state->waits;
  bool transient = !end->status || is_transient(end, state->api->answers_409);

  *delay_ms = 0;
  if(end->status >= 200 && end->status < 300)
    return CA_VERDICT_DONE;
  /* a refusal does not undo what an earlier attempt may have done */
  if(!transient || (!throttled && failed > state->retries) ||
     (maybe && state->api->repeat == CA_REPEAT_NEVER))
    return give_up(state, maybe);
  *delay_ms = end->retry_after_ms > 0
                  ? end->retry_after_ms
                  : ca_retry_backoff_ms(failed - 1, state->random);
  /* the shortest waits must not turn into a busy loop */
  if(*delay_ms < 50 && end->status)
    *delay_ms = 50;
  if(*delay_ms > state->max_wait_ms)
    return give_up(state, maybe);
  if(state->left_ms >= 0 && *delay_ms >= state->left_ms)
    return give_up(state, maybe);
  return CA_VERDICT_RETRY;
}
