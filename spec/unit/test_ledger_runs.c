/* The ledger over several runs and parts of runs: what is gone on with, what
   an account has to look like, what is told of the past, and ledgers of older
   versions.
   Must not know: how changes are sent. */
#include <fcntl.h>
#include "base/digest.h"
#include "ledger_case.h"

static void close_ledger(void)
{
  ca_ledger_close(ledger);
  ledger = NULL;
}

static enum ca_code reopen(const char *name)
{
  return ca_run_reopen(ledger, name, "sam", "laptop", &err);
}

static int64_t find(int bulk, const char *key)
{
  int64_t number = -1;
  CHECK_INT(ca_read_find_item(ledger, bulk, key, &number, &err), CA_OK);
  return number;
}

static enum ca_code stand(int number)
{
  struct ca_bulk bulk = { .number = number,
                          .name = "idle",
                          .kind = "accounts",
                          .selected = 9,
                          .planned = 5,
                          .same = 3,
                          .skipped = 2,
                          .failed = 1 };
  return ca_plan_rows_seal(ledger, &bulk, &err);
}

static bool stands(int number)
{
  struct ca_bulk bulk;
  CHECK_INT(ca_read_bulk(ledger, number, &bulk, &err), CA_OK);
  return bulk.number == number;
}

/* ---- bulks and items ---- */

static void bulk_stands_on_disk(void)
{
  struct ca_bulk bulk;

  start("apply");
  add_both(1, "one", "disable");
  CHECK(!stands(1));
  CHECK_INT(ask(ITEMS), 0);
  CHECK_INT(stand(1), CA_OK);
  CHECK_INT(ask(ITEMS), 1); /* with its rows */
  CHECK_INT(ask("SELECT count(*) FROM bulk"), 1);
  CHECK_INT(ca_read_bulk(ledger, 1, &bulk, &err), CA_OK);
  CHECK_INT(bulk.number, 1);
  CHECK_TEXT(bulk.name, "idle");
  CHECK_TEXT(bulk.kind, "accounts");
  CHECK_INT(bulk.selected, 9);
  CHECK_INT(bulk.planned, 5);
  CHECK_INT(bulk.same, 3);
  CHECK_INT(bulk.skipped, 2);
  CHECK_INT(bulk.failed, 1);
  CHECK(!stands(2));
  CHECK_INT(stand(1), CA_USAGE);
  CHECK_HOLDS(err.text, "bulk 1 of the run is already sealed");
  CHECK_INT(stand(0), CA_USAGE);
  /* a refusal loses nothing */
  add_both(2, "two", "disable");
  CHECK_INT(stand(2), CA_OK);
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  CHECK_INT(stand(3), CA_USAGE);
  CHECK(stands(2)); /* still to be read */
  begin_run("apply");
  CHECK(!stands(1)); /* bulks are of one run */
  stop();
}

static void items_are_found_by_key(void)
{
  start("apply");
  add_item(1, "one");
  add_item(1, "two");
  add_item(2, "one");
  add_item(1, "three");
  CHECK_INT(find(1, "one"), 1);
  CHECK_INT(find(1, "two"), 2);
  CHECK_INT(find(1, "three"), 4);
  CHECK_INT(find(1, "two"), 2); /* before the last one found, too */
  CHECK_INT(find(2, "one"), 3);
  CHECK_INT(find(2, "two"), 0);
  CHECK_INT(find(1, "four"), 0);
  CHECK_INT(find(1, "one"), 1);
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  begin_run("apply");
  CHECK_INT(find(1, "one"), 0); /* of another run */
  stop();
}

static void check_verdict(int64_t item, enum ca_outcome verdict)
{
  enum ca_outcome is = CA_PENDING;
  CHECK_INT(ca_outcome_of_item(ledger, item, &is, &err), CA_OK);
  CHECK_INT(is, verdict);
}

static void items_have_verdicts(void)
{
  enum ca_outcome verdict;

  start("apply");
  add_item(1, "one");
  add_item(1, "two");
  check_verdict(1, CA_PLANNED);
  CHECK_INT(ca_outcome_record_item(ledger, 2, CA_FAILED, "no", &err), CA_OK);
  check_verdict(1, CA_PLANNED);
  check_verdict(2, CA_FAILED); /* although it waits in memory */
  CHECK_INT(ca_ledger_sync(ledger, &err), CA_OK);
  CHECK_INT(ask("SELECT outcome FROM item WHERE key = 'two'"), CA_FAILED);
  check_verdict(1, CA_PLANNED);
  check_verdict(2, CA_FAILED);
  CHECK_INT(ca_outcome_record_item(ledger, 2, CA_PENDING, NULL, &err), CA_OK);
  check_verdict(2, CA_PENDING); /* the later word counts */
  CHECK_INT(ca_outcome_of_item(ledger, 3, &verdict, &err), CA_USAGE);
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  CHECK_INT(ca_outcome_record_item(ledger, 2, CA_FAILED, NULL, &err),
            CA_USAGE);
  stop();
}

/* ---- rows ---- */

struct kept {
  int64_t sent_ms;
  const char *made, *after, *before_image;
  bool fallback;
};

static void check_row(int64_t number, struct kept want)
{
  const struct ca_change_row *row = change_row(number);
  CHECK_INT(row->sent_ms, want.sent_ms);
  CHECK_TEXT(row->made, want.made);
  CHECK_TEXT(row->status_after, want.after);
  CHECK_TEXT(row->change.before_image, want.before_image);
  CHECK_INT(row->change.fallback, want.fallback);
}

static void what_a_change_keeps(void)
{
  struct ca_change change = { .account = "one",
                              .before_image = "{\"alias\":\"w\"}",
                              .fallback = true,
                              .cost = CA_REVERSIBLE };
  char id[201];
  int64_t first, second, third;

  start("apply");
  memset(id, 'i', 200);
  id[200] = '\0';
  change.api = op("disable");
  first = add_both(1, "one", "delete");
  CHECK_INT(ca_plan_rows_add_change(ledger, 1, &change, &second, &err), CA_OK);
  change = (struct ca_change){ .api = op("initiate"), .account = "" };
  CHECK_INT(ca_plan_rows_add_change(ledger, 1, &change, &third, &err), CA_OK);
  check_row(first, (struct kept){ .sent_ms = 0 });
  check_row(second, (struct kept){ .before_image = "{\"alias\":\"w\"}",
                                   .fallback = true });
  CHECK_INT(intend(third), CA_OK);
  fake_clock_pass(&fake, 7);
  CHECK_INT(
      ca_outcome_record(ledger, third, CA_DONE, 1, NULL, NULL, id, NULL, &err),
      CA_OK);
  check_row(third, (struct kept){ .sent_ms = fake.wall_ms - 7, .made = id });
  CHECK_INT(settle(first, CA_DONE), CA_OK);
  check_row(first, (struct kept){ .after = "INACTIVE" });
  stop();
}

static void the_later_word_counts(void)
{
  int64_t one;

  start("apply");
  one = add_both(1, "one", "disable");
  CHECK_INT(intend(one), CA_OK);
  CHECK_INT(settle(one, CA_UNKNOWN), CA_OK);
  CHECK_TEXT(changes(1, ~0U), "one disable unknown; ");
  CHECK_INT(settle(one, CA_FAILED), CA_OK);
  CHECK_INT(settle(one, CA_DONE), CA_OK); /* both wait in memory */
  CHECK_TEXT(changes(1, ~0U), "one disable done; ");
  CHECK_INT(ask(OUTCOMES), 1);
  stop();
}

static void intents_made_anew(void)
{
  int64_t numbers[3];
  int64_t first_ms;

  start("apply");
  numbers[0] = add_both(1, "one", "disable");
  numbers[1] = add_both(1, "two", "disable");
  numbers[2] = add_both(1, "three", "disable");
  first_ms = fake.wall_ms;
  CHECK_INT(ca_outcome_intend(ledger, numbers, 2, &err), CA_OK);
  CHECK_INT(settle(numbers[0], CA_UNKNOWN), CA_OK);
  CHECK_INT(ca_ledger_sync(ledger, &err), CA_OK);
  fake_clock_pass(&fake, 1000);
  CHECK_INT(settle(numbers[1], CA_NOT_TRIED), CA_OK); /* waits in memory */
  CHECK_INT(ca_outcome_reintend(ledger, numbers, 3, &err), CA_OK);
  CHECK_INT(ask(OUTCOMES), 0);
  CHECK_INT(ask(INTENTS), 3); /* on disk */
  CHECK_INT(ask("SELECT min(sent_ms) FROM intent"), first_ms + 1000);
  CHECK_TEXT(changes(1, ~0U), "one disable intended; two disable intended; "
                              "three disable intended; ");
  CHECK_INT(settle(numbers[1], CA_DONE), CA_OK);
  CHECK_INT(ca_outcome_reintend(ledger, numbers, 1, &err), CA_OK);
  CHECK_TEXT(changes(1, ~0U), "one disable intended; two disable done; "
                              "three disable intended; ");
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  CHECK_INT(ca_outcome_reintend(ledger, numbers, 1, &err), CA_USAGE);
  stop();
}

/* ---- going on ---- */

static int die_while_applying(void)
{
  int64_t done, lost;

  open_ledger();
  begin_run("apply");
  add_item(0, "call 1");
  done = add_both(1, "done", "disable");
  lost = add_both(1, "lost", "disable");
  add_both(1, "open", "disable");
  if(stand(1) || intend(done) || intend(lost) || settle(done, CA_DONE) ||
     ca_ledger_sync(ledger, &err))
    return 1;
  add_item(2, "draft");
  add_change(add_item(0, "call 2"), "disable", "ca_9", CA_PLANNED);
  add_both(2, "another draft", "delete");
  if(settle(add_both(2, "raised", "delete"), CA_NOT_TRIED) ||
     ca_ledger_sync(ledger, &err))
    return 2;
  return check_case_failed;
}

static void name_of_last(void)
{
  CHECK_INT(ca_history_find_run(ledger, "last", run_id, sizeof(run_id), &err),
            CA_OK);
}

static void a_killed_run_goes_on(void)
{
  struct ca_item item = { .key = "call 2" };
  int64_t number;

  fake_clock_init(&fake);
  scratch_make();
  in_child(die_while_applying);
  open_ledger();
  name_of_last();
  fake_clock_pass(&fake, 60000);
  CHECK_INT(reopen(run_id), CA_OK);
  /* what stands stays, drafts are gone, what was lost is unknown */
  CHECK_TEXT(changes(-1, ~0U),
             "done disable done; lost disable unknown; open disable planned; "
             "call 2 disable planned; ");
  CHECK_INT(ask(ITEMS), 5);
  CHECK_INT(ask(OUTCOMES), 2);
  CHECK_INT(ask("SELECT outcome FROM outcome ORDER BY id DESC LIMIT 1"), 7);
  CHECK(stands(1) && !stands(2));
  /* planning goes on: numbers and keys do not collide */
  CHECK_INT(ca_plan_rows_add_item(ledger, &item, &number, &err), CA_USAGE);
  number = add_item(2, "draft");
  CHECK_INT(number, 7); /* the last left is call 2, which was 6 */
  add_change(number, "enable", "draft", CA_PLANNED);
  CHECK_INT(stand(2), CA_OK);
  CHECK_INT(ca_run_end(ledger, 8, &err), CA_OK);
  CHECK_TEXT(changes(-1, ~0U),
             "done disable done; lost disable unknown; open disable not "
             "tried; call 2 disable not tried; draft enable not tried; ");
  stop();
}

static const char *parts(int stop_after)
{
  static char text[512];
  struct ca_query query;
  struct ca_session part;

  text[0] = '\0';
  ca_history_open_sessions(&query, ledger, run_id, &err);
  while(ca_history_next_session(&query, &part)) {
    size_t used = strlen(text);
    snprintf(text + used, sizeof(text) - used, "%s@%s +%lld %s%lld %d; ",
             part.who, part.host,
             (long long)(part.began_ms - INT64_C(1795327212000)),
             part.ended_ms ? "+" : "",
             (long long)(part.ended_ms ? part.ended_ms - INT64_C(1795327212000)
                                       : 0),
             part.exit_code);
    if(--stop_after == 0)
      break;
  }
  CHECK_INT(ca_history_close(&query), CA_OK);
  return text;
}

static void parts_of_a_run(void)
{
  int64_t one;

  start("apply");
  one = add_both(1, "one", "disable");
  CHECK_INT(stand(1), CA_OK);
  CHECK_TEXT(parts(0), "kim@box +0 0 -1; ");
  fake_clock_pass(&fake, 10);
  CHECK_INT(ca_run_end(ledger, 7, &err), CA_OK);
  CHECK_TEXT(parts(0), "kim@box +0 +10 7; ");
  CHECK_INT(ask("SELECT counts = '[0,0,1,0,0,0,0,0,0,0]' FROM run"), 1);
  fake_clock_pass(&fake, 10);
  CHECK_INT(reopen(run_id), CA_OK);
  CHECK_INT(ask("SELECT ended_ms IS NULL AND exit_code IS NULL AND"
                " counts IS NULL FROM run"),
            1);
  close_ledger(); /* killed again */
  open_ledger();
  fake_clock_pass(&fake, 10);
  CHECK_INT(reopen(run_id), CA_OK);
  CHECK_INT(ca_outcome_reintend(ledger, &one, 1, &err), CA_OK);
  CHECK_INT(settle(one, CA_DONE), CA_OK);
  fake_clock_pass(&fake, 10);
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  CHECK_TEXT(parts(0), "kim@box +0 +10 7; sam@laptop +20 0 -1; "
                       "sam@laptop +30 +40 0; ");
  CHECK_TEXT(parts(1), "kim@box +0 +10 7; ");
  CHECK_INT(ask("SELECT exit_code FROM run"), 0);
  CHECK_INT(ask("SELECT counts = '[0,0,0,1,0,0,0,0,0,0]' FROM run"), 1);
  stop();
}

static void what_cannot_go_on(void)
{
  char preview[96];

  start("preview");
  memcpy(preview, run_id, sizeof(preview));
  CHECK_INT(reopen(preview), CA_USAGE);
  CHECK_HOLDS(err.text, "a run has already begun");
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  CHECK_INT(reopen(preview), CA_USAGE);
  CHECK_HOLDS(err.text, "was a preview");
  CHECK_HOLDS(err.text, preview);
  CHECK_INT(reopen("2026-11-22T0600-gone-abc"), CA_USAGE);
  CHECK_HOLDS(err.text, "has no run 2026-11-22T0600-gone-abc");
  CHECK_INT(ask("SELECT count(*) FROM part"), 1);
  CHECK_INT(ca_outcome_record_item(ledger, 1, CA_FAILED, NULL, &err),
            CA_USAGE);
  scratch_do("ledger.db", "BEGIN IMMEDIATE; COMMIT"); /* no lock is left */
  stop();
}

/* Nothing is sent before its plan stands; a ledger that says otherwise is not
   tidied up. */
static void what_was_sent_is_never_dropped(void)
{
  start("apply");
  CHECK_INT(intend(add_both(1, "one", "disable")), CA_OK);
  CHECK_INT(ca_run_end(ledger, 8, &err), CA_OK);
  CHECK_INT(reopen(run_id), CA_SYSTEM);
  CHECK_HOLDS(err.text, "cannot be resumed");
  CHECK_INT(ask(ITEMS), 1);
  CHECK_INT(ask("SELECT exit_code FROM run"), 8);
  stop();
}

static void looking_at_a_run(void)
{
  char first[96];

  start("apply");
  memcpy(first, run_id, sizeof(first));
  add_both(1, "one", "disable");
  CHECK_INT(ca_run_select(ledger, first, &err), CA_USAGE);
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  begin_run("preview");
  add_both(1, "two", "enable");
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  CHECK_INT(ca_run_select(ledger, first, &err), CA_OK);
  CHECK_TEXT(changes(-1, ~0U), "one disable not tried; ");
  CHECK_TEXT(counts(-1), "disable not tried 1; items not tried 1; ");
  CHECK_INT(settle(32769, CA_DONE), CA_USAGE);
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_USAGE);
  CHECK_INT(ca_run_select(ledger, run_id, &err), CA_OK);
  CHECK_TEXT(changes(-1, ~0U), "two enable planned; ");
  CHECK_INT(ca_run_select(ledger, "no such", &err), CA_USAGE);
  stop();
}

/* ---- fallbacks ---- */

static void add_pair(const char *key, enum ca_outcome change,
                     enum ca_outcome fallback)
{
  struct ca_change row = { .account = key, .fallback = true };
  int64_t item = add_item(1, key);
  int64_t first = add_change(item, "delete", key, CA_PLANNED);
  int64_t second = -1;

  row.api = op("disable");
  if(fallback == CA_SAME)
    row.outcome = CA_SAME;
  CHECK_INT(ca_plan_rows_add_change(ledger, item, &row, &second, &err), CA_OK);
  if(change != CA_PLANNED)
    CHECK_INT(settle(first, change), CA_OK);
  if(fallback != CA_PLANNED && fallback != CA_SAME)
    CHECK_INT(settle(second, fallback), CA_OK);
}

static void fallbacks_count_for_their_change(void)
{
  static const struct {
    enum ca_outcome change, fallback;
    const char *item;
  } cases[] = { { CA_PLANNED, CA_PLANNED, "planned" },
                { CA_DONE, CA_SKIPPED, "done" },
                { CA_DONE, CA_PLANNED, "done" },
                { CA_DONE, CA_SAME, "done" },
                { CA_FAILED, CA_DONE, "done" },
                { CA_FAILED, CA_SAME, "same" },
                { CA_FAILED, CA_FAILED, "failed" },
                { CA_FAILED, CA_NOT_TRIED, "failed" },
                { CA_FAILED, CA_PLANNED, "failed" },
                { CA_FAILED, CA_UNKNOWN, "unknown" },
                { CA_UNKNOWN, CA_NOT_TRIED, "unknown" },
                { CA_NOT_TRIED, CA_NOT_TRIED, "not tried" },
                { CA_STALE, CA_STALE, "stale" } };
  size_t i;

  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    char want[64];
    start("apply");
    add_pair("one", cases[i].change, cases[i].fallback);
    snprintf(want, sizeof(want), "items %s 1; ", cases[i].item);
    CHECK_HOLDS(counts(1), want);
    stop();
  }
}

/* A pair is one of the changes of an item, and each change counts by its own
   outcome among the operations. */
static void fallbacks_among_others(void)
{
  start("apply");
  add_pair("one", CA_FAILED, CA_DONE);
  CHECK_INT(settle(add_change(1, "enable", "one", CA_PLANNED), CA_STALE),
            CA_OK);
  add_pair("two", CA_FAILED, CA_DONE);
  add_pair("three", CA_DONE, CA_SKIPPED);
  CHECK_TEXT(counts(1), "delete done 1; delete failed 2; disable done 2; "
                        "disable skipped 1; enable stale 1; items done 2; "
                        "items stale 1; ");
  stop();
}

/* ---- what accounts have to look like ---- */

static struct ca_before image_of(int64_t change)
{
  struct ca_before before_image = { .known = false };
  CHECK_INT(
      ca_ledger_before(
          ledger, change,
          ca_api_field(ca_api_find("connected_accounts", "update"), "alias"),
          &before_image, &err),
      CA_OK);
  return before_image;
}

static void check_image(int64_t change, const char *status, bool disabled,
                        const char *alias)
{
  struct ca_before before_image = image_of(change);
  CHECK(before_image.known);
  CHECK_TEXT(before_image.status, status);
  CHECK_INT(before_image.disabled, disabled);
  CHECK_TEXT(before_image.has_text ? before_image.text : NULL, alias);
}

static int64_t add_account(int bulk, const char *key, const char *account,
                           const char *status)
{
  struct ca_item item = { .bulk = bulk,
                          .key = key,
                          .account = account,
                          .status = status,
                          .alias = "work",
                          .flags = !strcmp(status, "INACTIVE")
                                       ? CA_ITEM_DISABLED
                                       : 0,
                          .updated_ms = 1700000000001 };
  int64_t number = -1;
  CHECK_INT(ca_plan_rows_add_item(ledger, &item, &number, &err), CA_OK);
  return number;
}

static int64_t add_full(int64_t item, struct ca_change change)
{
  int64_t number = -1;
  CHECK_INT(ca_plan_rows_add_change(ledger, item, &change, &number, &err),
            CA_OK);
  return number;
}

static void do_it(int64_t change, enum ca_outcome outcome, const char *after)
{
  fake_clock_pass(&fake, 5);
  CHECK_INT(intend(change), CA_OK);
  CHECK_INT(ca_outcome_record(ledger, change, outcome, 1, NULL, after, NULL,
                              NULL, &err),
            CA_OK);
}

static void images_of_the_plan(void)
{
  int64_t item, bare;
  struct ca_before before_image;

  start("apply");
  item = add_account(1, "ca_1", "ca_1", "INACTIVE");
  bare = add_item(1, "row");
  check_image(add_change(item, "enable", "ca_1", CA_PLANNED), "INACTIVE", true,
              "work");
  before_image = image_of(add_change(item, "delete", "ca_1", CA_PLANNED));
  CHECK_INT(before_image.updated_ms, 1700000000001);
  /* of another account than the item's: what the change itself tells */
  CHECK(!image_of(add_full(item, (struct ca_change){ .api = op("enable"),
                                                     .account = "ca_2" }))
             .known);
  check_image(add_full(item, (struct ca_change){ .api = op("enable"),
                                                 .account = "ca_2",
                                                 .before = "INACTIVE" }),
              "INACTIVE", true, NULL);
  check_image(
      add_full(bare, (struct ca_change){ .api = op("update"),
                                         .account = "ca_3",
                                         .before = "EXPIRED",
                                         .before_image =
                                             "{\"status\":\"ACTIVE\","
                                             "\"is_disabled\":true,"
                                             "\"alias\":\"h\\u00e9\"}" }),
      "ACTIVE", true, "h\xC3\xA9");
  check_image(
      add_full(bare, (struct ca_change){ .api = op("update"),
                                         .account = "ca_3",
                                         .before_image = "{\"alias\":null}" }),
      "", false, "");
  CHECK(!image_of(add_full(bare, (struct ca_change){ .api = op("link"),
                                                     .account = "",
                                                     .before_image =
                                                         "{\"active\":0}" }))
             .known);
  CHECK_INT(ca_ledger_before(ledger, 99 << 15, NULL, &before_image, &err),
            CA_USAGE);
  stop();
}

static void images_after_the_same_item(void)
{
  struct ca_change update = { .account = "ca_1", .body = "{\"alias\":\"x\"}" };
  int64_t item, disable, alias, enable, refresh, secret, last;

  start("apply");
  update.api = op("update");
  item = add_account(1, "ca_1", "ca_1", "ACTIVE");
  disable = add_change(item, "disable", "ca_1", CA_PLANNED);
  alias = add_full(item, update);
  enable = add_change(item, "enable", "ca_1", CA_PLANNED);
  update.body = "{\"alias\":\"\"}";
  last = add_full(item, update);
  refresh = add_change(item, "refresh", "ca_1", CA_PLANNED);
  update.body = NULL;
  update.fingerprint = "f";
  secret = add_full(item, update);
  CHECK_INT(stand(1), CA_OK);
  check_image(enable, "ACTIVE", false, "work"); /* nothing is done yet */
  do_it(disable, CA_DONE, NULL);
  check_image(disable, "ACTIVE", false, "work");
  check_image(alias, "INACTIVE", true, "work"); /* waiting in memory */
  CHECK_INT(ca_ledger_sync(ledger, &err), CA_OK);
  check_image(alias, "INACTIVE", true, "work"); /* and on disk */
  do_it(alias, CA_FAILED, NULL);
  check_image(enable, "INACTIVE", true, "work");
  CHECK_INT(settle(alias, CA_DONE), CA_OK);
  check_image(enable, "INACTIVE", true, "x");
  do_it(enable, CA_DONE, NULL);
  check_image(last, "ACTIVE", false, "x");
  do_it(last, CA_DONE, NULL);
  check_image(refresh, "ACTIVE", false, "");
  do_it(refresh, CA_DONE, "EXPIRED");
  check_image(secret, "EXPIRED", false, "");
  do_it(secret, CA_DONE, NULL);
  check_image(add_change(item, "delete", "ca_1", CA_PLANNED), "EXPIRED", false,
              NULL); /* it may have set an alias, too */
  stop();
}

/* A saved plan: all stands before anything is sent. */
static void images_over_bulks_of_a_plan(void)
{
  int64_t first, other, second, single, rows[2];

  start("apply");
  single = add_change(add_account(0, "call 1", "ca_3", "ACTIVE"), "disable",
                      "ca_3", CA_PLANNED);
  first = add_change(add_account(1, "ca_1", "ca_1", "ACTIVE"), "disable",
                     "ca_1", CA_PLANNED);
  add_account(1, "ca_2", "ca_2", "ACTIVE");
  CHECK_INT(stand(1), CA_OK);
  second = add_change(add_account(2, "ca_1", "ca_1", "ACTIVE"), "delete",
                      "ca_1", CA_PLANNED);
  other = add_change(add_account(2, "ca_3", "ca_3", "ACTIVE"), "delete",
                     "ca_3", CA_PLANNED);
  rows[0] = add_change(add_account(3, "row 1", "ca_4", "ACTIVE"), "disable",
                       "ca_4", CA_PLANNED);
  rows[1] = add_change(add_account(3, "row 2", "ca_4", "ACTIVE"), "delete",
                       "ca_4", CA_PLANNED);
  CHECK_INT(stand(2), CA_OK);
  CHECK_INT(stand(3), CA_OK);
  check_image(second, "ACTIVE", false, "work");
  do_it(first, CA_DONE, NULL);
  do_it(single, CA_DONE, NULL);
  do_it(rows[0], CA_DONE, NULL);
  check_image(second, "INACTIVE", true, "work");
  check_image(other, "INACTIVE", true, "work");
  check_image(rows[1], "INACTIVE", true, "work");
  check_image(first, "ACTIVE", false, "work"); /* of itself, nothing */
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  /* the same, read by a run that goes on */
  CHECK_INT(reopen(run_id), CA_OK);
  check_image(second, "INACTIVE", true, "work");
  stop();
}

/* Rows of a table may be about one account, and an action may change another
   account than its item's. */
static void images_within_a_bulk(void)
{
  int64_t rows[2], aside, item;

  start("apply");
  rows[0] = add_change(add_account(1, "row 1", "ca_4", "ACTIVE"), "disable",
                       "ca_4", CA_PLANNED);
  rows[1] = add_change(add_account(1, "row 2", "ca_4", "ACTIVE"), "delete",
                       "ca_4", CA_PLANNED);
  CHECK_INT(stand(1), CA_OK);
  do_it(rows[0], CA_DONE, NULL);
  check_image(rows[1], "INACTIVE", true, "work");
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  begin_run("apply");
  item = add_account(1, "ca_1", "ca_1", "ACTIVE");
  aside = add_change(item, "disable", "ca_2", CA_PLANNED);
  rows[1] = add_change(add_account(1, "ca_2", "ca_2", "ACTIVE"), "delete",
                       "ca_2", CA_PLANNED);
  CHECK_INT(stand(1), CA_OK);
  do_it(aside, CA_DONE, NULL);
  check_image(rows[1], "INACTIVE", true, "work");
  stop();
}

/* A bulk that was planned after another was carried out has seen that, and
   what others made of the account since. */
static void images_of_a_later_bulk(void)
{
  int64_t first, second, third;

  start("apply");
  first = add_change(add_account(1, "ca_1", "ca_1", "EXPIRED"), "refresh",
                     "ca_1", CA_PLANNED);
  CHECK_INT(stand(1), CA_OK);
  check_image(first, "EXPIRED", false, "work");
  do_it(first, CA_DONE, "ACTIVE");
  fake_clock_pass(&fake, 1000);
  second = add_change(add_account(2, "ca_1", "ca_1", "EXPIRED"), "disable",
                      "ca_1", CA_PLANNED);
  CHECK_INT(stand(2), CA_OK);
  check_image(second, "EXPIRED", false, "work");
  do_it(second, CA_DONE, NULL);
  third = add_change(add_account(0, "call 1", "ca_1", "INACTIVE"), "enable",
                     "ca_1", CA_PLANNED);
  check_image(third, "INACTIVE", true, "work");
  /* and the first, were it to be repeated */
  check_image(first, "INACTIVE", true, "work");
  stop();
}

/* ---- the past ---- */

static char told[2048];

static const char *runs(size_t limit, int stop_after)
{
  struct ca_run_filter filter = { .limit = limit };
  struct ca_query query;
  struct ca_run_row run;

  told[0] = '\0';
  ca_history_open_runs(&query, ledger, &filter, &err);
  while(ca_history_next_run(&query, &run)) {
    size_t used = strlen(told);
    snprintf(told + used, sizeof(told) - used,
             "%s %s %s %s%s exit %d parts %d%s done %lld; ", run.info.script,
             run.info.mode, run.info.who, run.ended_ms ? "ended" : "open",
             run.info.undoes ? " undoes" : "", run.exit_code, run.sessions,
             run.sealed ? " stands" : "",
             (long long)(run.has_counts ? run.changes[CA_DONE] : -1));
    if(--stop_after == 0)
      break;
  }
  CHECK_INT(ca_history_close(&query), CA_OK);
  return told;
}

static void begin_named(const char *script, const char *mode,
                        const char *undoes)
{
  struct ca_run_info info = { .script = script,
                              .mode = mode,
                              .who = "kim",
                              .host = "box",
                              .undoes = undoes };
  CHECK_INT(ca_run_begin(ledger, &info, run_id, sizeof(run_id), &err), CA_OK);
}

static void runs_are_listed(void)
{
  int64_t change;

  fake_clock_init(&fake);
  scratch_make();
  open_ledger();
  CHECK_TEXT(runs(0, 0), "");
  begin_named("a.lua", "apply", NULL);
  CHECK_INT(settle(add_both(1, "one", "disable"), CA_DONE), CA_OK);
  CHECK_INT(stand(1), CA_OK);
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  CHECK_INT(reopen(run_id), CA_OK);
  CHECK_INT(ca_run_end(ledger, 3, &err), CA_OK);
  begin_named("b.lua", "preview", NULL);
  add_both(1, "one", "disable");
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  begin_named("undo:x", "apply", "x");
  change = add_both(0, "call 1", "disable");
  CHECK_TEXT(runs(1, 0), "undo:x apply kim open undoes exit -1 parts 1 "
                         "done -1; ");
  CHECK_INT(ca_outcome_intend(ledger, &change, 1, &err), CA_OK);
  CHECK_TEXT(runs(0, 0),
             "undo:x apply kim open undoes exit -1 parts 1 stands done -1; "
             "b.lua preview kim ended exit 0 parts 1 done 0; "
             "a.lua apply kim ended exit 3 parts 2 stands done 1; ");
  CHECK_TEXT(runs(1, 0), "undo:x apply kim open undoes exit -1 parts 1 "
                         "stands done -1; ");
  CHECK_TEXT(runs(0, 1), "undo:x apply kim open undoes exit -1 parts 1 "
                         "stands done -1; ");
  stop();
}

static void check_run(const struct ca_run_row *run)
{
  CHECK_TEXT(run->name, run_id);
  CHECK_TEXT(run->info.word, "refresh_expired");
  CHECK_TEXT(run->info.cwd, "/srv/jobs");
  CHECK_TEXT(run->info.script_sha, "abc");
  CHECK_TEXT(run->info.params, "{\"days\":90}");
  CHECK_TEXT(run->info.options, "{}");
  CHECK_TEXT(run->info.host, "box");
  CHECK_TEXT(run->info.project, "0123456789abcdef");
  CHECK_TEXT(run->info.base_url, "https://h");
  CHECK_TEXT(run->info.version, "0.1.0");
  CHECK(!run->info.salt);
  CHECK_INT(run->began_ms, 1795327212000);
  CHECK_INT(run->ended_ms, 1795327212009);
  CHECK_INT(run->changes[CA_SAME], 1);
  CHECK_INT(run->changes[CA_NOT_TRIED], 2);
}

static void all_of_a_run_is_listed(void)
{
  const struct ca_run_filter filter = { .limit = 0 };
  struct ca_query query;
  struct ca_run_row run;

  start("apply");
  add_change(add_item(1, "same"), "disable", "same", CA_SAME);
  add_both(1, "one", "disable");
  add_both(1, "two", "disable");
  fake_clock_pass(&fake, 9);
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  ca_history_open_runs(&query, ledger, &filter, &err);
  CHECK(ca_history_next_run(&query, &run));
  check_run(&run);
  CHECK(!ca_history_next_run(&query, &run));
  CHECK_INT(ca_history_close(&query), CA_OK);
  stop();
}

/* Counted once, and then there is more. */
static void counts_are_of_the_end(void)
{
  int64_t sent, failed;

  start("apply");
  add_both(1, "one", "disable");
  CHECK_TEXT(counts(-1), "disable planned 1; items planned 1; ");
  sent = add_both(1, "two", "disable");
  failed = add_both(1, "three", "disable");
  CHECK_TEXT(counts(-1), "disable planned 3; items planned 3; ");
  CHECK_INT(intend(sent), CA_OK);
  CHECK_TEXT(counts(-1), "disable planned 2; disable intended 1; "
                         "items planned 2; items intended 1; ");
  CHECK_INT(settle(failed, CA_FAILED), CA_OK);
  CHECK_INT(ca_run_end(ledger, 8, &err), CA_OK);
  CHECK_TEXT(scratch_ask("ledger.db", "SELECT counts FROM run"),
             "[0,0,1,0,0,1,0,1,0,0]");
  CHECK_INT(ask("SELECT count(*) FROM outcome WHERE outcome = 2"), 1);
  CHECK_INT(ask("SELECT count(*) FROM outcome WHERE outcome = 7"), 1);
  begin_run("apply");
  add_both(1, "one", "disable");
  CHECK_TEXT(counts(-1), "disable planned 1; items planned 1; ");
  sent = add_both(1, "two", "disable");
  CHECK_TEXT(counts(-1), "disable planned 2; items planned 2; ");
  CHECK_INT(intend(sent), CA_OK);
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  CHECK_TEXT(
      scratch_ask("ledger.db", "SELECT counts FROM run ORDER BY id DESC"),
      "[0,0,1,0,0,0,0,1,0,0]");
  begin_run("preview");
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  CHECK_TEXT(
      scratch_ask("ledger.db", "SELECT counts FROM run ORDER BY id DESC"),
      "[0,0,0,0,0,0,0,0,0,0]");
  stop();
}

static const char *meant(const char *text)
{
  static char name[96];
  name[0] = '\0';
  err.text[0] = '\0';
  return ca_history_find_run(ledger, text, name, sizeof(name), &err) ? err.text
                                                                     : name;
}

static void which_run_is_meant(void)
{
  static const char *const names[] = {
    "2026-11-21T0600-a-k3f", "2026-11-22T0600-a-m4g", "2026-11-22T0600-b-k3f",
    "2026-11-22T0600-b-k3f0", "2026-11-23T0600-c-x\xC3\xA9z"
  };
  char sql[256];
  size_t i;

  fake_clock_init(&fake);
  scratch_make();
  open_ledger();
  CHECK_HOLDS(meant("last"), "there is no run \"last\"");
  for(i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    snprintf(sql, sizeof(sql),
             "INSERT INTO run(name, began_ms) VALUES('%s', 0)", names[i]);
    scratch_do("ledger.db", sql);
  }
  CHECK_TEXT(meant("last"), names[4]);
  CHECK_TEXT(meant(names[1]), names[1]);
  CHECK_TEXT(meant(names[2]), names[2]); /* although another begins so */
  CHECK_TEXT(meant("2026-11-21"), names[0]);
  CHECK_TEXT(meant("m4g"), names[1]);
  CHECK_TEXT(meant("a-k3f"), names[0]);
  CHECK_TEXT(meant("\xC3\xA9z"), names[4]);
  CHECK_TEXT(meant("k3f"),
             "\"k3f\" is not unique, it matches 2026-11-22T0600-b-k3f, "
             "2026-11-21T0600-a-k3f; give more of the id");
  CHECK_HOLDS(meant("2026-11-2"), "2026-11-22T0600-a-m4g, …; give more");
  CHECK_HOLDS(meant("0600"), "there is no run \"0600\"");
  CHECK_HOLDS(meant("%"), "there is no run");
  CHECK_HOLDS(meant("a\x1b[m"), "\"a\\x1b[m\"");
  CHECK_HOLDS(meant(""), "empty");
  stop();
}

static const char *history(const char *account, int stop_after)
{
  struct ca_history_filter filter = { .account = account,
                                      .outcomes = CA_ANY_OUTCOME,
                                      .previews = true,
                                      .limit = 1000 };
  struct ca_query query;
  struct ca_history_row row;

  told[0] = '\0';
  CHECK_INT(ca_history_gather(ledger, account, NULL, &err), CA_OK);
  ca_history_open_changes(&query, ledger, &filter, &err);
  while(ca_history_next_change(&query, &row)) {
    size_t used = strlen(told);
    snprintf(told + used, sizeof(told) - used,
             "%s %s %s %s %s%s +%lld user %s; ", row.script, row.who, row.host,
             row.change.change.api->name,
             ca_change_outcome_name(row.change.outcome),
             row.applies ? "" : " preview",
             (long long)(row.at_ms - INT64_C(1795327212000)),
             row.user ? row.user : "-");
    if(--stop_after == 0)
      break;
  }
  CHECK_INT(ca_history_close(&query), CA_OK);
  return told;
}

static void what_happened_to_an_account(void)
{
  int64_t made, other;

  fake_clock_init(&fake);
  scratch_make();
  open_ledger();
  begin_named("invite.lua", "apply", NULL);
  made = add_full(
      add_item(1, "row 1"),
      (struct ca_change){ .api = op("link"), .account = "", .user = "u9" });
  CHECK_INT(stand(1), CA_OK);
  fake_clock_pass(&fake, 5);
  CHECK_INT(intend(made), CA_OK);
  fake_clock_pass(&fake, 5);
  CHECK_INT(ca_outcome_record(ledger, made, CA_DONE, 1, NULL, NULL, "ca_1",
                              NULL, &err),
            CA_OK);
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  fake_clock_pass(&fake, 10);
  begin_named("idle.lua", "preview", NULL);
  add_both(1, "ca_1", "disable");
  add_both(1, "ca_2", "disable");
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  begin_named("idle.lua", "apply", NULL);
  other =
      add_full(add_item(1, "ca_2"),
               (struct ca_change){ .api = op("delete"), .account = "ca_1" });
  CHECK_INT(stand(1), CA_OK);
  CHECK_INT(ca_run_end(ledger, 7, &err), CA_OK);
  fake_clock_pass(&fake, 10);
  CHECK_INT(reopen(run_id), CA_OK);
  CHECK_INT(ca_outcome_reintend(ledger, &other, 1, &err), CA_OK);
  fake_clock_pass(&fake, 10);
  CHECK_INT(settle(other, CA_DONE), CA_OK); /* waits in memory */
  CHECK_TEXT(history("ca_1", 0),
             "invite.lua kim box link done +10 user u; "
             "idle.lua kim box disable planned preview +20 user u; "
             "idle.lua sam laptop delete done +40 user -; ");
  CHECK_TEXT(history("ca_1", 1), "invite.lua kim box link done +10 user u; ");
  CHECK_TEXT(history("ca_2", 0),
             "idle.lua kim box disable planned preview +20 user u; ");
  CHECK_TEXT(history("", 0), "");
  CHECK_TEXT(history("row 1", 0), "invite.lua kim box link done +10 user u; ");
  stop();
}

/* ---- what a person knows ---- */

static enum ca_code resolve(int64_t change, enum ca_outcome outcome)
{
  const struct ca_resolution resolution = {
    .outcome = outcome, .who = "kim", .host = "box", .reason = "seen"
  };
  return ca_run_resolve(ledger, change, &resolution, &err);
}

static void a_person_knows(void)
{
  int64_t lost, dead, done;

  start("apply");
  done = add_both(0, "done", "disable");
  lost = add_both(0, "lost", "disable");
  dead = add_both(0, "dead", "disable");
  CHECK_INT(intend(done), CA_OK);
  CHECK_INT(settle(done, CA_DONE), CA_OK);
  CHECK_INT(intend(lost), CA_OK);
  CHECK_INT(intend(dead), CA_OK);
  CHECK_INT(ca_run_end(ledger, 8, &err), CA_OK);
  CHECK_TEXT(scratch_ask("ledger.db", "SELECT counts FROM run"),
             "[0,0,0,1,0,0,0,2,0,0]");
  CHECK_INT(resolve(done, CA_FAILED), CA_USAGE);
  CHECK_HOLDS(err.text, "is done: only an unknown change can be resolved");
  CHECK_INT(resolve(lost + 1, CA_FAILED), CA_USAGE);
  CHECK_HOLDS(err.text, "the run has no change");
  CHECK_INT(resolve(lost, CA_DONE), CA_OK);
  CHECK_INT(resolve(dead, CA_FAILED), CA_OK);
  CHECK_INT(resolve(dead, CA_DONE), CA_USAGE);
  CHECK_TEXT(scratch_ask("ledger.db", "SELECT counts FROM run"),
             "[0,0,0,2,0,1,0,0,0,0]");
  CHECK_TEXT(counts(-1), "disable done 2; disable failed 1; items done 2; "
                         "items failed 1; ");
  CHECK_TEXT(scratch_ask("ledger.db", "SELECT who || host || reason || outcome"
                                      " FROM resolution ORDER BY id LIMIT 1"),
             "kimboxseen3");
  begin_run("preview");
  dead = add_both(1, "one", "disable");
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  CHECK_INT(resolve(dead, CA_DONE), CA_USAGE);
  stop();
}

/* ---- salts ---- */

static void salts_of_runs(void)
{
  unsigned char brought[CA_SALT_SIZE];
  unsigned char own[CA_SALT_SIZE];
  unsigned char salt[CA_SALT_SIZE];
  struct ca_run_info info = { .script = "a", .mode = "apply" };
  char first[33], again[33], name[96];

  memset(brought, 7, sizeof(brought));
  start("apply");
  memcpy(name, run_id, sizeof(name));
  CHECK_INT(ca_run_salt(ledger, own, &err), CA_OK);
  CHECK(memcmp(own, brought, sizeof(own)) != 0);
  CHECK_INT(ask("SELECT count(*) FROM run JOIN salt ON salt = value"), 1);
  CHECK_INT(ca_run_fingerprint(ledger, "x", 1, first, 33, &err), CA_OK);
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  info.salt = brought;
  CHECK_INT(ca_run_begin(ledger, &info, run_id, sizeof(run_id), &err), CA_OK);
  CHECK_INT(ca_run_salt(ledger, salt, &err), CA_OK);
  CHECK(!memcmp(salt, brought, sizeof(salt)));
  CHECK_INT(ca_run_fingerprint(ledger, "x", 1, again, 33, &err), CA_OK);
  CHECK(strcmp(first, again) != 0);
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  close_ledger();
  open_ledger();
  CHECK_INT(reopen(run_id), CA_OK);
  CHECK_INT(ca_run_salt(ledger, salt, &err), CA_OK);
  CHECK(!memcmp(salt, brought, sizeof(salt)));
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  CHECK_INT(ca_run_select(ledger, name, &err), CA_OK);
  CHECK_INT(ca_run_fingerprint(ledger, "x", 1, again, 33, &err), CA_OK);
  CHECK_TEXT(again, first);
  CHECK_INT(ask("SELECT count(*) FROM salt"), 1);
  stop();
}

/* ---- older ledgers ---- */

/* As version 0.1.0 made it: one run that was killed while it was carried out,
   and a preview. */
static const char version_1[] =
    "PRAGMA journal_mode=WAL;"
    "CREATE TABLE salt(value BLOB NOT NULL);"
    "CREATE TABLE operation("
    " id INTEGER PRIMARY KEY,"
    " name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE run("
    " id INTEGER PRIMARY KEY,"
    " name TEXT NOT NULL UNIQUE,"
    " script TEXT, script_sha TEXT, params TEXT, options TEXT, mode TEXT,"
    " who TEXT, host TEXT, project TEXT, base_url TEXT, version TEXT,"
    " began_ms INTEGER NOT NULL, ended_ms INTEGER, exit_code INTEGER);"
    "CREATE TABLE item("
    " id INTEGER PRIMARY KEY, bulk INTEGER NOT NULL,"
    " outcome INTEGER NOT NULL, flags INTEGER NOT NULL, key TEXT NOT NULL,"
    " account TEXT, user TEXT, toolkit TEXT, scheme TEXT, status TEXT,"
    " status_reason TEXT, alias TEXT, created_ms INTEGER, updated_ms INTEGER,"
    " row TEXT, detail TEXT);"
    "CREATE TABLE change("
    " id INTEGER PRIMARY KEY, bulk INTEGER NOT NULL,"
    " operation INTEGER NOT NULL, cost INTEGER NOT NULL,"
    " outcome INTEGER NOT NULL, account TEXT,"
    " user TEXT, config TEXT, query TEXT, body TEXT, fingerprint TEXT,"
    " reason TEXT, line TEXT, status_before TEXT);"
    "CREATE TABLE intent(id INTEGER PRIMARY KEY, sent_ms INTEGER NOT NULL);"
    "CREATE TABLE outcome("
    " id INTEGER PRIMARY KEY, outcome INTEGER NOT NULL, ended_ms INTEGER,"
    " attempts INTEGER, http INTEGER, request_id TEXT, status_after TEXT,"
    " slug TEXT, error TEXT);"
    "PRAGMA application_id=1668049767; PRAGMA user_version=1;"
    "INSERT INTO salt VALUES(zeroblob(32));"
    "INSERT INTO operation VALUES(1, 'connected_accounts.disable');"
    "INSERT INTO run VALUES(1, '2026-11-21T0600-idle-k3f', '/j/idle.lua', 's',"
    " '{}', '{}', 'apply', 'kim', 'box', 'p', 'https://h', '0.1.0', 1000,"
    " NULL, NULL);"
    "INSERT INTO run VALUES(2, '2026-11-21T0700-idle-m4g', '/j/idle.lua', 's',"
    " '{}', '{}', 'preview', 'kim', 'box', 'p', 'https://h', '0.1.0', 2000,"
    " 2500, 0);"
    "INSERT INTO item(id, bulk, outcome, flags, key, status)"
    " SELECT (run << 26) + number, bulk, 0, flags, key, 'ACTIVE' FROM (SELECT"
    " 1 AS run, 1 AS number, 1 AS bulk, 65536 AS flags, 'done' AS key"
    " UNION ALL SELECT 1, 2, 1, 65536, 'lost'"
    " UNION ALL SELECT 1, 3, 1, 65536, 'open'"
    " UNION ALL SELECT 1, 4, 2, 65536, 'draft'"
    " UNION ALL SELECT 2, 1, 1, 65536, 'done');"
    "INSERT INTO change(id, bulk, operation, cost, outcome, status_before)"
    " SELECT (id << 15) + 1, bulk, 1, 1, 0, status FROM item;"
    "INSERT INTO intent SELECT (id << 15) + 1, 1500 FROM item"
    " WHERE key IN ('done', 'lost') AND id < 2 << 26;"
    "INSERT INTO outcome(id, outcome, ended_ms, status_after)"
    " SELECT (id << 15) + 1, 3, 1600, 'INACTIVE' FROM item"
    " WHERE key = 'done' AND id < 2 << 26;";

#define OLD_RUN "2026-11-21T0600-idle-k3f"

static void make_version_1(void)
{
  fake_clock_init(&fake);
  scratch_make();
  scratch_do("ledger.db", version_1);
  CHECK(!chmod(scratch_path("ledger.db"), 0600));
}

static const char runs_of_1[] =
    "/j/idle.lua preview kim ended exit 0 parts 1 done -1; "
    "/j/idle.lua apply kim open exit -1 parts 1 stands done -1; ";
static const char changes_of_1[] =
    "done disable done; lost disable intended; open disable planned; "
    "draft disable planned; ";
static const char history_of_1[] =
    "/j/idle.lua kim box disable done +-1795327210400 user -; "
    "/j/idle.lua kim box disable planned preview +-1795327210000 user -; ";

static void version_1_is_brought_up_to_date(void)
{
  char print[33];
  char hex[CA_DIGEST_SIZE];
  unsigned char zeroes[32] = { 0 };

  make_version_1();
  open_ledger();
  CHECK_INT(ask("PRAGMA user_version"), 8);
  CHECK_TEXT(runs(0, 0), runs_of_1);
  CHECK_INT(ca_run_select(ledger, OLD_RUN, &err), CA_OK);
  CHECK_TEXT(changes(-1, ~0U), changes_of_1);
  CHECK_TEXT(history("done", 0), history_of_1);
  memcpy(run_id, OLD_RUN, sizeof(OLD_RUN));
  CHECK_TEXT(parts(0), "kim@box +-1795327211000 0 -1; ");
  /* its fingerprints are what they were */
  CHECK_INT(ca_run_fingerprint(ledger, "x", 1, print, 33, &err), CA_OK);
  ca_digest_keyed(zeroes, 32, "x", 1, hex);
  hex[32] = '\0';
  CHECK_TEXT(print, hex);
  /* and it goes on: what was being sent is unknown, the draft is planned
     anew */
  CHECK_INT(reopen(OLD_RUN), CA_OK);
  CHECK_TEXT(changes(-1, ~0U), "done disable done; lost disable unknown; "
                               "open disable planned; ");
  CHECK(stands(1) && !stands(2));
  CHECK_INT(add_item(2, "draft"), 4);
  check_verdict(1, CA_PLANNED);
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  CHECK_TEXT(scratch_ask("ledger.db", "PRAGMA integrity_check"), "ok");
  close_ledger();
  open_ledger(); /* once is enough */
  CHECK_INT(ask("SELECT count(*) FROM part"), 3);
  stop();
}

static bool open_reader(void)
{
  bool found = false;
  ca_err_clear(&err);
  ledger = ca_ledger_open_readonly(scratch_dir, &fake.clock, &found, &err);
  CHECK(found == (ledger != NULL));
  return ledger;
}

static void digest_of_file(char out[CA_DIGEST_SIZE])
{
  struct ca_digest *digest = ca_digest_new();
  FILE *file = fopen(scratch_path("ledger.db"), "rb");
  char piece[4096];
  size_t got;

  out[0] = '\0';
  if(!CHECK(digest && file))
    return;
  while((got = fread(piece, 1, sizeof(piece), file)) > 0)
    ca_digest_add(digest, piece, got);
  CHECK(!ferror(file));
  fclose(file);
  ca_digest_end(digest, out);
}

static void version_1_is_read_as_it_is(void)
{
  char before[CA_DIGEST_SIZE], after[CA_DIGEST_SIZE];
  struct ca_before before_image;

  make_version_1();
  digest_of_file(before);
  if(!CHECK(open_reader()))
    return;
  CHECK_TEXT(runs(0, 0), runs_of_1);
  CHECK_INT(ca_run_select(ledger, OLD_RUN, &err), CA_OK);
  CHECK_TEXT(changes(-1, ~0U), changes_of_1);
  CHECK_TEXT(counts(-1), "disable planned 2; disable intended 1; "
                         "disable done 1; items planned 2; "
                         "items intended 1; items done 1; ");
  CHECK_TEXT(history("done", 0), history_of_1);
  memcpy(run_id, OLD_RUN, sizeof(OLD_RUN));
  CHECK_TEXT(parts(0), "kim@box +-1795327211000 0 -1; ");
  CHECK(stands(1) && !stands(2));
  check_verdict(1, CA_PLANNED);
  CHECK_INT(ca_ledger_before(ledger, 32769, NULL, &before_image, &err), CA_OK);
  CHECK_TEXT(before_image.status, "ACTIVE");
  close_ledger();
  digest_of_file(after);
  CHECK_TEXT(after, before);
  CHECK_INT(ask("PRAGMA user_version"), 1);
  scratch_remove();
}

/* ---- looking only ---- */

static void reader_makes_nothing(void)
{
  char dir[5000];
  bool found = true;

  fake_clock_init(&fake);
  scratch_make();
  CHECK(!open_reader());
  CHECK_INT(err.code, CA_OK);
  CHECK_INT(scratch_mode("ledger.db"), -1);
  snprintf(dir, sizeof(dir), "%s/none", scratch_dir);
  CHECK(!ca_ledger_open_readonly(dir, &fake.clock, &found, &err));
  CHECK(!found);
  CHECK_INT(err.code, CA_OK);
  CHECK_INT(scratch_mode("none"), -1);
  /* a file that another process is about to fill */
  close(open(scratch_path("ledger.db"), O_CREAT | O_WRONLY, 0600));
  CHECK(!open_reader());
  CHECK_INT(err.code, CA_OK);
  scratch_remove();
  start("apply");
  close_ledger();
  CHECK(!unlink(scratch_path("ledger.turn")));
  CHECK(open_reader());
  close_ledger();
  CHECK_INT(scratch_mode("ledger.turn"), -1);
  CHECK_INT(scratch_mode("ledger.db-wal"), -1);
  CHECK_INT(scratch_mode("ledger.db-shm"), -1);
  scratch_remove();
}

static void reader_refuses(const char *words)
{
  CHECK(!open_reader());
  CHECK_INT(err.code, CA_SYSTEM);
  CHECK_HOLDS(err.text, words);
  CHECK_HOLDS(err.text, scratch_dir);
}

static void reader_is_told_what_is_wrong(void)
{
  fake_clock_init(&fake);
  scratch_make();
  CHECK(!symlink("/dev/null", scratch_path("ledger.db")));
  reader_refuses("a symbolic link");
  CHECK(!unlink(scratch_path("ledger.db")));
  scratch_do("ledger.db", "CREATE TABLE mine(x)");
  reader_refuses("not a ledger");
  scratch_do("ledger.db", "PRAGMA user_version = 9");
  reader_refuses("newer composio-lua (schema 9, this one knows 8)");
  CHECK(!chmod(scratch_dir, 0777));
  reader_refuses("everybody can write");
  scratch_remove();
}

static void reader_beside_a_writer(void)
{
  struct ca_ledger *writer;
  int64_t one;

  start("apply");
  one = add_both(1, "one", "disable");
  CHECK_INT(stand(1), CA_OK);
  CHECK_INT(intend(one), CA_OK);
  writer = ledger;
  CHECK(open_reader());
  CHECK_INT(ca_run_select(ledger, run_id, &err), CA_OK);
  CHECK_TEXT(changes(-1, ~0U), "one disable intended; ");
  CHECK_INT(reopen(run_id), CA_USAGE);
  CHECK_HOLDS(err.text, "opened read-only");
  CHECK_INT(settle(one, CA_DONE), CA_USAGE);
  close_ledger();
  ledger = writer;
  CHECK_INT(settle(one, CA_DONE), CA_OK);
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  stop();
}

/* Root may do all; so in a child that is not. */
static int read_as_nobody(void)
{
  if(!geteuid() && (setgid(65534) || setuid(65534)))
    return 3;
  if(!open_reader()) {
    printf("  %s\n", err.text);
    return 4;
  }
  if(ca_run_select(ledger, run_id, &err) ||
     strcmp(changes(-1, ~0U), "one disable planned; "))
    return 5;
  close_ledger();
  return check_case_failed;
}

static int fail_as_nobody(void)
{
  if(!geteuid() && (setgid(65534) || setuid(65534)))
    return 3;
  reader_refuses("it has a write-ahead log");
  return check_case_failed;
}

static void reader_of_what_is_read_only(void)
{
  int fd;

  start("preview");
  add_both(1, "one", "disable");
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  close_ledger();
  CHECK(!chmod(scratch_path("ledger.db"), 0444));
  CHECK(!chmod(scratch_dir, 0555));
  in_child(read_as_nobody);
  CHECK(!chmod(scratch_dir, 0755));
  fd = open(scratch_path("ledger.db-wal"), O_CREAT | O_WRONLY, 0444);
  CHECK(fd >= 0 && write(fd, "x", 1) == 1);
  close(fd);
  CHECK(!chmod(scratch_dir, 0555));
  in_child(fail_as_nobody);
  CHECK(!chmod(scratch_dir, 0755));
  scratch_remove();
}

int main(void)
{
  check_case("a person knows", a_person_knows);
  check_case("a bulk stands on disk", bulk_stands_on_disk);
  check_case("items are found by key", items_are_found_by_key);
  check_case("items have verdicts", items_have_verdicts);
  check_case("what a change keeps", what_a_change_keeps);
  check_case("the later word counts", the_later_word_counts);
  check_case("intents made anew", intents_made_anew);
  check_case("a killed run goes on", a_killed_run_goes_on);
  check_case("parts of a run", parts_of_a_run);
  check_case("what cannot go on", what_cannot_go_on);
  check_case("what was sent is never dropped", what_was_sent_is_never_dropped);
  check_case("looking at a run", looking_at_a_run);
  check_case("fallbacks count for their change",
             fallbacks_count_for_their_change);
  check_case("fallbacks among others", fallbacks_among_others);
  check_case("images of the plan", images_of_the_plan);
  check_case("images after the same item", images_after_the_same_item);
  check_case("images over bulks of a plan", images_over_bulks_of_a_plan);
  check_case("images within a bulk", images_within_a_bulk);
  check_case("images of a later bulk", images_of_a_later_bulk);
  check_case("runs are listed", runs_are_listed);
  check_case("all of a run is listed", all_of_a_run_is_listed);
  check_case("counts are of the end", counts_are_of_the_end);
  check_case("which run is meant", which_run_is_meant);
  check_case("what happened to an account", what_happened_to_an_account);
  check_case("salts of runs", salts_of_runs);
  check_case("version 1 is brought up to date",
             version_1_is_brought_up_to_date);
  check_case("version 1 is read as it is", version_1_is_read_as_it_is);
  check_case("a reader makes nothing", reader_makes_nothing);
  check_case("a reader is told what is wrong", reader_is_told_what_is_wrong);
  check_case("a reader beside a writer", reader_beside_a_writer);
  check_case("a reader of what is read-only", reader_of_what_is_read_only);
  return check_end();
}
