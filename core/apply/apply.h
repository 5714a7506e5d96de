/* Carries out the ledger's changes through the engine: intent, send, outcome.
   An item's changes run in order, many items at once; a change that fails ends
   its item unless a fallback follows it. An item is prechecked against the
   plan's before-image unless its accounts were read a moment ago. Executes
   planned changes; never decides what to change.
   Must not know: Lua, what a script is. */
#ifndef CA_APPLY_H
#define CA_APPLY_H

#include "wire/endpoint.h"
#include "wire/engine.h"
#include "ledger/ledger.h"

struct ca_apply;

/* Keeps the secret body of a change, which exists in this process only. Copies
   it and registers the copy as a secret. The copy is wiped when the change has
   ended (a reply may echo it until then) or when the apply is freed. */
CA_MUST_USE enum ca_code ca_apply_secret_keep(struct ca_apply *apply,
                                              int64_t change, const char *body,
                                              size_t len);

/* One finished change; result is borrowed for the call and its body may be
   moved out. An item succeeded when all its changes are done or same. A failed
   change does not count when the fallback right after it is done or same; a
   fallback that was not needed is CA_SKIPPED and does not count either. */
struct ca_applied {
  const struct ca_change_row *row; /* borrowed for the call; in a resumed run
                                      its outcome is the previous session's */
  enum ca_outcome outcome;
  struct ca_result *result; /* NULL when this session sent nothing */
  const struct ca_err *why; /* with result NULL: why it was not sent, or NULL;
                               borrowed for the call */
  bool last;                /* the item's last change */
  bool well;                /* the item has succeeded so far; its verdict when
                               this is the last change */
};
typedef void ca_applied_fn(void *owner, const struct ca_applied *applied);

/* Borrows all three until ca_apply_free. */
struct ca_apply *ca_apply_new(struct ca_engine *engine,
                              struct ca_endpoint *endpoint,
                              struct ca_ledger *ledger, struct ca_err *err);
void ca_apply_free(struct ca_apply *apply);

/* Which changes of a bulk are carried out. */
enum ca_apply_which {
  CA_APPLY_PLANNED, /* a new plan: all of them */
  CA_APPLY_OPEN,    /* a resumed run: those that are planned, not tried, or
                       unknown and safe to repeat */
  CA_APPLY_FAILED   /* as CA_APPLY_OPEN, and those that failed */
};
struct ca_apply_options {
  int bulk;
  int concurrency; /* items at once */
  enum ca_apply_which which;
  int64_t seen_ms; /* the plan read its accounts after this moment,
                      monotonic; 0: another process made the plan. Items
                      whose accounts were read more than 5 s ago are
                      prechecked. So are all items of resumed runs,
                      irreversible changes and creates */
  /* Which items, by their number, are carried out, called with the owner of
     ca_apply_start; NULL: all of them. */
  bool (*wants)(void *owner, int64_t item);
  int64_t items; /* pause after this many items, 0: never; for canaries. Items
                    that have nothing to send do not count, nor do items that
                    their precheck ended */
};
/* Starts to carry out the changes of a bulk. `visit` is called once for each
   change that ended, from within ca_engine_step or ca_apply_fill, and also,
   with result NULL, for a change that had ended before (same, skipped, or done
   in an earlier session of the run).
   When the precheck finds that an account is gone, or that its status,
   is_disabled or (for a change of the alias) alias differs from the
   before-image as this run's own changes left it, the rest of its item becomes
   CA_STALE. The same holds for auth configs, and for a create whose user has
   connected since. When the precheck itself fails, nothing is sent and the
   rest becomes CA_NOT_TRIED.
   A change that is not done ends its item, except that after one that the
   service refused (CA_FAILED, but not for a rejected key) the fallback right
   after it is sent. */
CA_MUST_USE enum ca_code ca_apply_start(struct ca_apply *apply,
                                        const struct ca_apply_options *options,
                                        ca_applied_fn *visit, void *owner,
                                        struct ca_err *err);
/* Has the bulk paused: all items before the pause have ended, and there may be
   more? ca_apply_go_on ends the pause. */
bool ca_apply_paused(const struct ca_apply *apply);
void ca_apply_go_on(struct ca_apply *apply);
/* Call on each turn of the loop, with or without a bulk. Ends what a stop left
   in the queues; prechecks, intends and sends single changes. */
void ca_apply_turn(struct ca_apply *apply);
/* Counts the calls of `visit`, so that a caller that waits for one can tell
   whether to check again. */
uint64_t ca_apply_visits(const struct ca_apply *apply);

/* Writes intents for the next changes in one durable group and submits them.
   Call before each ca_engine_step while not finished. When the ledger cannot
   be written, the apply stops and this fails; a change without an intent is
   never sent. */
CA_MUST_USE enum ca_code ca_apply_fill(struct ca_apply *apply,
                                       struct ca_err *err);
bool ca_apply_finished(const struct ca_apply *apply);
/* Why nothing can be sent any more, most often a ledger error; CA_OK while
   changes can be sent. */
enum ca_code ca_apply_failed(const struct ca_apply *apply, struct ca_err *err);
/* Did a reply say 401? The apply has then stopped by itself. */
bool ca_apply_key_rejected(const struct ca_apply *apply);
/* Did a reply say that a route is missing? It has then stopped, too. */
bool ca_apply_no_route(const struct ca_apply *apply);
/* Permanently stops sending new changes. Changes under way
   continue, prechecks are cancelled. A change that has an intent but was not
   sent becomes CA_NOT_TRIED (or stays CA_UNKNOWN if it may have happened in an
   earlier session), as does the rest of an item that had begun. `visit` is
   called for both: from here, or on the next turn if a callback is on the
   stack. */
void ca_apply_stop(struct ca_apply *apply);
/* Stops, and cancels the changes under way: those that may have been sent
   become CA_UNKNOWN, the others CA_NOT_TRIED; `visit` is called for each. The
   ledger is synced on return. */
CA_MUST_USE enum ca_code ca_apply_abandon(struct ca_apply *apply,
                                          struct ca_err *err);

/* Adds one change outside a bulk to the ledger; the next ca_apply_turn writes
   its intent (durable) and sends it. An irreversible change is prechecked
   first and becomes CA_STALE when the account differs from what the script
   read. `visit` is called when the change has ended, even if it could not be
   sent, but not when this function fails. secret: the body of a change whose
   row holds a fingerprint instead, else empty; copied, and the copy is wiped
   when the change has ended. *number becomes the change's number. */
CA_MUST_USE enum ca_code ca_apply_one(struct ca_apply *apply, int64_t item,
                                      const struct ca_change *change,
                                      struct ca_slice secret,
                                      ca_applied_fn *visit, void *owner,
                                      int64_t *number, struct ca_err *err);
/* As ca_apply_one, for a change of a saved plan or a resumed run that is in
   the ledger and has not been carried out. The account is always prechecked;
   the outcome is CA_STALE when it differs from the before-image. CA_USAGE for
   a change that is done, or that may have happened and must not be
   repeated. */
CA_MUST_USE enum ca_code ca_apply_recorded(struct ca_apply *apply,
                                           int64_t number,
                                           struct ca_slice secret,
                                           ca_applied_fn *visit, void *owner,
                                           struct ca_err *err);

#endif
