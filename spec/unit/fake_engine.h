/* An engine of the test's own: keeps the ops it is given until the test ends
   them. Its clock stands until the test moves it. Knows nothing of who submits
   ops. */
#ifndef FAKE_ENGINE_H
#define FAKE_ENGINE_H

#include "check.h"
#include "wire/endpoint.h"
#include "wire/engine.h"
#include "fake_clock.h"

#define SENT_MAX 6000

struct sent {
  struct ca_request request;
  ca_done_fn *done;
  void *owner;
  uint64_t token;
  int64_t sleep_ms; /* -1: it is no sleep */
  int64_t start_by_ms;
  bool reads; /* not recorded: a look or a probe */
  bool live;
};

static struct sent sent[SENT_MAX];
static size_t sent_count;
static bool cancel_says_left;
static enum ca_code refuse_with; /* changes */
static enum ca_code refuse_reads_with;
static struct fake_clock fake;
static int engine_place;
static int endpoint_place;
/* Called before and after an op's owner is told of its end, when not NULL. */
static void (*around_done)(bool begins);
/* Called for each change as it is submitted, when not NULL. */
static void (*check_sent)(const struct ca_request *request);

#define FAKE_ENGINE   ((struct ca_engine *)(void *)&engine_place)
#define FAKE_ENDPOINT ((struct ca_endpoint *)(void *)&endpoint_place)

/* The service's time, 0 when it has not said it. */
static int64_t service_ms;

int64_t ca_endpoint_service_ms(const struct ca_endpoint *endpoint,
                               int64_t now_ms)
{
  CHECK(endpoint == FAKE_ENDPOINT);
  (void)now_ms;
  return service_ms;
}

static inline void engine_start(void)
{
  fake_clock_init(&fake);
  sent_count = 0;
  cancel_says_left = true;
  refuse_with = CA_OK;
  refuse_reads_with = CA_OK;
  check_sent = NULL;
  service_ms = 0;
}

/* No op may outlive the test's subject. */
static inline void engine_stop(void)
{
  size_t i;

  for(i = 0; i < sent_count; i++) {
    CHECK(!sent[i].live); /* or an op outlived its owner */
    if(sent[i].request.api)
      ca_request_clear(&sent[i].request);
  }
}

static struct sent *engine_add(ca_done_fn *done, void *owner, uint64_t token,
                               uint64_t *op)
{
  struct sent *now = &sent[sent_count];

  if(sent_count == SENT_MAX)
    exit(2);
  memset(now, 0, sizeof(*now));
  now->done = done;
  now->owner = owner;
  now->token = token;
  now->sleep_ms = -1;
  now->live = true;
  *op = ++sent_count;
  return now;
}

enum ca_code ca_engine_submit_recorded(struct ca_engine *engine,
                                       struct ca_endpoint *endpoint,
                                       struct ca_request *request,
                                       int64_t start_by_ms, ca_done_fn *done,
                                       void *owner, uint64_t token,
                                       uint64_t *op, struct ca_err *err)
{
  struct sent *now;

  CHECK(engine == FAKE_ENGINE && endpoint == FAKE_ENDPOINT);
  if(refuse_with)
    return ca_err_set(err, refuse_with, "the engine refuses");
  if(check_sent)
    check_sent(request);
  now = engine_add(done, owner, token, op);
  now->request = *request;
  now->start_by_ms = start_by_ms;
  ca_request_init(request, now->request.api);
  return CA_OK;
}

enum ca_code ca_engine_submit(struct ca_engine *engine,
                              struct ca_endpoint *endpoint,
                              struct ca_request *request, int64_t timeout_ms,
                              ca_done_fn *done, void *owner, uint64_t token,
                              uint64_t *op, struct ca_err *err)
{
  struct sent *now;

  CHECK(engine == FAKE_ENGINE && endpoint == FAKE_ENDPOINT);
  CHECK(!ca_api_mutates(request->api)); /* or a change has no intent */
  (void)timeout_ms;
  if(refuse_reads_with)
    return ca_err_set(err, refuse_reads_with, "the engine reads nothing");
  now = engine_add(done, owner, token, op);
  now->request = *request;
  now->reads = true;
  ca_request_init(request, now->request.api);
  return CA_OK;
}

enum ca_code ca_engine_sleep(struct ca_engine *engine, int64_t delay_ms,
                             ca_done_fn *done, void *owner, uint64_t token,
                             uint64_t *op, struct ca_err *err)
{
  CHECK(engine == FAKE_ENGINE);
  if(refuse_reads_with)
    return ca_err_set(err, refuse_reads_with, "the engine does not sleep");
  engine_add(done, owner, token, op)->sleep_ms = delay_ms;
  return CA_OK;
}

bool ca_engine_cancel(struct ca_engine *engine, uint64_t op,
                      bool *may_have_left)
{
  struct sent *then = &sent[op - 1];

  CHECK(engine == FAKE_ENGINE);
  if(!op || !then->live)
    return false;
  then->live = false;
  if(may_have_left)
    *may_have_left = cancel_says_left;
  return true;
}

const struct ca_clock *ca_engine_clock(const struct ca_engine *engine)
{
  (void)engine;
  return &fake.clock;
}

static inline size_t live_count(void)
{
  size_t n = 0;
  size_t i;
  for(i = 0; i < sent_count; i++)
    n += sent[i].live;
  return n;
}

/* Path and query of op n; static storage. */
static inline const char *target_of(size_t n)
{
  static char text[8192];
  struct ca_buf target;

  text[0] = '\0';
  ca_buf_init(&target, sizeof(text) - 1);
  if(CHECK(n < sent_count && sent[n].request.api) &&
     CHECK_INT(ca_request_target(&sent[n].request, &target), CA_OK))
    snprintf(text, sizeof(text), "%s", ca_buf_text(&target));
  ca_buf_clear(&target);
  return text;
}

static inline void engine_tell(struct sent *then, struct ca_result *result)
{
  if(around_done)
    around_done(true);
  then->done(then->owner, then->token, result);
  if(around_done)
    around_done(false);
}

/* Ends op n (from 0) with a reply as the engine gives it. */
static inline void reply(size_t n, int status, const char *body, bool is_json)
{
  struct sent *then = &sent[n];
  struct ca_result result;

  memset(&result, 0, sizeof(result));
  ca_buf_init(&result.body, 1000000);
  CHECK_INT(ca_buf_add_text(&result.body, body), CA_OK);
  result.status = status;
  result.attempts = 1;
  result.is_json = is_json;
  result.worked = true;
  snprintf(result.request_id, sizeof(result.request_id), "req-%zu", n);
  if(status < 200 || status > 299) {
    result.err.code = CA_HTTP;
    result.err.status = status;
    result.err.attempts = 1;
  }
  if(CHECK(n < sent_count && then->live)) {
    then->live = false;
    engine_tell(then, &result);
  }
  ca_buf_clear(&result.body);
}

/* With the proof that each operation needs. */
static inline void well(size_t n)
{
  static const char *const shown[] = {
    [CA_SHOWS_SUCCESS] = "\"success\":true",
    [CA_SHOWS_REVOKED] = "\"revoked_tokens\":[]",
  };
  const struct ca_request *request = &sent[n].request;
  char body[256];

  if(request->api->shows == CA_SHOWS_ID)
    snprintf(body, sizeof(body), "{\"%s\":\"%s\"}",
             request->api->makes ? request->api->makes : "id",
             request->api->makes ? "ca_new" : request->id);
  else
    snprintf(body, sizeof(body), "{%s}", shown[request->api->shows]);
  reply(n, 200, body, true);
}

/* Ends op n without a reply. */
static inline void broken(size_t n, enum ca_code code, bool unknown)
{
  struct sent *then = &sent[n];
  struct ca_result result;

  memset(&result, 0, sizeof(result));
  ca_buf_init(&result.body, 0);
  ca_err_set(&result.err, code, "cut");
  result.err.unknown = unknown;
  if(CHECK(n < sent_count && then->live)) {
    then->live = false;
    engine_tell(then, &result);
  }
  ca_buf_clear(&result.body);
}

/* Ends op n unsent, as the engine does when its time to start has passed. */
static inline void late(size_t n)
{
  struct sent *then = &sent[n];
  struct ca_result result;

  memset(&result, 0, sizeof(result));
  ca_buf_init(&result.body, 0);
  ca_err_set(&result.err, CA_CANCELLED, "late");
  result.overdue = true;
  if(CHECK(n < sent_count && then->live) &&
     CHECK(fake.mono_ms > then->start_by_ms)) {
    then->live = false;
    engine_tell(then, &result);
  }
}

/* Ends the sleep n when its time has come. */
static inline void awake(size_t n)
{
  struct sent *then = &sent[n];
  struct ca_result result;

  memset(&result, 0, sizeof(result));
  ca_buf_init(&result.body, 0);
  if(CHECK(n < sent_count && then->live && then->sleep_ms >= 0)) {
    fake_clock_pass(&fake, then->sleep_ms);
    then->live = false;
    engine_tell(then, &result);
  }
}

#endif
