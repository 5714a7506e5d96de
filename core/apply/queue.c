/* Queues of items, first in, first out.
   Must not know: what an item waits for. */
#include "apply/apply_private.h"

void ca_apply_queue_push(struct ca_apply_queue *queue,
                         struct ca_apply_item *apply_item)
{
  apply_item->next = NULL;
  if(queue->last)
    queue->last->next = apply_item;
  else
    queue->first = apply_item;
  queue->last = apply_item;
  queue->count++;
}

struct ca_apply_item *ca_apply_queue_pop(struct ca_apply_queue *queue)
{
  struct ca_apply_item *apply_item = queue->first;

  if(!apply_item)
    return NULL;
  queue->first = apply_item->next;
  if(!queue->first)
    queue->last = NULL;
  queue->count--;
  apply_item->next = NULL;
  return apply_item;
}

void ca_apply_queue_clear(struct ca_apply_queue *queue)
{
  struct ca_apply_item *apply_item;

  while((apply_item = ca_apply_queue_pop(queue)))
    ca_apply_item_free(apply_item);
}
