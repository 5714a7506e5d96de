/* The organisation's rate limit: fixed windows of one minute.
   It must not know HTTP; pure arithmetic over (state, now). */
#include "limit.h"

bool emu_limit_take(struct emu_limit *limit, int64_t now_ms)
{
  if(now_ms - limit->window_start_ms >= EMU_WINDOW_MS) {
    /* From the first request on, not from the full minute: what a spec
       counts must not depend on when it was started. */
    limit->window_start_ms = now_ms;
    limit->used = 0;
  }
  if(!limit->budget)
    return true;
  if(limit->used >= limit->budget)
    return false;
  limit->used++;
  return true;
}

int64_t emu_limit_remaining(const struct emu_limit *limit)
{
  return limit->budget > limit->used ? limit->budget - limit->used : 0;
}

int64_t emu_limit_retry_after(const struct emu_limit *limit, int64_t now_ms)
{
  int64_t left_ms = limit->window_start_ms + EMU_WINDOW_MS - now_ms;
  return left_ms > 1000 ? (left_ms + 999) / 1000 : 1;
}
