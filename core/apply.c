/* Carrying out the ledger's changes. Works go from queue to queue:
     waiting -> (intent, in groups) -> ready -> under way -> ended
   and back to "again" when the item has another change. Intents are written
   for more works than may run, so that one sync serves many of them.
   Must not know: Lua, what a script is. */
#include <stdlib.h>
#include <string.h>
#include "apply_private.h"

#define GROUP_LEAST 64
#define SYNC_MS     100

struct ca_apply *ca_apply_new(struct ca_engine *engine,
                              struct ca_endpoint *endpoint,
                              struct ca_ledger *ledger, struct ca_err *err)
{
  struct ca_apply *apply = calloc(1, sizeof(*apply));

  if(!apply) {
    ca_err_set(err, CA_NOMEM, "out of memory");
    return NULL;
  }
  apply->engine = engine;
  apply->endpoint = endpoint;
  apply->ledger = ledger;
  apply->read_all = true;
  apply->json = ca_json_new(err);
  if(!apply->json) {
    ca_apply_free(apply);
    return NULL;
  }
  return apply;
}

/* Off the list of those under way. */
static void leave(struct ca_apply *apply, struct ca_work *work)
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

void ca_apply_free(struct ca_apply *apply)
{
  if(!apply)
    return;
  while(apply->under_way) {
    struct ca_work *work = apply->under_way;
    ca_engine_cancel(apply->engine, work->op, NULL);
    leave(apply, work);
    ca_work_free(work);
  }
  ca_work_clear(&apply->waiting);
  ca_work_clear(&apply->again);
  ca_work_clear(&apply->ready);
  ca_kept_clear(apply);
  ca_json_free(apply->json);
  free(apply->numbers);
  free(apply);
}

/* Nothing more is sent, and ca_apply_fill says why from now on. */
static void fail(struct ca_apply *apply, const struct ca_err *why)
{
  if(!apply->failed.code)
    apply->failed = *why;
  apply->stopped = true;
}

/* The ledger is what this stands on. What could not be written of an outcome
   is not tried again and again: every try may wait for a lock. */
static void lose_ledger(struct ca_apply *apply, const struct ca_err *why)
{
  apply->ledger_lost = true;
  fail(apply, why);
}

static enum ca_code give(const struct ca_err *why, struct ca_err *err)
{
  if(err)
    *err = *why;
  return why->code;
}

/* The end of a change. */

static enum ca_outcome classify(const struct ca_result *result)
{
  const struct ca_err *err = &result->err;

  if(!err->code)
    return CA_DONE;
  if(err->unknown || err->code == CA_REPLY)
    return CA_UNKNOWN;
  if(err->code == CA_CANCELLED || err->code == CA_CLOSED ||
     err->code == CA_GATE)
    return CA_NOT_TRIED; /* it never left */
  return CA_FAILED;
}

/* Where the account stands now, as far as the row or the reply tells. */
static const char *status_after(struct ca_apply *apply,
                                const struct ca_api *api,
                                const struct ca_result *result, char *out,
                                size_t size)
{
  if(api->becomes)
    return api->becomes;
  if(!result || !result->body.len ||
     !ca_json_text(apply->json, result->body.data, result->body.len,
                   "$.status", out, size))
    return NULL;
  return out;
}

static void settle(struct ca_apply *apply, const struct ca_step *step,
                   enum ca_outcome outcome, const struct ca_result *result,
                   const struct ca_err *cause)
{
  char status[32];
  struct ca_err err;
  const char *after = NULL;

  if(apply->ledger_lost)
    return; /* it stays intended, and reads as unknown */
  ca_err_clear(&err);
  if(outcome == CA_DONE)
    after = status_after(apply, step->row.change.api, result, status,
                         sizeof(status));
  if(ca_ledger_settle(apply->ledger, step->row.number, outcome,
                      result ? result->attempts : 0,
                      result ? result->request_id : NULL, after, NULL,
                      cause && cause->code ? cause : NULL, &err))
    lose_ledger(apply, &err);
  if(!apply->unsynced_ms)
    apply->unsynced_ms =
        ca_clock_mono_ms(ca_engine_clock(apply->engine)) + SYNC_MS;
}

static void tell(struct ca_apply *apply, struct ca_work *work,
                 const struct ca_step *step, enum ca_outcome outcome,
                 struct ca_result *result)
{
  struct ca_applied applied = { .row = &step->row,
                                .outcome = outcome,
                                .result = result,
                                .last = !work->first };
  ca_kept_drop(apply, step->row.number);
  apply->depth++;
  work->visit(work->owner, &applied);
  apply->depth--;
}

/* The item ends here: what is left of it is not tried. */
static void end_rest(struct ca_apply *apply, struct ca_work *work,
                     const char *why)
{
  struct ca_err cause;

  ca_err_set(&cause, CA_CANCELLED, "%s", why);
  while(work->first) {
    struct ca_step *step = ca_work_take(work);
    bool planned = step->row.outcome == CA_PLANNED;
    if(planned)
      settle(apply, step, CA_NOT_TRIED, NULL, &cause);
    tell(apply, work, step, planned ? CA_NOT_TRIED : step->row.outcome, NULL);
    free(step);
  }
  ca_work_free(work);
}

static const char *why_stopped(const struct ca_apply *apply)
{
  if(apply->ledger_lost)
    return "the ledger could not be written";
  return apply->key_rejected ? "the API key was rejected"
                             : "the run was stopped before it";
}

/* Steps that were decided when they were recorded: told, not sent. False when
   nothing is left of the work, which is then gone. */
static bool pass_decided(struct ca_apply *apply, struct ca_work *work)
{
  while(work->first && work->first->row.outcome != CA_PLANNED) {
    struct ca_step *step = ca_work_take(work);
    tell(apply, work, step, step->row.outcome, NULL);
    free(step);
  }
  if(work->first)
    return true;
  ca_work_free(work);
  return false;
}

/* Ends the work's first step. Takes the work: it is queued for its next step,
   or gone. */
static void end_step(struct ca_apply *apply, struct ca_work *work,
                     enum ca_outcome outcome, struct ca_result *result,
                     const struct ca_err *cause)
{
  struct ca_step *step = ca_work_take(work);

  settle(apply, step, outcome, result, cause);
  if(result && result->status == 401) {
    apply->key_rejected = true;
    apply->stopped = true;
  }
  tell(apply, work, step, outcome, result);
  free(step);
  if(outcome != CA_DONE)
    end_rest(apply, work,
             outcome == CA_NOT_TRIED ? why_stopped(apply)
                                     : "an earlier change of the item did "
                                       "not succeed");
  else if(pass_decided(apply, work))
    ca_work_push(&apply->again, work);
}

/* Once stopped: what has an intent but was not sent, and what was begun, is
   not tried; what was only read stays as it is in the ledger. */
static void drop_queued(struct ca_apply *apply)
{
  struct ca_work *work;

  if(!apply->stopped || apply->dropping || apply->depth)
    return;
  apply->dropping = true;
  while((work = ca_work_pop(&apply->ready)) ||
        (work = ca_work_pop(&apply->again)))
    end_rest(apply, work, why_stopped(apply));
  ca_work_clear(&apply->waiting);
  apply->dropping = false;
}

static void op_done(void *owner, uint64_t token, struct ca_result *result)
{
  struct ca_apply *apply = owner;
  struct ca_work *work = (struct ca_work *)(uintptr_t)token;

  leave(apply, work);
  ca_reply_explain(apply->json, work->first->row.change.api, result);
  /* the service's own id for it, where it gave another than ours */
  if(result->err.request_id[0])
    ca_copy_text(result->request_id, sizeof(result->request_id),
                 result->err.request_id, strlen(result->err.request_id));
  end_step(apply, work, classify(result), result, &result->err);
  drop_queued(apply);
}

/* Sending. */

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

/* Takes the work. Its first step has a durable intent. */
static void submit(struct ca_apply *apply, struct ca_work *work)
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
    fail(apply, &why);
  }
  ca_request_clear(&request);
  end_step(apply, work, code == CA_USAGE ? CA_FAILED : CA_NOT_TRIED, NULL,
           &why);
}

/* Intents in groups: one sync for all of them. */

static enum ca_code gather(struct ca_apply *apply, struct ca_work_queue *group,
                           struct ca_err *err)
{
  enum ca_code code = CA_OK;

  while(!code && !apply->stopped &&
        apply->ready.count + group->count < apply->group) {
    struct ca_work *work = ca_work_pop(&apply->again);
    if(!work)
      code = ca_apply_next(apply, &work, err);
    if(!work)
      break;
    if(!pass_decided(apply, work))
      continue;
    apply->numbers[group->count] = work->first->row.number;
    ca_work_push(group, work);
  }
  return code;
}

static enum ca_code intend_group(struct ca_apply *apply, struct ca_err *err)
{
  struct ca_work_queue group = { NULL, NULL, 0 };
  struct ca_work *work;
  enum ca_code code = gather(apply, &group, err);

  if(!code && !apply->stopped && group.count) {
    code = ca_ledger_intend(apply->ledger, apply->numbers, group.count, err);
    if(!code) {
      apply->unsynced_ms = 0;
      while((work = ca_work_pop(&group)))
        ca_work_push(&apply->ready, work);
    }
  }
  /* no intent, nothing sent; those begun are told when all is dropped */
  while((work = ca_work_pop(&group)))
    ca_work_push(&apply->again, work);
  return code;
}

static enum ca_code sync_late(struct ca_apply *apply, struct ca_err *err)
{
  bool idle = !apply->active && !apply->singles && !apply->ready.count;
  enum ca_code code;

  if(!apply->unsynced_ms)
    return CA_OK;
  if(!idle &&
     ca_clock_mono_ms(ca_engine_clock(apply->engine)) < apply->unsynced_ms)
    return CA_OK;
  code = ca_ledger_sync(apply->ledger, err);
  if(!code)
    apply->unsynced_ms = 0;
  return code;
}

enum ca_code ca_apply_start(struct ca_apply *apply,
                            const struct ca_apply_options *options,
                            ca_applied_fn *visit, void *owner,
                            struct ca_err *err)
{
  int bulk = options->bulk;
  int concurrency = options->concurrency;
  size_t many = concurrency > 0 ? (size_t)concurrency : 1;
  size_t group = many * 2 > GROUP_LEAST ? many * 2 : GROUP_LEAST;
  int64_t *numbers;
  enum ca_code code;

  if(apply->failed.code)
    return give(&apply->failed, err);
  if(apply->active || apply->waiting.count || apply->again.count ||
     apply->ready.count)
    return ca_err_set(err, CA_USAGE, "a bulk is being carried out already");
  /* the plan is on disk before any of it is acted on */
  code = ca_ledger_sync(apply->ledger, err);
  if(code)
    return code;
  numbers = realloc(apply->numbers, group * sizeof(*numbers));
  if(!numbers)
    return ca_err_set(err, CA_NOMEM, "out of memory");
  apply->numbers = numbers;
  apply->bulk = bulk;
  apply->concurrency = many;
  apply->group = group;
  apply->visit = visit;
  apply->owner = owner;
  apply->read_to = 0;
  apply->read_all = false;
  return CA_OK;
}

static bool has_more(const struct ca_apply *apply)
{
  return !apply->read_all || apply->waiting.count || apply->again.count;
}

/* Only when a place would stay empty: a sync costs as much as several
   exchanges, and the loop stands still in it whenever it comes. */
static bool too_few_ready(const struct ca_apply *apply)
{
  return apply->ready.count + apply->active < apply->concurrency;
}

enum ca_code ca_apply_fill(struct ca_apply *apply, struct ca_err *err)
{
  struct ca_err why;
  enum ca_code code = CA_OK;

  ca_err_clear(&why);
  drop_queued(apply);
  if(!apply->stopped && too_few_ready(apply) && has_more(apply))
    code = intend_group(apply, &why);
  if(!code && !apply->failed.code) {
    while(!apply->stopped && apply->active < apply->concurrency &&
          apply->ready.first)
      submit(apply, ca_work_pop(&apply->ready));
    code = sync_late(apply, &why);
  }
  if(code)
    lose_ledger(apply, &why);
  drop_queued(apply);
  return apply->failed.code ? give(&apply->failed, err) : CA_OK;
}

bool ca_apply_finished(const struct ca_apply *apply)
{
  if(apply->under_way)
    return false;
  return apply->stopped || (!has_more(apply) && !apply->ready.count);
}

bool ca_apply_key_rejected(const struct ca_apply *apply)
{
  return apply->key_rejected;
}

void ca_apply_stop(struct ca_apply *apply)
{
  apply->stopped = true;
  drop_queued(apply);
}

/* Cancels the op of a work under way and ends the work. */
static void abandon_one(struct ca_apply *apply, struct ca_work *work)
{
  struct ca_result result;
  bool left = true;

  memset(&result, 0, sizeof(result));
  ca_buf_init(&result.body, 0);
  if(!ca_engine_cancel(apply->engine, work->op, &left))
    left = true; /* nobody knows of it any more */
  leave(apply, work);
  if(!left) {
    end_rest(apply, work, why_stopped(apply));
    return;
  }
  ca_err_set(&result.err, CA_CANCELLED,
             "given up while it was under way: it may have been carried out");
  result.err.unknown = true;
  end_step(apply, work, CA_UNKNOWN, &result, &result.err);
  ca_buf_clear(&result.body);
}

enum ca_code ca_apply_abandon(struct ca_apply *apply, struct ca_err *err)
{
  struct ca_err why;
  enum ca_code code;

  apply->stopped = true;
  while(apply->under_way)
    abandon_one(apply, apply->under_way);
  drop_queued(apply);
  if(apply->failed.code)
    return give(&apply->failed, err);
  ca_err_clear(&why);
  code = ca_ledger_sync(apply->ledger, &why);
  if(!code)
    apply->unsynced_ms = 0;
  else
    lose_ledger(apply, &why);
  return code ? give(&why, err) : CA_OK;
}

/* One change at once. */

static struct ca_work *single_work(int64_t item, int64_t number,
                                   const struct ca_change *change,
                                   ca_applied_fn *visit, void *owner)
{
  struct ca_change_row row = {
    .number = number, .item = item, .change = *change, .key = ""
  };
  struct ca_work *work = calloc(1, sizeof(*work));
  struct ca_step *step = work ? ca_step_new(&row) : NULL;

  if(!step) {
    free(work);
    return NULL;
  }
  work->item = item;
  work->complete = true;
  work->single = true;
  work->visit = visit;
  work->owner = owner;
  ca_work_add(work, step);
  return work;
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

enum ca_code ca_apply_one(struct ca_apply *apply, int64_t item,
                          const struct ca_change *change,
                          struct ca_slice secret, ca_applied_fn *visit,
                          void *owner, int64_t *number, struct ca_err *err)
{
  struct ca_err why;
  struct ca_work *work = NULL;
  enum ca_code code = CA_OK;

  if(apply->failed.code)
    return give(&apply->failed, err);
  if(apply->stopped)
    return ca_err_set(err, CA_CANCELLED, "not sent: %s", why_stopped(apply));
  if(change->outcome != CA_PLANNED)
    return ca_err_set(err, CA_USAGE, "only a planned change can be sent");
  ca_err_clear(&why);
  code = ca_ledger_add_change(apply->ledger, item, change, number, &why);
  if(!code)
    work = single_work(item, *number, change, visit, owner);
  if(!code && !work)
    code = ca_err_set(&why, CA_NOMEM, "out of memory");
  if(!code && secret.len &&
     ca_apply_keep_secret(apply, *number, secret.data, secret.len))
    code = ca_err_set(&why, CA_NOMEM, "out of memory");
  if(!code) {
    code = ca_ledger_intend(apply->ledger, number, 1, &why);
    if(code == CA_SYSTEM)
      fail(apply, &why);
    if(!code) {
      apply->unsynced_ms = 0;
      code = submit_single(apply, work, &why);
      if(code)
        settle(apply, work->first, code == CA_USAGE ? CA_FAILED : CA_NOT_TRIED,
               NULL, &why);
    }
  }
  if(!code)
    return CA_OK;
  if(work)
    ca_kept_drop(apply, *number);
  ca_work_free(work);
  return give(&why, err);
}
