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
  char *end;
  double seconds;
  int64_t at_ms;

  while(value && (*value == ' ' || *value == '\t'))
    value++;
  if(!value || !*value)
    return -1;
  /* check for digits: strtod also accepts "inf", "nan" and hex */
  if(*value >= '0' && *value <= '9') {
    if(value[0] == '0' && (value[1] == 'x' || value[1] == 'X'))
      return -1;
    seconds = strtod(value, &end);
    while(*end == ' ' || *end == '\t')
      end++;
    if(*end)
      return -1;
    if(seconds > 9e15)
      seconds = 9e15;
    return (int64_t)(seconds * 1000.0 + 0.5);
  }
  if(!ca_clock_parse_http(value, &at_ms))
    return -1;
  return at_ms > wall_ms ? at_ms - wall_ms : 0;
}

static bool is_transient(const struct ca_attempt_end *end)
{
  if(end->should_retry >= 0)
    return end->should_retry == 1;
  if(end->status == 409)
    return !end->about_alias;
  return end->status == 408 || end->status == 429 ||
         (end->status >= 500 && end->status != 501);
}

/* Does this end prove that the service did nothing? A reply below 500 does,
   except a gateway's 408. So does 501, "not implemented". */
static bool did_nothing(const struct ca_attempt_end *end)
{
  if(!end->status)
    return end->never_left || end->refused_stream;
  return (end->status < 500 && end->status != 408) || end->status == 501;
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
  bool maybe = state->maybe_sent || !did_nothing(end);
  bool transient = !end->status || is_transient(end);

  *delay_ms = 0;
  if(end->status >= 200 && end->status < 300)
    return CA_VERDICT_DONE;
  if(end->status == 404 && state->maybe_sent &&
     state->api->repeat == CA_REPEAT_GONE_OK)
    return CA_VERDICT_DONE;
  /* a refusal does not undo what an earlier attempt may have done */
  if(!transient || state->attempt > state->retries ||
     (maybe && state->api->repeat == CA_REPEAT_NEVER))
    return give_up(state, maybe);
  *delay_ms = end->retry_after_ms >= 0
                  ? end->retry_after_ms
                  : ca_retry_backoff_ms(state->attempt - 1, state->random);
  /* a Retry-After of 0 must not turn into a busy loop */
  if(*delay_ms < 50 && end->status)
    *delay_ms = 50;
  if(*delay_ms > state->max_wait_ms)
    return give_up(state, maybe);
  if(state->left_ms >= 0 && *delay_ms >= state->left_ms)
    return give_up(state, maybe);
  return CA_VERDICT_RETRY;
}
