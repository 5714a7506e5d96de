/* The verdict on an item: one outcome over all its changes, fallbacks
   included. Only this file decides it, for running and resumed runs, counts
   and displays alike.
   Must not know: the database, how changes are sent. */
#ifndef CA_LEDGER_VERDICT_H
#define CA_LEDGER_VERDICT_H

#include "ledger/change.h"

/* Zero it before the item's first change. Members are private. */
struct ca_verdict {
  bool any;
  enum ca_outcome worst; /* of the changes before the last */
  enum ca_outcome last;  /* of the last change or its fallback */
};

/* Adds the outcome of the item's next change. A failed change and the
   fallback right after it count as one: as the fallback if that was tried,
   else as the change. The fallback of a change that did not fail is
   ignored. */
void ca_verdict_add(struct ca_verdict *verdict, enum ca_outcome outcome,
                    bool is_fallback);

/* Returns the worst outcome of the changes so far, from best to worst:
   same, done, skipped, planned, not tried, pending, stale, failed,
   intended, unknown. CA_PLANNED for an item without changes. */
enum ca_outcome ca_verdict_of(const struct ca_verdict *verdict);

/* Did the item succeed: does it have changes, and are all of them done or
   same? */
bool ca_verdict_is_good(const struct ca_verdict *verdict);

/* Did the last change fail, so that its fallback is due? */
bool ca_verdict_wants_fallback(const struct ca_verdict *verdict);

/* Has a fallback with this outcome replaced its failed change, or may it
   have? Then the change is not sent again. */
bool ca_verdict_makes_up(enum ca_outcome fallback);

/* May a resumed run send the change of this operation? One that may have been
   sent before only if sending it twice does no harm. failed: failed changes
   are retried, too. */
bool ca_verdict_is_open(const struct ca_api *api, enum ca_outcome outcome,
                        bool failed);

#endif
