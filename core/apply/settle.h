/* Finding out what became of changes whose outcome is unknown: each is probed
   as its operation's row says, and the ledger is told. Sends nothing that
   changes anything.
   Must not know: Lua, what a script is. */
#ifndef CA_SETTLE_H
#define CA_SETTLE_H

#include "wire/endpoint.h"
#include "wire/engine.h"
#include "ledger/ledger.h"

struct ca_settle;

/* What a probe found. A change of something that is gone has not happened, for
   nothing can come of it any more; a delete has. What must not be repeated is
   only said not to have happened when its request has had time to arrive. */
struct ca_settled {
  const struct ca_change_row *row; /* borrowed for the call */
  enum ca_outcome outcome; /* CA_DONE, `not_done` of the options, CA_UNKNOWN */
  const char *text; /* one line for people: what was seen, or why it stays
                       unknown; "" when there is nothing to tell */
};
typedef void ca_settled_fn(void *owner, const struct ca_settled *settled);

struct ca_settle_options {
  int concurrency;          /* probes at once */
  enum ca_outcome not_done; /* what a change becomes that did not happen:
                               CA_FAILED at the end of a run, CA_NOT_TRIED
                               when it is to be sent again */
};

/* Borrows all three for its life. Reads the unknown changes of the ledger's
   run, a few at a time. */
struct ca_settle *ca_settle_new(struct ca_engine *engine,
                                struct ca_endpoint *endpoint,
                                struct ca_ledger *ledger,
                                const struct ca_settle_options *options,
                                ca_settled_fn *visit, void *owner,
                                struct ca_err *err);
void ca_settle_free(struct ca_settle *settle);
/* Starts the next probes; call before each ca_engine_step while not finished.
   `visit` is called from within both. A ledger that cannot be read or written
   stops it: err. Once a key was rejected, or the service has failed to answer
   three probes in a row, what is left stays unknown without a probe. */
CA_MUST_USE enum ca_code ca_settle_fill(struct ca_settle *settle,
                                        struct ca_err *err);
bool ca_settle_finished(const struct ca_settle *settle);
/* No new probe; those under way are cancelled, their changes stay unknown and
   `visit` is not told. */
void ca_settle_stop(struct ca_settle *settle);

#endif
