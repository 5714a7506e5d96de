/* The ends of changes: what a result makes of one, what the ledger and `visit`
   are told, and how its item goes on from there.
   Must not know: Lua, what a script is. */
#include <stdlib.h>
#include <string.h>
#include "apply/apply_private.h"
#include "wire/proof.h"

#define SYNC_MS 100

void ca_apply_fail(struct ca_apply *apply, const struct ca_err *why)
{
  if(!apply->failed.code)
    apply->failed = *why;
  apply->stopped = true;
}

void ca_apply_lose_ledger(struct ca_apply *apply, const struct ca_err *why)
{
  apply->ledger_lost = true;
  ca_apply_fail(apply, why);
}

const char *ca_apply_why_stopped(const struct ca_apply *apply)
{
  if(apply->ledger_lost)
    return "the ledger could not be written";
  return apply->key_rejected ? "the API key was rejected"
                             : "the run stopped before this change";
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

enum ca_outcome ca_apply_classify(const struct ca_step *step,
                                  const struct ca_result *result)
{
  return outcome_of(ca_proof_of_reply(step->row.change.api, result,
                                      step->row.outcome == CA_UNKNOWN));
}

enum ca_outcome ca_apply_unsent_outcome(const struct ca_step *step,
                                        enum ca_code code)
{
  return outcome_of(ca_proof_of_unsent(code, step->row.outcome == CA_UNKNOWN));
}

static const char *or_null(const char *text)
{
  return *text ? text : NULL;
}

void ca_apply_settle(struct ca_apply *apply, const struct ca_step *step,
                     enum ca_outcome outcome, const struct ca_result *result,
                     const struct ca_err *cause)
{
  struct ca_finding finding = { .proof = CA_PROOF_UNKNOWN };
  struct ca_err err;

  if(apply->ledger_lost)
    return; /* it stays intended, and reads as unknown */
  ca_err_clear(&err);
  if(outcome == CA_DONE)
    ca_proof_take(step->row.change.api, result, &finding);
  if(ca_outcome_record(apply->ledger, step->row.number, outcome,
                       result ? result->attempts : 0,
                       result ? result->request_id : NULL,
                       or_null(finding.status), or_null(finding.made),
                       cause && cause->code ? cause : NULL, &err))
    ca_apply_lose_ledger(apply, &err);
  if(!apply->unsynced_ms)
    apply->unsynced_ms =
        ca_clock_mono_ms(ca_engine_clock(apply->engine)) + SYNC_MS;
}

static void tell(struct ca_apply *apply, struct ca_work *work,
                 const struct ca_step *step, enum ca_outcome outcome,
                 struct ca_result *result, const struct ca_err *why)
{
  struct ca_applied applied = { .row = &step->row,
                                .outcome = outcome,
                                .result = result,
                                .why = result ? NULL : why,
                                .last = !work->first };

  ca_verdict_add(&work->verdict, outcome, step->row.change.fallback);
  work->told = true;
  applied.well = ca_verdict_is_good(&work->verdict);
  ca_kept_drop(apply, step->row.number);
  apply->told++;
  apply->depth++;
  work->visit(work->owner, &applied);
  apply->depth--;
}

/* What becomes of a step that was to be sent and is not. */
static enum ca_outcome left_outcome(const struct ca_apply *apply,
                                    const struct ca_work *work,
                                    const struct ca_step *step,
                                    enum ca_outcome outcome)
{
  switch(step->row.outcome) {
  case CA_PLANNED:
  case CA_NOT_TRIED:
    return outcome;
  case CA_FAILED:
    if(work->intended)
      return CA_NOT_TRIED; /* its failure went with the new intent */
    return apply->which == CA_APPLY_FAILED && outcome == CA_STALE ? CA_STALE
                                                                  : CA_FAILED;
  default:
    return step->row.outcome;
  }
}

void ca_apply_end_rest(struct ca_apply *apply, struct ca_work *work,
                       enum ca_outcome outcome, const char *why)
{
  while(work->first) {
    struct ca_step *step = ca_work_take(work);
    enum ca_outcome left = left_outcome(apply, work, step, outcome);
    struct ca_err cause;

    ca_err_set(&cause, CA_CANCELLED, "%s%s",
               left == CA_UNKNOWN ? "not sent again: " : "", why);
    if(left != step->row.outcome || left == CA_NOT_TRIED || work->intended)
      ca_apply_settle(apply, step, left, NULL, &cause);
    work->intended = false;
    tell(apply, work, step, left, NULL, &cause);
    free(step);
  }
  ca_work_free(work);
}

/* How an item goes on with its next step. */
enum move { MOVE_SEND, MOVE_TELL, MOVE_SPARE, MOVE_END };

static bool may_repeat(const struct ca_apply *apply,
                       const struct ca_step *step)
{
  return apply->which != CA_APPLY_PLANNED &&
         step->row.change.api->repeat != CA_REPEAT_NEVER;
}

/* A failure of an earlier part of the run: what follows it decides. One that
   its fallback has made good, or may have, is left alone. */
static enum move after_failure(const struct ca_apply *apply,
                               const struct ca_step *step)
{
  const struct ca_step *next = step->next;
  bool mended = next && next->row.change.fallback;

  if(apply->which == CA_APPLY_FAILED &&
     !(mended && ca_verdict_makes_up(next->row.outcome)))
    return MOVE_SEND;
  return mended ? MOVE_TELL : MOVE_END;
}

/* The change before it did not fail. */
static enum move spare_fallback(enum ca_outcome outcome)
{
  switch(outcome) {
  case CA_PLANNED:
  case CA_NOT_TRIED:
  case CA_FAILED:
  case CA_STALE:
    return MOVE_SPARE;
  case CA_UNKNOWN:
  case CA_INTENDED:
    return MOVE_END;
  default:
    return MOVE_TELL;
  }
}

static enum move next_move(const struct ca_apply *apply,
                           const struct ca_work *work)
{
  const struct ca_step *step = work->first;
  bool fallback = step->row.change.fallback;

  if(fallback && !ca_verdict_wants_fallback(&work->verdict))
    return spare_fallback(step->row.outcome);
  switch(step->row.outcome) {
  case CA_PLANNED:
  case CA_NOT_TRIED:
    return MOVE_SEND;
  case CA_DONE:
  case CA_SAME:
    return MOVE_TELL;
  case CA_SKIPPED: /* a fallback that was not to be tried ends it */
    return fallback ? MOVE_END : MOVE_TELL;
  case CA_FAILED:
    return after_failure(apply, step);
  case CA_UNKNOWN:
  case CA_INTENDED:
    return may_repeat(apply, step) ? MOVE_SEND : MOVE_END;
  default:
    return MOVE_END;
  }
}

#define EARLIER "an earlier change of the item did not succeed"

/* Takes the first step off and tells it without sending. */
static void pass(struct ca_apply *apply, struct ca_work *work,
                 enum ca_outcome outcome, const char *why)
{
  struct ca_step *step = ca_work_take(work);
  struct ca_err cause;

  if(why) {
    ca_err_set(&cause, CA_CANCELLED, "%s", why);
    ca_apply_settle(apply, step, outcome, NULL, &cause);
  }
  tell(apply, work, step, outcome, NULL, why ? &cause : NULL);
  free(step);
}

bool ca_apply_advance(struct ca_apply *apply, struct ca_work *work)
{
  while(work->first) {
    switch(next_move(apply, work)) {
    case MOVE_SEND:
      return true;
    case MOVE_TELL:
      pass(apply, work, work->first->row.outcome, NULL);
      break;
    case MOVE_SPARE:
      pass(apply, work, CA_SKIPPED, "not needed");
      break;
    case MOVE_END:
      pass(apply, work, work->first->row.outcome, NULL);
      ca_apply_end_rest(apply, work, CA_NOT_TRIED, EARLIER);
      return false;
    }
  }
  ca_work_free(work);
  return false;
}

/* The first step is the fallback of one that was refused just now. What became
   of it in an earlier part of the run is of no account any more. */
static void open_fallback(const struct ca_apply *apply, struct ca_work *work)
{
  struct ca_change_row *row = &work->first->row;

  if(apply->which != CA_APPLY_PLANNED &&
     (row->outcome == CA_SKIPPED || row->outcome == CA_FAILED))
    row->outcome = CA_NOT_TRIED;
}

/* A step ended, and not well. A fallback is for what the service refused: not
   for a key that it knows no more, nor for what this process could not
   send. */
static void end_item(struct ca_apply *apply, struct ca_work *work,
                     enum ca_outcome outcome, const struct ca_result *result)
{
  bool fallback =
      outcome == CA_FAILED && work->first && work->first->row.change.fallback;

  if(fallback && result && result->status != 401) {
    open_fallback(apply, work);
    if(ca_apply_advance(apply, work))
      ca_work_push(&apply->again, work);
    return;
  }
  if(fallback && (work->first->row.outcome == CA_PLANNED ||
                  work->first->row.outcome == CA_NOT_TRIED))
    pass(apply, work, CA_SKIPPED,
         result ? "not tried: the API key was rejected"
                : "not tried: the change before it could not be sent");
  ca_apply_end_rest(apply, work, CA_NOT_TRIED,
                    outcome == CA_NOT_TRIED ? ca_apply_why_stopped(apply)
                                            : EARLIER);
}

void ca_apply_end_step(struct ca_apply *apply, struct ca_work *work,
                       enum ca_outcome outcome, struct ca_result *result,
                       const struct ca_err *cause)
{
  struct ca_step *step = ca_work_take(work);
  /* the visitor may move the result's contents out */
  struct ca_result sent = { .status = result ? result->status : 0 };

  work->intended = false;
  ca_apply_settle(apply, step, outcome, result, cause);
  if(sent.status == 401) {
    apply->key_rejected = true;
    apply->stopped = true;
  }
  tell(apply, work, step, outcome, result, cause);
  free(step);
  if(outcome != CA_DONE)
    end_item(apply, work, outcome, result ? &sent : NULL);
  else if(ca_apply_advance(apply, work))
    ca_work_push(&apply->again, work);
}

void ca_apply_leave_alone(struct ca_apply *apply, struct ca_work *work)
{
  if(work->told || work->single)
    ca_apply_end_rest(apply, work, CA_NOT_TRIED, ca_apply_why_stopped(apply));
  else
    ca_work_free(work);
}
