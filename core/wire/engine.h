/* The event loop that carries out ops: queue, pace, curl multi handle, timers,
   retries, and the write gate. An op is one call of the script, over all its
   attempts. The scheduler calls ca_engine_step, never the reverse: the engine
   knows callbacks and tokens, not coroutines.
   Must not know: Lua, the ledger, the content of replies. */
#ifndef CA_ENGINE_H
#define CA_ENGINE_H

#include <stdint.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "wire/request.h"
#include "wire/result.h"

struct ca_engine;
struct ca_endpoint; /* base URL, API key, pace (endpoint.h) */
struct ca_log;

/* Which changes may be sent. Set once per engine, before the first op. */
enum ca_gate {
  CA_GATE_OPEN,   /* all: calls act at once (stock Lua) */
  CA_GATE_LEDGER, /* only those of ca_engine_submit_recorded */
  CA_GATE_SHUT    /* none (preview); cannot be opened again */
};

/* Creates an engine. Borrows clock and log until ca_engine_free. NULL, with
   err, when out of memory or when libcurl cannot be initialised. */
struct ca_engine *ca_engine_new(const struct ca_clock *clock,
                                struct ca_log *log, struct ca_err *err);
/* Cancels all ops without calling their callbacks, and frees the engine. */
void ca_engine_free(struct ca_engine *engine);

/* Sets the gate. CA_GATE for an attempt to open one that is SHUT or LEDGER. */
CA_MUST_USE enum ca_code ca_engine_set_gate(struct ca_engine *engine,
                                            enum ca_gate gate,
                                            struct ca_err *err);

/* Queues an op. On success it takes the content of request and leaves it
   cleared. timeout_ms > 0 limits the op over all attempts; 0 leaves the
   endpoint's limits. *op is the id, never 0. CA_GATE for a change when the
   gate is not OPEN. Borrows endpoint until done is called. */
CA_MUST_USE enum ca_code ca_engine_submit(struct ca_engine *engine,
                                          struct ca_endpoint *endpoint,
                                          struct ca_request *request,
                                          int64_t timeout_ms, ca_done_fn *done,
                                          void *owner, uint64_t token,
                                          uint64_t *op, struct ca_err *err);

/* The same for a change whose intent is synced in the ledger; passes the
   gates OPEN and LEDGER. Only apply may call it. start_by_ms, monotonic: if
   the pace or a Retry-After delays the change beyond that moment, it is not
   sent and its result is `overdue`, unless an earlier attempt may have
   carried it out. */
CA_MUST_USE enum ca_code ca_engine_submit_recorded(
    struct ca_engine *engine, struct ca_endpoint *endpoint,
    struct ca_request *request, int64_t start_by_ms, ca_done_fn *done,
    void *owner, uint64_t token, uint64_t *op, struct ca_err *err);

/* Queues an op that only waits: done gets CA_OK after delay_ms. */
CA_MUST_USE enum ca_code ca_engine_sleep(struct ca_engine *engine,
                                         int64_t delay_ms, ca_done_fn *done,
                                         void *owner, uint64_t token,
                                         uint64_t *op, struct ca_err *err);

/* Drops the op; done is NOT called. Returns false if there is no such op.
   *may_have_left, if not NULL, says whether bytes of a request may have
   reached the service. */
bool ca_engine_cancel(struct ca_engine *engine, uint64_t op,
                      bool *may_have_left);

/* One turn of the loop: starts attempts, moves bytes, calls done for the ops
   that ended. If none ended it waits up to wait_ms (0: not at all); a signal
   ends the wait. CA_SYSTEM if libcurl itself fails. */
CA_MUST_USE enum ca_code ca_engine_step(struct ca_engine *engine, int wait_ms,
                                        struct ca_err *err);

/* Returns the number of ops that have not ended, including sleeps. */
size_t ca_engine_pending(const struct ca_engine *engine);
/* While stop is true no attempt starts: queued ops and sleeps end as
   CA_CANCELLED; attempts in flight go on. */
void ca_engine_stop(struct ca_engine *engine, bool stop);
/* Returns the number of HTTP exchanges begun so far. */
uint64_t ca_engine_attempts(const struct ca_engine *engine);
const struct ca_clock *ca_engine_clock(const struct ca_engine *engine);

#endif
