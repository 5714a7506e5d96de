/* A heap of moments to wait for. It must not know what happens then. */
#include "timer.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"

void emu_timers_clear(struct emu_timers *timers)
{
  free(timers->heap);
  memset(timers, 0, sizeof(*timers));
}

static void set(struct emu_timers *timers, size_t place,
                struct emu_timer *timer)
{
  timers->heap[place] = timer;
  timer->place = place;
}

static void rise(struct emu_timers *timers, size_t place)
{
  struct emu_timer *timer = timers->heap[place];
  while(place > 1 && timers->heap[place / 2]->due_ms > timer->due_ms) {
    set(timers, place, timers->heap[place / 2]);
    place /= 2;
  }
  set(timers, place, timer);
}

static void sink(struct emu_timers *timers, size_t place)
{
  struct emu_timer *timer = timers->heap[place];
  for(;;) {
    size_t child = place * 2;
    if(child > timers->count)
      break;
    if(child < timers->count &&
       timers->heap[child + 1]->due_ms < timers->heap[child]->due_ms)
      child++;
    if(timers->heap[child]->due_ms >= timer->due_ms)
      break;
    set(timers, place, timers->heap[child]);
    place = child;
  }
  set(timers, place, timer);
}

void emu_timers_add(struct emu_timers *timers, struct emu_timer *timer)
{
  if(timers->count + 1 >= timers->room) {
    timers->room = timers->room * 2 + 64;
    timers->heap =
        emu_grow(timers->heap, timers->room * sizeof(*timers->heap));
  }
  set(timers, ++timers->count, timer);
  rise(timers, timer->place);
}

void emu_timers_remove(struct emu_timers *timers, struct emu_timer *timer)
{
  size_t place = timer->place;
  if(!place)
    return;
  timer->place = 0;
  struct emu_timer *last = timers->heap[timers->count--];
  if(last == timer)
    return;
  set(timers, place, last);
  rise(timers, place);
  sink(timers, last->place);
}

struct emu_timer *emu_timers_take(struct emu_timers *timers, int64_t now_ms)
{
  if(!timers->count || timers->heap[1]->due_ms > now_ms)
    return NULL;
  struct emu_timer *first = timers->heap[1];
  emu_timers_remove(timers, first);
  return first;
}

int emu_timers_wait(const struct emu_timers *timers, int64_t now_ms)
{
  if(!timers->count)
    return -1;
  int64_t wait_ms = timers->heap[1]->due_ms - now_ms;
  if(wait_ms < 0)
    return 0;
  return wait_ms > INT_MAX ? INT_MAX : (int)wait_ms;
}
