/* Sending changes whose intent is durable.
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
  ca_reply_explain(work->first->row.change.api, result);
  /* the service's own id for it, where it gave another than ours */
  if(result->err.request_id[0])
    ca_copy_text(result->request_id, sizeof(result->request_id),
                 result->err.request_id, strlen(result->err.request_id));
  outcome = ca_apply_classify(work->first, result);
  if(outcome == CA_DONE && result->err.code)
    say_well(result);
  ca_apply_end_step(apply, work, outcome, result, &result->err);
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
                      "this process no longer has its credentials");
  }
  code =
      ca_request_restore(request, change->api, change->account, change->query,
                         kept ? kept->body : change->body, err);
  request->secret = kept != NULL;
  return code;
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
  ca_apply_end_step(apply, work, ca_apply_unsent_outcome(work->first, code),
                    NULL, &why);
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
             "cancelled in flight: it may have been carried out");
  result.err.unknown = true;
  ca_apply_end_step(apply, work, CA_UNKNOWN, &result, &result.err);
  ca_buf_clear(&result.body);
}
