/* FIFO queues of items.
   Must not know: what an item waits for. */
#include "apply/apply_private.h"

void ca_apply_queue_push(struct ca_apply_queue *queue,
                         struct ca_apply_item *item)
{
  item->next = NULL;
  if(queue->last)
    queue->last->next = item;
  else
    queue->first = item;
  queue->last = item;
  queue->count++;
}

struct ca_apply_item *ca_apply_queue_pop(struct ca_apply_queue *queue)
{
  struct ca_apply_item *item = queue->first;

  if(!item)
    return NULL;
  queue->first = item->next;
  if(!queue->first)
    queue->last = NULL;
  queue->count--;
  item->next = NULL;
  return item;
}

void ca_apply_queue_clear(struct ca_apply_queue *queue)
{
  struct ca_apply_item *item;

  while((item = ca_apply_queue_pop(queue)))
    ca_apply_item_free(item);
}
