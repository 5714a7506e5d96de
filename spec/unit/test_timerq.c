/* The heap of deadlines against the simplest thing that could be one: a list
   that is searched. Must not know: what waits. */
#include "check.h"
#include "base/timer.h"

#define TIMERS 200

static uint64_t seed = 20261122;

static uint32_t chance(uint32_t below)
{
  seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)(seed >> 33) % below;
}

static struct ca_timer timers[TIMERS];
static bool queued[TIMERS];

/* The earliest of those queued, -1 when there is none. */
static int64_t earliest(void)
{
  int64_t least = -1;
  int i;
  for(i = 0; i < TIMERS; i++)
    if(queued[i] && (least < 0 || timers[i].due_ms < least))
      least = timers[i].due_ms;
  return least;
}

static void check_slots(const struct ca_timer_heap *queue)
{
  size_t count = 0;
  int i;
  for(i = 0; i < TIMERS; i++) {
    CHECK((timers[i].slot != 0) == queued[i]);
    count += queued[i];
  }
  CHECK_INT(queue->count, count);
}

static void pop_all_due(struct ca_timer_heap *queue, int64_t now_ms)
{
  struct ca_timer *timer;
  int64_t last = -1;

  while((timer = ca_timer_heap_pop(queue, now_ms))) {
    CHECK_INT(timer->due_ms, earliest());
    CHECK(timer->due_ms >= last && timer->due_ms <= now_ms);
    last = timer->due_ms;
    CHECK(timer->owner == timer);
    CHECK_INT(timer->slot, 0);
    queued[timer - timers] = false;
  }
  CHECK(earliest() < 0 || earliest() > now_ms);
}

static void against_a_list(void)
{
  struct ca_timer_heap queue;
  int64_t now_ms = 0;
  int round;
  int i;

  ca_timer_heap_init(&queue);
  for(i = 0; i < TIMERS; i++)
    timers[i].owner = &timers[i];
  for(round = 0; round < 20000; round++) {
    uint32_t n = chance(TIMERS);
    int64_t least;
    switch(chance(5)) {
    case 0:
    case 1:
    case 2: /* new, or moved */
      CHECK_INT(ca_timer_heap_set(&queue, &timers[n], now_ms + chance(500)),
                CA_OK);
      queued[n] = true;
      break;
    case 3:
      ca_timer_heap_remove(&queue, &timers[n]); /* also when not queued */
      queued[n] = false;
      break;
    default:
      now_ms += chance(20);
      pop_all_due(&queue, now_ms);
    }
    least = earliest();
    CHECK_INT(ca_timer_heap_wait_ms(&queue, now_ms), least < 0 ? -1
                                                     : least <= now_ms
                                                         ? 0
                                                         : least - now_ms);
    if(check_case_failed)
      break;
  }
  check_slots(&queue);
  ca_timer_heap_clear(&queue);
  for(i = 0; i < TIMERS; i++)
    CHECK_INT(timers[i].slot, 0);
}

static void empty_queue(void)
{
  struct ca_timer_heap queue;
  struct ca_timer timer = { 0 };

  ca_timer_heap_init(&queue);
  CHECK(!ca_timer_heap_pop(&queue, INT64_MAX));
  CHECK_INT(ca_timer_heap_wait_ms(&queue, 0), -1);
  ca_timer_heap_remove(&queue, &timer);
  CHECK_INT(ca_timer_heap_set(&queue, &timer, 10), CA_OK);
  CHECK(!ca_timer_heap_pop(&queue, 9));
  CHECK_INT(ca_timer_heap_wait_ms(&queue, 4), 6);
  CHECK_INT(ca_timer_heap_wait_ms(&queue, 11), 0);
  CHECK(ca_timer_heap_pop(&queue, 10) == &timer);
  CHECK(!ca_timer_heap_pop(&queue, 10));
  ca_timer_heap_clear(&queue);
  ca_timer_heap_clear(&queue);
}

int main(void)
{
  check_case("against a list", against_a_list);
  check_case("an empty queue", empty_queue);
  return check_end();
}
