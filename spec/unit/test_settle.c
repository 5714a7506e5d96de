/* Settling many changes of unknown outcome: how many at once, and every end of
   it. Must not know: sockets, curl. */
#include "settle_rig.h"

static void a_few_at_once(void)
{
  int i;

  start();
  for(i = 1; i <= 100; i++) {
    char id[16];
    snprintf(id, sizeof(id), "ca_%d", i);
    plan_plain("connected_accounts", "disable", id, "ACTIVE");
  }
  begin_settle(3, CA_FAILED);
  fill_settle();
  for(i = 0; i < 100; i++) {
    char body[80];
    CHECK(live_count() <= 3);
    snprintf(body, sizeof(body), "{\"id\":\"ca_%d\",\"status\":\"INACTIVE\"}",
             i + 1);
    reply((size_t)i, 200, body, true);
    fill_settle();
  }
  CHECK(ca_settle_finished(settle));
  CHECK_INT(sent_count, 100);
  CHECK_INT(scratch_count("ledger.db",
                          "SELECT count(*) FROM outcome WHERE outcome = 3"),
            100);
  stop_settle();
}

/* Whatever is not unknown is none of its business. */
static void only_what_is_unknown(void)
{
  int64_t item;

  start();
  item = plan_item(1, "ca_1");
  was(plan_change(item, "disable", "ca_1", CA_PLANNED), CA_DONE);
  was(plan_change(item, "enable", "ca_1", CA_PLANNED), CA_UNKNOWN);
  was(plan_change(item, "delete", "ca_1", CA_PLANNED), CA_NOT_TRIED);
  plan_change(item, "revoke", "ca_1", CA_PLANNED);
  begin_settle(4, CA_FAILED);
  fill_settle();
  CHECK_INT(sent_count, 1);
  reply(0, 200, "{\"id\":\"ca_1\",\"status\":\"ACTIVE\"}", true);
  fill_settle();
  CHECK(ca_settle_finished(settle));
  CHECK_TEXT(ledger_says(), "3 3 2 0"); /* the rest waits for who resumes */
  stop_settle();
}

static void nothing_to_settle(void)
{
  start();
  plan_items(1, 2, "d");
  begin_settle(4, CA_FAILED);
  CHECK(!ca_settle_finished(settle));
  fill_settle();
  CHECK(ca_settle_finished(settle));
  CHECK_INT(sent_count, 0);
  stop_settle();
}

static void plan_many(int count)
{
  int i;

  start();
  for(i = 1; i <= count; i++) {
    char id[16];
    snprintf(id, sizeof(id), "ca_%d", i);
    plan_plain("connected_accounts", "disable", id, "ACTIVE");
  }
}

static void a_dead_server_is_left_alone(void)
{
  plan_many(5);
  begin_settle(1, CA_FAILED);
  fill_settle();
  broken(0, CA_NETWORK, false);
  fill_settle();
  reply(1, 503, NOT_FOUND, true);
  fill_settle();
  reply(2, 200, "<html>", false);
  fill_settle();
  CHECK_INT(sent_count, 3);
  CHECK(ca_settle_finished(settle));
  CHECK_HOLDS(settled, "ca_1 disable unknown: not settled: cut; ");
  CHECK_HOLDS(settled, "ca_5 disable unknown: not settled: the service "
                       "does not answer; ");
  CHECK_TEXT(ledger_says(), "7 7 7 7 7");
  stop_settle();
}

/* One answer, and it is not dead; a refusal is an answer. */
static void failures_in_a_row(void)
{
  plan_many(7);
  begin_settle(1, CA_FAILED);
  fill_settle();
  broken(0, CA_NETWORK, false);
  fill_settle();
  broken(1, CA_TIMEOUT, false);
  fill_settle();
  reply(2, 404, NOT_FOUND, true);
  fill_settle();
  broken(3, CA_NETWORK, false);
  fill_settle();
  reply(4, 403, NOT_FOUND, true);
  fill_settle();
  CHECK_INT(sent_count, 6);
  broken(5, CA_NETWORK, false);
  fill_settle();
  CHECK_INT(sent_count, 7);
  reply(6, 404, NOT_FOUND, true);
  fill_settle();
  CHECK(ca_settle_finished(settle));
  stop_settle();
}

static void a_rejected_key_stops(void)
{
  plan_many(3);
  begin_settle(1, CA_FAILED);
  fill_settle();
  reply(0, 401, "{\"error\":{\"message\":\"Invalid API key\"}}", true);
  fill_settle();
  CHECK_INT(sent_count, 1);
  CHECK(ca_settle_finished(settle));
  CHECK_HOLDS(settled, "ca_3 disable unknown: not settled: the API key was "
                       "rejected; ");
  stop_settle();
}

static void an_engine_that_refuses(void)
{
  plan_many(3);
  begin_settle(1, CA_FAILED);
  refuse_reads_with = CA_CANCELLED;
  fill_settle();
  CHECK(ca_settle_finished(settle));
  CHECK_HOLDS(settled, "ca_1 disable unknown: not settled: the engine reads "
                       "nothing; ");
  CHECK_HOLDS(
      settled,
      "ca_3 disable unknown: not settled: no further request can be sent; ");
  stop_settle();
  plan_refresh();
  fill_settle();
  refuse_reads_with = CA_CANCELLED;
  refreshed(0, "EXPIRED", "2026-11-22T05:56:40.000Z");
  CHECK_TEXT(settled, "ca_1 refresh unknown: not settled: the engine does "
                      "not sleep; ");
  stop_settle();
}

static void a_sleep_that_is_cut(void)
{
  plan_refresh();
  fill_settle();
  refreshed(0, "EXPIRED", "2026-11-22T05:56:40.000Z");
  broken(1, CA_CANCELLED, false);
  CHECK_TEXT(settled, "ca_1 refresh unknown: not settled: cut; ");
  fill_settle();
  CHECK(ca_settle_finished(settle));
  CHECK_TEXT(ledger_says(), "7");
  stop_settle();
}

static void stopped_under_way(void)
{
  plan_many(6);
  begin_settle(2, CA_FAILED);
  fill_settle();
  ca_settle_stop(settle);
  CHECK_INT(live_count(), 0);
  CHECK(ca_settle_finished(settle));
  CHECK_TEXT(settled, "");
  fill_settle();
  CHECK_INT(sent_count, 2);
  CHECK_TEXT(ledger_says(), "7 7 7 7 7 7");
  stop_settle();
  plan_many(6);
  begin_settle(2, CA_FAILED);
  fill_settle();
  stop_settle(); /* freed; engine_stop looks for what is left */
}

static void stopped_from_within_visit(void)
{
  plan_many(6);
  begin_settle(3, CA_FAILED);
  fill_settle();
  stop_settle_in_visit = true;
  reply(1, 404, NOT_FOUND, true);
  CHECK_TEXT(settled, "ca_2 disable failed: the account is gone; ");
  CHECK_INT(live_count(), 0);
  CHECK(ca_settle_finished(settle));
  CHECK_TEXT(ledger_says(), "7 5 7 7 7 7");
  stop_settle();
}

static void a_ledger_that_cannot_be_written(void)
{
  sqlite3 *other;

  plan_many(3);
  begin_settle(2, CA_FAILED);
  fill_settle();
  hold_lock(&other);
  reply(0, 404, NOT_FOUND, true);
  fake_clock_pass(&fake, 200);
  reply(1, 404, NOT_FOUND, true); /* now the first is due */
  CHECK_INT(ca_settle_fill(settle, &err), CA_SYSTEM);
  CHECK_HOLDS(err.text, "locked");
  CHECK(ca_settle_finished(settle));
  CHECK_INT(live_count(), 0);
  sqlite3_close(other);
  stop_settle();
}

/* From the kill to the end: nothing is sent that was. */
static void settled_then_resumed(void)
{
  struct ca_apply_options options = { .bulk = 1,
                                      .concurrency = 4,
                                      .which = CA_APPLY_OPEN };
  int64_t item;

  start();
  check_sent = NULL;
  plan_create("row", "u1");
  item = plan_item(1, "ca_1");
  was(plan_change(item, "refresh", "ca_1", CA_PLANNED), CA_UNKNOWN);
  plan_change(item, "enable", "ca_1", CA_PLANNED);
  begin_settle(4, CA_NOT_TRIED);
  fake_clock_pass(&fake, QUIET_MS);
  fill_settle();
  reply(0, 200, PAGE("", "null"), true);
  refreshed(1, "EXPIRED", "2026-11-22T06:00:13.000Z");
  fill_settle();
  CHECK(ca_settle_finished(settle));
  CHECK_TEXT(ledger_says(), "2 7 0");
  ca_settle_free(settle);
  settle = NULL;
  CHECK_INT(start_with(&options), CA_OK);
  fill();
  CHECK_INT(sent_count, 3);
  CHECK_TEXT(sent[2].request.api->name, "list");
  reply(2, 200, PAGE("", "null"), true);
  fill();
  CHECK_INT(sent_count, 4);
  CHECK_TEXT(sent[3].request.api->name, "link");
  reply(3, 200, "{\"connected_account_id\":\"ca_2\"}", true);
  fill();
  CHECK(ca_apply_finished(apply));
  CHECK_TEXT(told, "ca_1 refresh unknown unsent; ca_1 enable not tried unsent "
                   "last; row link done last; ");
  stop_settle();
}

int main(void)
{
  check_case("a few at once", a_few_at_once);
  check_case("only what is unknown", only_what_is_unknown);
  check_case("nothing to settle", nothing_to_settle);
  check_case("a dead server is left alone", a_dead_server_is_left_alone);
  check_case("failures in a row", failures_in_a_row);
  check_case("a rejected key stops", a_rejected_key_stops);
  check_case("an engine that refuses", an_engine_that_refuses);
  check_case("a sleep that is cut", a_sleep_that_is_cut);
  check_case("stopped under way", stopped_under_way);
  check_case("stopped from within visit", stopped_from_within_visit);
  check_case("a ledger that cannot be written",
             a_ledger_that_cannot_be_written);
  check_case("settled, then resumed", settled_then_resumed);
  return check_end();
}
