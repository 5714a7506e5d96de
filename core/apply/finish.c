/* Ends changes: turns a result into an outcome, records and reports it, and
   decides how the item continues.
   Must not know: Lua, what a script is. */
#include <stdlib.h>
#include <string.h>
#include "apply/apply_private.h"
#include "base/text.h"
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
  if(apply->no_route)
    return "the service does not have the route of an operation";
  return apply->key_rejected ? "the API key was rejected"
                             : "the run stopped before this change";
}

static void record(struct ca_apply *apply,
                   const struct ca_apply_change *change,
                   enum ca_outcome outcome, const struct ca_result *result,
                   const struct ca_err *cause)
{
  struct ca_finding finding = { .proof = CA_PROOF_UNKNOWN };
  struct ca_err err;

  if(apply->ledger_lost)
    return; /* it stays intended, which is read as unknown */
  ca_err_clear(&err);
  if(outcome == CA_DONE)
    ca_proof_take(change->row.change.api, result, &finding);
  if(ca_outcome_record(
         apply->ledger, change->row.number, outcome,
         result ? result->attempts : 0, result ? result->request_id : NULL,
         ca_text_or_null(finding.status), ca_text_or_null(finding.made),
         cause && cause->code ? cause : NULL, &err))
    ca_finish_lose_ledger(apply, &err);
  if(!apply->unsynced_ms)
    apply->unsynced_ms =
        ca_clock_mono_ms(ca_engine_clock(apply->engine)) + SYNC_MS;
}

static void report(struct ca_apply *apply, struct ca_apply_item *item,
                   const struct ca_apply_change *change,
                   enum ca_outcome outcome, struct ca_result *result,
                   const struct ca_err *why)
{
  struct ca_applied applied = { .row = &change->row,
                                .outcome = outcome,
                                .result = result,
                                .why = result ? NULL : why,
                                .last = !item->first };

  ca_verdict_add(&item->verdict, outcome, change->row.change.fallback);
  item->reported = true;
  applied.well = ca_verdict_is_good(&item->verdict);
  ca_apply_secret_drop(apply, change->row.number);
  apply->visits++;
  apply->depth++;
  item->visit(item->owner, &applied);
  apply->depth--;
}

/* The outcome of a change that was to be sent and will not be. */
static enum ca_outcome left_outcome(const struct ca_apply *apply,
                                    const struct ca_apply_item *item,
                                    const struct ca_apply_change *change,
                                    enum ca_outcome outcome)
{
  switch(change->row.outcome) {
  case CA_PLANNED:
  case CA_NOT_TRIED:
    return outcome;
  case CA_FAILED:
    if(item->intended)
      return CA_NOT_TRIED; /* the new intent has replaced its failure */
    return apply->which == CA_APPLY_FAILED && outcome == CA_STALE ? CA_STALE
                                                                  : CA_FAILED;
  default:
    return change->row.outcome;
  }
}

void ca_finish_rest(struct ca_apply *apply, struct ca_apply_item *item,
                    enum ca_outcome outcome, const char *why)
{
  while(item->first) {
    struct ca_apply_change *change = ca_apply_item_take_change(item);
    enum ca_outcome left = left_outcome(apply, item, change, outcome);
    struct ca_err cause;

    ca_err_set(&cause, CA_CANCELLED, "%s%s",
               left == CA_UNKNOWN ? "not sent again: " : "", why);
    if(left != change->row.outcome || left == CA_NOT_TRIED || item->intended)
      record(apply, change, left, NULL, &cause);
    item->intended = false;
    report(apply, item, change, left, NULL, &cause);
    ca_apply_item_free_change(change);
  }
  ca_apply_item_free(item);
}

/* What to do with an item's next change. */
enum move { MOVE_SEND, MOVE_REPORT, MOVE_SKIP_FALLBACK, MOVE_END };

/* The change failed in an earlier session. It is retried only where the caller
   asked for that, and not if its fallback has succeeded or may have; otherwise
   its fallback decides, or the item ends. */
static enum move after_failure(const struct ca_apply *apply,
                               const struct ca_apply_change *change)
{
  const struct ca_apply_change *next = change->next;
  bool mended = next && next->row.change.fallback;

  if(apply->which == CA_APPLY_FAILED &&
     !(mended && ca_verdict_makes_up(next->row.outcome)))
    return MOVE_SEND;
  return mended ? MOVE_REPORT : MOVE_END;
}

/* For a fallback when the change before it did not fail. */
static enum move skip_fallback(enum ca_outcome outcome)
{
  switch(outcome) {
  case CA_PLANNED:
  case CA_SAME:
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
                           const struct ca_apply_item *item)
{
  const struct ca_apply_change *change = item->first;
  bool fallback = change->row.change.fallback;

  if(fallback && !ca_verdict_wants_fallback(&item->verdict))
    return skip_fallback(change->row.outcome);
  switch(change->row.outcome) {
  case CA_DONE:
  case CA_SAME:
    return MOVE_REPORT;
  case CA_SKIPPED: /* a fallback that must not be tried ends the item */
    return fallback ? MOVE_END : MOVE_REPORT;
  case CA_FAILED:
    return after_failure(apply, change);
  default:
    return ca_apply_item_is_open(apply, item, change) ? MOVE_SEND : MOVE_END;
  }
}

#define EARLIER "an earlier change of the item did not succeed"

/* Reports the first change without sending it, and frees it. Records the
   outcome if why is set. */
static void pass(struct ca_apply *apply, struct ca_apply_item *item,
                 enum ca_outcome outcome, const char *why)
{
  struct ca_apply_change *change = ca_apply_item_take_change(item);
  struct ca_err cause;

  if(why) {
    ca_err_set(&cause, CA_CANCELLED, "%s", why);
    record(apply, change, outcome, NULL, &cause);
  }
  report(apply, item, change, outcome, NULL, why ? &cause : NULL);
  ca_apply_item_free_change(change);
}

bool ca_finish_decided(struct ca_apply *apply, struct ca_apply_item *item)
{
  while(item->first) {
    switch(next_move(apply, item)) {
    case MOVE_SEND:
      return true;
    case MOVE_REPORT:
      pass(apply, item, item->first->row.outcome, NULL);
      break;
    case MOVE_SKIP_FALLBACK:
      pass(apply, item, CA_SKIPPED, "not needed");
      break;
    case MOVE_END:
      pass(apply, item, item->first->row.outcome, NULL);
      ca_finish_rest(apply, item, CA_NOT_TRIED, EARLIER);
      return false;
    }
  }
  ca_apply_item_free(item);
  return false;
}

/* The first change is the fallback of one that was just refused. If an earlier
   session skipped it or it failed there, it may be sent now. */
static void open_fallback(const struct ca_apply *apply,
                          struct ca_apply_item *item)
{
  struct ca_change_row *row = &item->first->row;

  if(apply->which != CA_APPLY_PLANNED &&
     (row->outcome == CA_SKIPPED || row->outcome == CA_FAILED))
    row->outcome = CA_NOT_TRIED;
}

/* Continues the item after a change that is not done. A fallback is sent only
   when the service refused the change: not when this process could not send
   it. */
static void end_item(struct ca_apply *apply, struct ca_apply_item *item,
                     enum ca_outcome outcome, bool was_sent)
{
  bool fallback =
      outcome == CA_FAILED && item->first && item->first->row.change.fallback;

  if(fallback && was_sent) {
    open_fallback(apply, item);
    if(ca_finish_decided(apply, item))
      ca_apply_item_push(&apply->begun, item);
    return;
  }
  if(fallback && (item->first->row.outcome == CA_PLANNED ||
                  item->first->row.outcome == CA_NOT_TRIED))
    pass(apply, item, CA_SKIPPED,
         "not tried: the change before it could not be sent");
  ca_finish_rest(apply, item, CA_NOT_TRIED,
                 outcome == CA_NOT_TRIED ? ca_finish_why_stopped(apply)
                                         : EARLIER);
}

void ca_finish_note_end(struct ca_apply *apply, const struct ca_result *result)
{
  apply->key_rejected = apply->key_rejected || result->status == 401;
  apply->no_route = apply->no_route || result->err.no_route;
  apply->stopped = apply->stopped || apply->key_rejected || apply->no_route;
}

void ca_finish_change(struct ca_apply *apply, struct ca_apply_item *item,
                      enum ca_outcome outcome, struct ca_result *result,
                      const struct ca_err *cause)
{
  struct ca_apply_change *change = ca_apply_item_take_change(item);

  if(result)
    ca_finish_note_end(apply, result);
  item->intended = false;
  item->changed = item->changed || result;
  record(apply, change, outcome, result, cause);
  report(apply, item, change, outcome, result, cause);
  ca_apply_item_free_change(change);
  if(outcome != CA_DONE)
    end_item(apply, item, outcome, result != NULL);
  else if(ca_finish_decided(apply, item))
    ca_apply_item_push(&apply->begun, item);
}

void ca_finish_drop(struct ca_apply *apply, struct ca_apply_item *item)
{
  if(item->reported || item->single || item->intended)
    ca_finish_rest(apply, item, CA_NOT_TRIED, ca_finish_why_stopped(apply));
  else
    ca_apply_item_free(item);
}
