/* Finds out what became of changes whose outcome is unknown: probes each as
   its operation's row says, and records the result. Sends only requests that
   read. Must not know: Lua, what a script is. */
#ifndef CA_SETTLE_H
#define CA_SETTLE_H

#include "wire/endpoint.h"
#include "wire/engine.h"
#include "ledger/ledger.h"

struct ca_settle;

/* What a probe found. If the account or auth config is gone, a delete has
   happened; any other change has not, and no longer can. Of other changes that
   have not happened, one that may be repeated still can; one that must not be
   repeated counts as not happened after its quiet time. */
struct ca_settled {
  const struct ca_change_row *row; /* borrowed for the call */
  enum ca_outcome outcome; /* CA_DONE, CA_UNKNOWN, `not_done` or `not_yet` of
                              the options */
  bool probed;             /* false: the probe itself failed */
  const char *text; /* one line for people: what was seen, or why the outcome
                       stays unknown; "" when there is nothing to say */
};
typedef void ca_settled_fn(void *owner, const struct ca_settled *settled);
/* Is this change never sent again, though its operation may be repeated? */
typedef bool ca_settle_final_fn(void *owner, const struct ca_change_row *row);

struct ca_settle_options {
  int bulk;                 /* its changes only, 0: straight-line ones; -1:
                               all */
  int concurrency;          /* probes at once */
  enum ca_outcome not_done; /* outcome for a change that did not happen:
                               CA_FAILED at the end of a run, CA_NOT_TRIED
                               when it is to be sent again */
  enum ca_outcome not_yet;  /* outcome for one that may be repeated and has not
                               happened yet: CA_UNKNOWN, or CA_NOT_TRIED when
                               it is to be sent again */
  ca_settle_final_fn *is_final; /* gets the owner; NULL: none is */
  int64_t quiet_ms;     /* how long a request may be on its way. A change that
                           must not be repeated stays unknown for so long after
                           last_sent_ms, unless the service's clock shows that
                           so much time has passed since its intent */
  int64_t last_sent_ms; /* the last moment, monotonic, at which a request of
                           such a change was sent */
  int64_t wait_ms;      /* do not wait if more than this is left of the quiet
                           time */
};

/* Returns the quiet time for this timeout of an attempt; 0: the endpoint's
   default. */
int64_t ca_settle_quiet_ms(int64_t timeout_ms);

/* Borrows engine, endpoint and ledger until ca_settle_free. Reads the unknown
   changes of the ledger's run, a few at a time. NULL when out of memory. */
struct ca_settle *ca_settle_new(struct ca_engine *engine,
                                struct ca_endpoint *endpoint,
                                struct ca_ledger *ledger,
                                const struct ca_settle_options *options,
                                ca_settled_fn *visit, void *owner,
                                struct ca_err *err);
void ca_settle_free(struct ca_settle *settle);
/* Starts the next probes; call before each ca_engine_step while not finished.
   `visit` is called from within both. When the ledger cannot be read or
   written, settling stops and this fails. After a rejected key, or three
   probes in a row that the service did not answer, the remaining changes stay
   unknown without a probe. */
CA_MUST_USE enum ca_code ca_settle_fill(struct ca_settle *settle,
                                        struct ca_err *err);
bool ca_settle_finished(const struct ca_settle *settle);
/* Starts no new probe and cancels those under way: their changes stay unknown,
   and `visit` is not called for them. */
void ca_settle_stop(struct ca_settle *settle);

#endif
