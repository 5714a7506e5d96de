/* Reading ahead: from the ledger's rows to works, an item at a time, so that
   memory does not grow with the plan. Must not know: the engine. */
#include <stdlib.h>
#include "apply/apply_private.h"

struct reader {
  struct ca_apply *apply;
  size_t seen;
  bool failed;
};

/* A row goes to the work of its item, which is the last one: changes of an
   item stand together in the ledger's order. */
static bool read_row(void *ctx, const struct ca_change_row *row)
{
  struct reader *reader = ctx;
  struct ca_apply *apply = reader->apply;
  struct ca_work *work = apply->waiting.last;
  struct ca_step *step = ca_step_new(row);

  if(step && (!work || work->item != row->item)) {
    struct ca_work *fresh = calloc(1, sizeof(*fresh));
    if(fresh) {
      if(work)
        work->complete = true;
      fresh->item = row->item;
      fresh->visit = apply->visit;
      fresh->owner = apply->owner;
      ca_work_push(&apply->waiting, fresh);
    }
    work = fresh;
  }
  reader->failed = !step || !work;
  if(reader->failed) {
    free(step);
    return false;
  }
  ca_work_add(work, step);
  apply->read_to = row->number;
  reader->seen++;
  return true;
}

static enum ca_code read_more(struct ca_apply *apply, struct ca_err *err)
{
  struct reader reader = { .apply = apply };
  size_t limit = apply->group * 2;
  /* of a run that goes on the others are told, too, or end their items */
  unsigned outcomes = apply->which == CA_APPLY_PLANNED
                          ? 1U << CA_PLANNED | 1U << CA_SAME | 1U << CA_SKIPPED
                          : (1U << CA_OUTCOME_COUNT) - 1;
  enum ca_code code =
      ca_ledger_changes(apply->ledger, apply->bulk, apply->read_to, outcomes,
                        limit, read_row, &reader, err);

  if(!code && reader.failed)
    code = ca_err_set(err, CA_NOMEM, "out of memory");
  if(!code && reader.seen < limit) {
    apply->read_all = true;
    if(apply->waiting.last)
      apply->waiting.last->complete = true;
  }
  return code;
}

static enum ca_code next_work(struct ca_apply *apply, struct ca_work **work,
                              struct ca_err *err)
{
  enum ca_code code = CA_OK;

  while(!code && !apply->read_all &&
        !(apply->waiting.first && apply->waiting.first->complete))
    code = read_more(apply, err);
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
