/* Reads items from the ledger, one at a time, so that memory does not grow
   with the plan. Must not know: the engine. */
#include <stdlib.h>
#include "apply/apply_private.h"

static struct ca_apply_item *new_item(const struct ca_apply *apply,
                                      int64_t number)
{
  struct ca_apply_item *item = calloc(1, sizeof(*item));

  if(item) {
    item->number = number;
    item->seen_ms = apply->seen_ms;
    item->visit = apply->visit;
    item->owner = apply->owner;
  }
  return item;
}

/* Adds the row's change to the item that is being read. */
static enum ca_code add_row(struct ca_apply *apply,
                            const struct ca_change_row *row,
                            struct ca_err *err)
{
  if(!apply->reading)
    apply->reading = new_item(apply, row->item);
  return apply->reading && ca_apply_item_add_change(apply->reading, row)
             ? CA_OK
             : ca_err_set(err, CA_NOMEM, "out of memory");
}

/* An item's changes are adjacent in the ledger, so an item is complete when
   the next one's first change has been read. */
static enum ca_code read_item(struct ca_apply *apply,
                              struct ca_apply_item **item, struct ca_err *err)
{
  const struct ca_change_row *row;
  enum ca_code code = CA_OK;

  *item = NULL;
  while(!code && !*item && !apply->read_all) {
    code = ca_changes_next(&apply->changes, &row, err);
    if(code)
      break;
    if(apply->reading && (!row || row->item != apply->reading->number)) {
      *item = apply->reading;
      apply->reading = NULL;
    }
    if(!row)
      apply->read_all = true;
    else if(!apply->wants || apply->wants(apply->owner, row->item))
      code = add_row(apply, row, err);
  }
  if(code) {
    ca_apply_item_free(*item);
    *item = NULL;
  }
  return code;
}

enum ca_code ca_reader_next(struct ca_apply *apply,
                            struct ca_apply_item **item, struct ca_err *err)
{
  enum ca_code code = CA_OK;

  *item = NULL;
  while(!code && !apply->stopped &&
        (!apply->items || apply->pulled < apply->items)) {
    code = read_item(apply, item, err);
    if(code || !*item)
      break;
    if(ca_finish_decided(apply, *item)) {
      apply->pulled++;
      break;
    }
    *item = NULL;
  }
  return code;
}
