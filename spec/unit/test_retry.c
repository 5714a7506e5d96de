/* The verdict over an attempt's end, and how long to wait.
   Must not know: timers, curl. */
#include "check.h"
#include "wire/retry.h"

static struct ca_retry_state state;
static struct ca_attempt_end end;
static int64_t delay_ms;

/* A first attempt of the operation, nothing yet known about it. */
static void fresh(const char *operation)
{
  memset(&state, 0, sizeof(state));
  memset(&end, 0, sizeof(end));
  state.api = ca_api_find("connected_accounts", operation);
  CHECK(state.api != NULL);
  state.attempt = 1;
  state.retries = 2;
  state.left_ms = -1;
  state.max_wait_ms = 120000;
  end.should_retry = -1;
  end.retry_after_ms = -1;
}

static enum ca_verdict decide(void)
{
  delay_ms = -7;
  return ca_retry_decide(&state, &end, &delay_ms);
}

/* Verdict over a first attempt that ended with the status. */
static enum ca_verdict over(const char *operation, int status)
{
  fresh(operation);
  end.status = status;
  return decide();
}

/* Without a reply; never_left: no byte of the request was sent. */
static enum ca_verdict without_reply(const char *operation, bool never_left)
{
  fresh(operation);
  end.never_left = never_left;
  return decide();
}

static const char *const all[] = { "list",   "get",     "initiate", "link",
                                   "enable", "disable", "refresh",  "delete",
                                   "revoke", "update",  NULL };

static void success_is_done(void)
{
  const char *const *name;

  for(name = all; *name; name++) {
    CHECK_INT(over(*name, 200), CA_VERDICT_DONE);
    CHECK_INT(over(*name, 201), CA_VERDICT_DONE);
    CHECK_INT(over(*name, 204), CA_VERDICT_DONE);
  }
}

static void refusals_fail_at_once(void)
{
  static const int statuses[] = { 301, 302, 307, 400, 401, 402, 403,
                                  404, 405, 410, 413, 422, 501 };
  const char *const *name;
  size_t i;

  for(name = all; *name; name++)
    for(i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
      if(!CHECK_INT(over(*name, statuses[i]), CA_VERDICT_FAILED))
        printf("    of %s, %d\n", *name, statuses[i]);
}

static void passing_trouble_is_tried_again(void)
{
  static const int statuses[] = { 408, 409, 429, 500, 502, 503, 504, 529 };
  static const char *const free_ones[] = { "list",    "get",    "enable",
                                           "disable", "delete", "update",
                                           NULL };
  const char *const *name;
  size_t i;

  for(name = free_ones; *name; name++) {
    for(i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
      if(!CHECK_INT(over(*name, statuses[i]), CA_VERDICT_RETRY))
        printf("    of %s, %d\n", *name, statuses[i]);
    CHECK_INT(without_reply(*name, true), CA_VERDICT_RETRY);
    CHECK_INT(without_reply(*name, false), CA_VERDICT_RETRY);
  }
}

static void not_repeatable_only_when_nothing_happened(void)
{
  static const char *const names[] = { "initiate", "link", "refresh", NULL };
  const char *const *name;

  for(name = names; *name; name++) {
    CHECK_INT(over(*name, 429), CA_VERDICT_RETRY);
    CHECK_INT(without_reply(*name, true), CA_VERDICT_RETRY);
    CHECK_INT(over(*name, 500), CA_VERDICT_UNKNOWN);
    CHECK_INT(over(*name, 503), CA_VERDICT_UNKNOWN);
    CHECK_INT(over(*name, 408), CA_VERDICT_UNKNOWN);
    CHECK_INT(without_reply(*name, false), CA_VERDICT_UNKNOWN);
    /* a refusal does not undo what an earlier attempt may have done */
    fresh(*name);
    state.attempt = 2;
    state.maybe_sent = true;
    end.status = 400;
    CHECK_INT(decide(), CA_VERDICT_UNKNOWN);
    end.status = 429;
    CHECK_INT(decide(), CA_VERDICT_UNKNOWN);
  }
}

static void last_attempt(void)
{
  fresh("disable");
  state.attempt = 3;
  end.status = 500;
  CHECK_INT(decide(), CA_VERDICT_UNKNOWN);
  end.status = 429;
  CHECK_INT(decide(), CA_VERDICT_FAILED);
  state.maybe_sent = true; /* by the first or second */
  CHECK_INT(decide(), CA_VERDICT_UNKNOWN);
  fresh("get"); /* reading changes nothing: it failed */
  state.attempt = 3;
  CHECK_INT(decide(), CA_VERDICT_FAILED);
  end.status = 500;
  CHECK_INT(decide(), CA_VERDICT_FAILED);
  fresh("disable");
  state.retries = 0;
  end.never_left = true;
  CHECK_INT(decide(), CA_VERDICT_FAILED);
}

static void obeyed_waits_are_no_retries(void)
{
  fresh("disable");
  state.attempt = 9;
  end.status = 503;
  end.retry_after_ms = 1000;
  CHECK_INT(decide(), CA_VERDICT_RETRY);
  end.retry_after_ms = 120001;
  CHECK_INT(decide(), CA_VERDICT_UNKNOWN); /* --max-wait */
  end.retry_after_ms = -1;
  CHECK_INT(decide(), CA_VERDICT_UNKNOWN);
  state.waits = 7;
  CHECK_INT(decide(), CA_VERDICT_RETRY);
  fresh("refresh");
  end.status = 503;
  end.retry_after_ms = 1000;
  CHECK_INT(decide(), CA_VERDICT_UNKNOWN); /* it may have been carried out */
}

static void gone_after_a_lost_reply_is_not_known(void)
{
  CHECK_INT(over("delete", 404), CA_VERDICT_FAILED);
  fresh("delete");
  state.attempt = 2;
  end.status = 404;
  CHECK_INT(decide(), CA_VERDICT_FAILED); /* the first never left */
  state.maybe_sent = true;
  CHECK_INT(decide(), CA_VERDICT_UNKNOWN); /* wire/reply reads the body */
  fresh("disable");
  state.attempt = 2;
  state.maybe_sent = true;
  end.status = 404; /* the first may have disabled what was deleted since */
  CHECK_INT(decide(), CA_VERDICT_UNKNOWN);
}

static void refused_after_a_lost_reply_is_unknown(void)
{
  static const int statuses[] = { 301, 400, 401, 403, 409, 422, 501 };
  size_t i;

  for(i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
    fresh("update");
    state.attempt = 3;
    end.status = statuses[i];
    end.about_alias = true;
    CHECK_INT(decide(), CA_VERDICT_FAILED);
    state.maybe_sent = true;
    CHECK_INT(decide(), CA_VERDICT_UNKNOWN);
  }
}

/* A proxy's page does not tell what the service did. */
static void foreign_refusals_prove_nothing(void)
{
  fresh("initiate");
  end.foreign = true;
  end.status = 409;
  CHECK_INT(decide(), CA_VERDICT_UNKNOWN);
  end.status = 400;
  end.should_retry = 1;
  CHECK_INT(decide(), CA_VERDICT_UNKNOWN);
  fresh("enable");
  end.foreign = true;
  end.status = 409;
  CHECK_INT(decide(), CA_VERDICT_RETRY);
  CHECK(!ca_retry_did_nothing(&end));
  end.foreign = false;
  CHECK(ca_retry_did_nothing(&end));
}

static void alias_that_is_taken_stays_so(void)
{
  CHECK_INT(over("update", 409), CA_VERDICT_RETRY);
  fresh("update");
  end.status = 409;
  end.about_alias = true;
  CHECK_INT(decide(), CA_VERDICT_FAILED);
}

static void service_has_its_say(void)
{
  fresh("disable");
  end.status = 400;
  end.should_retry = 1;
  CHECK_INT(decide(), CA_VERDICT_RETRY);
  end.status = 429;
  end.should_retry = 0;
  CHECK_INT(decide(), CA_VERDICT_FAILED);
  end.status = 503;
  CHECK_INT(decide(), CA_VERDICT_UNKNOWN);
  /* it cannot talk us into a second create */
  fresh("initiate");
  end.status = 500;
  end.should_retry = 1;
  CHECK_INT(decide(), CA_VERDICT_UNKNOWN);
}

static void delays(void)
{
  CHECK_INT(over("disable", 429), CA_VERDICT_RETRY);
  CHECK_INT(delay_ms, 500);
  end.retry_after_ms = 30000;
  CHECK_INT(decide(), CA_VERDICT_RETRY);
  CHECK_INT(delay_ms, 30000);
  end.retry_after_ms = 1; /* must not make a busy loop */
  CHECK_INT(decide(), CA_VERDICT_RETRY);
  CHECK(delay_ms > 1 && delay_ms <= 500);
  /* longer than anybody waits, and longer than the op may take */
  end.retry_after_ms = 120001;
  CHECK_INT(decide(), CA_VERDICT_FAILED);
  end.retry_after_ms = 1000;
  state.left_ms = 1000;
  CHECK_INT(decide(), CA_VERDICT_FAILED);
  state.left_ms = 1001;
  CHECK_INT(decide(), CA_VERDICT_RETRY);
  CHECK_INT(over("disable", 200), CA_VERDICT_DONE);
  CHECK_INT(delay_ms, 0);
}

static void backoff(void)
{
  static const struct {
    int n;
    int64_t longest, shortest;
  } cases[] = { { 0, 500, 375 },   { 1, 1000, 750 },  { 2, 2000, 1500 },
                { 3, 4000, 3000 }, { 4, 8000, 6000 }, { 5, 8000, 6000 },
                { 40, 8000, 6000 } };
  size_t i;

  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    CHECK_INT(ca_retry_backoff_ms(cases[i].n, 0), cases[i].longest);
    CHECK_INT(ca_retry_backoff_ms(cases[i].n, 1), cases[i].shortest);
  }
  CHECK_INT(ca_retry_backoff_ms(0, 0.5), 437);
}

/* 2026-11-22 06:00:00 UTC */
#define NOW INT64_C(1795327200000)

static void retry_after(void)
{
  static const struct {
    const char *value;
    int64_t want;
  } cases[] = {
    { NULL, -1 },
    { "", -1 },
    { "  ", -1 },
    { "0", -1 },
    { "0.0", -1 },
    { "-5", -1 },
    { "7", 7000 },
    { " 7 ", 7000 },
    { "0.249", 249 },
    { "1.5", 1500 },
    { "120", 120000 },
    { "-1", -1 },
    { "soon", -1 },
    { "7s", -1 },
    { "7 8", -1 },
    { "0x10", -1 },
    { "inf", -1 },
    { "nan", -1 },
    { "Sun, 22 Nov 2026 06:00:30 GMT", 30000 },
    { "Sun, 22 Nov 2026 05:59:00 GMT", -1 },
    { "Sun, 22 Nov 2026 06:00:30", -1 },
    { "Sun, 22 Nov 2026 06:00:30 GMT, later", -1 },
    { "2026-11-22T06:00:30Z", -1 },
  };
  size_t i;

  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    if(!CHECK_INT(ca_retry_after_ms(cases[i].value, NOW), cases[i].want))
      printf("    of \"%s\"\n", cases[i].value ? cases[i].value : "(null)");
  CHECK(ca_retry_after_ms("1000000000", NOW) == INT64_C(1000000000000));
  CHECK(ca_retry_after_ms("999999999999999999999999999999", NOW) > 0);
}

int main(void)
{
  check_case("success is done", success_is_done);
  check_case("refusals fail at once", refusals_fail_at_once);
  check_case("passing trouble is tried again", passing_trouble_is_tried_again);
  check_case("not repeatable: only when nothing happened",
             not_repeatable_only_when_nothing_happened);
  check_case("the last attempt", last_attempt);
  check_case("waits that are obeyed are no retries",
             obeyed_waits_are_no_retries);
  check_case("gone after a lost reply is not known",
             gone_after_a_lost_reply_is_not_known);
  check_case("refused after a lost reply is unknown",
             refused_after_a_lost_reply_is_unknown);
  check_case("foreign refusals prove nothing", foreign_refusals_prove_nothing);
  check_case("an alias that is taken stays so", alias_that_is_taken_stays_so);
  check_case("the service has its say", service_has_its_say);
  check_case("delays", delays);
  check_case("backoff", backoff);
  check_case("Retry-After", retry_after);
  return check_end();
}
