/* Sending changes whose intent is durable, and single changes outside a bulk.
   Must not know: Lua, what a script is. */
#include <stdlib.h>
#include <string.h>
#include "apply/apply_private.h"

void ca_apply_leave(struct ca_apply *apply, struct ca_work *work)
{
  if(work->previous)
    work->previous->next = work->next;
  else
    apply->under_way = work->next;
  if(work->next)
    work->next->previous = work->previous;
  work->next = work->previous = NULL;
  work->op = 0;
  if(work->single)
    apply->singles--;
  else
    apply->active--;
}

static void enter(struct ca_apply *apply, struct ca_work *work, uint64_t op)
{
  work->op = op;
  work->intended = false;
  work->previous = NULL;
  work->next = apply->under_way;
  if(work->next)
    work->next->previous = work;
  apply->under_way = work;
  if(work->single)
    apply->singles++;
  else
    apply->active++;
}

/* Gone already: what the service says when it deletes. */
static void say_well(struct ca_result *result)
{
  ca_err_clear(&result->err);
  ca_buf_reset(&result->body);
  result->is_json = !ca_buf_add_text(&result->body, "{\"success\":true}");
}

static void op_done(void *owner, uint64_t token, struct ca_result *result)
{
  struct ca_apply *apply = owner;
  struct ca_work *work = (struct ca_work *)(uintptr_t)token;
  enum ca_outcome outcome;

  ca_apply_leave(apply, work);
  ca_reply_explain(apply->json, work->first->row.change.api, result);
  /* the service's own id for it, where it gave another than ours */
  if(result->err.request_id[0])
    ca_copy_text(result->request_id, sizeof(result->request_id),
                 result->err.request_id, strlen(result->err.request_id));
  outcome = ca_apply_classify(work->first, result);
  if(outcome == CA_DONE && result->err.code)
    say_well(result);
  ca_apply_end_step(apply, work, outcome, result, &result->err);
  ca_apply_drop(apply);
}

static enum ca_code make_request(const struct ca_apply *apply,
                                 const struct ca_step *step,
                                 struct ca_request *request,
                                 struct ca_err *err)
{
  const struct ca_change *change = &step->row.change;
  const struct ca_kept *kept = ca_kept_find(apply, step->row.number);
  enum ca_code code;

  if(change->fingerprint && !kept) {
    ca_request_init(request, change->api);
    return ca_err_set(err, CA_USAGE,
                      "its credentials are not in this process any more");
  }
  code =
      ca_request_restore(request, change->api, change->account, change->query,
                         kept ? kept->body : change->body, err);
  request->secret = kept != NULL;
  return code;
}

/* What becomes of a change with an intent that could not be submitted. One
   that may have happened before stays unknown. */
static enum ca_outcome unsent_outcome(const struct ca_step *step,
                                      enum ca_code code)
{
  if(step->row.outcome == CA_UNKNOWN)
    return CA_UNKNOWN;
  return code == CA_USAGE ? CA_FAILED : CA_NOT_TRIED;
}

void ca_apply_submit(struct ca_apply *apply, struct ca_work *work)
{
  struct ca_request request;
  struct ca_err why;
  uint64_t op = 0;
  enum ca_code code;

  ca_err_clear(&why);
  code = make_request(apply, work->first, &request, &why);
  if(!code) {
    code =
        ca_engine_submit_recorded(apply->engine, apply->endpoint, &request, 0,
                                  op_done, apply, (uintptr_t)work, &op, &why);
    if(!code) {
      enter(apply, work, op);
      return;
    }
    /* not this change's fault: the others would fare no better */
    ca_apply_fail(apply, &why);
  }
  ca_request_clear(&request);
  ca_apply_end_step(apply, work, unsent_outcome(work->first, code), NULL,
                    &why);
}

void ca_apply_abandon_one(struct ca_apply *apply, struct ca_work *work)
{
  struct ca_result result;
  bool left = true;

  memset(&result, 0, sizeof(result));
  ca_buf_init(&result.body, 0);
  if(!ca_engine_cancel(apply->engine, work->op, &left))
    left = true; /* nobody knows of it any more */
  ca_apply_leave(apply, work);
  if(!left) {
    work->intended = true; /* again: as if it had never been submitted */
    ca_apply_end_rest(apply, work, CA_NOT_TRIED, ca_apply_why_stopped(apply));
    return;
  }
  ca_err_set(&result.err, CA_CANCELLED,
             "given up while it was under way: it may have been carried out");
  result.err.unknown = true;
  ca_apply_end_step(apply, work, CA_UNKNOWN, &result, &result.err);
  ca_buf_clear(&result.body);
}

/* One change at once. */

static struct ca_work *single_work(const struct ca_change_row *row,
                                   ca_applied_fn *visit, void *owner)
{
  struct ca_work *work = calloc(1, sizeof(*work));
  struct ca_step *step = work ? ca_step_new(row) : NULL;

  if(!step) {
    free(work);
    return NULL;
  }
  work->item = row->item;
  work->complete = true;
  work->single = true;
  work->visit = visit;
  work->owner = owner;
  ca_work_add(work, step);
  return work;
}

static enum ca_code intend_single(struct ca_apply *apply,
                                  const struct ca_work *work,
                                  struct ca_err *err)
{
  const struct ca_step *step = work->first;
  enum ca_code code =
      step->fresh ? ca_ledger_intend(apply->ledger, &step->row.number, 1, err)
                  : ca_ledger_again(apply->ledger, &step->row.number, 1, err);

  if(code == CA_SYSTEM)
    ca_apply_fail(apply, err);
  if(!code)
    apply->unsynced_ms = 0;
  return code;
}

/* Submits the single work; a change that cannot be sent is not told to
   `visit`, the caller learns it from the code. */
static enum ca_code submit_single(struct ca_apply *apply, struct ca_work *work,
                                  struct ca_err *err)
{
  struct ca_request request;
  uint64_t op = 0;
  enum ca_code code = make_request(apply, work->first, &request, err);

  if(!code)
    code =
        ca_engine_submit_recorded(apply->engine, apply->endpoint, &request, 0,
                                  op_done, apply, (uintptr_t)work, &op, err);
  if(code)
    ca_request_clear(&request);
  else
    enter(apply, work, op);
  return code;
}

void ca_apply_send_single(struct ca_apply *apply, struct ca_work *work)
{
  struct ca_err why;

  ca_err_clear(&why);
  if(intend_single(apply, work, &why))
    ca_apply_end_rest(apply, work, CA_NOT_TRIED, why.text);
  else {
    work->intended = true;
    ca_apply_submit(apply, work);
  }
}

/* Intent and sending without a look; takes the work when it succeeds. */
static enum ca_code send_at_once(struct ca_apply *apply, struct ca_work *work,
                                 struct ca_err *err)
{
  enum ca_code code = intend_single(apply, work, err);

  if(code)
    return code;
  code = submit_single(apply, work, err);
  if(code)
    ca_apply_settle(apply, work->first, unsent_outcome(work->first, code),
                    NULL, err);
  return code;
}

static enum ca_code may_send_one(const struct ca_apply *apply,
                                 struct ca_err *err)
{
  if(apply->failed.code) {
    if(err)
      *err = apply->failed;
    return apply->failed.code;
  }
  if(apply->stopped)
    return ca_err_set(err, CA_CANCELLED, "not sent: %s",
                      ca_apply_why_stopped(apply));
  return CA_OK;
}

/* Sends the row's change, or looks first. */
static enum ca_code begin_single(struct ca_apply *apply,
                                 const struct ca_change_row *row, bool look,
                                 struct ca_slice secret, ca_applied_fn *visit,
                                 void *owner, struct ca_err *err)
{
  struct ca_work *work = single_work(row, visit, owner);
  size_t count;
  bool alone;
  enum ca_code code = CA_OK;

  if(!work || (secret.len && ca_apply_keep_secret(apply, row->number,
                                                  secret.data, secret.len))) {
    ca_work_free(work);
    return ca_err_set(err, CA_NOMEM, "out of memory");
  }
  code = look && ca_work_needs_look(apply, work, &count, &alone)
             ? ca_apply_look_single(apply, work, err)
             : send_at_once(apply, work, err);
  if(code) {
    ca_kept_drop(apply, row->number);
    ca_work_free(work);
  }
  return code;
}

enum ca_code ca_apply_one(struct ca_apply *apply, int64_t item,
                          const struct ca_change *change,
                          struct ca_slice secret, ca_applied_fn *visit,
                          void *owner, int64_t *number, struct ca_err *err)
{
  struct ca_change_row row = { .item = item, .change = *change, .key = "" };
  struct ca_err why;
  enum ca_code code = may_send_one(apply, err);

  if(code)
    return code;
  if(change->outcome != CA_PLANNED)
    return ca_err_set(err, CA_USAGE, "only a planned change can be sent");
  ca_err_clear(&why);
  code = ca_ledger_add_change(apply->ledger, item, change, number, &why);
  row.number = *number;
  if(!code)
    code = begin_single(apply, &row, false, secret, visit, owner, &why);
  if(code && err)
    *err = why;
  return code;
}

/* A recorded change, as it is looked for. */
struct recorded {
  int64_t number;
  bool found;
  struct ca_step *step; /* owned; NULL when out of memory */
};

static bool take_recorded(void *ctx, const struct ca_change_row *row)
{
  struct recorded *recorded = ctx;

  recorded->found = row->number == recorded->number;
  if(recorded->found)
    recorded->step = ca_step_new(row);
  return false;
}

static enum ca_code check_recorded(const struct recorded *recorded,
                                   struct ca_err *err)
{
  const struct ca_change_row *row;

  if(!recorded->found)
    return ca_err_set(err, CA_USAGE, "the run has no change %lld",
                      (long long)recorded->number);
  if(!recorded->step)
    return ca_err_set(err, CA_NOMEM, "out of memory");
  row = &recorded->step->row;
  if(row->outcome == CA_PLANNED || row->outcome == CA_NOT_TRIED ||
     row->outcome == CA_FAILED)
    return CA_OK;
  if(row->outcome == CA_UNKNOWN && row->change.api->repeat != CA_REPEAT_NEVER)
    return CA_OK;
  return ca_err_set(err, CA_USAGE, "change %lld is not sent again: it is %s",
                    (long long)recorded->number,
                    ca_outcome_name(row->outcome));
}

enum ca_code ca_apply_recorded(struct ca_apply *apply, int64_t number,
                               struct ca_slice secret, ca_applied_fn *visit,
                               void *owner, struct ca_err *err)
{
  struct recorded recorded = { .number = number };
  struct ca_err why;
  enum ca_code code = may_send_one(apply, err);

  if(code)
    return code;
  ca_err_clear(&why);
  code = ca_ledger_changes(apply->ledger, -1, number - 1,
                           (1U << CA_OUTCOME_COUNT) - 1, 1, take_recorded,
                           &recorded, &why);
  if(!code)
    code = check_recorded(&recorded, &why);
  if(!code)
    code = begin_single(apply, &recorded.step->row, true, secret, visit, owner,
                        &why);
  free(recorded.step);
  if(code && err)
    *err = why;
  return code;
}
