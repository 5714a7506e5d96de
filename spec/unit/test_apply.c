/* Applying against an engine of this test's own: what is sent when, what the
   ledger holds at that moment, and what each end of a change leads to.
   Must not know: sockets, curl. */
#include "apply.h"
#include "check.h"
#include "fake_clock.h"
#include "ledger_private.h"
#include "scratch.h"
#include "secret.h"

/* The engine: keeps what it is given until the test ends it. */

#define SENT_MAX 6000

struct sent {
  struct ca_request request;
  ca_done_fn *done;
  void *owner;
  uint64_t token;
  bool live;
  bool has_intent; /* for all to see, when it was submitted */
};

static struct sent sent[SENT_MAX];
static size_t sent_count;
static bool check_intents;
static bool cancel_says_left;
static enum ca_code refuse_with;
static struct fake_clock fake;

static bool intent_is_durable(const struct ca_request *request)
{
  char sql[512];

  snprintf(sql, sizeof(sql),
           "SELECT count(*) FROM intent n JOIN change c ON c.id = n.id"
           " JOIN item i ON i.id = c.id >> 15"
           " JOIN operation o ON o.id = c.operation"
           " WHERE o.name = 'connected_accounts.%s'"
           " AND coalesce(c.account, i.key) = '%s'",
           request->api->name, request->id);
  return scratch_count("ledger.db", sql) == 1;
}

enum ca_code ca_engine_submit_recorded(struct ca_engine *engine,
                                       struct ca_endpoint *endpoint,
                                       struct ca_request *request,
                                       int64_t timeout_ms, ca_done_fn *done,
                                       void *owner, uint64_t token,
                                       uint64_t *op, struct ca_err *err)
{
  struct sent *now = &sent[sent_count];

  (void)engine;
  (void)endpoint;
  (void)timeout_ms;
  if(refuse_with)
    return ca_err_set(err, refuse_with, "the engine refuses");
  if(sent_count == SENT_MAX)
    exit(2);
  now->request = *request;
  ca_request_init(request, now->request.api);
  now->done = done;
  now->owner = owner;
  now->token = token;
  now->live = true;
  now->has_intent = !check_intents || intent_is_durable(&now->request);
  *op = ++sent_count;
  return CA_OK;
}

enum ca_code ca_engine_submit(struct ca_engine *engine,
                              struct ca_endpoint *endpoint,
                              struct ca_request *request, int64_t timeout_ms,
                              ca_done_fn *done, void *owner, uint64_t token,
                              uint64_t *op, struct ca_err *err)
{
  (void)engine;
  (void)endpoint;
  (void)request;
  (void)timeout_ms;
  (void)done;
  (void)owner;
  (void)token;
  (void)op;
  return ca_err_set(err, CA_USAGE, "nothing is read here");
}

bool ca_engine_cancel(struct ca_engine *engine, uint64_t op,
                      bool *may_have_left)
{
  struct sent *then = &sent[op - 1];

  (void)engine;
  if(!then->live)
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

static size_t live_count(void)
{
  size_t n = 0;
  size_t i;
  for(i = 0; i < sent_count; i++)
    n += sent[i].live;
  return n;
}

/* The test. */

static struct ca_ledger *ledger;
static struct ca_apply *apply;
static struct ca_err err;
static int commits;
static int endpoint_place;
static int engine_place;

/* What visit was told: "key operation outcome[ last]; …". */
static char told[65536];
static bool stop_in_visit;

static void visit(void *owner, const struct ca_applied *applied)
{
  size_t used = strlen(told);

  CHECK(owner == &told);
  if(used < sizeof(told) - 200)
    snprintf(told + used, sizeof(told) - used, "%s %s %s%s%s; ",
             applied->row->key, applied->row->change.api->name,
             ca_outcome_name(applied->outcome),
             applied->result ? "" : " unsent", applied->last ? " last" : "");
  if(stop_in_visit)
    ca_apply_stop(apply);
}

static int count_commit(void *ctx)
{
  (void)ctx;
  commits++;
  return 0;
}

static void start(void)
{
  struct ca_run_info info = { .script = "a.lua", .mode = "apply" };
  char id[96];

  fake_clock_init(&fake);
  scratch_make();
  ca_err_clear(&err);
  sent_count = 0;
  check_intents = true;
  cancel_says_left = true;
  refuse_with = CA_OK;
  told[0] = '\0';
  stop_in_visit = false;
  ledger = ca_ledger_open(scratch_dir, &fake.clock, &err);
  CHECK(ledger && !ca_ledger_begin(ledger, &info, id, sizeof(id), &err));
  apply = ca_apply_new((struct ca_engine *)(void *)&engine_place,
                       (struct ca_endpoint *)(void *)&endpoint_place, ledger,
                       &err);
  CHECK(apply != NULL);
  sqlite3_commit_hook(ledger->db, count_commit, NULL);
}

static void stop(void)
{
  size_t i;

  ca_apply_free(apply);
  ca_ledger_close(ledger);
  for(i = 0; i < sent_count; i++) {
    CHECK(!sent[i].live || !"an op outlived the apply");
    CHECK(sent[i].has_intent);
    ca_request_clear(&sent[i].request);
  }
  CHECK_INT(ca_secret_count(), 0);
  scratch_remove();
}

static int64_t plan_item(int bulk, const char *key)
{
  struct ca_item item = { .bulk = bulk, .key = key, .account = key };
  int64_t number = 0;
  CHECK_INT(ca_ledger_add_item(ledger, &item, &number, &err), CA_OK);
  return number;
}

static int64_t plan_change(int64_t item, const char *operation,
                           const char *account, enum ca_outcome outcome)
{
  struct ca_change change = { .api =
                                  ca_api_find("connected_accounts", operation),
                              .account = account,
                              .outcome = outcome };
  int64_t number = 0;
  CHECK_INT(ca_ledger_add_change(ledger, item, &change, &number, &err), CA_OK);
  return number;
}

/* One item per word of operations' first letters: "de" is disable, enable.
   Capitals are same, a dot before is skipped. */
static void plan_items(int bulk, int count, const char *operations)
{
  int i;

  for(i = 1; i <= count; i++) {
    char key[16];
    int64_t item;
    const char *letter;
    snprintf(key, sizeof(key), "ca_%d", i);
    item = plan_item(bulk, key);
    for(letter = operations; *letter; letter++) {
      bool skipped = *letter == '.';
      char c = skipped ? *++letter : *letter;
      const char *name = strchr("dD", c)   ? "disable"
                         : strchr("eE", c) ? "enable"
                         : strchr("rR", c) ? "refresh"
                                           : "delete";
      plan_change(item, name, key,
                  skipped                ? CA_SKIPPED
                  : c >= 'A' && c <= 'Z' ? CA_SAME
                                         : CA_PLANNED);
    }
  }
}

static enum ca_code start_bulk(int bulk, int concurrency)
{
  struct ca_apply_options options = { .bulk = bulk,
                                      .concurrency = concurrency };
  return ca_apply_start(apply, &options, visit, &told, &err);
}

static void begin(int bulk, int concurrency)
{
  CHECK_INT(start_bulk(bulk, concurrency), CA_OK);
}

static void fill(void)
{
  CHECK_INT(ca_apply_fill(apply, &err), CA_OK);
}

/* Ends op n (from 0) with a reply as the engine gives it. */
static void reply(size_t n, int status, const char *body, bool is_json)
{
  struct sent *then = &sent[n];
  struct ca_result result;

  memset(&result, 0, sizeof(result));
  ca_buf_init(&result.body, 100000);
  CHECK_INT(ca_buf_add_text(&result.body, body), CA_OK);
  result.status = status;
  result.attempts = 1;
  result.is_json = is_json;
  snprintf(result.request_id, sizeof(result.request_id), "req-%zu", n);
  if(status < 200 || status > 299) {
    result.err.code = CA_HTTP;
    result.err.status = status;
    result.err.attempts = 1;
  }
  CHECK(then->live);
  then->live = false;
  then->done(then->owner, then->token, &result);
  ca_buf_clear(&result.body);
}

static void well(size_t n)
{
  reply(n, 200, "{\"success\":true}", true);
}

/* Ends op n without a reply. */
static void broken(size_t n, enum ca_code code, bool unknown)
{
  struct sent *then = &sent[n];
  struct ca_result result;

  memset(&result, 0, sizeof(result));
  ca_buf_init(&result.body, 0);
  ca_err_set(&result.err, code, "cut");
  result.err.unknown = unknown;
  then->live = false;
  then->done(then->owner, then->token, &result);
  ca_buf_clear(&result.body);
}

/* Answers all until nothing is left. */
static void run_out(void)
{
  size_t n = 0;

  fill();
  while(!ca_apply_finished(apply)) {
    if(!CHECK(n < sent_count))
      return;
    well(n++);
    fill();
  }
}

static const char *ledger_says(void)
{
  static char text[4096];
  text[0] = '\0';
  CHECK_INT(ca_ledger_sync(ledger, &err), CA_OK);
  snprintf(text, sizeof(text), "%s",
           scratch_ask("ledger.db",
                       "SELECT group_concat(x, ' ') FROM (SELECT"
                       " coalesce(o.outcome, CASE WHEN n.id THEN 1"
                       " ELSE c.outcome END) x FROM change c"
                       " LEFT JOIN outcome o USING(id)"
                       " LEFT JOIN intent n USING(id) ORDER BY c.id)"));
  return text;
}

static long long intents(void)
{
  return scratch_count("ledger.db", "SELECT count(*) FROM intent");
}

static void nothing_to_do(void)
{
  start();
  begin(1, 8);
  CHECK(!ca_apply_finished(apply)); /* it has not looked yet */
  fill();
  CHECK(ca_apply_finished(apply));
  CHECK_INT(sent_count, 0);
  CHECK_TEXT(told, "");
  stop();
}

static void one_item_to_its_end(void)
{
  start();
  plan_items(1, 1, "d");
  begin(1, 8);
  fill();
  CHECK_INT(sent_count, 1);
  CHECK_TEXT(sent[0].request.api->name, "disable");
  CHECK_TEXT(sent[0].request.id, "ca_1");
  CHECK(!ca_apply_finished(apply));
  well(0);
  CHECK(ca_apply_finished(apply));
  CHECK_TEXT(told, "ca_1 disable done last; ");
  CHECK_TEXT(ledger_says(), "3");
  CHECK_TEXT(scratch_ask("ledger.db", "SELECT request_id || ' ' || attempts ||"
                                      " ' ' || status_after FROM outcome"),
             "req-0 1 INACTIVE");
  stop();
}

static void many_at_once_but_no_more(void)
{
  size_t i;

  start();
  plan_items(1, 10, "d");
  begin(1, 3);
  fill();
  CHECK_INT(sent_count, 3);
  fill();
  CHECK_INT(sent_count, 3);
  well(1);
  fill();
  CHECK_INT(sent_count, 4);
  for(i = 0; i < 4; i++) { /* in the order of the selection */
    char key[16];
    snprintf(key, sizeof(key), "ca_%zu", i + 1);
    CHECK_TEXT(sent[i].request.id, key);
  }
  well(0);
  well(2);
  well(3);
  for(i = 4; i < 10; i++) {
    fill();
    CHECK(live_count() <= 3);
    well(i);
  }
  CHECK(ca_apply_finished(apply));
  CHECK_TEXT(ledger_says(), "3 3 3 3 3 3 3 3 3 3");
  stop();
}

static void intents_come_in_groups(void)
{
  size_t i;

  start();
  check_intents = false;
  plan_items(1, 300, "d");
  begin(1, 4);
  commits = 0;
  fill();
  CHECK_INT(intents(), 64);
  CHECK_INT(commits, 1);
  CHECK_INT(sent_count, 4);
  /* as long as one is ready for every place no other sync is paid */
  for(i = 0; i < 60; i++) {
    well(i);
    fill();
  }
  CHECK_INT(commits, 1);
  CHECK_INT(sent_count, 64);
  well(60);
  fill();
  CHECK_INT(commits, 2);
  CHECK_INT(sent_count, 65);
  CHECK_INT(intents(), 128);
  /* and that one took the outcomes along */
  CHECK_INT(scratch_count("ledger.db", "SELECT count(*) FROM outcome"), 61);
  ca_apply_stop(apply);
  CHECK_INT(ca_apply_abandon(apply, &err), CA_OK);
  stop();
}

static void big_concurrency_big_groups(void)
{
  start();
  check_intents = false;
  plan_items(1, 300, "d");
  begin(1, 100);
  fill();
  CHECK_INT(intents(), 200);
  CHECK_INT(sent_count, 100);
  CHECK_INT(ca_apply_abandon(apply, &err), CA_OK);
  stop();
}

static void syncs_are_few(void)
{
  start();
  check_intents = false;
  plan_items(1, 5000, "d");
  begin(1, 32);
  commits = 0;
  run_out();
  CHECK_INT(sent_count, 5000);
  CHECK(commits <= 5000 / 64 + 2);
  CHECK_INT(scratch_count("ledger.db",
                          "SELECT count(*) FROM outcome WHERE outcome = 3"),
            5000);
  stop();
}

static void changes_of_an_item_in_order(void)
{
  start();
  plan_items(1, 2, "der");
  begin(1, 8);
  fill();
  CHECK_INT(sent_count, 2);
  CHECK_INT(intents(), 2); /* none for what must wait */
  well(0);
  CHECK_INT(sent_count, 2);
  fill();
  CHECK_INT(sent_count, 3);
  CHECK_TEXT(sent[2].request.api->name, "enable");
  CHECK_TEXT(sent[2].request.id, "ca_1");
  CHECK_INT(intents(), 3);
  well(2);
  fill();
  CHECK_TEXT(sent[3].request.api->name, "refresh");
  well(3);
  well(1);
  fill();
  well(4);
  fill();
  well(5);
  fill();
  CHECK(ca_apply_finished(apply));
  CHECK_TEXT(told, "ca_1 disable done; ca_1 enable done; "
                   "ca_1 refresh done last; ca_2 disable done; "
                   "ca_2 enable done; ca_2 refresh done last; ");
  CHECK_TEXT(ledger_says(), "3 3 3 3 3 3");
  stop();
}

static void failure_ends_its_item(void)
{
  start();
  plan_items(1, 2, "deR");
  begin(1, 8);
  fill();
  reply(0, 404,
        "{\"error\":{\"message\":\"gone\",\"code\":606,"
        "\"slug\":\"ConnectedAccount_ResourceNotFound\",\"status\":404}}",
        true);
  fill();
  CHECK_INT(sent_count, 2);
  well(1);
  fill();
  well(2);
  fill();
  CHECK(ca_apply_finished(apply));
  CHECK_TEXT(told, "ca_1 disable failed; ca_1 enable not tried unsent; "
                   "ca_1 refresh same unsent last; ca_2 disable done; "
                   "ca_2 enable done; ca_2 refresh same unsent last; ");
  CHECK_TEXT(ledger_says(), "5 2 4 3 3 4");
  CHECK_HOLDS(scratch_ask("ledger.db", "SELECT http || slug || error FROM"
                                       " outcome WHERE outcome = 5"),
              "404ConnectedAccount_ResourceNotFound");
  stop();
}

static void lost_reply_is_unknown(void)
{
  start();
  plan_items(1, 1, "de");
  begin(1, 8);
  fill();
  broken(0, CA_NETWORK, true);
  CHECK(ca_apply_finished(apply));
  CHECK_TEXT(told, "ca_1 disable unknown; "
                   "ca_1 enable not tried unsent last; ");
  CHECK_TEXT(ledger_says(), "7 2");
  stop();
}

static void what_never_left_failed(void)
{
  start();
  plan_items(1, 1, "d");
  begin(1, 8);
  fill();
  broken(0, CA_NETWORK, false);
  CHECK_TEXT(told, "ca_1 disable failed last; ");
  stop();
}

static void page_of_a_portal_is_unknown(void)
{
  start();
  plan_items(1, 2, "d");
  begin(1, 8);
  fill();
  reply(0, 200, "<html>Log in to the hotel</html>", false);
  reply(1, 204, "", false); /* nothing at all is what 204 says */
  CHECK_TEXT(told, "ca_1 disable unknown last; ca_2 disable done last; ");
  CHECK_TEXT(ledger_says(), "7 3");
  stop();
}

static void cancelled_before_it_left(void)
{
  start();
  plan_items(1, 1, "de");
  begin(1, 8);
  fill();
  broken(0, CA_CANCELLED, false);
  CHECK_TEXT(told, "ca_1 disable not tried; "
                   "ca_1 enable not tried unsent last; ");
  CHECK_TEXT(ledger_says(), "2 2");
  stop();
}

static void decided_changes_are_only_told(void)
{
  start();
  plan_items(1, 1, "DE");
  plan_items(2, 1, "D.xd");
  begin(1, 8);
  fill();
  CHECK(ca_apply_finished(apply));
  CHECK_INT(sent_count, 0);
  CHECK_TEXT(told, "ca_1 disable same unsent; ca_1 enable same unsent last; ");
  told[0] = '\0';
  begin(2, 8);
  fill();
  CHECK_INT(sent_count, 1);
  well(0);
  CHECK_TEXT(told, "ca_1 disable same unsent; ca_1 delete skipped unsent; "
                   "ca_1 disable done last; ");
  CHECK_INT(intents(), 1);
  stop();
}

static void rejected_key_stops(void)
{
  start();
  plan_items(1, 100, "de");
  begin(1, 2);
  fill();
  CHECK(!ca_apply_key_rejected(apply));
  reply(0, 401, "{\"error\":{\"message\":\"Invalid API key\"}}", true);
  CHECK(ca_apply_key_rejected(apply));
  fill();
  CHECK_INT(sent_count, 2);
  CHECK(!ca_apply_finished(apply));
  well(1);
  CHECK(ca_apply_finished(apply));
  CHECK(strstr(told, "ca_1 disable failed; ca_1 enable not tried unsent "
                     "last; "));
  CHECK(strstr(told, "ca_2 disable done; ca_2 enable not tried unsent "
                     "last; "));
  CHECK_INT(ca_ledger_end(ledger, 6, &err), CA_OK);
  CHECK_INT(scratch_count("ledger.db",
                          "SELECT count(*) FROM outcome WHERE outcome = 2"),
            198);
  CHECK_INT(scratch_count("ledger.db",
                          "SELECT count(*) FROM outcome WHERE outcome = 7"),
            0);
  stop();
}

static void stop_lets_end_what_is_under_way(void)
{
  start();
  plan_items(1, 100, "d");
  begin(1, 3);
  fill();
  ca_apply_stop(apply);
  CHECK(!ca_apply_finished(apply));
  well(0);
  fill();
  CHECK_INT(sent_count, 3);
  well(1);
  CHECK(!ca_apply_finished(apply));
  well(2);
  CHECK(ca_apply_finished(apply));
  /* 61 had an intent and were not sent: nobody need look after them */
  CHECK_INT(ca_ledger_sync(ledger, &err), CA_OK);
  CHECK_INT(intents(), 64);
  CHECK_INT(scratch_count("ledger.db",
                          "SELECT count(*) FROM outcome WHERE outcome = 2"),
            61);
  CHECK_INT(start_bulk(2, 3), CA_OK);
  CHECK(ca_apply_finished(apply));
  stop();
}

static void stop_from_within_visit(void)
{
  start();
  plan_items(1, 10, "de");
  begin(1, 2);
  fill();
  stop_in_visit = true;
  well(0);
  CHECK_INT(sent_count, 2);
  well(1);
  CHECK(ca_apply_finished(apply));
  fill();
  CHECK_INT(sent_count, 2);
  stop();
}

static void stop_while_decided_are_told(void)
{
  start();
  plan_items(1, 10, "Dd");
  stop_in_visit = true;
  begin(1, 2);
  fill();
  CHECK_INT(sent_count, 0);
  CHECK_INT(intents(), 0);
  CHECK(ca_apply_finished(apply));
  CHECK_TEXT(told, "ca_1 disable same unsent; "
                   "ca_1 disable not tried unsent last; ");
  stop();
}

static void abandoned_is_unknown_or_not_tried(void)
{
  start();
  plan_items(1, 2, "de");
  begin(1, 1);
  fill();
  CHECK_INT(ca_apply_abandon(apply, &err), CA_OK);
  CHECK_INT(live_count(), 0);
  CHECK(ca_apply_finished(apply));
  CHECK_TEXT(told, "ca_1 disable unknown; ca_1 enable not tried unsent last; "
                   "ca_2 disable not tried unsent; "
                   "ca_2 enable not tried unsent last; ");
  CHECK_INT(scratch_count("ledger.db", "SELECT count(*) FROM outcome"), 4);
  stop();
  start();
  plan_items(1, 1, "de");
  begin(1, 1);
  fill();
  cancel_says_left = false;
  CHECK_INT(ca_apply_abandon(apply, &err), CA_OK);
  CHECK_TEXT(told, "ca_1 disable not tried unsent; "
                   "ca_1 enable not tried unsent last; ");
  CHECK_TEXT(ledger_says(), "2 2");
  stop();
}

static void freed_with_ops_under_way(void)
{
  start();
  plan_items(1, 9, "de");
  begin(1, 4);
  fill();
  well(0);
  CHECK_INT(live_count(), 3);
  ca_apply_free(apply);
  CHECK_INT(live_count(), 0);
  apply = NULL;
  stop();
}

/* A ledger that cannot be written. */

static void hold_lock(sqlite3 **other)
{
  CHECK_INT(ca_ledger_sync(ledger, &err), CA_OK);
  CHECK(!sqlite3_open(scratch_path("ledger.db"), other));
  CHECK(!sqlite3_exec(*other, "BEGIN IMMEDIATE", NULL, NULL, NULL));
  sqlite3_busy_timeout(ledger->db, 1);
}

static void no_intent_nothing_sent(void)
{
  sqlite3 *other;

  start();
  plan_items(1, 9, "d");
  begin(1, 4);
  hold_lock(&other);
  CHECK_INT(ca_apply_fill(apply, &err), CA_SYSTEM);
  CHECK_HOLDS(err.text, "locked");
  CHECK_INT(sent_count, 0);
  sqlite3_close(other);
  /* it does not go on by itself when the ledger is well again */
  ca_err_clear(&err);
  CHECK_INT(ca_apply_fill(apply, &err), CA_SYSTEM);
  CHECK_HOLDS(err.text, "locked");
  CHECK_INT(sent_count, 0);
  CHECK(ca_apply_finished(apply));
  CHECK_INT(intents(), 0);
  CHECK_TEXT(ledger_says(), "0 0 0 0 0 0 0 0 0");
  CHECK_INT(start_bulk(1, 4), CA_SYSTEM);
  stop();
}

static void full_disk_nothing_sent(void)
{
  start();
  check_intents = false;
  plan_items(1, 2000, "d");
  begin(1, 512);
  CHECK_INT(
      sqlite3_exec(ledger->db, "PRAGMA max_page_count = 1", NULL, NULL, NULL),
      SQLITE_OK); /* which means: not one page more than there are */
  CHECK_INT(ca_apply_fill(apply, &err), CA_SYSTEM);
  CHECK_HOLDS(err.text, "the disk is full");
  CHECK_INT(sent_count, 0);
  CHECK_INT(intents(), 0);
  stop();
}

static void outcome_that_cannot_be_written_stops(void)
{
  sqlite3 *other;

  start();
  plan_items(1, 100, "d");
  begin(1, 3);
  fill();
  hold_lock(&other);
  well(0);
  fake_clock_pass(&fake, 100);
  well(1); /* the first outcome is due, and cannot be written */
  CHECK_INT(ca_apply_fill(apply, &err), CA_SYSTEM);
  CHECK_INT(sent_count, 3);
  CHECK(!ca_apply_finished(apply));
  well(2);
  CHECK(ca_apply_finished(apply));
  CHECK_INT(ca_apply_fill(apply, &err), CA_SYSTEM);
  CHECK_INT(sent_count, 3);
  sqlite3_close(other);
  CHECK_INT(intents(), 64);
  CHECK_INT(scratch_count("ledger.db", "SELECT count(*) FROM outcome"), 0);
  stop();
}

static void outcomes_are_not_left_lying(void)
{
  start();
  plan_items(1, 2, "d");
  begin(1, 2);
  fill();
  well(0);
  fill();
  CHECK_INT(scratch_count("ledger.db", "SELECT count(*) FROM outcome"), 0);
  fake_clock_pass(&fake, 100);
  fill();
  CHECK_INT(scratch_count("ledger.db", "SELECT count(*) FROM outcome"), 1);
  well(1); /* the last one does not wait */
  fill();
  CHECK_INT(scratch_count("ledger.db", "SELECT count(*) FROM outcome"), 2);
  stop();
}

static void engine_that_refuses_stops(void)
{
  start();
  plan_items(1, 9, "d");
  begin(1, 4);
  refuse_with = CA_GATE;
  CHECK_INT(ca_apply_fill(apply, &err), CA_GATE);
  CHECK_TEXT(err.text, "the engine refuses");
  CHECK(ca_apply_finished(apply));
  CHECK_TEXT(ledger_says(), "2 2 2 2 2 2 2 2 2");
  stop();
}

static void recorded_nonsense_fails_alone(void)
{
  int64_t item;

  start();
  item = plan_item(1, "row 1");
  plan_change(item, "disable", "no id", CA_PLANNED);
  plan_change(item, "enable", "ca_1", CA_PLANNED);
  plan_items(1, 1, "d");
  begin(1, 4);
  fill();
  CHECK_INT(sent_count, 1);
  CHECK_TEXT(sent[0].request.id, "ca_1");
  CHECK_TEXT(told, "row 1 disable failed unsent; "
                   "row 1 enable not tried unsent last; ");
  well(0);
  stop();
}

static void status_afterwards(void)
{
  start();
  plan_items(1, 2, "r");
  begin(1, 8);
  fill();
  reply(0, 200, "{\"id\":\"ca_1\",\"status\":\"INITIATED\"}", true);
  well(1);
  CHECK_INT(ca_ledger_sync(ledger, &err), CA_OK);
  CHECK_TEXT(scratch_ask("ledger.db", "SELECT group_concat(coalesce("
                                      "status_after, '-')) FROM outcome"),
             "INITIATED,-");
  stop();
}

static void bulks_one_after_the_other(void)
{
  start();
  plan_items(1, 3, "d");
  plan_items(2, 2, "e");
  begin(2, 8);
  CHECK_INT(start_bulk(1, 8), CA_OK);
  fill();
  CHECK_INT(sent_count, 3);
  CHECK_INT(start_bulk(2, 8), CA_USAGE);
  well(0);
  well(1);
  well(2);
  CHECK(ca_apply_finished(apply));
  begin(2, 8);
  fill();
  CHECK_INT(sent_count, 5);
  CHECK_TEXT(sent[4].request.api->name, "enable");
  well(3);
  well(4);
  CHECK(ca_apply_finished(apply));
  stop();
}

static void long_items_are_read_whole(void)
{
  int64_t item;
  size_t i;

  start();
  check_intents = false;
  item = plan_item(1, "ca_long");
  for(i = 0; i < 700; i++)
    plan_change(item, i % 2 ? "enable" : "disable", "ca_long", CA_PLANNED);
  plan_items(1, 1, "d");
  begin(1, 1);
  run_out();
  CHECK_INT(sent_count, 701);
  /* one at a time, the other one in between, and one end */
  CHECK_TEXT(sent[0].request.id, "ca_long");
  CHECK_TEXT(sent[1].request.id, "ca_1");
  CHECK_TEXT(sent[700].request.api->name, "enable");
  CHECK_HOLDS(told + strlen(told) - 30, "ca_long enable done last; ");
  stop();
}

/* Secrets. */

#define SECRET_BODY "{\"connection\":{\"state\":{\"val\":\"hunter2\"}}}"

static int64_t plan_secret(const char *key)
{
  struct ca_change change = { .api =
                                  ca_api_find("connected_accounts", "update"),
                              .account = key,
                              .fingerprint = "00ff" };
  int64_t number = 0;
  CHECK_INT(
      ca_ledger_add_change(ledger, plan_item(1, key), &change, &number, &err),
      CA_OK);
  return number;
}

static void secrets_are_sent_and_forgotten(void)
{
  struct ca_slice body;
  int64_t one, two, three;

  start();
  one = plan_secret("ca_1");
  two = plan_secret("ca_2");
  three = plan_secret("ca_3");
  CHECK_INT(ca_apply_keep_secret(apply, three, "other body", 10), CA_OK);
  CHECK_INT(ca_apply_keep_secret(apply, one, "first try", 9), CA_OK);
  CHECK_INT(ca_apply_keep_secret(apply, one, SECRET_BODY, strlen(SECRET_BODY)),
            CA_OK);
  CHECK_INT(ca_secret_count(), 2);
  begin(1, 8);
  fill();
  CHECK_INT(sent_count, 2);
  body = ca_request_body(&sent[0].request);
  CHECK_INT(body.len, strlen(SECRET_BODY));
  CHECK(!memcmp(body.data, SECRET_BODY, body.len));
  CHECK(sent[0].request.secret);
  body = ca_request_body(&sent[1].request);
  CHECK(body.len == 10 && !memcmp(body.data, "other body", 10));
  CHECK_INT(ca_secret_count(), 2); /* a reply may still echo them */
  reply(0, 400,
        "{\"error\":{\"message\":\"bad "
        "other body"
        "\"}}",
        true);
  CHECK_INT(ca_secret_count(), 1);
  well(1);
  CHECK_INT(ca_secret_count(), 0);
  CHECK_HOLDS(told, "ca_2 update failed unsent last; ");
  CHECK_INT(two, one + 32768);
  CHECK_INT(ca_ledger_sync(ledger, &err), CA_OK);
  CHECK_INT(scratch_count("ledger.db", "SELECT count(*) FROM outcome WHERE"
                                       " error LIKE '%other body%'"),
            0);
  CHECK_HOLDS(scratch_ask("ledger.db", "SELECT error FROM outcome WHERE id ="
                                       " (SELECT max(id) - 32768 FROM"
                                       " outcome)"),
              "credentials are not in this process");
  stop();
}

static void secrets_left_over_are_wiped(void)
{
  start();
  CHECK_INT(
      ca_apply_keep_secret(apply, 32769, SECRET_BODY, strlen(SECRET_BODY)),
      CA_OK);
  CHECK_INT(ca_secret_count(), 1);
  stop(); /* looks at the count */
}

/* One change at once. */

static struct ca_slice none = { NULL, 0 };

static enum ca_code send_one(const char *key, struct ca_slice secret,
                             int64_t *number)
{
  struct ca_change change = { .api =
                                  ca_api_find("connected_accounts", "delete"),
                              .account = key,
                              .fingerprint = secret.len ? "00ff" : NULL };
  return ca_apply_one(apply, plan_item(0, key), &change, secret, visit, &told,
                      number, &err);
}

static void single_change(void)
{
  struct ca_slice secret = { "secret body", 11 };
  int64_t number = 0;

  start();
  CHECK_INT(send_one("ca_1", none, &number), CA_OK);
  CHECK_INT(number, 32769);
  CHECK_INT(sent_count, 1);
  CHECK_INT(intents(), 1);
  CHECK_TEXT(told, "");
  CHECK(!ca_apply_finished(apply));
  well(0);
  CHECK(ca_apply_finished(apply));
  CHECK_TEXT(told, " delete done last; ");
  CHECK_INT(send_one("ca_2", secret, &number), CA_OK);
  CHECK_INT(ca_secret_count(), 1);
  CHECK_INT(ca_request_body(&sent[1].request).len, 0); /* delete has none */
  broken(1, CA_TIMEOUT, true);
  CHECK_INT(ca_secret_count(), 0);
  CHECK_TEXT(ledger_says(), "3 7");
  stop();
}

static void single_change_is_refused(void)
{
  struct ca_change same = { .api = ca_api_find("connected_accounts", "delete"),
                            .account = "ca_9",
                            .outcome = CA_SAME };
  int64_t number = 0;
  sqlite3 *other;

  start();
  CHECK_INT(ca_apply_one(apply, plan_item(0, "ca_9"), &same, none, visit,
                         &told, &number, &err),
            CA_USAGE);
  refuse_with = CA_NOMEM;
  CHECK_INT(send_one("ca_1", none, &number), CA_NOMEM);
  CHECK_TEXT(ledger_says(), "2");
  refuse_with = CA_OK;
  CHECK_INT(send_one("no id", none, &number), CA_USAGE);
  CHECK_TEXT(ledger_says(), "2 5");
  ca_apply_stop(apply);
  CHECK_INT(send_one("ca_2", none, &number), CA_CANCELLED);
  CHECK_HOLDS(err.text, "stopped");
  CHECK_INT(sent_count, 0);
  CHECK_TEXT(told, "");
  stop();
  start();
  plan_item(0, "x");
  hold_lock(&other);
  {
    struct ca_change change = { .api = same.api, .account = "ca_3" };
    CHECK_INT(
        ca_apply_one(apply, 1, &change, none, visit, &told, &number, &err),
        CA_SYSTEM);
  }
  CHECK_INT(sent_count, 0);
  sqlite3_close(other);
  stop();
}

static void singles_beside_a_bulk(void)
{
  int64_t number;

  start();
  plan_items(1, 4, "d");
  begin(1, 2);
  fill();
  CHECK_INT(send_one("ca_9", none, &number), CA_OK);
  CHECK_INT(sent_count, 3);
  well(0);
  fill();
  CHECK_INT(sent_count, 4); /* singles do not count as items of the bulk */
  well(1);
  well(3);
  fill();
  well(4);
  CHECK(!ca_apply_finished(apply));
  CHECK_INT(ca_apply_abandon(apply, &err), CA_OK);
  CHECK_HOLDS(told, " delete unknown last; ");
  CHECK_TEXT(ledger_says(), "3 3 3 3 7");
  stop();
}

int main(void)
{
  check_case("nothing to do", nothing_to_do);
  check_case("one item to its end", one_item_to_its_end);
  check_case("many at once, but no more", many_at_once_but_no_more);
  check_case("intents come in groups", intents_come_in_groups);
  check_case("big concurrency, big groups", big_concurrency_big_groups);
  check_case("syncs are few", syncs_are_few);
  check_case("changes of an item in order", changes_of_an_item_in_order);
  check_case("a failure ends its item", failure_ends_its_item);
  check_case("a lost reply is unknown", lost_reply_is_unknown);
  check_case("what never left failed", what_never_left_failed);
  check_case("the page of a portal is unknown", page_of_a_portal_is_unknown);
  check_case("cancelled before it left", cancelled_before_it_left);
  check_case("decided changes are only told", decided_changes_are_only_told);
  check_case("a rejected key stops", rejected_key_stops);
  check_case("stop lets end what is under way",
             stop_lets_end_what_is_under_way);
  check_case("stop from within visit", stop_from_within_visit);
  check_case("stop while decided are told", stop_while_decided_are_told);
  check_case("abandoned is unknown or not tried",
             abandoned_is_unknown_or_not_tried);
  check_case("freed with ops under way", freed_with_ops_under_way);
  check_case("no intent, nothing sent", no_intent_nothing_sent);
  check_case("a full disk, nothing sent", full_disk_nothing_sent);
  check_case("an outcome that cannot be written stops",
             outcome_that_cannot_be_written_stops);
  check_case("outcomes are not left lying", outcomes_are_not_left_lying);
  check_case("an engine that refuses stops", engine_that_refuses_stops);
  check_case("recorded nonsense fails alone", recorded_nonsense_fails_alone);
  check_case("status afterwards", status_afterwards);
  check_case("bulks one after the other", bulks_one_after_the_other);
  check_case("long items are read whole", long_items_are_read_whole);
  check_case("secrets are sent and forgotten", secrets_are_sent_and_forgotten);
  check_case("secrets left over are wiped", secrets_left_over_are_wiped);
  check_case("a single change", single_change);
  check_case("a single change is refused", single_change_is_refused);
  check_case("singles beside a bulk", singles_beside_a_bulk);
  return check_end();
}
