/* Reading ahead: turns the ledger's changes into works, one item at a time, so
   that memory does not grow with the plan. Must not know: the engine. */
#include <stdlib.h>
#include "apply/apply_private.h"

/* The work that the item's changes go to: the last one, since changes of an
   item come together. NULL when out of memory. */
static struct ca_work *last_item(struct ca_apply *apply, int64_t item)
{
  struct ca_work *last = apply->waiting.last;
  struct ca_work *fresh;

  if(last && last->item == item)
    return last;
  fresh = calloc(1, sizeof(*fresh));
  if(!fresh)
    return NULL;
  if(last)
    last->complete = true;
  fresh->item = item;
  fresh->visit = apply->visit;
  fresh->owner = apply->owner;
  ca_work_push(&apply->waiting, fresh);
  return fresh;
}

static enum ca_code read_change(struct ca_apply *apply, struct ca_err *err)
{
  const struct ca_change_row *row = NULL;
  struct ca_work *work;
  struct ca_step *step;
  enum ca_code code = ca_changes_next(&apply->changes, &row, err);

  if(code)
    return code;
  if(!row) {
    apply->read_all = true;
    if(apply->waiting.last)
      apply->waiting.last->complete = true;
    return CA_OK;
  }
  step = ca_step_new(row);
  work = step ? last_item(apply, row->item) : NULL;
  if(!work) {
    free(step);
    return ca_err_set(err, CA_NOMEM, "out of memory");
  }
  ca_work_add(work, step);
  return CA_OK;
}

static enum ca_code next_work(struct ca_apply *apply, struct ca_work **work,
                              struct ca_err *err)
{
  enum ca_code code = CA_OK;

  while(!code && !apply->read_all &&
        !(apply->waiting.first && apply->waiting.first->complete))
    code = read_change(apply, err);
  *work = code ? NULL : ca_work_pop(&apply->waiting);
  return code;
}

enum ca_code ca_apply_pull(struct ca_apply *apply, struct ca_work **work,
                           struct ca_err *err)
{
  enum ca_code code = CA_OK;

  *work = NULL;
  while(!code && !apply->stopped &&
        (!apply->items || apply->pulled < apply->items)) {
    code = next_work(apply, work, err);
    if(code || !*work)
      break;
    if(ca_apply_advance(apply, *work)) {
      apply->pulled++;
      break;
    }
    *work = NULL;
  }
  return code;
}
