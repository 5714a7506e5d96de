/* Queues of items, first in, first out.
   Must not know: what an item waits for. */
#include "apply/apply_private.h"

void ca_work_push(struct ca_work_queue *queue, struct ca_work *work)
{
  work->next = NULL;
  if(queue->last)
    queue->last->next = work;
  else
    queue->first = work;
  queue->last = work;
  queue->count++;
}

struct ca_work *ca_work_pop(struct ca_work_queue *queue)
{
  struct ca_work *work = queue->first;

  if(!work)
    return NULL;
  queue->first = work->next;
  if(!queue->first)
    queue->last = NULL;
  queue->count--;
  work->next = NULL;
  return work;
}

void ca_work_clear(struct ca_work_queue *queue)
{
  struct ca_work *work;

  while((work = ca_work_pop(queue)))
    ca_work_free(work);
}
