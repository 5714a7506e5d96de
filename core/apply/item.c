/* One item and the copies of its changes, in order.
   Must not know: the engine, the ledger's file, the order of sending. */
#include <stdlib.h>
#include "apply/apply_private.h"

struct ca_apply_change *
ca_apply_item_new_change(const struct ca_change_row *row)
{
  struct ca_apply_change *change =
      malloc(sizeof(struct ca_apply_change) + ca_change_row_size(row));

  if(!change)
    return NULL;
  change->next = NULL;
  change->fresh = row->outcome == CA_PLANNED;
  ca_change_row_copy(&change->row, row, (char *)(change + 1));
  return change;
}

void ca_apply_item_add_change(struct ca_apply_item *item,
                              struct ca_apply_change *change)
{
  if(item->last)
    item->last->next = change;
  else
    item->first = change;
  item->last = change;
}

struct ca_apply_change *ca_apply_item_take_change(struct ca_apply_item *item)
{
  struct ca_apply_change *change = item->first;

  item->first = change->next;
  if(!item->first)
    item->last = NULL;
  return change;
}

void ca_apply_item_free(struct ca_apply_item *item)
{
  if(!item)
    return;
  while(item->first)
    free(ca_apply_item_take_change(item));
  free(item);
}
