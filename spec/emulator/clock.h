/* The emulator's own clock: starts at wall time, runs with the machine, can
   be advanced, never goes back. It must not know who asks. */
#ifndef EMU_CLOCK_H
#define EMU_CLOCK_H

#include <stdint.h>

struct emu_clock {
  int64_t start_ms;    /* wall time when the clock was made */
  int64_t origin_ms;   /* monotonic time then */
  int64_t advanced_ms; /* by POST /_emulator/clock/advance */
  int64_t floor_ms;    /* never tell less than this */
};

void emu_clock_init(struct emu_clock *clock);
int64_t emu_clock_now(struct emu_clock *clock);
void emu_clock_advance(struct emu_clock *clock, int64_t by_ms);
/* Machine time for waiting; has nothing to do with the emulator's time. */
int64_t emu_clock_monotonic(void);

#endif
