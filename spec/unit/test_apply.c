/* Applying a fresh plan against an engine of this test's own: what is sent
   when, what the ledger holds at that moment, and what each end of a change
   leads to. Must not know: sockets, curl. */
#include "apply_rig.h"

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
  check_sent = NULL;
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
  check_sent = NULL;
  plan_items(1, 500, "d");
  begin(1, 100);
  fill();
  CHECK_INT(intents(), 400);
  CHECK_INT(sent_count, 100);
  CHECK_INT(ca_apply_abandon(apply, &err), CA_OK);
  stop();
}

/* What must not be doubled is not intended far ahead; the one that was too
   many is the next, and none is left out. */
static void careful_groups(void)
{
  size_t i;

  start();
  check_sent = NULL;
  for(i = 1; i <= 750; i++) {
    char key[16];
    snprintf(key, sizeof(key), "ca_%zu", i);
    plan_change(plan_item(1, key), i <= 250 ? "disable" : "refresh", key,
                CA_PLANNED);
  }
  begin(1, 100);
  fill();
  CHECK_INT(intents(), 250);
  CHECK_INT(sent_count, 100);
  for(i = 0; i < 151; i++) {
    well(i);
    fill();
  }
  CHECK_INT(intents(), 450);
  while(!ca_apply_finished(apply)) {
    well(i++);
    fill();
  }
  CHECK_INT(sent_count, 750);
  CHECK_INT(intents(), 750);
  stop();
}

static void syncs_are_few(void)
{
  start();
  check_sent = NULL;
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
  plan_items(1, 2, "rde");
  begin(1, 8);
  fill();
  CHECK_INT(sent_count, 2);
  CHECK_INT(intents(), 2); /* none for what must wait */
  well(0);
  CHECK_INT(sent_count, 2);
  fill();
  CHECK_INT(sent_count, 3);
  CHECK_TEXT(sent[2].request.api->name, "disable");
  CHECK_TEXT(sent[2].request.id, "ca_1");
  CHECK_INT(intents(), 3);
  well(2);
  fill();
  CHECK_TEXT(sent[3].request.api->name, "enable");
  well(3);
  well(1);
  fill();
  well(4);
  fill();
  well(5);
  fill();
  CHECK(ca_apply_finished(apply));
  CHECK_TEXT(told, "ca_1 refresh done; ca_1 disable done; "
                   "ca_1 enable done last; ca_2 refresh done; "
                   "ca_2 disable done; ca_2 enable done last; ");
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
  ca_apply_turn(apply); /* the driver drops the rest */
  CHECK(ca_apply_finished(apply));
  CHECK(strstr(told, "ca_1 disable not tried; ca_1 enable not tried unsent "
                     "last; "));
  CHECK(strstr(told, "ca_2 disable done; ca_2 enable not tried unsent "
                     "last; "));
  CHECK_INT(ca_run_end(ledger, 6, &err), CA_OK);
  CHECK_INT(scratch_count("ledger.db",
                          "SELECT count(*) FROM outcome WHERE outcome = 2"),
            199);
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
  ca_apply_turn(apply); /* the driver drops the rest */
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
  check_sent = NULL;
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
  check_sent = NULL;
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

int main(void)
{
  check_case("nothing to do", nothing_to_do);
  check_case("one item to its end", one_item_to_its_end);
  check_case("many at once, but no more", many_at_once_but_no_more);
  check_case("intents come in groups", intents_come_in_groups);
  check_case("big concurrency, big groups", big_concurrency_big_groups);
  check_case("careful groups", careful_groups);
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
  return check_end();
}
