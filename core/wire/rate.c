/* The pace of requests, computed from state and time.
   Must not know: clocks, sleeping, ops. */
#include <string.h>
#include "wire/rate.h"

#define DEFAULT_WINDOW_MS 60000
#define TIMER_GRAIN_MS    2

void ca_rate_init(struct ca_rate *rate, double budget_percent,
                  double per_second, int max_window)
{
  memset(rate, 0, sizeof(*rate));
  rate->budget = budget_percent / 100.0;
  rate->per_second = per_second;
  rate->remaining = -1;
  rate->window_ms = DEFAULT_WINDOW_MS;
  rate->window_from_ms = -1;
  rate->max_window = max_window;
  rate->window = max_window;
}

/* The service states the size of its window, but not when it ends. Our window
   begins with our first start, so that we exceed the share in no span of that
   size. */
static void roll(struct ca_rate *rate, int64_t now_ms)
{
  if(rate->window_from_ms >= 0 &&
     now_ms - rate->window_from_ms < rate->window_ms)
    return;
  rate->window_from_ms = now_ms;
  rate->used = 0;
  rate->remaining = -1; /* it belonged to the window that is over */
}

static int64_t later(int64_t a, int64_t b)
{
  return a > b ? a : b;
}

int64_t ca_rate_wait_ms(struct ca_rate *rate, int64_t now_ms, int active)
{
  int64_t wait = 0;

  if(active >= (int)rate->window)
    return -1;
  if(rate->pause_until_ms > now_ms)
    wait = rate->pause_until_ms - now_ms;
  if(rate->per_second > 0 && rate->next_ms > (double)now_ms) {
    double ms = rate->next_ms - (double)now_ms;
    int64_t whole_ms = (int64_t)ms;
    wait = later(wait, whole_ms + ((double)whole_ms < ms));
  }
  if(rate->limit > 0) {
    int64_t share = (int64_t)((double)rate->limit * rate->budget);
    int64_t left;
    roll(rate, now_ms);
    if(share < 1)
      share = 1;
    left = rate->window_from_ms + rate->window_ms - now_ms;
    if(rate->used >= share ||
       (rate->remaining >= 0 && rate->remaining <= active))
      wait = later(wait, left > 1 ? left : 1);
  }
  return wait;
}

void ca_rate_start(struct ca_rate *rate, int64_t now_ms)
{
  roll(rate, now_ms);
  rate->used++;
  if(rate->per_second > 0) {
    /* whole milliseconds would turn 300/s into 333/s; a timer that fired late
       is compensated, up to its grain */
    double from = (double)now_ms - TIMER_GRAIN_MS;
    if(rate->next_ms > from)
      from = rate->next_ms;
    rate->next_ms = from + 1000.0 / rate->per_second;
  }
}

/* Additive increase, multiplicative decrease: a window of good replies allows
   one more request in flight, a bad one halves the window, down to one. */
static void adapt(struct ca_rate *rate, int status)
{
  if(status >= 200 && status < 429)
    rate->window += 1.0 / rate->window;
  else if(status == 429 || status == 503 || !status)
    rate->window /= 2;
  if(rate->window < 1)
    rate->window = 1;
  if(rate->window > rate->max_window)
    rate->window = rate->max_window;
}

void ca_rate_end(struct ca_rate *rate, int64_t now_ms,
                 const struct ca_rate_reply *reply)
{
  adapt(rate, reply->status);
  if(reply->window_ms > 0)
    rate->window_ms = reply->window_ms;
  if(reply->limit > 0)
    rate->limit = reply->limit;
  if(reply->remaining >= 0 && rate->window_from_ms >= 0)
    rate->remaining = reply->remaining;
  if((reply->status == 429 || reply->status >= 500) &&
     reply->retry_after_ms > 0)
    rate->pause_until_ms =
        later(rate->pause_until_ms, now_ms + reply->retry_after_ms);
}
