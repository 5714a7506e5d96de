/* One item under way: copies of its changes, in order.
   Must not know: the engine, the ledger's file, the order of sending. */
#include <stdlib.h>
#include "apply/apply_private.h"

struct ca_apply_change *
ca_apply_item_new_change(const struct ca_change_row *row)
{
  struct ca_apply_change *apply_change =
      malloc(sizeof(struct ca_apply_change) + ca_change_row_size(row));

  if(!apply_change)
    return NULL;
  apply_change->next = NULL;
  apply_change->fresh = row->outcome == CA_PLANNED;
  ca_change_row_copy(&apply_change->row, row, (char *)(apply_change + 1));
  return apply_change;
}

void ca_apply_item_add_change(struct ca_apply_item *apply_item,
                              struct ca_apply_change *apply_change)
{
  if(apply_item->last)
    apply_item->last->next = apply_change;
  else
    apply_item->first = apply_change;
  apply_item->last = apply_change;
}

struct ca_apply_change *
ca_apply_item_take_change(struct ca_apply_item *apply_item)
{
  struct ca_apply_change *apply_change = apply_item->first;

  apply_item->first = apply_change->next;
  if(!apply_item->first)
    apply_item->last = NULL;
  return apply_change;
}

void ca_apply_item_free(struct ca_apply_item *apply_item)
{
  if(!apply_item)
    return;
  while(apply_item->first)
    free(ca_apply_item_take_change(apply_item));
  free(apply_item);
}
