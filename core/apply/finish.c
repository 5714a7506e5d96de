/* The ends of changes: what a result makes of one, what the ledger and `visit`
   are told, and how its item goes on from there.
   Must not know: Lua, what a script is. */
#include <stdlib.h>
#include <string.h>
#include "apply/apply_private.h"
#include "wire/proof.h"

#define SYNC_MS 100

void ca_finish_fail(struct ca_apply *apply, const struct ca_err *why)
{
  if(!apply->failed.code)
    apply->failed = *why;
  apply->stopped = true;
}

void ca_finish_lose_ledger(struct ca_apply *apply, const struct ca_err *why)
{
  apply->ledger_lost = true;
  ca_finish_fail(apply, why);
}

const char *ca_finish_why_stopped(const struct ca_apply *apply)
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

enum ca_outcome ca_finish_classify(const struct ca_apply_change *apply_change,
                                   const struct ca_result *result)
{
  return outcome_of(
      ca_proof_of_reply(apply_change->row.change.api, result,
                        apply_change->row.outcome == CA_UNKNOWN));
}

enum ca_outcome
ca_finish_unsent_outcome(const struct ca_apply_change *apply_change,
                         enum ca_code code)
{
  return outcome_of(
      ca_proof_of_unsent(code, apply_change->row.outcome == CA_UNKNOWN));
}

static const char *or_null(const char *text)
{
  return *text ? text : NULL;
}

void ca_finish_record(struct ca_apply *apply,
                      const struct ca_apply_change *apply_change,
                      enum ca_outcome outcome, const struct ca_result *result,
                      const struct ca_err *cause)
{
  struct ca_finding finding = { .proof = CA_PROOF_UNKNOWN };
  struct ca_err err;

  if(apply->ledger_lost)
    return; /* it stays intended, and reads as unknown */
  ca_err_clear(&err);
  if(outcome == CA_DONE)
    ca_proof_take(apply_change->row.change.api, result, &finding);
  if(ca_outcome_record(apply->ledger, apply_change->row.number, outcome,
                       result ? result->attempts : 0,
                       result ? result->request_id : NULL,
                       or_null(finding.status), or_null(finding.made),
                       cause && cause->code ? cause : NULL, &err))
    ca_finish_lose_ledger(apply, &err);
  if(!apply->unsynced_ms)
    apply->unsynced_ms =
        ca_clock_mono_ms(ca_engine_clock(apply->engine)) + SYNC_MS;
}

static void report(struct ca_apply *apply, struct ca_apply_item *apply_item,
                   const struct ca_apply_change *apply_change,
                   enum ca_outcome outcome, struct ca_result *result,
                   const struct ca_err *why)
{
  struct ca_applied applied = { .row = &apply_change->row,
                                .outcome = outcome,
                                .result = result,
                                .why = result ? NULL : why,
                                .last = !apply_item->first };

  ca_verdict_add(&apply_item->verdict, outcome,
                 apply_change->row.change.fallback);
  apply_item->reported = true;
  applied.well = ca_verdict_is_good(&apply_item->verdict);
  ca_apply_secret_drop(apply, apply_change->row.number);
  apply->visits++;
  apply->depth++;
  apply_item->visit(apply_item->owner, &applied);
  apply->depth--;
}

/* What becomes of a step that was to be sent and is not. */
static enum ca_outcome left_outcome(const struct ca_apply *apply,
                                    const struct ca_apply_item *apply_item,
                                    const struct ca_apply_change *apply_change,
                                    enum ca_outcome outcome)
{
  switch(apply_change->row.outcome) {
  case CA_PLANNED:
  case CA_NOT_TRIED:
    return outcome;
  case CA_FAILED:
    if(apply_item->intended)
      return CA_NOT_TRIED; /* its failure went with the new intent */
    return apply->which == CA_APPLY_FAILED && outcome == CA_STALE ? CA_STALE
                                                                  : CA_FAILED;
  default:
    return apply_change->row.outcome;
  }
}

void ca_finish_rest(struct ca_apply *apply, struct ca_apply_item *apply_item,
                    enum ca_outcome outcome, const char *why)
{
  while(apply_item->first) {
    struct ca_apply_change *apply_change =
        ca_apply_item_take_change(apply_item);
    enum ca_outcome left =
        left_outcome(apply, apply_item, apply_change, outcome);
    struct ca_err cause;

    ca_err_set(&cause, CA_CANCELLED, "%s%s",
               left == CA_UNKNOWN ? "not sent again: " : "", why);
    if(left != apply_change->row.outcome || left == CA_NOT_TRIED ||
       apply_item->intended)
      ca_finish_record(apply, apply_change, left, NULL, &cause);
    apply_item->intended = false;
    report(apply, apply_item, apply_change, left, NULL, &cause);
    free(apply_change);
  }
  ca_apply_item_free(apply_item);
}

/* How an item goes on with its next step. */
enum move { MOVE_SEND, MOVE_REPORT, MOVE_SKIP_FALLBACK, MOVE_END };

static bool may_repeat(const struct ca_apply *apply,
                       const struct ca_apply_change *apply_change)
{
  return apply->which != CA_APPLY_PLANNED &&
         apply_change->row.change.api->repeat != CA_REPEAT_NEVER;
}

/* A failure of an earlier part of the run: what follows it decides. One that
   its fallback has made good, or may have, is left alone. */
static enum move after_failure(const struct ca_apply *apply,
                               const struct ca_apply_change *apply_change)
{
  const struct ca_apply_change *next = apply_change->next;
  bool mended = next && next->row.change.fallback;

  if(apply->which == CA_APPLY_FAILED &&
     !(mended && ca_verdict_makes_up(next->row.outcome)))
    return MOVE_SEND;
  return mended ? MOVE_REPORT : MOVE_END;
}

/* The change before it did not fail. */
static enum move skip_fallback(enum ca_outcome outcome)
{
  switch(outcome) {
  case CA_PLANNED:
  case CA_NOT_TRIED:
  case CA_FAILED:
  case CA_STALE:
    return MOVE_SKIP_FALLBACK;
  case CA_UNKNOWN:
  case CA_INTENDED:
    return MOVE_END;
  default:
    return MOVE_REPORT;
  }
}

static enum move next_move(const struct ca_apply *apply,
                           const struct ca_apply_item *apply_item)
{
  const struct ca_apply_change *apply_change = apply_item->first;
  bool fallback = apply_change->row.change.fallback;

  if(fallback && !ca_verdict_wants_fallback(&apply_item->verdict))
    return skip_fallback(apply_change->row.outcome);
  switch(apply_change->row.outcome) {
  case CA_PLANNED:
  case CA_NOT_TRIED:
    return MOVE_SEND;
  case CA_DONE:
  case CA_SAME:
    return MOVE_REPORT;
  case CA_SKIPPED: /* a fallback that was not to be tried ends it */
    return fallback ? MOVE_END : MOVE_REPORT;
  case CA_FAILED:
    return after_failure(apply, apply_change);
  case CA_UNKNOWN:
  case CA_INTENDED:
    return may_repeat(apply, apply_change) ? MOVE_SEND : MOVE_END;
  default:
    return MOVE_END;
  }
}

#define EARLIER "an earlier change of the item did not succeed"

/* Takes the first step off and tells it without sending. */
static void pass(struct ca_apply *apply, struct ca_apply_item *apply_item,
                 enum ca_outcome outcome, const char *why)
{
  struct ca_apply_change *apply_change = ca_apply_item_take_change(apply_item);
  struct ca_err cause;

  if(why) {
    ca_err_set(&cause, CA_CANCELLED, "%s", why);
    ca_finish_record(apply, apply_change, outcome, NULL, &cause);
  }
  report(apply, apply_item, apply_change, outcome, NULL, why ? &cause : NULL);
  free(apply_change);
}

bool ca_finish_decided(struct ca_apply *apply,
                       struct ca_apply_item *apply_item)
{
  while(apply_item->first) {
    switch(next_move(apply, apply_item)) {
    case MOVE_SEND:
      return true;
    case MOVE_REPORT:
      pass(apply, apply_item, apply_item->first->row.outcome, NULL);
      break;
    case MOVE_SKIP_FALLBACK:
      pass(apply, apply_item, CA_SKIPPED, "not needed");
      break;
    case MOVE_END:
      pass(apply, apply_item, apply_item->first->row.outcome, NULL);
      ca_finish_rest(apply, apply_item, CA_NOT_TRIED, EARLIER);
      return false;
    }
  }
  ca_apply_item_free(apply_item);
  return false;
}

/* The first step is the fallback of one that was refused just now. What became
   of it in an earlier part of the run is of no account any more. */
static void open_fallback(const struct ca_apply *apply,
                          struct ca_apply_item *apply_item)
{
  struct ca_change_row *row = &apply_item->first->row;

  if(apply->which != CA_APPLY_PLANNED &&
     (row->outcome == CA_SKIPPED || row->outcome == CA_FAILED))
    row->outcome = CA_NOT_TRIED;
}

/* A step ended, and not well. A fallback is for what the service refused: not
   for a key that it knows no more, nor for what this process could not
   send. */
static void end_item(struct ca_apply *apply, struct ca_apply_item *apply_item,
                     enum ca_outcome outcome, const struct ca_result *result)
{
  bool fallback = outcome == CA_FAILED && apply_item->first &&
                  apply_item->first->row.change.fallback;

  if(fallback && result && result->status != 401) {
    open_fallback(apply, apply_item);
    if(ca_finish_decided(apply, apply_item))
      ca_apply_queue_push(&apply->begun, apply_item);
    return;
  }
  if(fallback && (apply_item->first->row.outcome == CA_PLANNED ||
                  apply_item->first->row.outcome == CA_NOT_TRIED))
    pass(apply, apply_item, CA_SKIPPED,
         result ? "not tried: the API key was rejected"
                : "not tried: the change before it could not be sent");
  ca_finish_rest(apply, apply_item, CA_NOT_TRIED,
                 outcome == CA_NOT_TRIED ? ca_finish_why_stopped(apply)
                                         : EARLIER);
}

void ca_finish_change(struct ca_apply *apply, struct ca_apply_item *apply_item,
                      enum ca_outcome outcome, struct ca_result *result,
                      const struct ca_err *cause)
{
  struct ca_apply_change *apply_change = ca_apply_item_take_change(apply_item);
  /* the visitor may move the result's contents out */
  struct ca_result sent = { .status = result ? result->status : 0 };

  apply_item->intended = false;
  ca_finish_record(apply, apply_change, outcome, result, cause);
  if(sent.status == 401) {
    apply->key_rejected = true;
    apply->stopped = true;
  }
  report(apply, apply_item, apply_change, outcome, result, cause);
  free(apply_change);
  if(outcome != CA_DONE)
    end_item(apply, apply_item, outcome, result ? &sent : NULL);
  else if(ca_finish_decided(apply, apply_item))
    ca_apply_queue_push(&apply->begun, apply_item);
}

void ca_finish_drop(struct ca_apply *apply, struct ca_apply_item *apply_item)
{
  if(apply_item->reported || apply_item->single)
    ca_finish_rest(apply, apply_item, CA_NOT_TRIED,
                   ca_finish_why_stopped(apply));
  else
    ca_apply_item_free(apply_item);
}
