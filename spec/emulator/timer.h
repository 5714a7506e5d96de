/* A heap of moments to wait for. It must not know what happens then. */
#ifndef EMU_TIMER_H
#define EMU_TIMER_H

#include <stddef.h>
#include <stdint.h>

struct emu_timer {
  int64_t due_ms; /* machine time, emu_clock_monotonic */
  size_t place;   /* in the heap, from 1; 0: not waiting */
  void *owner;
};

struct emu_timers {
  struct emu_timer **heap; /* [0] is unused */
  size_t count;
  size_t room;
};

void emu_timers_clear(struct emu_timers *timers);
/* The timer is borrowed until it is removed or taken. */
void emu_timers_add(struct emu_timers *timers, struct emu_timer *timer);
void emu_timers_remove(struct emu_timers *timers, struct emu_timer *timer);
/* Takes out the first timer due by now; NULL when none is. */
struct emu_timer *emu_timers_take(struct emu_timers *timers, int64_t now_ms);
/* Milliseconds until the first is due, -1 when there is none. */
int emu_timers_wait(const struct emu_timers *timers, int64_t now_ms);

#endif
