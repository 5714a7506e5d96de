/* The verdict on an item: one outcome over all its changes, fallbacks
   included.
   Must not know: the database, how changes are sent. */
#include "ledger/verdict.h"

/* Ranks outcomes: the higher one prevails. */
static int rank_of(enum ca_outcome outcome)
{
  static const int ranks[CA_OUTCOME_COUNT] = {
    [CA_SAME] = 1,      [CA_DONE] = 2,    [CA_SKIPPED] = 3, [CA_PLANNED] = 4,
    [CA_NOT_TRIED] = 5, [CA_PENDING] = 6, [CA_STALE] = 7,   [CA_FAILED] = 8,
    [CA_INTENDED] = 9,  [CA_UNKNOWN] = 10
  };
  return (unsigned)outcome < CA_OUTCOME_COUNT ? ranks[outcome] : 0;
}

static enum ca_outcome worse(enum ca_outcome a, enum ca_outcome b)
{
  return rank_of(b) > rank_of(a) ? b : a;
}

static bool was_tried(enum ca_outcome fallback)
{
  return fallback != CA_PLANNED && fallback != CA_NOT_TRIED &&
         fallback != CA_SKIPPED;
}

void ca_verdict_add(struct ca_verdict *verdict, enum ca_outcome outcome,
                    bool is_fallback)
{
  if(!verdict->any) {
    verdict->any = true;
    verdict->worst = CA_SAME; /* the lowest rank */
    verdict->last = outcome;
  } else if(!is_fallback) {
    verdict->worst = worse(verdict->worst, verdict->last);
    verdict->last = outcome;
  } else if(verdict->last == CA_FAILED && was_tried(outcome))
    verdict->last = outcome;
}

enum ca_outcome ca_verdict_of(const struct ca_verdict *verdict)
{
  return verdict->any ? worse(verdict->worst, verdict->last) : CA_PLANNED;
}

bool ca_verdict_is_good(const struct ca_verdict *verdict)
{
  enum ca_outcome outcome = ca_verdict_of(verdict);

  return outcome == CA_DONE || outcome == CA_SAME;
}

bool ca_verdict_wants_fallback(const struct ca_verdict *verdict)
{
  return verdict->any && verdict->last == CA_FAILED;
}

bool ca_verdict_makes_up(enum ca_outcome fallback)
{
  return fallback == CA_DONE || fallback == CA_SAME ||
         fallback == CA_UNKNOWN || fallback == CA_INTENDED;
}

bool ca_verdict_is_open(const struct ca_api *api, enum ca_outcome outcome,
                        bool failed)
{
  switch(outcome) {
  case CA_PLANNED:
  case CA_NOT_TRIED:
    return true;
  case CA_FAILED:
    return failed;
  case CA_INTENDED:
  case CA_UNKNOWN:
    return api->repeat != CA_REPEAT_NEVER;
  default:
    return false;
  }
}
