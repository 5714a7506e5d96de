/* The loop that carries ops: queue, pace, multi handle, timers, retries, and
   the write gate. An *op* is one call as the script meant it, over all its
   attempts. The scheduler of tasks calls ca_engine_step, never the reverse:
   the engine knows callbacks and tokens, not coroutines.
   Must not know: Lua, the ledger, what a reply's body says. */
#ifndef CA_ENGINE_H
#define CA_ENGINE_H

#include <stdint.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "wire/request.h"
#include "wire/result.h"

struct ca_engine;
struct ca_endpoint; /* where ops go: base URL, key, pace (endpoint.h) */
struct ca_log;

/* What may be written. Set once per engine, before the first op. */
enum ca_gate {
  CA_GATE_OPEN,   /* single calls act at once (stock Lua) */
  CA_GATE_LEDGER, /* only what ca_engine_submit_recorded brings */
  CA_GATE_SHUT    /* nothing, ever: preview. Cannot be opened again */
};

/* Borrows clock and log for its life. NULL when out of memory or when libcurl
   is unusable; err says. */
struct ca_engine *ca_engine_new(const struct ca_clock *clock,
                                struct ca_log *log, struct ca_err *err);
/* Cancels what runs without calling anybody back. */
void ca_engine_free(struct ca_engine *engine);

/* Refuses (CA_GATE) to loosen a gate that is already SHUT or LEDGER. */
CA_MUST_USE enum ca_code ca_engine_set_gate(struct ca_engine *engine,
                                            enum ca_gate gate,
                                            struct ca_err *err);
enum ca_gate ca_engine_gate(const struct ca_engine *engine);

/* Queues an op. Takes the contents of request when it succeeds (leaves it
   cleared). timeout_ms > 0 bounds the whole op over all attempts; 0: only the
   endpoint's limits. *op is its id (never 0). Mutating requests need an OPEN
   gate: else CA_GATE. Borrows endpoint until done is called. */
CA_MUST_USE enum ca_code ca_engine_submit(struct ca_engine *engine,
                                          struct ca_endpoint *endpoint,
                                          struct ca_request *request,
                                          int64_t timeout_ms, ca_done_fn *done,
                                          void *owner, uint64_t token,
                                          uint64_t *op, struct ca_err *err);

/* The same for a change whose intent is durable in the ledger; passes OPEN
   and LEDGER gates. Only apply may call it. */
CA_MUST_USE enum ca_code ca_engine_submit_recorded(
    struct ca_engine *engine, struct ca_endpoint *endpoint,
    struct ca_request *request, int64_t timeout_ms, ca_done_fn *done,
    void *owner, uint64_t token, uint64_t *op, struct ca_err *err);

/* An op that only waits; done is called with CA_OK after delay_ms. */
CA_MUST_USE enum ca_code ca_engine_sleep(struct ca_engine *engine,
                                         int64_t delay_ms, ca_done_fn *done,
                                         void *owner, uint64_t token,
                                         uint64_t *op, struct ca_err *err);

/* The op is dropped and done is NOT called. False when no such op runs (it
   ended, or never was). *may_have_left, when not NULL, tells whether bytes of
   a request may have reached the service. */
bool ca_engine_cancel(struct ca_engine *engine, uint64_t op,
                      bool *may_have_left);

/* One turn: start what may start, move bytes, call done for what ended. Waits
   at most wait_ms (0: not at all) when nothing ended, and returns early on a
   signal. CA_SYSTEM when libcurl itself fails. */
CA_MUST_USE enum ca_code ca_engine_step(struct ca_engine *engine, int wait_ms,
                                        struct ca_err *err);

/* Ops that have not ended, sleeps included. */
size_t ca_engine_pending(const struct ca_engine *engine);
/* After true no new attempt starts: queued ops end as CA_CANCELLED, sleeps
   too; attempts under way go on. */
void ca_engine_stop(struct ca_engine *engine, bool stop);
/* HTTP exchanges begun so far. */
uint64_t ca_engine_attempts(const struct ca_engine *engine);
const struct ca_clock *ca_engine_clock(const struct ca_engine *engine);

#endif
