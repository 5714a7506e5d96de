/* Carries out the ledger's changes through the engine: intent, send, outcome.
   In order within an item, many items at once; a change that fails ends its
   item, unless a fallback follows it. Looks first whether accounts still are
   as the plan saw them, where that is asked for or the change cannot be taken
   back. Executes recorded changes and decides nothing.
   Must not know: Lua, what a script is. */
#ifndef CA_APPLY_H
#define CA_APPLY_H

#include "wire/endpoint.h"
#include "wire/engine.h"
#include "ledger/ledger.h"

struct ca_apply;

/* The secret bodies of changes live in this process only. Takes a copy,
   registered as a secret; wiped when the change ended (a reply may echo it
   until then) or when the apply is freed. */
CA_MUST_USE enum ca_code ca_apply_secret_keep(struct ca_apply *apply,
                                              int64_t change, const char *body,
                                              size_t len);

/* One finished change; result is borrowed for the call and its body may be
   moved out. An item ended well when all its changes are done or same. A
   change that failed is made good by a fallback right after it that is done or
   same; a fallback that was not needed is CA_SKIPPED, and does no harm. */
struct ca_applied {
  const struct ca_change_row *row; /* borrowed for the call; its outcome is the
                                      one before, of a run that goes on */
  enum ca_outcome outcome;
  struct ca_result *result; /* NULL when nothing was sent, or earlier */
  const struct ca_err *why; /* with result NULL: why it was not sent, or NULL;
                               borrowed for the call */
  bool last;                /* no more of this item follow */
  bool well;                /* the item has ended well so far: its verdict when
                               this is the last */
};
typedef void ca_applied_fn(void *owner, const struct ca_applied *applied);

/* Borrows all three for its life. */
struct ca_apply *ca_apply_new(struct ca_engine *engine,
                              struct ca_endpoint *endpoint,
                              struct ca_ledger *ledger, struct ca_err *err);
void ca_apply_free(struct ca_apply *apply);

/* Which changes of a bulk are carried out. */
enum ca_apply_which {
  CA_APPLY_PLANNED, /* of a fresh plan: all of them */
  CA_APPLY_OPEN,    /* of a resumed run: what was planned, not tried, or is
                       unknown and may be repeated */
  CA_APPLY_FAILED   /* the same, and what failed */
};
struct ca_apply_options {
  int bulk;
  int concurrency; /* items at once */
  enum ca_apply_which which;
  bool precheck; /* at every account before it is changed: saved plans.
                Irreversible changes and resumed runs are always looked
                at */
  int64_t items; /* pause after so many items, 0: never; for canaries. Items
                    without anything to be sent do not count, nor those whose
                    account was not as it was */
};
/* Begins to carry out the changes of a bulk; `visit` is called once per change
   that ended, from within ca_engine_step or ca_apply_fill. A change that had
   ended before (same, skipped, or done in an earlier part of the run) is told,
   too, with result NULL. An account that is gone, or whose status, is_disabled
   or (for a change of the alias) alias differ from what the plan saw and this
   run made of it: all that is left of its item is CA_STALE. The same goes for
   auth configs, and for a create whose user has connected meanwhile. What
   could not be looked at is not sent and becomes CA_NOT_TRIED.
   A change ends its item when it is not done; but one that the service refused
   (CA_FAILED, no rejected key) goes on with the fallback right after it. */
CA_MUST_USE enum ca_code ca_apply_start(struct ca_apply *apply,
                                        const struct ca_apply_options *options,
                                        ca_applied_fn *visit, void *owner,
                                        struct ca_err *err);
/* All items before the pause have ended, and more may follow. */
bool ca_apply_paused(const struct ca_apply *apply);
void ca_apply_go_on(struct ca_apply *apply);
/* On each turn of the loop, with a bulk or without: drops what a stop has
   left, and looks at, intends and sends single changes. */
void ca_apply_turn(struct ca_apply *apply);
/* How often `visit` was called so far: who waits for it has to look again. */
uint64_t ca_apply_visits(const struct ca_apply *apply);

/* Writes intents for the next changes in one durable group and submits them.
   Call before each ca_engine_step while not finished. A ledger that cannot be
   written stops it: err, and nothing without intent leaves. */
CA_MUST_USE enum ca_code ca_apply_fill(struct ca_apply *apply,
                                       struct ca_err *err);
bool ca_apply_finished(const struct ca_apply *apply);
/* Why nothing can be sent any more, the ledger mostly; CA_OK while it can. */
enum ca_code ca_apply_failed(const struct ca_apply *apply, struct ca_err *err);
/* A reply said 401: the apply has stopped by itself. */
bool ca_apply_key_rejected(const struct ca_apply *apply);
/* No new change, for good; those under way go on, looks are given up. What has
   an intent but was not sent becomes CA_NOT_TRIED (what may have happened in
   an earlier part of the run stays CA_UNKNOWN), as does the rest of an item
   that had begun; `visit` is told of both, here when no callback is on the
   stack. */
void ca_apply_stop(struct ca_apply *apply);
/* Changes under way are cancelled: those that may have left become
   CA_UNKNOWN, the others CA_NOT_TRIED; `visit` is told. Synced on return. */
CA_MUST_USE enum ca_code ca_apply_abandon(struct ca_apply *apply,
                                          struct ca_err *err);

/* One change outside a bulk: it is added to the ledger, and the next
   ca_apply_turn writes its intent (durable) and sends it. What an irreversible
   one changes is looked at before: the change is CA_STALE when that is no more
   as the script read it. `visit` is called when the change ended, also when it
   could not be sent; not when this fails. secret:
   the body of a change that has a fingerprint in its place, else empty;
   copied, and wiped when it ended. */
CA_MUST_USE enum ca_code ca_apply_one(struct ca_apply *apply, int64_t item,
                                      const struct ca_change *change,
                                      struct ca_slice secret,
                                      ca_applied_fn *visit, void *owner,
                                      int64_t *number, struct ca_err *err);
/* The same for a change that the ledger holds already and that has not been
   carried out: of a saved plan, or of a resumed run. The account is looked at
   first; `visit` is told CA_STALE when it is not as it was. CA_USAGE for a
   change that is done, or that may have happened and must not be repeated. */
CA_MUST_USE enum ca_code ca_apply_recorded(struct ca_apply *apply,
                                           int64_t number,
                                           struct ca_slice secret,
                                           ca_applied_fn *visit, void *owner,
                                           struct ca_err *err);

#endif
