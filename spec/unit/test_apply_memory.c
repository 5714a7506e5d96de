/* Applying and settling while memory runs out, at every place in turn: nothing
   leaks (the sanitizer says so at the end), nothing is sent without intent,
   nothing is told twice. The linker leads all allocations of the core here.
   Must not know: sockets, curl. */
#include "apply_rig.h"
#include "apply/settle.h"

static bool armed;
static long long allocations;
static long long fail_at;

static bool fails_now(void)
{
  return armed && ++allocations == fail_at;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *__wrap_malloc(size_t size)
{
  return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
  return fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
  return fails_now() ? NULL : __real_realloc(memory, size);
}

static void arm(bool begins)
{
  armed = begins;
}

/* Changes that need every kind of look, and others that need none. */
static void plan_all(void)
{
  struct ca_change link = { .api = ca_api_find("connected_accounts", "link"),
                            .account = "",
                            .user = "u,1",
                            .config = "ac_1",
                            .body = "{}",
                            .before_image = "{\"active\":0}" };
  struct ca_change update = { .api =
                                  ca_api_find("connected_accounts", "update"),
                              .account = "ca_3",
                              .body = "{\"alias\":\"a\\u0062\"}" };
  struct ca_change config = { .api = ca_api_find("auth_configs", "disable"),
                              .account = "ac_1",
                              .before = "ENABLED" };
  int64_t item = plan_seen(1, "ca_1", "ACTIVE", NULL);

  was(plan_change(item, "refresh", "ca_1", CA_PLANNED), CA_DONE);
  was(plan_change(item, "enable", "ca_1", CA_PLANNED), CA_UNKNOWN);
  plan_change(item, "delete", "ca_1", CA_PLANNED);
  plan_change(plan_item(1, "ca,2"), "delete", "ca,2", CA_PLANNED);
  plan_any(plan_seen(1, "ca_3", "ACTIVE", "x"), &update);
  plan_change(plan_item(1, "ca_gone"), "delete", "ca_gone", CA_PLANNED);
  plan_any(plan_item(1, "ac_1"), &config);
  was(plan_any(plan_item(1, "row"), &link), CA_NOT_TRIED);
}

/* Ends whatever is live, each op in its way. */
static void answer_all(void)
{
  size_t n;

  for(n = 0; n < sent_count; n++) {
    if(!sent[n].live)
      continue;
    if(sent[n].sleep_ms >= 0)
      awake(n);
    else if(!sent[n].reads)
      reply(n, 200,
            "{\"success\":true,\"status\":\"INITIATED\",\"connected_"
            "account_id\":\"ca_new\"}",
            true);
    else if(!strcmp(sent[n].request.api->resource, "auth_configs"))
      reply(n, 200, "{\"id\":\"ac_1\",\"status\":\"ENABLED\"}", true);
    else if(!strcmp(sent[n].request.id, "ca_gone"))
      reply(n, 404, "{\"error\":{\"message\":\"gone\",\"code\":606}}", true);
    else if(strstr(target_of(n), "connected_account_ids"))
      reply(n, 200,
            "{\"items\":[{\"id\":\"ca_\\u0031\",\"status\":\"ACTIVE\"},"
            "{\"id\":\"ca_3\",\"status\":\"ACTIVE\",\"alias\":\"\\u0078\"}],"
            "\"next_cursor\":null}",
            true);
    else if(!sent[n].request.id[0])
      reply(n, 200,
            "{\"items\":[{\"id\":\"ca_8\",\"user_id\":\"u\\u002c2\"}],"
            "\"next_cursor\":null}",
            true);
    else
      seen_as(n, "ACTIVE");
  }
}

static bool apply_ended;

static void apply_all(void)
{
  struct ca_apply_options options = { .bulk = 1,
                                      .concurrency = 2,
                                      .which = CA_APPLY_OPEN };
  enum ca_code code;
  int turns = 0;

  armed = true;
  code = start_with(&options);
  while(!code && !ca_apply_finished(apply) && turns++ < 50) {
    code = ca_apply_fill(apply, &err);
    armed = false;
    answer_all();
    armed = true;
  }
  apply_ended = !code && ca_apply_finished(apply);
  if(ca_apply_abandon(apply, &err))
    apply_ended = false;
  armed = false;
  CHECK(code == CA_OK || code == CA_NOMEM || code == CA_SYSTEM);
  CHECK(turns < 50);
  CHECK_INT(live_count(), 0);
}

static size_t times_told(const char *what)
{
  const char *at = told;
  size_t n = 0;

  while((at = strstr(at, what))) {
    n++;
    at += strlen(what);
  }
  return n;
}

static void applying(void)
{
  long long total = 0;
  long long n;

  for(n = 0; n <= total; n++) {
    start();
    check_sent = NULL;
    plan_all();
    around_done = arm;
    allocations = 0;
    fail_at = n;
    apply_all();
    around_done = NULL;
    CHECK(times_told(" last; ") <= 6);
    if(!n) {
      CHECK(apply_ended);
      CHECK_INT(times_told(" last; "), 6);
      CHECK_TEXT(ledger_says(), "3 3 3 3 3 8 3 3");
      total = allocations;
    }
    stop();
  }
  CHECK(total > 30);
}

/* The same for single changes, and what they leave behind. */
static void recorded(void)
{
  struct ca_slice secret = { "secret body", 11 };
  long long total = 0;
  long long n;

  for(n = 0; n <= total; n++) {
    int64_t number;
    enum ca_code code;
    start();
    number = plan_change(plan_seen(0, "ca_3", "ACTIVE", "x"), "disable",
                         "ca_3", CA_PLANNED);
    around_done = arm;
    allocations = 0;
    fail_at = n;
    armed = true;
    code = ca_apply_recorded(apply, number, secret, visit, &told, &err);
    if(!code)
      ca_apply_turn(apply); /* looks */
    armed = false;
    CHECK(code == CA_OK || code == CA_NOMEM);
    answer_all();
    armed = true;
    if(!code)
      ca_apply_turn(apply); /* sends */
    armed = false;
    answer_all();
    around_done = NULL;
    CHECK_INT(times_told(" last; "), code ? 0 : 1);
    CHECK_INT(live_count(), 0);
    total = n ? total : allocations;
    stop();
  }
  CHECK(total > 5);
}

static int settled_count;

static void count_settled(void *owner, const struct ca_settled *settled)
{
  (void)settled;
  ++*(int *)owner;
}

static void plan_unknowns(void)
{
  struct ca_change link = { .api = ca_api_find("connected_accounts", "link"),
                            .account = "",
                            .user = "u,1",
                            .config = "ac_1",
                            .body = "{}" };
  struct ca_change update = { .api =
                                  ca_api_find("connected_accounts", "update"),
                              .account = "ca_3",
                              .body = "{\"alias\":\"ab\"}" };

  was(plan_any(plan_item(1, "row"), &link), CA_UNKNOWN);
  was(plan_any(plan_seen(1, "ca_3", "ACTIVE", "x"), &update), CA_UNKNOWN);
  was(plan_change(plan_item(1, "ca_gone"), "delete", "ca_gone", CA_PLANNED),
      CA_UNKNOWN);
  was(plan_change(plan_item(1, "ca_4"), "disable", "ca_4", CA_PLANNED),
      CA_UNKNOWN);
}

static void settling(void)
{
  struct ca_settle_options options = {
    .bulk = -1, .concurrency = 2, .not_done = CA_FAILED, .not_yet = CA_UNKNOWN
  };
  long long total = 0;
  long long n;

  for(n = 0; n <= total; n++) {
    struct ca_settle *settle;
    enum ca_code code = CA_OK;
    int turns = 0;
    start();
    plan_unknowns();
    around_done = arm;
    allocations = 0;
    settled_count = 0;
    fail_at = n;
    armed = true;
    settle = ca_settle_new(FAKE_ENGINE, FAKE_ENDPOINT, ledger, &options,
                           count_settled, &settled_count, &err);
    while(settle && !code && !ca_settle_finished(settle) && turns++ < 50) {
      code = ca_settle_fill(settle, &err);
      armed = false;
      answer_all();
      armed = true;
    }
    ca_settle_free(settle);
    armed = false;
    around_done = NULL;
    CHECK(code == CA_OK || code == CA_NOMEM || code == CA_SYSTEM);
    CHECK(turns < 50);
    CHECK_INT(live_count(), 0);
    CHECK(settled_count <= 4);
    if(!n) {
      CHECK_INT(settled_count, 4);
      CHECK_TEXT(ledger_says(), "7 7 3 7");
      total = allocations;
    }
    stop();
  }
  CHECK(total > 10);
}

int main(void)
{
  check_case("applying", applying);
  check_case("recorded", recorded);
  check_case("settling", settling);
  return check_end();
}
