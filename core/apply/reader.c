/* Reads the ledger's changes and groups them into items, one at a time, so
   that memory does not grow with the plan. Must not know: the engine. */
#include <stdlib.h>
#include "apply/apply_private.h"

/* Returns the item with that number: the last one, since an item's changes are
   adjacent in the ledger, or else a new one. NULL when out of memory. */
static struct ca_apply_item *last_item(struct ca_apply *apply, int64_t item)
{
  struct ca_apply_item *last = apply->waiting.last;
  struct ca_apply_item *fresh;

  if(last && last->number == item)
    return last;
  fresh = calloc(1, sizeof(*fresh));
  if(!fresh)
    return NULL;
  if(last)
    last->complete = true;
  fresh->number = item;
  fresh->visit = apply->visit;
  fresh->owner = apply->owner;
  ca_apply_queue_push(&apply->waiting, fresh);
  return fresh;
}

static enum ca_code read_change(struct ca_apply *apply, struct ca_err *err)
{
  const struct ca_change_row *row = NULL;
  struct ca_apply_item *item;
  struct ca_apply_change *change;
  enum ca_code code = ca_changes_next(&apply->changes, &row, err);

  if(code)
    return code;
  if(!row) {
    apply->read_all = true;
    if(apply->waiting.last)
      apply->waiting.last->complete = true;
    return CA_OK;
  }
  change = ca_apply_item_new_change(row);
  item = change ? last_item(apply, row->item) : NULL;
  if(!item) {
    free(change);
    return ca_err_set(err, CA_NOMEM, "out of memory");
  }
  ca_apply_item_add_change(item, change);
  return CA_OK;
}

static enum ca_code next_item(struct ca_apply *apply,
                              struct ca_apply_item **item, struct ca_err *err)
{
  enum ca_code code = CA_OK;

  while(!code && !apply->read_all &&
        !(apply->waiting.first && apply->waiting.first->complete))
    code = read_change(apply, err);
  *item = code ? NULL : ca_apply_queue_pop(&apply->waiting);
  return code;
}

enum ca_code ca_reader_next(struct ca_apply *apply,
                            struct ca_apply_item **item, struct ca_err *err)
{
  enum ca_code code = CA_OK;

  *item = NULL;
  while(!code && !apply->stopped &&
        (!apply->items || apply->pulled < apply->items)) {
    code = next_item(apply, item, err);
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
