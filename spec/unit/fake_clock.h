/* A clock that stands until a test moves it. Knows nothing of what is
   timed. */
#ifndef FAKE_CLOCK_H
#define FAKE_CLOCK_H

#include "base/clock.h"

struct fake_clock {
  struct ca_clock clock;
  int64_t mono_ms;
  int64_t wall_ms;
};

static inline int64_t fake_clock_mono(void *ctx)
{
  return ((struct fake_clock *)ctx)->mono_ms;
}

static inline int64_t fake_clock_wall(void *ctx)
{
  return ((struct fake_clock *)ctx)->wall_ms;
}

/* Starts on 2026-11-22 at 06:00:12 UTC. Must not be moved in memory. */
static inline void fake_clock_init(struct fake_clock *fake)
{
  fake->clock.mono_ms = fake_clock_mono;
  fake->clock.wall_ms = fake_clock_wall;
  fake->clock.ctx = fake;
  fake->mono_ms = 5000;
  fake->wall_ms = INT64_C(1795327212000);
}

/* Both clocks go on. */
static inline void fake_clock_pass(struct fake_clock *fake, int64_t ms)
{
  fake->mono_ms += ms;
  fake->wall_ms += ms;
}

#endif
