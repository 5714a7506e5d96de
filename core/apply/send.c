/* Sending changes whose intent is durable.
   Must not know: Lua, what a script is. */
#include <stdlib.h>
#include <string.h>
#include "apply/apply_private.h"

void ca_send_leave(struct ca_apply *apply, struct ca_apply_item *apply_item)
{
  if(apply_item->previous)
    apply_item->previous->next = apply_item->next;
  else
    apply->under_way = apply_item->next;
  if(apply_item->next)
    apply_item->next->previous = apply_item->previous;
  apply_item->next = apply_item->previous = NULL;
  apply_item->op = 0;
  if(apply_item->single)
    apply->singles--;
  else
    apply->active--;
}

static void enter(struct ca_apply *apply, struct ca_apply_item *apply_item,
                  uint64_t op)
{
  apply_item->op = op;
  apply_item->intended = false;
  apply_item->previous = NULL;
  apply_item->next = apply->under_way;
  if(apply_item->next)
    apply_item->next->previous = apply_item;
  apply->under_way = apply_item;
  if(apply_item->single)
    apply->singles++;
  else
    apply->active++;
}

/* Gone already: what the service says when it deletes. */
static void report_well(struct ca_result *result)
{
  ca_err_clear(&result->err);
  ca_buf_reset(&result->body);
  result->is_json = !ca_buf_add_text(&result->body, "{\"success\":true}");
}

static void op_done(void *owner, uint64_t token, struct ca_result *result)
{
  struct ca_apply *apply = owner;
  struct ca_apply_item *apply_item = (struct ca_apply_item *)(uintptr_t)token;
  enum ca_outcome outcome;

  ca_send_leave(apply, apply_item);
  ca_reply_explain(apply_item->first->row.change.api, result);
  /* the service's own id for it, where it gave another than ours */
  if(result->err.request_id[0])
    ca_err_copy_text(result->request_id, sizeof(result->request_id),
                     result->err.request_id, strlen(result->err.request_id));
  outcome = ca_finish_classify(apply_item->first, result);
  if(outcome == CA_DONE && result->err.code)
    report_well(result);
  ca_finish_change(apply, apply_item, outcome, result, &result->err);
}

static enum ca_code make_request(const struct ca_apply *apply,
                                 const struct ca_apply_change *apply_change,
                                 struct ca_request *request,
                                 struct ca_err *err)
{
  const struct ca_change *change = &apply_change->row.change;
  const struct ca_apply_secret *entry =
      ca_apply_secret_find(apply, apply_change->row.number);
  enum ca_code code;

  if(change->fingerprint && !entry) {
    ca_request_init(request, change->api);
    return ca_err_set(err, CA_USAGE,
                      "this process no longer has its credentials");
  }
  code =
      ca_request_restore(request, change->api, change->account, change->query,
                         entry ? entry->body : change->body, err);
  request->secret = entry != NULL;
  return code;
}

void ca_send_submit(struct ca_apply *apply, struct ca_apply_item *apply_item)
{
  struct ca_request request;
  struct ca_err why;
  uint64_t op = 0;
  enum ca_code code;

  ca_err_clear(&why);
  code = make_request(apply, apply_item->first, &request, &why);
  if(!code) {
    code = ca_engine_submit_recorded(apply->engine, apply->endpoint, &request,
                                     0, op_done, apply, (uintptr_t)apply_item,
                                     &op, &why);
    if(!code) {
      enter(apply, apply_item, op);
      return;
    }
    /* not this change's fault: the others would fare no better */
    ca_finish_fail(apply, &why);
  }
  ca_request_clear(&request);
  ca_finish_change(apply, apply_item,
                   ca_finish_unsent_outcome(apply_item->first, code), NULL,
                   &why);
}

void ca_send_abandon(struct ca_apply *apply, struct ca_apply_item *apply_item)
{
  struct ca_result result;
  bool left = true;

  memset(&result, 0, sizeof(result));
  ca_buf_init(&result.body, 0);
  if(!ca_engine_cancel(apply->engine, apply_item->op, &left))
    left = true; /* nobody knows of it any more */
  ca_send_leave(apply, apply_item);
  if(!left) {
    apply_item->intended = true; /* again: as if it had never been submitted */
    ca_finish_rest(apply, apply_item, CA_NOT_TRIED,
                   ca_finish_why_stopped(apply));
    return;
  }
  ca_err_set(&result.err, CA_CANCELLED,
             "cancelled in flight: it may have been carried out");
  result.err.unknown = true;
  ca_finish_change(apply, apply_item, CA_UNKNOWN, &result, &result.err);
  ca_buf_clear(&result.body);
}
