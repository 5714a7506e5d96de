/* Secret bodies, and single changes outside a bulk: those made at once, and
   those that the ledger holds already. Must not know: sockets,
   curl. */
#include "apply_rig.h"

/* Secrets. */

#define SECRET_BODY "{\"connection\":{\"state\":{\"val\":\"hunter2\"}}}"

static int64_t plan_secret(const char *key)
{
  struct ca_change change = { .api =
                                  ca_api_find("connected_accounts", "update"),
                              .account = key,
                              .fingerprint = "00ff" };
  int64_t number = 0;
  CHECK_INT(ca_plan_rows_add_change(ledger, plan_item(1, key), &change,
                                    &number, &err),
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
  CHECK_INT(ca_apply_secret_keep(apply, three, "other body", 10), CA_OK);
  CHECK_INT(ca_apply_secret_keep(apply, one, "first try", 9), CA_OK);
  CHECK_INT(ca_apply_secret_keep(apply, one, SECRET_BODY, strlen(SECRET_BODY)),
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
              "no longer has its credentials");
  stop();
}

static void secrets_left_over_are_wiped(void)
{
  start();
  CHECK_INT(
      ca_apply_secret_keep(apply, 32769, SECRET_BODY, strlen(SECRET_BODY)),
      CA_OK);
  CHECK_INT(ca_secret_count(), 1);
  stop(); /* looks at the count */
}

/* One change at once. */

static struct ca_slice none = { NULL, 0 };

static enum ca_code queue_one(const char *key, struct ca_slice secret,
                              int64_t *number)
{
  struct ca_change change = { .api =
                                  ca_api_find("connected_accounts", "delete"),
                              .account = key,
                              .fingerprint = secret.len ? "00ff" : NULL };
  return ca_apply_one(apply, plan_item(0, key), &change, secret, visit, &told,
                      number, &err);
}

/* And the driver's next turn. */
static enum ca_code send_one(const char *key, struct ca_slice secret,
                             int64_t *number)
{
  enum ca_code code = queue_one(key, secret, number);
  if(!code)
    ca_apply_turn(apply);
  return code;
}

static void single_change(void)
{
  struct ca_slice secret = { "secret body", 11 };
  int64_t number = 0;

  start();
  CHECK_INT(queue_one("ca_1", none, &number), CA_OK);
  CHECK_INT(number, 32769);
  CHECK_INT(sent_count, 0); /* the driver sends, and nothing else */
  CHECK(!ca_apply_finished(apply));
  ca_apply_turn(apply);
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

static void singles_of_one_turn_share_a_commit(void)
{
  int64_t number;
  int before;

  start();
  CHECK_INT(queue_one("ca_1", none, &number), CA_OK);
  CHECK_INT(queue_one("ca_2", none, &number), CA_OK);
  CHECK_INT(queue_one("ca_3", none, &number), CA_OK);
  before = commits;
  ca_apply_turn(apply);
  CHECK_INT(commits - before, 1);
  CHECK_INT(sent_count, 3);
  CHECK_INT(intents(), 3);
  well(2);
  well(0);
  well(1);
  CHECK_TEXT(ledger_says(), "3 3 3");
  stop();
}

static void single_change_is_refused(void)
{
  struct ca_change same = { .api = ca_api_find("connected_accounts", "delete"),
                            .account = "ca_9",
                            .outcome = CA_SAME };
  int64_t number = 0;

  start();
  CHECK_INT(ca_apply_one(apply, plan_item(0, "ca_9"), &same, none, visit,
                         &told, &number, &err),
            CA_USAGE);
  CHECK_INT(send_one("no id", none, &number), CA_OK);
  CHECK_TEXT(told, " delete failed unsent last; ");
  CHECK_HOLDS(told_why, "id");
  CHECK_TEXT(ledger_says(), "5");
  CHECK_INT(ca_apply_failed(apply, &err), CA_OK);
  refuse_with = CA_NOMEM; /* the others would fare no better */
  CHECK_INT(send_one("ca_1", none, &number), CA_OK);
  CHECK_HOLDS(told, " delete not tried unsent last; ");
  CHECK_TEXT(ledger_says(), "5 2");
  CHECK_INT(ca_apply_failed(apply, &err), CA_NOMEM);
  refuse_with = CA_OK;
  CHECK_INT(send_one("ca_2", none, &number), CA_NOMEM);
  CHECK_INT(sent_count, 0);
  CHECK_TEXT(ledger_says(), "5 2");
  stop();
}

static void single_change_is_stopped(void)
{
  struct ca_slice secret = { "secret body", 11 };
  int64_t number = 0;

  start();
  CHECK_INT(queue_one("ca_1", secret, &number), CA_OK);
  CHECK_INT(ca_secret_count(), 1);
  ca_apply_stop(apply);
  CHECK_TEXT(told, " delete not tried unsent last; ");
  CHECK_HOLDS(told_why, "stopped");
  CHECK_INT(ca_secret_count(), 0);
  CHECK_TEXT(ledger_says(), "2");
  CHECK_INT(queue_one("ca_2", none, &number), CA_CANCELLED);
  CHECK_HOLDS(err.text, "stopped");
  CHECK_INT(sent_count, 0);
  stop();
}

static void single_change_without_the_ledger(void)
{
  int64_t number = 0;
  sqlite3 *other;

  start();
  plan_item(0, "x");
  hold_lock(&other);
  {
    struct ca_change change = {
      .api = ca_api_find("connected_accounts", "delete"), .account = "ca_3"
    };
    enum ca_code code =
        ca_apply_one(apply, 1, &change, none, visit, &told, &number, &err);
    CHECK(code == CA_OK || code == CA_SYSTEM);
    ca_apply_turn(apply);
    CHECK_TEXT(told, code ? "" : "x delete not tried unsent last; ");
    CHECK_INT(code ? code : ca_apply_failed(apply, &err), CA_SYSTEM);
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

/* Recorded changes, one at once. */

static enum ca_code send_recorded(int64_t number)
{
  enum ca_code code =
      ca_apply_recorded(apply, number, none, visit, &told, &err);
  if(!code)
    ca_apply_turn(apply);
  return code;
}

static void a_recorded_change(void)
{
  int64_t number;

  start();
  number = plan_change(plan_seen(0, "ca_1", "ACTIVE", NULL), "disable", "ca_1",
                       CA_PLANNED);
  CHECK_INT(send_recorded(number), CA_OK);
  CHECK_INT(sent_count, 1);
  CHECK(sent[0].reads);
  CHECK(!ca_apply_finished(apply));
  CHECK_INT(intents(), 0);
  seen_as(0, "ACTIVE");
  CHECK_INT(sent_count, 1); /* the driver sends, and nothing else */
  CHECK(!ca_apply_finished(apply));
  fill();
  CHECK_INT(sent_count, 2);
  CHECK_INT(intents(), 1);
  well(1);
  CHECK_TEXT(told, "ca_1 disable done last; ");
  CHECK_TEXT(ended_well, "ca_1 ");
  CHECK(ca_apply_finished(apply));
  CHECK_TEXT(ledger_says(), "3");
  CHECK_INT(send_recorded(number), CA_USAGE); /* never twice */
  CHECK_HOLDS(err.text, "its outcome is done");
  CHECK_INT(send_recorded(number + 1), CA_USAGE);
  CHECK_HOLDS(err.text, "no change");
  CHECK_INT(sent_count, 2);
  stop();
}

static void recorded_in_every_state(void)
{
  static const struct {
    enum ca_outcome outcome;
    const char *name;
    enum ca_code code;
  } cases[] = {
    { CA_NOT_TRIED, "refresh", CA_OK },   { CA_FAILED, "refresh", CA_OK },
    { CA_UNKNOWN, "disable", CA_OK },     { CA_UNKNOWN, "refresh", CA_USAGE },
    { CA_INTENDED, "refresh", CA_USAGE }, { CA_STALE, "disable", CA_USAGE },
    { CA_SKIPPED, "disable", CA_USAGE }
  };
  size_t i;

  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    int64_t number;
    start();
    number =
        plan_change(plan_item(0, "ca_1"), cases[i].name, "ca_1", CA_PLANNED);
    was(number, cases[i].outcome);
    CHECK_INT(send_recorded(number), cases[i].code);
    if(!cases[i].code) {
      seen_as(0, "ACTIVE");
      fill();
      well(1);
      CHECK_TEXT(ledger_says(), "3");
    }
    CHECK_INT(live_count(), 0);
    stop();
  }
}

static void a_recorded_change_is_stale(void)
{
  int64_t number;

  start();
  number = plan_change(plan_seen(0, "ca_1", "ACTIVE", NULL), "disable", "ca_1",
                       CA_PLANNED);
  CHECK_INT(send_recorded(number), CA_OK);
  reply(0, 200, page_of("ca_1", "INACTIVE", NULL), true);
  CHECK_TEXT(told, "ca_1 disable stale unsent last; ");
  CHECK_TEXT(ledger_says(), "8");
  CHECK(ca_apply_finished(apply));
  stop();
}

static void a_recorded_change_is_stopped(void)
{
  struct ca_slice secret = { "secret body", 11 };
  struct ca_change update = { .api =
                                  ca_api_find("connected_accounts", "update"),
                              .account = "ca_1",
                              .fingerprint = "00ff" };
  int64_t number;

  start();
  number = plan_any(plan_item(0, "ca_1"), &update);
  CHECK_INT(ca_apply_recorded(apply, number, secret, visit, &told, &err),
            CA_OK);
  CHECK_INT(ca_secret_count(), 1);
  ca_apply_stop(apply);
  CHECK_TEXT(told, "ca_1 update not tried unsent last; ");
  CHECK_INT(ca_secret_count(), 0);
  CHECK_INT(live_count(), 0);
  CHECK_TEXT(ledger_says(), "2");
  CHECK_INT(send_recorded(number), CA_CANCELLED);
  stop();
}

static void a_recorded_change_cannot_be_looked_at(void)
{
  int64_t number;

  start();
  number = plan_change(plan_item(0, "ca_1"), "disable", "ca_1", CA_PLANNED);
  refuse_reads_with = CA_USAGE;
  CHECK_INT(send_recorded(number), CA_OK);
  CHECK_TEXT(told, "ca_1 disable not tried unsent last; ");
  CHECK_TEXT(ledger_says(), "2");
  told[0] = '\0';
  refuse_reads_with = CA_OK;
  CHECK_INT(send_recorded(number), CA_OK);
  broken(0, CA_TIMEOUT, false);
  CHECK_TEXT(told, "ca_1 disable not tried unsent last; ");
  CHECK_TEXT(ledger_says(), "2");
  CHECK_INT(send_recorded(number), CA_OK); /* and once more */
  refuse_with = CA_GATE;
  seen_as(1, "ACTIVE");
  CHECK_INT(ca_apply_fill(apply, &err), CA_GATE);
  CHECK_INT(sent_count, 2);
  CHECK_TEXT(told, "ca_1 disable not tried unsent last; "
                   "ca_1 disable not tried unsent last; ");
  CHECK_TEXT(ledger_says(), "2");
  CHECK_INT(send_recorded(number), CA_GATE);
  stop();
}

static void a_recorded_link_without_a_look(void)
{
  start();
  check_sent = NULL;
  plan_link("one", "u1", NULL);
  CHECK_INT(send_recorded(32769), CA_OK);
  CHECK_INT(sent_count, 1);
  CHECK(!sent[0].reads);
  CHECK_INT(intents(), 1);
  reply(0, 200, "{\"connected_account_id\":\"ca_2\"}", true);
  CHECK_TEXT(told, "one link done last; ");
  stop();
}

/* Seen, and the run is stopped before the driver has sent it. */
static void a_seen_change_is_stopped(void)
{
  int64_t number;

  start();
  number = plan_change(plan_seen(0, "ca_1", "ACTIVE", NULL), "disable", "ca_1",
                       CA_PLANNED);
  CHECK_INT(send_recorded(number), CA_OK);
  seen_as(0, "ACTIVE");
  CHECK_INT(ca_apply_visits(apply), 0);
  ca_apply_stop(apply);
  CHECK_TEXT(told, "ca_1 disable not tried unsent last; ");
  CHECK_INT(ca_apply_visits(apply), 1);
  CHECK_INT(sent_count, 1);
  CHECK_INT(live_count(), 0);
  CHECK(ca_apply_finished(apply));
  stop();
}

static void recorded_beside_a_bulk(void)
{
  int64_t number;

  start();
  number = plan_change(plan_item(0, "ca_9"), "enable", "ca_9", CA_PLANNED);
  plan_items(1, 2, "d");
  CHECK_INT(send_recorded(number), CA_OK);
  begin(1, 1);
  fill();
  CHECK_INT(sent_count, 2);
  seen_as(0, "ACTIVE");
  fill();
  CHECK_INT(sent_count, 3);
  well(1);
  fill();
  well(3);
  CHECK(!ca_apply_finished(apply));
  well(2);
  CHECK(ca_apply_finished(apply));
  CHECK_TEXT(ledger_says(), "3 3 3");
  stop();
}

int main(void)
{
  check_case("secrets are sent and forgotten", secrets_are_sent_and_forgotten);
  check_case("secrets left over are wiped", secrets_left_over_are_wiped);
  check_case("a single change", single_change);
  check_case("a single change is refused", single_change_is_refused);
  check_case("singles of one turn share a commit",
             singles_of_one_turn_share_a_commit);
  check_case("a single change is stopped", single_change_is_stopped);
  check_case("a single change without the ledger",
             single_change_without_the_ledger);
  check_case("singles beside a bulk", singles_beside_a_bulk);
  check_case("a recorded change", a_recorded_change);
  check_case("recorded in every state", recorded_in_every_state);
  check_case("a recorded change is stale", a_recorded_change_is_stale);
  check_case("a recorded change is stopped", a_recorded_change_is_stopped);
  check_case("a recorded change cannot be looked at",
             a_recorded_change_cannot_be_looked_at);
  check_case("a recorded link without a look", a_recorded_link_without_a_look);
  check_case("a change that was seen and not sent is stopped",
             a_seen_change_is_stopped);
  check_case("recorded beside a bulk", recorded_beside_a_bulk);
  return check_end();
}
