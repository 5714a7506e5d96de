/* One item under way: copies of its changes, in order.
   Must not know: the engine, the ledger's file, the order of sending. */
#include <stdlib.h>
#include "apply/apply_private.h"

struct ca_step *ca_step_new(const struct ca_change_row *row)
{
  struct ca_step *step =
      malloc(sizeof(struct ca_step) + ca_change_row_size(row));

  if(!step)
    return NULL;
  step->next = NULL;
  step->fresh = row->outcome == CA_PLANNED;
  ca_change_row_copy(&step->row, row, (char *)(step + 1));
  return step;
}

void ca_work_add(struct ca_work *work, struct ca_step *step)
{
  if(work->last)
    work->last->next = step;
  else
    work->first = step;
  work->last = step;
}

struct ca_step *ca_work_take(struct ca_work *work)
{
  struct ca_step *step = work->first;

  work->first = step->next;
  if(!work->first)
    work->last = NULL;
  return step;
}

void ca_work_free(struct ca_work *work)
{
  if(!work)
    return;
  while(work->first)
    free(ca_work_take(work));
  free(work);
}
