/* Items with copies of their changes, and the queues in which they wait.
   Must not know: the engine, the ledger's file, the order of sending. */
#include <stdlib.h>
#include <string.h>
#include "apply/apply_private.h"

bool ca_apply_item_add_change(struct ca_apply_item *item,
                              const struct ca_change_row *row)
{
  struct ca_apply_change *change =
      malloc(sizeof(struct ca_apply_change) + ca_change_row_size(row));

  if(!change)
    return false;
  change->next = NULL;
  memset(&change->sent, 0, sizeof(change->sent));
  change->fresh = row->outcome == CA_PLANNED;
  ca_change_row_copy(&change->row, row, (char *)(change + 1), SIZE_MAX);
  if(item->last)
    item->last->next = change;
  else
    item->first = change;
  item->last = change;
  return true;
}

struct ca_apply_change *ca_apply_item_take_change(struct ca_apply_item *item)
{
  struct ca_apply_change *change = item->first;

  item->first = change->next;
  if(!item->first)
    item->last = NULL;
  return change;
}

void ca_apply_item_free_change(struct ca_apply_change *change)
{
  free(change->sent.ids);
  free(change);
}

void ca_apply_item_free(struct ca_apply_item *item)
{
  if(!item)
    return;
  while(item->first)
    ca_apply_item_free_change(ca_apply_item_take_change(item));
  free(item);
}

bool ca_apply_item_is_open(const struct ca_apply *apply,
                           const struct ca_apply_item *item,
                           const struct ca_apply_change *change)
{
  return ca_verdict_is_open(change->row.change.api, change->row.outcome,
                            item->single || apply->which == CA_APPLY_FAILED);
}

/* ---- Queues, first in, first out ---- */

void ca_apply_item_push(struct ca_apply_queue *queue,
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

struct ca_apply_item *ca_apply_item_pop(struct ca_apply_queue *queue)
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

void ca_apply_item_clear(struct ca_apply_queue *queue)
{
  struct ca_apply_item *item;

  while((item = ca_apply_item_pop(queue)))
    ca_apply_item_free(item);
}
