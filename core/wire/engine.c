/* The event loop: starts, ends and retries attempts. It has one multi handle
   and one thread. Must not know: Lua, the ledger, the content of replies. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "wire/attempt.h"
#include "base/digest.h"
#include "wire/engine.h"
#include "base/log.h"
#include "base/secret.h"
#include "wire/op.h"
#include "wire/proof.h"
#include "wire/reply.h"
#include "wire/retry.h"

struct ca_engine {
  const struct ca_clock *clock;
  struct ca_log *log;
  CURLM *multi;
  enum ca_gate gate;
  bool stopped;
  struct ca_op_table ops;
  struct ca_timer_heap timers;
  struct ca_endpoint *waiting; /* endpoints with queued ops */
  struct ca_op *ended_first;   /* their callbacks are due, in this order */
  struct ca_op *ended_last;
  struct ca_attempt *idle;
  bool counts;     /* libcurl's count of sent bytes was seen to work */
  int connections; /* size of the multi handle's connection pool */
  uint64_t attempts;
  uint64_t random;
};

/* --- small tools ------------------------------------------------------- */

static int64_t now_ms(const struct ca_engine *engine)
{
  return ca_clock_mono_ms(engine->clock);
}

/* splitmix64: jitter and request ids need no secrecy. */
static uint64_t next_random(struct ca_engine *engine)
{
  uint64_t z = engine->random += 0x9E3779B97F4A7C15U;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31);
}

/* Makes a random UUID (RFC 9562, version 4). There is one per op, so that the
   service's support can find all its attempts. */
static void make_uuid(struct ca_engine *engine, char out[37])
{
  static const char digits[] = "0123456789abcdef";
  uint64_t bits[2];
  unsigned char bytes[16];
  int i;
  bits[0] = next_random(engine);
  bits[1] = next_random(engine);
  memcpy(bytes, bits, sizeof(bytes));
  bytes[6] = (unsigned char)(0x40 | (bytes[6] & 0x0F)); /* the version */
  bytes[8] = (unsigned char)(0x80 | (bytes[8] & 0x3F)); /* the variant */
  for(i = 0; i < 16; i++) {
    if(i == 4 || i == 6 || i == 8 || i == 10)
      *out++ = '-';
    *out++ = digits[bytes[i] >> 4];
    *out++ = digits[bytes[i] & 15];
  }
  *out = '\0';
}

/* --- queues ------------------------------------------------------------ */

static void append(struct ca_op **first, struct ca_op **last, struct ca_op *op)
{
  op->next = NULL;
  op->previous = *last;
  if(*last)
    (*last)->next = op;
  else
    *first = op;
  *last = op;
}

static void unlink_op(struct ca_op **first, struct ca_op **last,
                      struct ca_op *op)
{
  if(op->previous)
    op->previous->next = op->next;
  else
    *first = op->next;
  if(op->next)
    op->next->previous = op->previous;
  else
    *last = op->previous;
  op->next = op->previous = NULL;
}

static void enqueue(struct ca_engine *engine, struct ca_op *op)
{
  struct ca_endpoint *endpoint = op->endpoint;
  if(!endpoint->first) {
    endpoint->next = engine->waiting;
    engine->waiting = endpoint;
  }
  append(&endpoint->first, &endpoint->last, op);
  op->state = CA_OP_QUEUED;
}

static void dequeue(struct ca_engine *engine, struct ca_op *op)
{
  struct ca_endpoint *endpoint = op->endpoint;
  struct ca_endpoint **at;
  unlink_op(&endpoint->first, &endpoint->last, op);
  if(endpoint->first)
    return;
  for(at = &engine->waiting; *at; at = &(*at)->next)
    if(*at == endpoint) {
      *at = endpoint->next;
      break;
    }
}

/* Keeps the handle for another request if its last transfer ended well. */
static void give_back(struct ca_engine *engine, struct ca_attempt *attempt)
{
  if(!attempt->ended_well) {
    ca_attempt_free(attempt);
    return;
  }
  attempt->next = engine->idle;
  engine->idle = attempt;
}

/* Removes the op from its queue, timer or transfer. */
static void detach(struct ca_engine *engine, struct ca_op *op)
{
  ca_timer_heap_remove(&engine->timers, &op->timer);
  if(op->state == CA_OP_QUEUED)
    dequeue(engine, op);
  else if(op->state == CA_OP_ENDED)
    unlink_op(&engine->ended_first, &engine->ended_last, op);
  else if(op->state == CA_OP_RUNNING) {
    curl_multi_remove_handle(engine->multi, op->attempt->easy);
    give_back(engine, op->attempt);
    op->attempt = NULL;
    op->endpoint->active--;
  }
}

/* --- ends -------------------------------------------------------------- */

static void end_op(struct ca_engine *engine, struct ca_op *op)
{
  detach(engine, op);
  op->result.attempts = op->attempts;
  op->result.err.attempts = op->attempts;
  ca_text_copy(op->result.request_id, sizeof(op->result.request_id),
               op->request_id);
  if(op->result.err.code && !op->result.err.request_id[0] && op->attempts)
    ca_text_copy(op->result.err.request_id, sizeof(op->result.err.request_id),
                 op->request_id);
  op->state = CA_OP_ENDED;
  append(&engine->ended_first, &engine->ended_last, op);
}

static void end_with(struct ca_engine *engine, struct ca_op *op,
                     enum ca_code code, const char *text)
{
  ca_err_set(&op->result.err, code, "%s", text);
  op->result.err.unknown = op->maybe_sent && ca_api_mutates(op->request.api);
  end_op(engine, op);
}

/* A host that makes up a new notice for every reply must not fill the log. */
#define NOTICES_MAX 8

/* Returns true the first time, for the first few notices. */
static bool is_new_notice(struct ca_hashset *notices, const char *notice)
{
  bool present;
  return notices->count < NOTICES_MAX &&
         !ca_hashset_add(notices, ca_digest_text(notice), &present) &&
         !present;
}

/* Logs each notice once per endpoint and run, not once per reply, also when
   the routes alternate. */
static void note_deprecation(struct ca_engine *engine,
                             struct ca_endpoint *endpoint,
                             const struct ca_headers *said)
{
  char notice[192];
  if(!said->deprecation[0] && !said->sunset[0])
    return;
  snprintf(notice, sizeof(notice), "%s%s%s%s",
           said->deprecation[0] ? "Deprecation: " : "", said->deprecation,
           said->sunset[0] ? " Sunset: " : "", said->sunset);
  if(is_new_notice(&endpoint->notices, notice))
    ca_log_event(engine->log, CA_LOG_WARN, "deprecated",
                 "the service announces the end of an API route: %s", notice);
}

static void observe(struct ca_engine *engine, struct ca_op *op, int status,
                    int64_t retry_after_ms)
{
  const struct ca_headers *said = &op->attempt->said;
  struct ca_rate_reply reply = { status, said->limit, said->remaining,
                                 said->window_ms, retry_after_ms };
  if(reply.retry_after_ms > op->endpoint->max_wait_ms)
    reply.retry_after_ms = op->endpoint->max_wait_ms;
  ca_rate_end(&op->endpoint->rate, now_ms(engine), &reply);
  if(status >= 200 && status < 500 && status != 429)
    ca_endpoint_did_well(op->endpoint);
  if(status >= 200 && status < 300) {
    op->endpoint->throttled_ms = 0;
    op->endpoint->successes += said->is_json;
  } else if(ca_retry_is_throttle(status, retry_after_ms) &&
            !op->endpoint->throttled_ms)
    op->endpoint->throttled_ms = now_ms(engine);
  note_deprecation(engine, op->endpoint, said);
}

static int64_t retry_after(const struct ca_engine *engine,
                           const struct ca_headers *said)
{
  if(said->retry_after_ms > 0)
    return said->retry_after_ms;
  return ca_retry_after_ms(said->retry_after, ca_clock_wall_ms(engine->clock));
}

static void describe_failure(struct ca_op *op, CURLcode curl, int status)
{
  struct ca_err *err = &op->result.err;
  struct ca_headers *said = &op->attempt->said;

  if(!status)
    ca_attempt_explain(op->attempt, curl, err);
  else if(status >= 300 && status < 400)
    ca_err_set(err, CA_HTTP,
               "HTTP %d: redirected%s%s; redirects are not followed, because "
               "the API key would be sent along; check the base URL",
               status, said->location_host[0] ? " to " : "",
               said->location_host);
  else
    ca_err_set(err, CA_HTTP, "HTTP %d", status);
  err->status = status;
  if(said->request_id[0]) /* masked first: a cut secret is not recognised */
    ca_text_printable(
        err->request_id, sizeof(err->request_id), said->request_id,
        ca_secret_mask(said->request_id, strlen(said->request_id)));
}

/* How long a delay may be. Waits that a throttling service asks for may take
   max_wait_ms in all between two successes, and end before the run does; none
   is begun after a stop. */
static int64_t longest_wait(const struct ca_engine *engine,
                            const struct ca_op *op, bool throttled)
{
  const struct ca_endpoint *endpoint = op->endpoint;
  int64_t waited = throttled ? now_ms(engine) - endpoint->throttled_ms : 0;
  int64_t longest = endpoint->max_wait_ms - waited;

  if(throttled && endpoint->deadline_ms &&
     endpoint->deadline_ms - now_ms(engine) < longest)
    longest = endpoint->deadline_ms - now_ms(engine);
  return engine->stopped || longest < 0 ? 0 : longest;
}

static enum ca_verdict classify(struct ca_engine *engine, struct ca_op *op,
                                int status, int64_t retry_after_ms,
                                int64_t *delay_ms)
{
  struct ca_retry_state state = { 0 };
  struct ca_attempt_end end = { 0 };
  struct ca_result reply = { 0 }; /* borrows the body */
  bool throttled = ca_retry_is_throttle(status, retry_after_ms);
  enum ca_verdict verdict;

  end.status = status;
  end.never_left = !status && !ca_attempt_may_have_left(op->attempt);
  end.should_retry = status ? op->attempt->said.should_retry : -1;
  end.retry_after_ms = status ? retry_after_ms : -1;
  reply.status = status;
  reply.body = op->attempt->body;
  end.foreign = status >= 300 &&
                ca_reply_is_foreign(op->request.api, op->request.id, &reply);
  end.about_alias =
      status == 409 && ca_request_sets(&op->request, CA_IS_UNIQUE);
  state.api = op->request.api;
  state.attempt = op->attempts;
  state.retries = engine->stopped ? 0 : op->endpoint->retries;
  state.maybe_sent = op->maybe_sent || op->attempt->sends > 1;
  state.left_ms = op->deadline_ms ? op->deadline_ms - now_ms(engine) : -1;
  state.waits = op->waits;
  state.max_wait_ms = longest_wait(engine, op, throttled);
  state.random = (double)(next_random(engine) >> 11) / 9007199254740992.0;
  verdict = ca_retry_decide(&state, &end, delay_ms);
  if(verdict == CA_VERDICT_RETRY && throttled)
    op->waits++;
  else if(verdict == CA_VERDICT_RETRY &&
          !ca_endpoint_may_retry(op->endpoint)) {
    state.retries = 0;
    verdict = ca_retry_decide(&state, &end, delay_ms);
  }
  /* later attempts must know that this one may have reached the service */
  if(op->attempt->sends > 1 || !ca_retry_did_nothing(&end))
    op->maybe_sent = true;
  return verdict;
}

/* The rows fit: spec/unit/test_api.c checks that. */
static uint32_t row_bit(const struct ca_api *api)
{
  return UINT32_C(1) << ca_api_number(api);
}

/* Stores the reply as the op's result. */
static void take_body(struct ca_op *op)
{
  ca_buf_clear(&op->result.body);
  op->result.body = op->attempt->body;
  ca_buf_init(&op->attempt->body, CA_REPLY_MAX);
}

/* ---- a precheck after a 409 ----
   It can mean that another operation holds a lease, which passes, or that the
   change is not allowed in the state of the account. One get tells. */

/* Sets up the precheck; without one the change is sent again. */
static void plan_precheck(struct ca_op *op)
{
  const struct ca_api *api = op->request.api;
  struct ca_err err;

  op->prechecked = true;
  if(!ca_api_from(api))
    return;
  op->precheck = malloc(sizeof(*op->precheck));
  if(!op->precheck)
    return;
  ca_request_init(op->precheck, ca_api_get(api));
  if(ca_request_set(op->precheck, "id", op->request.id, &err) ||
     ca_request_finish(op->precheck, &err))
    ca_op_forget_precheck(op);
}

static void precheck_ended(struct ca_engine *engine, struct ca_op *op,
                           CURLcode curl)
{
  struct ca_slice body = { op->attempt->body.data, op->attempt->body.len };
  long http = 0;
  bool forbidden;

  curl_easy_getinfo(op->attempt->easy, CURLINFO_RESPONSE_CODE, &http);
  ca_attempt_ended(op->attempt, curl);
  observe(engine, op, curl ? 0 : (int)http, -1);
  forbidden = !curl && http == 200 &&
              ca_proof_forbids(op->request.api, op->request.id, body);
  ca_op_forget_precheck(op);
  if(forbidden) { /* the 409 is the answer, unless it came after a success */
    op->result.err.unknown = op->maybe_sent;
    end_op(engine, op);
    return;
  }
  detach(engine, op);
  enqueue(engine, op);
  if(op->deadline_ms &&
     ca_timer_heap_set(&engine->timers, &op->timer, op->deadline_ms))
    end_with(engine, op, CA_NOMEM, "out of memory");
}

static void attempt_ended(struct ca_engine *engine, struct ca_op *op,
                          CURLcode curl)
{
  long http = 0;
  int status;
  int64_t wait_ms;
  int64_t delay_ms;
  enum ca_verdict verdict;

  if(op->precheck) {
    precheck_ended(engine, op, curl);
    return;
  }
  curl_easy_getinfo(op->attempt->easy, CURLINFO_RESPONSE_CODE, &http);
  /* libcurl takes a truncated head for a complete one with an empty body */
  if(!curl && (!op->attempt->said.whole || http < 200))
    curl = CURLE_PARTIAL_FILE;
  ca_attempt_ended(op->attempt, curl);
  /* a status without its complete body is not a reply */
  status = curl ? 0 : (int)http;
  wait_ms = status ? retry_after(engine, &op->attempt->said) : -1;
  observe(engine, op, status, wait_ms);
  verdict = classify(engine, op, status, wait_ms, &delay_ms);
  op->result.status = status;
  op->result.is_json = op->attempt->said.is_json;
  op->result.worked = op->endpoint->worked & row_bit(op->request.api);
  if(verdict == CA_VERDICT_DONE)
    op->endpoint->worked |= row_bit(op->request.api);
  ca_endpoint_take_date(op->endpoint, op->attempt->said.date, now_ms(engine));
  ca_log_event(engine->log, CA_LOG_DEBUG, "attempt",
               "%s %s -> %d%s%s (attempt %d)",
               ca_api_method_name(op->request.api->method),
               op->attempt->url.data, status, curl ? ": " : "",
               curl ? curl_easy_strerror(curl) : "", op->attempts);
  if(verdict == CA_VERDICT_RETRY) {
    ca_log_event(engine->log, CA_LOG_INFO, "retry",
                 "%s %s: %s%d; retrying in %lld ms", op->request.api->name,
                 op->request.id, status ? "HTTP " : "no reply, curl ",
                 status ? status : (int)curl, (long long)delay_ms);
    if(status == 409 && !op->prechecked) {
      describe_failure(op, curl, status);
      take_body(op);
      plan_precheck(op);
    }
    detach(engine, op);
    op->state = CA_OP_WAITING;
    op->retry_ms = now_ms(engine) + delay_ms;
    if(ca_timer_heap_set(&engine->timers, &op->timer, op->retry_ms))
      end_with(engine, op, CA_NOMEM, "out of memory");
    return;
  }
  ca_err_clear(&op->result.err);
  if(verdict != CA_VERDICT_DONE) {
    describe_failure(op, curl, status);
    op->result.err.unknown = verdict == CA_VERDICT_UNKNOWN;
    op->result.err.throttled = ca_retry_is_throttle(status, wait_ms);
    op->result.err.overlong = op->result.err.throttled && !engine->stopped &&
                              wait_ms > longest_wait(engine, op, true);
    /* a change that may have happened must be checked, not repeated */
    op->result.err.retryable =
        (!status || status == 408 || status == 429 || status >= 500) &&
        !(verdict == CA_VERDICT_UNKNOWN &&
          op->request.api->repeat == CA_REPEAT_NEVER);
  }
  take_body(op);
  end_op(engine, op);
}

/* --- starts ------------------------------------------------------------ */

static struct ca_attempt *take_attempt(struct ca_engine *engine,
                                       struct ca_endpoint *endpoint)
{
  struct ca_attempt **at = &engine->idle;
  struct ca_attempt *attempt;

  /* prefer a handle that is already set up for this endpoint */
  while(*at && (*at)->endpoint != endpoint)
    at = &(*at)->next;
  if(!*at)
    at = &engine->idle;
  attempt = *at;
  if(attempt)
    *at = attempt->next;
  else
    attempt = ca_attempt_new(&engine->counts);
  return attempt;
}

/* The pool must have room for one connection per attempt: a smaller one
   reconnects all the time, and the default depends on the number of attached
   handles. */
static void size_pool(struct ca_engine *engine, int concurrency)
{
  if(concurrency <= engine->connections)
    return;
  engine->connections = concurrency;
  curl_multi_setopt(engine->multi, CURLMOPT_MAXCONNECTS,
                    (long)concurrency + 8);
  curl_multi_setopt(engine->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                    (long)concurrency);
}

/* Has the operation waited longer than its limit? The time of throttled
   attempts counts as waiting. */
static bool is_overdue(const struct ca_op *op, int64_t now)
{
  return now > op->start_by_ms && op->attempts == op->waits && !op->maybe_sent;
}

static void start_attempt(struct ca_engine *engine, struct ca_op *op)
{
  struct ca_endpoint *endpoint = op->endpoint;
  struct ca_attempt *attempt;
  int64_t now = now_ms(engine);
  int64_t timeout_ms = endpoint->timeout_ms;

  if(is_overdue(op, now)) {
    op->result.overdue = true;
    end_with(engine, op, CA_CANCELLED, "it waited too long; nothing was sent");
    return;
  }
  attempt = take_attempt(engine, endpoint);
  if(!attempt) {
    end_with(engine, op, CA_NOMEM, "out of memory");
    return;
  }
  if(op->deadline_ms && op->deadline_ms - now < timeout_ms)
    timeout_ms = op->deadline_ms > now ? op->deadline_ms - now : 1;
  size_pool(engine, endpoint->concurrency);
  if(ca_attempt_prepare(attempt, endpoint,
                        op->precheck ? op->precheck : &op->request,
                        op->request_id, timeout_ms, &op->result.err)) {
    ca_attempt_free(attempt);
    end_op(engine, op);
    return;
  }
  dequeue(engine, op);
  ca_timer_heap_remove(&engine->timers,
                       &op->timer); /* curl enforces the deadline */
  attempt->op = op;
  op->attempt = attempt;
  op->state = CA_OP_RUNNING;
  op->attempts += !op->precheck;
  endpoint->active++;
  engine->attempts++;
  ca_rate_start(&endpoint->rate, now);
  if(curl_multi_add_handle(engine->multi, attempt->easy))
    end_with(engine, op, CA_SYSTEM, "libcurl refused the request");
}

static void timer_due(struct ca_engine *engine, struct ca_op *op)
{
  if(op->state == CA_OP_SLEEPING)
    end_op(engine, op);
  else if(op->state == CA_OP_WAITING) {
    enqueue(engine, op);
    if(op->deadline_ms &&
       ca_timer_heap_set(&engine->timers, &op->timer, op->deadline_ms))
      end_with(engine, op, CA_NOMEM, "out of memory");
  } else
    end_with(engine, op, CA_TIMEOUT,
             op->attempts ? "no time left before the request could be sent "
                            "again (pace or timeout)"
                          : "no time left before the request could be sent "
                            "(pace or timeout); nothing was sent");
}

/* Starts the attempts that may start. Lowers *wait_ms to the time until more
 * may. */
static void start_ready(struct ca_engine *engine, int64_t *wait_ms)
{
  struct ca_timer *timer;
  struct ca_endpoint *endpoint;
  struct ca_endpoint *next;
  int64_t now = now_ms(engine);

  while((timer = ca_timer_heap_pop(&engine->timers, now)) != NULL)
    timer_due(engine, timer->owner);
  for(endpoint = engine->waiting; endpoint; endpoint = next) {
    next = endpoint->next;
    while(endpoint->first) {
      int64_t wait = ca_rate_wait_ms(&endpoint->rate, now, endpoint->active);
      if(wait) {
        if(wait > 0 && wait < *wait_ms)
          *wait_ms = wait;
        break;
      }
      start_attempt(engine, endpoint->first);
    }
  }
}

/* --- one turn ---------------------------------------------------------- */

static enum ca_code move_bytes(struct ca_engine *engine, struct ca_err *err)
{
  int running;
  int left;
  CURLMsg *message;
  CURLMcode code = curl_multi_perform(engine->multi, &running);

  if(code)
    return ca_err_set(err, CA_SYSTEM, "libcurl: %s",
                      curl_multi_strerror(code));
  while((message = curl_multi_info_read(engine->multi, &left)) != NULL) {
    struct ca_attempt *attempt;
    CURLcode result = message->data.result;
    if(message->msg != CURLMSG_DONE)
      continue;
    /* removing the handle frees the message: read it first */
    if(!curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE,
                          (char **)&attempt))
      attempt_ended(engine, attempt->op, result);
  }
  return CA_OK;
}

/* Calls done for the ops that have ended so far, not for those that end during
   the calls. */
static size_t report_ended(struct ca_engine *engine)
{
  struct ca_op *last = engine->ended_last;
  size_t reported = 0;
  uint64_t last_id = last ? last->id : 0;

  while(engine->ended_first) {
    struct ca_op *op = engine->ended_first;
    bool was_last = op->id == last_id;

    unlink_op(&engine->ended_first, &engine->ended_last, op);
    /* during the callback the id is invalid and the slot not yet reused */
    ca_op_retire(&engine->ops, op);
    op->done(op->owner, op->token, &op->result);
    ca_op_recycle(&engine->ops, op);
    reported++;
    if(was_last)
      break;
  }
  return reported;
}

enum ca_code ca_engine_step(struct ca_engine *engine, int wait_ms,
                            struct ca_err *err)
{
  int64_t wait = wait_ms;
  int64_t timer_ms;
  CURLMcode multi_code;
  enum ca_code code;

  start_ready(engine, &wait);
  code = move_bytes(engine, err);
  if(code || report_ended(engine) || wait_ms <= 0)
    return code;
  /* the ops that ended may let others start: recompute the wait */
  timer_ms = ca_timer_heap_wait_ms(&engine->timers, now_ms(engine));
  if(timer_ms >= 0 && timer_ms < wait)
    wait = timer_ms;
  multi_code = curl_multi_poll(engine->multi, NULL, 0, (int)wait, NULL);
  if(multi_code)
    return ca_err_set(err, CA_SYSTEM, "libcurl: %s",
                      curl_multi_strerror(multi_code));
  start_ready(engine, &wait);
  code = move_bytes(engine, err);
  if(!code)
    report_ended(engine);
  return code;
}

/* --- life and submitting ----------------------------------------------- */

static bool global_init(void)
{
  static bool done;
  /* never cleaned up: others in the process may use libcurl, too */
  if(!done)
    done = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return done;
}

struct ca_engine *ca_engine_new(const struct ca_clock *clock,
                                struct ca_log *log, struct ca_err *err)
{
  struct ca_engine *engine = calloc(1, sizeof(*engine));
  if(!engine) {
    ca_err_set(err, CA_NOMEM, "out of memory");
    return NULL;
  }
  engine->clock = clock;
  engine->log = log;
  ca_op_table_init(&engine->ops);
  ca_timer_heap_init(&engine->timers);
  if(ca_digest_random(&engine->random, sizeof(engine->random)))
    engine->random = (uint64_t)ca_clock_wall_ms(clock);
  if(global_init())
    engine->multi = curl_multi_init();
  if(!engine->multi) {
    ca_err_set(err, CA_SYSTEM, "cannot initialise libcurl");
    ca_engine_free(engine);
    return NULL;
  }
  curl_multi_setopt(engine->multi, CURLMOPT_PIPELINING,
                    (long)CURLPIPE_MULTIPLEX);
  return engine;
}

void ca_engine_free(struct ca_engine *engine)
{
  size_t i;
  if(!engine)
    return;
  for(i = 0; i < engine->ops.count; i++)
    if(engine->ops.slots[i]->state != CA_OP_FREE)
      detach(engine, engine->ops.slots[i]);
  ca_op_table_clear(&engine->ops);
  ca_timer_heap_clear(&engine->timers);
  while(engine->idle) {
    struct ca_attempt *attempt = engine->idle;
    engine->idle = attempt->next;
    ca_attempt_free(attempt);
  }
  if(engine->multi)
    curl_multi_cleanup(engine->multi);
  free(engine);
}

enum ca_code ca_engine_set_gate(struct ca_engine *engine, enum ca_gate gate,
                                struct ca_err *err)
{
  if(gate < engine->gate)
    return ca_err_set(err, CA_GATE, "the write gate cannot be opened again");
  engine->gate = gate;
  return CA_OK;
}

/* due_ms: when its timer fires; 0 none. NULL when out of memory. */
static struct ca_op *new_op(struct ca_engine *engine, ca_done_fn *done,
                            void *owner, uint64_t token, int64_t due_ms)
{
  struct ca_op *op = ca_op_new(&engine->ops);
  if(!op)
    return NULL;
  op->timer.owner = op;
  op->done = done;
  op->owner = owner;
  op->token = token;
  if(due_ms && ca_timer_heap_set(&engine->timers, &op->timer, due_ms)) {
    ca_op_free(&engine->ops, op);
    return NULL;
  }
  return op;
}

static enum ca_code submit(struct ca_engine *engine,
                           struct ca_endpoint *endpoint,
                           struct ca_request *request, int64_t timeout_ms,
                           int64_t start_by_ms, ca_done_fn *done, void *owner,
                           uint64_t token, uint64_t *id, struct ca_err *err)
{
  int64_t deadline_ms = timeout_ms > 0 ? now_ms(engine) + timeout_ms : 0;
  struct ca_op *op;

  if(engine->stopped)
    return ca_err_set(err, CA_CANCELLED,
                      "stopped before the request was sent");
  op = new_op(engine, done, owner, token, deadline_ms);
  if(!op)
    return ca_err_set(err, CA_NOMEM, "out of memory");
  op->deadline_ms = deadline_ms;
  op->start_by_ms = start_by_ms;
  make_uuid(engine, op->request_id);
  op->endpoint = endpoint;
  op->request = *request;
  ca_request_init(request, request->api);
  enqueue(engine, op);
  *id = op->id;
  return CA_OK;
}

enum ca_code ca_engine_submit(struct ca_engine *engine,
                              struct ca_endpoint *endpoint,
                              struct ca_request *request, int64_t timeout_ms,
                              ca_done_fn *done, void *owner, uint64_t token,
                              uint64_t *op, struct ca_err *err)
{
  if(ca_api_mutates(request->api) && engine->gate != CA_GATE_OPEN)
    return ca_err_set(err, CA_GATE,
                      "%s: changes are not allowed here; nothing was sent",
                      request->api->name);
  return submit(engine, endpoint, request, timeout_ms, INT64_MAX, done, owner,
                token, op, err);
}

enum ca_code ca_engine_submit_recorded(struct ca_engine *engine,
                                       struct ca_endpoint *endpoint,
                                       struct ca_request *request,
                                       int64_t start_by_ms, ca_done_fn *done,
                                       void *owner, uint64_t token,
                                       uint64_t *op, struct ca_err *err)
{
  if(engine->gate == CA_GATE_SHUT)
    return ca_err_set(err, CA_GATE,
                      "%s: this run is a preview; nothing was sent",
                      request->api->name);
  return submit(engine, endpoint, request, 0, start_by_ms, done, owner, token,
                op, err);
}

enum ca_code ca_engine_sleep(struct ca_engine *engine, int64_t delay_ms,
                             ca_done_fn *done, void *owner, uint64_t token,
                             uint64_t *id, struct ca_err *err)
{
  struct ca_op *op;
  if(engine->stopped)
    return ca_err_set(err, CA_CANCELLED, "stopped");
  op = new_op(engine, done, owner, token,
              now_ms(engine) + (delay_ms > 0 ? delay_ms : 0));
  if(!op)
    return ca_err_set(err, CA_NOMEM, "out of memory");
  op->state = CA_OP_SLEEPING;
  *id = op->id;
  return CA_OK;
}

bool ca_engine_cancel(struct ca_engine *engine, uint64_t id,
                      bool *may_have_left)
{
  struct ca_op *op = ca_op_find(&engine->ops, id);
  if(may_have_left)
    *may_have_left = false;
  if(!op)
    return false;
  if(may_have_left)
    *may_have_left =
        op->maybe_sent || op->state == CA_OP_ENDED ||
        (op->state == CA_OP_RUNNING && ca_attempt_may_have_left(op->attempt));
  detach(engine, op);
  ca_op_free(&engine->ops, op);
  return true;
}

void ca_engine_stop(struct ca_engine *engine, bool stop)
{
  size_t i;
  engine->stopped = stop;
  for(i = 0; stop && i < engine->ops.count; i++) {
    struct ca_op *op = engine->ops.slots[i];
    if(op->state == CA_OP_QUEUED || op->state == CA_OP_WAITING)
      end_with(engine, op, CA_CANCELLED,
               op->attempts ? "stopped before the request was sent again"
                            : "stopped before the request was sent");
    else if(op->state == CA_OP_SLEEPING) {
      ca_err_set(&op->result.err, CA_CANCELLED, "stopped");
      end_op(engine, op);
    }
  }
}

size_t ca_engine_pending(const struct ca_engine *engine)
{
  return engine->ops.live;
}

uint64_t ca_engine_attempts(const struct ca_engine *engine)
{
  return engine->attempts;
}

const struct ca_clock *ca_engine_clock(const struct ca_engine *engine)
{
  return engine->clock;
}
