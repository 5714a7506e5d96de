/* The emulator's own clock. It must not know who asks.
   Why it never goes back: the listing by updated_at is kept in order by
   appending, which is only right while each change is later than the last. */
#include "clock.h"

#include <time.h>

static int64_t read_ms(clockid_t which)
{
  struct timespec now = { 0 };
  clock_gettime(which, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t emu_clock_monotonic(void)
{
  return read_ms(CLOCK_MONOTONIC);
}

void emu_clock_init(struct emu_clock *clock)
{
  clock->start_ms = read_ms(CLOCK_REALTIME);
  clock->origin_ms = emu_clock_monotonic();
  clock->advanced_ms = 0;
  clock->floor_ms = 0;
}

int64_t emu_clock_now(struct emu_clock *clock)
{
  int64_t now = clock->start_ms + clock->advanced_ms +
                (emu_clock_monotonic() - clock->origin_ms);
  if(now < clock->floor_ms)
    now = clock->floor_ms;
  clock->floor_ms = now;
  return now;
}

void emu_clock_advance(struct emu_clock *clock, int64_t by_ms)
{
  clock->advanced_ms += by_ms;
}
