/* A binary heap of deadlines, 1-based: the children of i are 2i and 2i+1.
   Must not know: clocks. */
#include <stdlib.h>
#include "base/buf.h"
#include "base/timer.h"

void ca_timer_heap_init(struct ca_timer_heap *queue)
{
  queue->heap = NULL;
  queue->count = 0;
  queue->size = 0;
}

void ca_timer_heap_clear(struct ca_timer_heap *queue)
{
  size_t i;
  for(i = 1; i <= queue->count; i++)
    queue->heap[i]->slot = 0;
  free(queue->heap);
  ca_timer_heap_init(queue);
}

static void put(struct ca_timer_heap *queue, size_t slot,
                struct ca_timer *timer)
{
  queue->heap[slot] = timer;
  timer->slot = slot;
}

static void rise(struct ca_timer_heap *queue, size_t slot)
{
  struct ca_timer *timer = queue->heap[slot];
  while(slot > 1 && queue->heap[slot / 2]->due_ms > timer->due_ms) {
    put(queue, slot, queue->heap[slot / 2]);
    slot /= 2;
  }
  put(queue, slot, timer);
}

static void sink(struct ca_timer_heap *queue, size_t slot)
{
  struct ca_timer *timer = queue->heap[slot];
  for(;;) {
    size_t child = slot * 2;
    if(child > queue->count)
      break;
    if(child < queue->count &&
       queue->heap[child + 1]->due_ms < queue->heap[child]->due_ms)
      child++;
    if(queue->heap[child]->due_ms >= timer->due_ms)
      break;
    put(queue, slot, queue->heap[child]);
    slot = child;
  }
  put(queue, slot, timer);
}

enum ca_code ca_timer_heap_set(struct ca_timer_heap *queue,
                               struct ca_timer *timer, int64_t due_ms)
{
  if(!timer->slot) {
    struct ca_timer **heap = ca_buf_grow(queue->heap, queue->count + 1,
                                         &queue->size, sizeof(*heap));
    if(!heap)
      return CA_NOMEM;
    queue->heap = heap;
    put(queue, ++queue->count, timer);
  }
  timer->due_ms = due_ms;
  rise(queue, timer->slot);
  sink(queue, timer->slot);
  return CA_OK;
}

void ca_timer_heap_remove(struct ca_timer_heap *queue, struct ca_timer *timer)
{
  size_t slot = timer->slot;
  struct ca_timer *last;

  if(!slot)
    return;
  last = queue->heap[queue->count--];
  timer->slot = 0;
  if(last == timer)
    return;
  put(queue, slot, last);
  rise(queue, last->slot);
  sink(queue, last->slot);
}

struct ca_timer *ca_timer_heap_pop(struct ca_timer_heap *queue, int64_t now_ms)
{
  struct ca_timer *first;
  if(!queue->count || queue->heap[1]->due_ms > now_ms)
    return NULL;
  first = queue->heap[1];
  ca_timer_heap_remove(queue, first);
  return first;
}

int64_t ca_timer_heap_wait_ms(const struct ca_timer_heap *queue,
                              int64_t now_ms)
{
  if(!queue->count)
    return -1;
  return queue->heap[1]->due_ms > now_ms ? queue->heap[1]->due_ms - now_ms : 0;
}
