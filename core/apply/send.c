/* Sends changes whose intent is durable, and takes their replies.
   Must not know: Lua, what a script is. */
#include <stdlib.h>
#include <string.h>
#include "apply/apply_private.h"
#include "wire/proof.h"

void ca_send_leave(struct ca_apply *apply, struct ca_apply_item *item)
{
  if(item->previous)
    item->previous->next = item->next;
  else
    apply->under_way = item->next;
  if(item->next)
    item->next->previous = item->previous;
  item->next = item->previous = NULL;
  item->op = 0;
  if(item->single)
    apply->singles--;
  else
    apply->active--;
}

static void enter(struct ca_apply *apply, struct ca_apply_item *item,
                  uint64_t op)
{
  item->op = op;
  item->intended = false;
  item->previous = NULL;
  item->next = apply->under_way;
  if(item->next)
    item->next->previous = item;
  apply->under_way = item;
  if(item->single)
    apply->singles++;
  else
    apply->active++;
}

/* It was gone already: sets the body of a delete that succeeded. */
static void report_well(struct ca_result *result)
{
  ca_err_clear(&result->err);
  ca_buf_reset(&result->body);
  result->is_json = !ca_buf_add_text(&result->body, "{\"success\":true}");
}

static enum ca_outcome outcome_of(enum ca_proof proof)
{
  switch(proof) {
  case CA_PROOF_DONE:
    return CA_DONE;
  case CA_PROOF_FAILED:
    return CA_FAILED;
  case CA_PROOF_UNSENT:
    return CA_NOT_TRIED;
  default:
    return CA_UNKNOWN;
  }
}

static void op_done(void *owner, uint64_t token, struct ca_result *result)
{
  struct ca_apply *apply = owner;
  struct ca_apply_item *item = (struct ca_apply_item *)(uintptr_t)token;
  const struct ca_change *change = &item->first->row.change;
  enum ca_outcome outcome;

  ca_send_leave(apply, item);
  if(result->overdue) {
    item->intended = true; /* as before it was submitted */
    ca_precheck_repeat(apply, item);
    return;
  }
  ca_reply_explain(change->api, change->account, result);
  /* the reply's request id, where the service gave one of its own */
  if(result->err.request_id[0])
    ca_text_copy(result->request_id, sizeof(result->request_id),
                 result->err.request_id);
  outcome =
      outcome_of(ca_proof_of_reply(change->api, change->account, result,
                                   item->first->row.outcome == CA_UNKNOWN));
  if(outcome == CA_FAILED && result->status == 401 && !item->single)
    outcome =
        CA_NOT_TRIED; /* nothing is wrong with the change: it stays open */
  if(outcome == CA_DONE && result->err.code)
    report_well(result);
  ca_finish_change(apply, item, outcome, result, &result->err);
}

static enum ca_code make_request(const struct ca_apply *apply,
                                 const struct ca_apply_change *change,
                                 struct ca_request *request,
                                 struct ca_err *err)
{
  const struct ca_change *planned = &change->row.change;
  const struct ca_apply_secret *entry =
      ca_apply_secret_find(apply, change->row.number);
  enum ca_code code;

  if(planned->fingerprint && !entry) {
    ca_request_init(request, planned->api);
    return ca_err_set(err, CA_USAGE,
                      "this process no longer has its credentials");
  }
  code = ca_request_restore(request, planned->api, planned->account,
                            planned->query,
                            entry ? entry->body : planned->body, err);
  request->secret = entry != NULL;
  return code;
}

void ca_send_submit(struct ca_apply *apply, struct ca_apply_item *item)
{
  struct ca_request request;
  struct ca_err why;
  uint64_t op = 0;
  enum ca_code code;

  ca_err_clear(&why);
  code = make_request(apply, item->first, &request, &why);
  if(!code) {
    code = ca_engine_submit_recorded(apply->engine, apply->endpoint, &request,
                                     ca_precondition_until(item), op_done,
                                     apply, (uintptr_t)item, &op, &why);
    if(!code) {
      enter(apply, item, op);
      return;
    }
    /* not this change's fault: the others would fail too */
    ca_finish_fail(apply, &why);
  }
  ca_request_clear(&request);
  /* a change that may have happened before stays unknown */
  ca_finish_change(apply, item,
                   outcome_of(ca_proof_of_unsent(
                       code, item->first->row.outcome == CA_UNKNOWN)),
                   NULL, &why);
}

void ca_send_abandon(struct ca_apply *apply, struct ca_apply_item *item)
{
  struct ca_result result;
  bool left = true;

  memset(&result, 0, sizeof(result));
  ca_buf_init(&result.body, 0);
  if(!ca_engine_cancel(apply->engine, item->op, &left))
    left = true; /* the engine does not know the op: assume it left */
  ca_send_leave(apply, item);
  if(!left) {
    item->intended = true; /* as before it was submitted */
    ca_finish_rest(apply, item, CA_NOT_TRIED, ca_finish_why_stopped(apply));
    return;
  }
  ca_err_set(&result.err, CA_CANCELLED,
             "cancelled in flight: it may have been carried out");
  result.err.unknown = true;
  ca_finish_change(apply, item, CA_UNKNOWN, &result, &result.err);
  ca_buf_clear(&result.body);
}
