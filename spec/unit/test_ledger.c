/* The ledger: what goes in comes out, what is promised to be on disk is there
   for others to see, and what cannot be written is said.
   Must not know: how changes are sent. */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include "ledger_case.h"
#include "base/secret.h"

/* Place and access. */

static void rights_whatever_the_umask(void)
{
  static const mode_t masks[] = { 0, 0777, 022 };
  size_t i;

  for(i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
    char dir[5000];
    mode_t old;

    fake_clock_init(&fake);
    scratch_make();
    snprintf(dir, sizeof(dir), "%s/state/composio-lua", scratch_dir);
    old = umask(masks[i]);
    ledger = ca_ledger_open(dir, &fake.clock, &err);
    CHECK(ledger != NULL);
    if(ledger)
      begin_run("apply");
    umask(old);
    CHECK_INT(scratch_mode("state"), 0700);
    CHECK_INT(scratch_mode("state/composio-lua"), 0700);
    CHECK_INT(scratch_mode("state/composio-lua/ledger.db"), 0600);
    CHECK_INT(scratch_mode("state/composio-lua/ledger.db-wal"), 0600);
    CHECK_INT(scratch_mode("state/composio-lua/ledger.db-shm"), 0600);
    CHECK_INT(scratch_mode("state/composio-lua/ledger.turn"), 0600);
    stop();
  }
}

static void loose_rights_are_tightened(void)
{
  start("apply");
  ca_ledger_close(ledger);
  CHECK(!chmod(scratch_path("ledger.db"), 0644));
  open_ledger();
  CHECK_INT(scratch_mode("ledger.db"), 0600);
  stop();
}

static void refuse(const char *words)
{
  ca_err_clear(&err);
  ledger = ca_ledger_open(scratch_dir, &fake.clock, &err);
  CHECK(ledger == NULL);
  CHECK_INT(err.code, CA_SYSTEM);
  CHECK_HOLDS(err.text, words);
  CHECK_HOLDS(err.text, scratch_dir);
  ca_ledger_close(ledger);
  ledger = NULL;
}

static void symbolic_link_is_not_followed(void)
{
  fake_clock_init(&fake);
  scratch_make();
  CHECK(!symlink("/dev/null", scratch_path("ledger.db")));
  refuse("a symbolic link");
  CHECK(!unlink(scratch_path("ledger.db")));
  CHECK(!mkdir(scratch_path("ledger.db"), 0700));
  refuse("not a plain file");
  scratch_remove();
}

static void link_to_the_directory_is_followed(void)
{
  char link[4200];

  fake_clock_init(&fake);
  scratch_make();
  snprintf(link, sizeof(link), "%s-link", scratch_dir);
  CHECK(!symlink(scratch_dir, link));
  ledger = ca_ledger_open(link, &fake.clock, &err);
  CHECK(ledger != NULL);
  CHECK_INT(scratch_mode("ledger.db"), 0600);
  unlink(link);
  stop();
}

static void directory_open_to_all_is_refused(void)
{
  fake_clock_init(&fake);
  scratch_make();
  CHECK(!chmod(scratch_dir, 0777));
  refuse("everybody can write");
  scratch_remove();
}

static void directory_that_is_a_file_is_refused(void)
{
  char file[5000];
  int fd;

  fake_clock_init(&fake);
  scratch_make();
  snprintf(file, sizeof(file), "%s/file", scratch_dir);
  fd = open(file, O_CREAT | O_WRONLY, 0600);
  CHECK(fd >= 0);
  close(fd);
  ledger = ca_ledger_open(file, &fake.clock, &err);
  CHECK(!ledger);
  CHECK_HOLDS(err.text, "is not a directory");
  snprintf(file, sizeof(file), "%s/file/below", scratch_dir);
  ledger = ca_ledger_open(file, &fake.clock, &err);
  CHECK(!ledger);
  CHECK_HOLDS(err.text, "cannot create the state directory");
  ledger = ca_ledger_open("", &fake.clock, &err);
  CHECK(!ledger);
  scratch_remove();
}

/* In a child that is not root, since root may write anywhere. */
static int open_as_nobody(void)
{
  if(!geteuid() && (setgid(65534) || setuid(65534)))
    return 3;
  ca_err_clear(&err);
  ledger = ca_ledger_open(scratch_dir, &fake.clock, &err);
  if(ledger || err.code != CA_SYSTEM)
    return 4;
  if(!strstr(err.text, scratch_dir) || !strstr(err.text, "writable")) {
    printf("  %s\n", err.text);
    return 5;
  }
  return 0;
}

static void read_only_directory_is_said(void)
{
  fake_clock_init(&fake);
  scratch_make();
  CHECK(!chmod(scratch_dir, 0555));
  in_child(open_as_nobody);
  chmod(scratch_dir, 0700);
  scratch_remove();
}

static void read_only_file_is_said(void)
{
  start("apply");
  ca_ledger_close(ledger);
  CHECK(!chmod(scratch_path("ledger.db"), 0444));
  CHECK(!chmod(scratch_dir, 0555));
  if(geteuid()) /* its owner may change it back, so it is no error */
    chmod(scratch_path("ledger.db"), 0400);
  else
    in_child(open_as_nobody);
  chmod(scratch_dir, 0700);
  scratch_remove();
}

/* Schema. */

static void schema_stays(void)
{
  char before[32];

  start("apply");
  stop();
  start("apply");
  CHECK_INT(ask("PRAGMA user_version"), 8);
  CHECK_TEXT(scratch_ask("ledger.db", "PRAGMA journal_mode"), "wal");
  snprintf(before, sizeof(before), "%lld", ask("PRAGMA schema_version"));
  ca_ledger_close(ledger);
  open_ledger();
  CHECK_TEXT(scratch_ask("ledger.db", "PRAGMA schema_version"), before);
  CHECK_INT(ask("SELECT count(*) FROM run"), 1);
  CHECK_TEXT(scratch_ask("ledger.db", "PRAGMA integrity_check"), "ok");
  stop();
}

static void newer_schema_is_refused(void)
{
  start("apply");
  ca_ledger_close(ledger);
  scratch_do("ledger.db", "PRAGMA user_version = 9");
  refuse("newer composio-lua (schema 9, this one knows 8)");
  CHECK_INT(ask("PRAGMA user_version"), 9);
  scratch_remove();
}

static void strange_database_is_refused(void)
{
  fake_clock_init(&fake);
  scratch_make();
  scratch_do("ledger.db", "CREATE TABLE mine(x)");
  refuse("not a ledger");
  CHECK_TEXT(scratch_ask("ledger.db", "PRAGMA journal_mode"), "delete");
  scratch_remove();
}

static void garbage_is_refused(void)
{
  char text[8192];
  FILE *file;

  fake_clock_init(&fake);
  scratch_make();
  memset(text, 'x', sizeof(text));
  file = fopen(scratch_path("ledger.db"), "w");
  CHECK(file && fwrite(text, 1, sizeof(text), file) == sizeof(text));
  fclose(file);
  refuse("damaged or not a ledger");
  scratch_remove();
}

/* Runs. */

static void run_ids(void)
{
  static const struct {
    const char *script, *want;
  } cases[] = {
    { "scripts/refresh_expired.lua", "2026-11-22T0600-refresh_expired-" },
    { "My Job-2.LUA", "2026-11-22T0600-my_job_2_lua-" },
    { "/a.b/caf\xC3\xA9.lua", "2026-11-22T0600-caf__-" },
    { "", "2026-11-22T0600-run-" },
    { "dir/", "2026-11-22T0600-run-" },
    { NULL, "2026-11-22T0600-run-" },
    { "x23456789012345678901234567890123456789012345678901234567890.lua",
      "2026-11-22T0600-x23456789012345678901234567890123456789012345678-" }
  };
  size_t i;

  fake_clock_init(&fake);
  scratch_make();
  open_ledger();
  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct ca_run_info info = { .script = cases[i].script, .mode = "preview" };
    size_t len = strlen(cases[i].want);
    CHECK_INT(ca_run_begin(ledger, &info, run_id, sizeof(run_id), &err),
              CA_OK);
    CHECK_INT(strlen(run_id), len + 3);
    CHECK(!strncmp(run_id, cases[i].want, len));
    CHECK(strspn(run_id + len, "0123456789abcdefghjkmnpqrstvwxyz") == 3);
    CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  }
  stop();
}

static void run_ids_differ_within_a_minute(void)
{
  int i;

  fake_clock_init(&fake);
  scratch_make();
  open_ledger();
  for(i = 0; i < 300; i++) {
    struct ca_run_info info = { .script = "a.lua", .mode = "preview" };
    if(!CHECK_INT(ca_run_begin(ledger, &info, run_id, sizeof(run_id), &err),
                  CA_OK))
      break;
    CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  }
  CHECK_INT(ask("SELECT count(DISTINCT name) FROM run"), 300);
  stop();
}

static void run_is_kept(void)
{
  start("apply");
  CHECK_INT(ask("SELECT count(*) FROM run"), 1);
  CHECK_TEXT(scratch_ask("ledger.db", "SELECT name FROM run"), run_id);
  CHECK_TEXT(scratch_ask("ledger.db",
                         "SELECT script || ' ' || script_sha || ' ' || params"
                         " || ' ' || options || ' ' || mode || ' ' || who ||"
                         " ' ' || host || ' ' || project || ' ' || base_url"
                         " || ' ' || version || ' ' || began_ms FROM run"),
             "scripts/refresh_expired.lua abc {\"days\":90} {} apply kim box "
             "0123456789abcdef https://h 0.1.0 1795327212000");
  CHECK_INT(ask("SELECT ended_ms IS NULL AND exit_code IS NULL FROM run"), 1);
  fake_clock_pass(&fake, 1500);
  CHECK_INT(ca_run_end(ledger, 3, &err), CA_OK);
  CHECK_INT(ask("SELECT exit_code FROM run"), 3);
  CHECK_INT(ask("SELECT ended_ms - began_ms FROM run"), 1500);
  stop();
}

static void calls_out_of_turn(void)
{
  struct ca_run_info info = { .script = "a.lua", .mode = "apply" };
  struct ca_item item = { .key = "k" };
  int64_t number;

  start("apply");
  CHECK_INT(ca_run_begin(ledger, &info, run_id, sizeof(run_id), &err),
            CA_USAGE);
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_USAGE);
  CHECK_INT(ca_plan_rows_add_item(ledger, &item, &number, &err), CA_USAGE);
  CHECK_INT(settle(32769, CA_DONE), CA_USAGE);
  CHECK_INT(intend(32769), CA_USAGE);
  CHECK_INT(ca_run_begin(ledger, &info, run_id, 95, &err), CA_USAGE);
  CHECK_INT(ca_run_begin(ledger, &info, run_id, sizeof(run_id), &err), CA_OK);
  stop();
  ca_ledger_close(NULL);
}

/* Items. */

static void item_comes_back(void)
{
  struct ca_item in = { .bulk = 2,
                        .key = "row 7",
                        .account = "ca_1",
                        .user = "j\xC3\xB6s\xC3\xA9",
                        .toolkit = "gmail",
                        .scheme = "OAUTH2",
                        .status = "EXPIRED",
                        .alias = "work",
                        .status_reason = "Max auth failures reached",
                        .flags = CA_ITEM_DISABLED | CA_ITEM_MANAGED,
                        .created_ms = 1700000000001,
                        .updated_ms = 1700000000002,
                        .row = "{\"a\":\"b\"}" };
  struct ca_item out;
  int64_t number;

  start("preview");
  CHECK_INT(ca_plan_rows_add_item(ledger, &in, &number, &err), CA_OK);
  CHECK_INT(number, 1);
  add_item(2, "another");
  CHECK_INT(ca_read_item(ledger, number, &out, &err), CA_OK);
  CHECK_INT(out.bulk, 2);
  CHECK_TEXT(out.key, in.key);
  CHECK_TEXT(out.account, in.account);
  CHECK_TEXT(out.user, in.user);
  CHECK_TEXT(out.toolkit, in.toolkit);
  CHECK_TEXT(out.scheme, in.scheme);
  CHECK_TEXT(out.status, in.status);
  CHECK_TEXT(out.alias, in.alias);
  CHECK_TEXT(out.status_reason, in.status_reason);
  CHECK_TEXT(out.row, in.row);
  CHECK_INT(out.flags, in.flags);
  CHECK_INT(out.created_ms, in.created_ms);
  CHECK_INT(out.updated_ms, in.updated_ms);
  CHECK_INT(ca_read_item(ledger, 99, &out, &err), CA_USAGE);
  stop();
}

static void bare_item_comes_back(void)
{
  struct ca_item in = { .key = "ca_1", .account = "ca_1" };
  struct ca_item row = { .key = "r" };
  struct ca_item out;
  int64_t number;

  start("preview");
  CHECK_INT(ca_plan_rows_add_item(ledger, &in, &number, &err), CA_OK);
  CHECK_INT(ca_read_item(ledger, number, &out, &err), CA_OK);
  CHECK_TEXT(out.key, "ca_1");
  CHECK_TEXT(out.account, "ca_1");
  CHECK_INT(out.flags, 0);
  CHECK(!out.user && !out.toolkit && !out.scheme && !out.status);
  CHECK(!out.alias && !out.status_reason && !out.row);
  CHECK_INT(out.created_ms, 0);
  CHECK_INT(ca_plan_rows_add_item(ledger, &row, &number, &err), CA_OK);
  CHECK_INT(ca_read_item(ledger, number, &out, &err), CA_OK);
  CHECK_TEXT(out.key, "r");
  CHECK_TEXT(out.account, NULL);
  stop();
}

static void long_texts(void)
{
  char reason[200];
  char *row = calloc(1, 200001);
  struct ca_item in = { .key = "k", .status_reason = reason, .row = row };
  struct ca_item out;
  int64_t number;
  int i;

  start("preview");
  memset(row, 'r', 200000);
  for(i = 0; i < 199; i++)
    reason[i] = i % 2 ? '\xA9' : '\xC3';
  reason[198] = reason[199] = '\0';
  CHECK_INT(ca_plan_rows_add_item(ledger, &in, &number, &err), CA_OK);
  CHECK_INT(ca_read_item(ledger, number, &out, &err), CA_OK);
  CHECK_INT(strlen(out.row), 200000);
  CHECK_INT(strlen(out.status_reason), 120);
  reason[120] = '\0';
  CHECK_TEXT(out.status_reason, reason);
  free(row);
  stop();
}

/* Rows are written many at a time, at one, and by themselves when they are
   long: whatever the mixture, each comes back as it was. */
static void rows_of_all_lengths(void)
{
  static char row[9001];
  char key[32];
  struct ca_item in = { .bulk = 1, .key = key, .account = key };
  struct ca_change change = { .api = op("disable"), .line = "job.lua:3" };
  struct ca_item out;
  int64_t item, number;
  int i;

  start("preview");
  memset(row, 'r', sizeof(row) - 1);
  for(i = 1; i <= 200; i++) {
    snprintf(key, sizeof(key), "ca_%d", i);
    row[i * i % 9000] = '\0';
    in.row = i % 3 ? row : NULL;
    in.alias = i % 7 ? NULL : "alias";
    CHECK_INT(ca_plan_rows_add_item(ledger, &in, &item, &err), CA_OK);
    CHECK_INT(item, i);
    change.account = i % 5 ? key : "ca_other";
    change.reason = i % 11 ? NULL : row;
    CHECK_INT(ca_plan_rows_add_change(ledger, item, &change, &number, &err),
              CA_OK);
    if(i % 40 == 0) {
      CHECK_INT(ca_read_item(ledger, item - 2, &out, &err), CA_OK);
      CHECK_TEXT(out.account, out.key);
    }
    row[i * i % 9000] = 'r';
  }
  for(i = 1; i <= 200; i++) {
    snprintf(key, sizeof(key), "ca_%d", i);
    CHECK_INT(ca_read_item(ledger, i, &out, &err), CA_OK);
    CHECK_TEXT(out.key, key);
    CHECK_TEXT(out.account, key);
    CHECK_TEXT(out.alias, i % 7 ? NULL : "alias");
    CHECK_INT(out.row ? (int)strlen(out.row) : -1, i % 3 ? i * i % 9000 : -1);
  }
  CHECK_INT(ca_ledger_sync(ledger, &err), CA_OK);
  CHECK_INT(ask(ITEMS), 200);
  CHECK_INT(ask("SELECT count(*) FROM change WHERE line = 'job.lua:3'"), 200);
  CHECK_INT(ask("SELECT count(*) FROM change WHERE account = 'ca_other'"), 40);
  CHECK_INT(ask("SELECT sum(length(reason)) FROM change"),
            ask("SELECT sum(i * i % 9000) FROM (SELECT value * 11 AS i FROM"
                " json_each('[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18]'))"
                " WHERE i <= 200"));
  stop();
}

static void key_comes_once(void)
{
  struct ca_item item = { .bulk = 1, .key = "a\x1b[1m" };
  int64_t number = 0;

  start("preview");
  CHECK_INT(ca_plan_rows_add_item(ledger, &item, &number, &err), CA_OK);
  CHECK_INT(ca_plan_rows_add_item(ledger, &item, &number, &err), CA_USAGE);
  CHECK_TEXT(err.text, "the key \"a\\x1b[1m\" is in the selection twice");
  item.bulk = 2;
  CHECK_INT(ca_plan_rows_add_item(ledger, &item, &number, &err), CA_OK);
  CHECK_INT(number, 2);
  item.key = "";
  CHECK_INT(ca_plan_rows_add_item(ledger, &item, &number, &err), CA_USAGE);
  item.key = NULL;
  CHECK_INT(ca_plan_rows_add_item(ledger, &item, &number, &err), CA_USAGE);
  /* what was there before the refusals is still there */
  CHECK_INT(ca_ledger_sync(ledger, &err), CA_OK);
  CHECK_INT(ask(ITEMS), 2);
  stop();
}

static enum ca_code add_numbered(int n)
{
  char key[16];
  struct ca_item item = { .bulk = 1, .key = key };
  int64_t number;
  snprintf(key, sizeof(key), "k%d", n);
  return ca_plan_rows_add_item(ledger, &item, &number, &err);
}

static void many_keys_come_once(void)
{
  int i;

  start("preview");
  for(i = 0; i < 5000; i++)
    if(!CHECK_INT(add_numbered(i), CA_OK))
      break;
  CHECK_INT(add_numbered(0), CA_USAGE);
  CHECK_INT(add_numbered(2500), CA_USAGE);
  CHECK_INT(add_numbered(4999), CA_USAGE);
  CHECK_INT(add_numbered(5000), CA_OK);
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  begin_run("preview"); /* which has its own keys */
  for(i = 0; i < 1000; i++)
    if(!CHECK_INT(add_numbered(i), CA_OK))
      break;
  CHECK_INT(add_numbered(1), CA_USAGE);
  CHECK_INT(ca_ledger_sync(ledger, &err), CA_OK);
  CHECK_INT(ask(ITEMS), 5001 + 1000);
  stop();
}

/* Changes. */

static void check_full(const struct ca_change_row *row,
                       const struct ca_change *in)
{
  CHECK(row->change.api == in->api);
  CHECK_TEXT(row->change.account, in->account);
  CHECK_TEXT(row->change.user, in->user);
  CHECK_TEXT(row->change.config, in->config);
  CHECK_TEXT(row->change.query, in->query);
  CHECK_TEXT(row->change.body, in->body);
  CHECK_TEXT(row->change.fingerprint, in->fingerprint);
  CHECK_TEXT(row->change.reason, in->reason);
  CHECK_TEXT(row->change.line, in->line);
  CHECK_TEXT(row->change.before, in->before);
  CHECK_INT(row->change.cost, in->cost);
  CHECK_INT(row->outcome, in->outcome);
}

static void change_comes_back(void)
{
  struct ca_change in = { .api = NULL,
                          .account = "",
                          .user = "u",
                          .config = "ac_1",
                          .query = "a=b",
                          .body = "{\"x\":1}",
                          .fingerprint = "f",
                          .reason = "because",
                          .line = "a.lua:3",
                          .before = "ACTIVE",
                          .cost = CA_IRREVERSIBLE,
                          .outcome = CA_SKIPPED };
  struct ca_change bare = { .account = "ca_1" };
  int64_t item, number;

  start("preview");
  in.api = op("link");
  bare.api = op("disable");
  item = add_item(1, "ca_1");
  CHECK_INT(ca_plan_rows_add_change(ledger, item, &in, &number, &err), CA_OK);
  check_full(change_row(number), &in);
  CHECK_INT(ca_plan_rows_add_change(ledger, item, &bare, &number, &err),
            CA_OK);
  check_full(change_row(number), &bare);
  /* an account other than the item's, and an item without one */
  bare.account = "ca_2";
  CHECK_INT(ca_plan_rows_add_change(ledger, item, &bare, &number, &err),
            CA_OK);
  check_full(change_row(number), &bare);
  stop();
}

static void change_is_refused(void)
{
  struct ca_change change = { .api = op("disable"), .account = "ca_1" };
  int64_t item, number;

  start("apply");
  item = add_item(1, "ca_1");
  change.outcome = CA_DONE;
  CHECK_INT(ca_plan_rows_add_change(ledger, item, &change, &number, &err),
            CA_USAGE);
  change.outcome = CA_PLANNED;
  CHECK_INT(ca_plan_rows_add_change(ledger, 5, &change, &number, &err),
            CA_USAGE);
  CHECK_TEXT(err.text, "the run has no such item");
  CHECK_INT(ca_plan_rows_add_change(ledger, item, &change, &number, &err),
            CA_OK);
  stop();
}

static void changes_stand_by_item(void)
{
  int64_t one, two;

  start("preview");
  one = add_item(1, "one");
  two = add_item(1, "two");
  add_change(one, "disable", "one", CA_PLANNED);
  add_change(two, "enable", "two", CA_SAME);
  add_change(one, "delete", "one", CA_PLANNED);
  add_both(2, "three", "refresh");
  CHECK_TEXT(changes(-1, ~0U),
             "one disable planned; one delete planned; two enable same; "
             "three refresh planned; ");
  CHECK_TEXT(changes(1, 1U << CA_SAME), "two enable same; ");
  CHECK_TEXT(changes(2, ~0U), "three refresh planned; ");
  CHECK_TEXT(changes(3, ~0U), "");
  stop();
}

/* Plan transactions. */

static void plan_is_committed_by_rows(void)
{
  char key[16];
  int i;

  start("preview");
  for(i = 0; i < 1000; i++) {
    snprintf(key, sizeof(key), "k%d", i);
    add_item(1, key);
  }
  CHECK_INT(ask(ITEMS), 0);
  add_item(1, "next");
  CHECK_INT(ask(ITEMS), 1000);
  CHECK_INT(ca_ledger_sync(ledger, &err), CA_OK);
  CHECK_INT(ask(ITEMS), 1001);
  stop();
}

static void plan_is_committed_by_time(void)
{
  start("preview");
  add_item(1, "one");
  fake_clock_pass(&fake, 49);
  add_item(1, "two");
  CHECK_INT(ask(ITEMS), 0);
  fake_clock_pass(&fake, 1);
  add_item(1, "three");
  CHECK_INT(ask(ITEMS), 2);
  ca_ledger_close(ledger);
  CHECK_INT(ask(ITEMS), 3);
  open_ledger();
  stop();
}

/* Intents and outcomes. */

static void intent_is_for_all_to_see(void)
{
  int64_t numbers[3];

  start("apply");
  numbers[0] = add_both(1, "one", "disable");
  numbers[1] = add_both(1, "two", "disable");
  numbers[2] = add_both(1, "three", "disable");
  CHECK_INT(ca_outcome_intend(ledger, numbers, 2, &err), CA_OK);
  CHECK_INT(ask(INTENTS), 2);
  CHECK_INT(ask(ITEMS), 3); /* with every write before it */
  CHECK_INT(ask("SELECT min(sent_ms) FROM intent"), fake.wall_ms);
  CHECK_TEXT(changes(1, ~0U), "one disable intended; two disable intended; "
                              "three disable planned; ");
  stop();
}

static void intent_comes_once(void)
{
  int64_t numbers[2];

  start("apply");
  numbers[0] = add_both(1, "one", "disable");
  numbers[1] = add_both(1, "two", "disable");
  CHECK_INT(intend(numbers[1]), CA_OK);
  CHECK_INT(ca_outcome_intend(ledger, numbers, 2, &err), CA_USAGE);
  CHECK_HOLDS(err.text, "was already sent");
  CHECK_TEXT(changes(1, ~0U), "one disable planned; two disable intended; ");
  CHECK_INT(intend(numbers[0]), CA_OK);
  stop();
}

static void outcome_waits_for_the_next_sync(void)
{
  int64_t one, two;

  start("apply");
  one = add_both(1, "one", "disable");
  two = add_both(1, "two", "disable");
  CHECK_INT(intend(one), CA_OK);
  CHECK_INT(settle(one, CA_DONE), CA_OK);
  CHECK_INT(ask(OUTCOMES), 0);
  CHECK_INT(intend(two), CA_OK);
  CHECK_INT(ask(OUTCOMES), 1);
  CHECK_INT(settle(two, CA_DONE), CA_OK);
  CHECK_INT(ca_ledger_sync(ledger, &err), CA_OK);
  CHECK_INT(ask(OUTCOMES), 2);
  CHECK_TEXT(scratch_ask("ledger.db",
                         "SELECT outcome || ' ' || ended_ms || ' ' || attempts"
                         " || ' ' || request_id || ' ' || status_after ||"
                         " coalesce(http, '-') || coalesce(slug, '-') ||"
                         " coalesce(error, '-') FROM outcome LIMIT 1"),
             "3 1795327212000 1 req-1 INACTIVE---");
  stop();
}

static void outcome_waits_100_ms_at_most(void)
{
  int64_t one, two, three;

  start("apply");
  one = add_both(1, "one", "disable");
  two = add_both(1, "two", "disable");
  three = add_both(1, "three", "disable");
  CHECK_INT(intend(one), CA_OK);
  CHECK_INT(intend(two), CA_OK);
  CHECK_INT(intend(three), CA_OK);
  CHECK_INT(settle(one, CA_DONE), CA_OK);
  fake_clock_pass(&fake, 99);
  CHECK_INT(settle(two, CA_DONE), CA_OK);
  CHECK_INT(ask(OUTCOMES), 0);
  fake_clock_pass(&fake, 1);
  CHECK_INT(settle(three, CA_DONE), CA_OK);
  CHECK_INT(ask(OUTCOMES), 2);
  stop();
}

static void no_lock_while_outcomes_wait(void)
{
  int64_t one;

  start("apply");
  one = add_both(1, "one", "disable");
  CHECK_INT(intend(one), CA_OK);
  CHECK_INT(settle(one, CA_DONE), CA_OK);
  scratch_do("ledger.db", "BEGIN IMMEDIATE; COMMIT");
  CHECK_INT(ca_ledger_sync(ledger, &err), CA_OK);
  scratch_do("ledger.db", "BEGIN IMMEDIATE; COMMIT");
  stop();
}

static void unlocking_before_a_wait(void)
{
  int64_t one;

  start("apply");
  CHECK_INT(ca_ledger_commit_before_wait(ledger, NULL, &err), CA_OK);
  one = add_both(1, "one", "disable");
  CHECK_INT(ca_ledger_commit_before_wait(ledger, NULL, &err), CA_OK);
  CHECK_INT(ask(ITEMS), 1);
  scratch_do("ledger.db", "BEGIN IMMEDIATE; COMMIT");
  CHECK_INT(intend(one), CA_OK);
  CHECK_INT(settle(one, CA_DONE), CA_OK);
  fake_clock_pass(&fake, 99);
  CHECK_INT(ca_ledger_commit_before_wait(ledger, NULL, &err), CA_OK);
  CHECK_INT(ask(OUTCOMES), 0);
  fake_clock_pass(&fake, 1);
  CHECK_INT(ca_ledger_commit_before_wait(ledger, NULL, &err), CA_OK);
  CHECK_INT(ask(OUTCOMES), 1);
  stop();
}

static void many_outcomes_are_written(void)
{
  char key[16];
  int64_t numbers[600];
  int i;

  start("apply");
  for(i = 0; i < 600; i++) {
    snprintf(key, sizeof(key), "k%d", i);
    numbers[i] = add_both(1, key, "disable");
  }
  CHECK_INT(ca_outcome_intend(ledger, numbers, 600, &err), CA_OK);
  for(i = 0; i < 600; i++)
    CHECK_INT(settle(numbers[i], i % 2 ? CA_DONE : CA_FAILED), CA_OK);
  CHECK(ask(OUTCOMES) >= 512);
  CHECK_TEXT(counts(1), "disable done 300; disable failed 300; "
                        "items done 300; items failed 300; ");
  CHECK_INT(ask(OUTCOMES), 600);
  stop();
}

static void cause_is_kept_without_secrets(void)
{
  struct ca_err cause;
  int64_t one;

  start("apply");
  ca_secret_add("hunter2hunter2", 14);
  one = add_both(1, "one", "disable");
  CHECK_INT(intend(one), CA_OK);
  ca_err_set(&cause, CA_HTTP, "no hunter2hunter2 here");
  cause.status = 404;
  ca_err_copy_text(cause.slug, sizeof(cause.slug), "Gone", 4);
  CHECK_INT(ca_outcome_record(ledger, one, CA_FAILED, 3, "req-9", NULL, NULL,
                              &cause, &err),
            CA_OK);
  CHECK_INT(ca_outcome_record_item(ledger, 1, CA_FAILED,
                                   "after: hunter2hunter2", &err),
            CA_OK);
  CHECK_TEXT(change_row(one)->error, "no *** here");
  CHECK_TEXT(change_row(one)->request_id, "req-9");
  CHECK_INT(change_row(one)->outcome, CA_FAILED);
  CHECK_TEXT(scratch_ask("ledger.db", "SELECT http || slug || attempts"
                                      " FROM outcome"),
             "404Gone3");
  CHECK_TEXT(scratch_ask("ledger.db", "SELECT detail FROM item"),
             "after: ***");
  ca_secret_remove("hunter2hunter2", 14);
  stop();
}

/* Counting and ending. */

static void counts_of_changes_and_items(void)
{
  int64_t item;

  start("apply");
  item = add_item(1, "done"); /* done beats same */
  CHECK_INT(settle(add_change(item, "disable", "done", CA_PLANNED), CA_DONE),
            CA_OK);
  add_change(item, "enable", "done", CA_SAME);
  item = add_item(1, "same");
  add_change(item, "enable", "same", CA_SAME);
  item = add_item(1, "worst"); /* unknown beats failed beats done */
  CHECK_INT(settle(add_change(item, "disable", "worst", CA_PLANNED), CA_DONE),
            CA_OK);
  CHECK_INT(
      settle(add_change(item, "delete", "worst", CA_PLANNED), CA_UNKNOWN),
      CA_OK);
  CHECK_INT(settle(add_change(item, "revoke", "worst", CA_PLANNED), CA_FAILED),
            CA_OK);
  item = add_item(1, "own verdict");
  CHECK_INT(settle(add_change(item, "disable", "x", CA_PLANNED), CA_DONE),
            CA_OK);
  CHECK_INT(ca_outcome_record_item(ledger, item, CA_PENDING, NULL, &err),
            CA_OK);
  add_item(1, "untouched");
  add_both(2, "other bulk", "refresh");
  CHECK_TEXT(counts(1),
             "disable done 3; enable same 2; delete unknown 1; "
             "revoke failed 1; items done 1; items same 1; items unknown 1; "
             "items pending 1; ");
  CHECK_TEXT(counts(2), "refresh planned 1; items planned 1; ");
  CHECK_TEXT(counts(9), "");
  stop();
}

static void names_of_two_resources(void)
{
  struct ca_change change = { .account = "ac_1" };
  int64_t number;

  start("preview");
  change.api = ca_api_find("auth_configs", "disable");
  add_both(1, "one", "disable");
  CHECK_INT(ca_plan_rows_add_change(ledger, add_item(1, "two"), &change,
                                    &number, &err),
            CA_OK);
  CHECK_TEXT(counts(-1), "disable planned 1; auth_configs.disable planned 1; "
                         "items planned 2; ");
  stop();
}

static void end_of_an_applied_run(void)
{
  int64_t done, intended;

  start("apply");
  done = add_both(1, "done", "disable");
  intended = add_both(1, "intended", "disable");
  add_both(1, "left over", "disable");
  add_change(add_item(1, "same"), "disable", "same", CA_SAME);
  CHECK_INT(intend(done), CA_OK);
  CHECK_INT(intend(intended), CA_OK);
  CHECK_INT(settle(done, CA_DONE), CA_OK);
  CHECK_INT(ca_run_end(ledger, 8, &err), CA_OK);
  CHECK_TEXT(changes(-1, ~0U),
             "done disable done; intended disable unknown; "
             "left over disable not tried; same disable same; ");
  CHECK_INT(ask(OUTCOMES), 3);
  stop();
}

static void end_of_a_preview(void)
{
  start("preview");
  add_both(1, "one", "disable");
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  CHECK_TEXT(changes(-1, ~0U), "one disable planned; ");
  CHECK_INT(ask(OUTCOMES), 0);
  stop();
}

static void runs_do_not_mix(void)
{
  start("preview");
  add_both(1, "one", "disable");
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  begin_run("apply");
  CHECK_TEXT(changes(-1, ~0U), "");
  add_both(1, "one", "enable");
  CHECK_TEXT(changes(-1, ~0U), "one enable planned; ");
  CHECK_TEXT(counts(-1), "enable planned 1; items planned 1; ");
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  CHECK_INT(ask("SELECT count(*) FROM outcome o JOIN change c USING(id)"), 1);
  stop();
}

/* Trouble. */

static int intend_and_die(void)
{
  int64_t number;

  open_ledger();
  begin_run("apply");
  number = add_both(1, "one", "disable");
  add_both(1, "two", "disable");
  if(intend(number) || settle(number, CA_DONE))
    return 1;
  add_both(1, "three", "disable");
  return check_case_failed; /* nothing closed, nothing synced */
}

static void crash_leaves_intents(void)
{
  fake_clock_init(&fake);
  scratch_make();
  in_child(intend_and_die);
  open_ledger();
  ledger->run = 1; /* as one reads it who resumes it */
  CHECK_TEXT(changes(-1, ~0U), "one disable intended; two disable planned; ");
  stop();
}

static void limit_pages(int more)
{
  char sql[64];
  long long pages = ask("PRAGMA page_count");
  snprintf(sql, sizeof(sql), "PRAGMA max_page_count = %lld", pages + more);
  CHECK_INT(sqlite3_exec(ledger->db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static void free_pages(void)
{
  CHECK_INT(sqlite3_exec(ledger->db, "PRAGMA max_page_count = 1000000", NULL,
                         NULL, NULL),
            SQLITE_OK);
}

static void full_disk_means_no_intent(void)
{
  int64_t numbers[1000];
  char key[16];
  int i;

  start("apply");
  for(i = 0; i < 1000; i++) {
    snprintf(key, sizeof(key), "k%d", i);
    numbers[i] = add_both(1, key, "disable");
  }
  CHECK_INT(ca_ledger_sync(ledger, &err), CA_OK);
  CHECK_INT(intend(numbers[0]), CA_OK);
  CHECK_INT(settle(numbers[0], CA_DONE), CA_OK);
  limit_pages(0);
  CHECK_INT(ca_outcome_intend(ledger, numbers + 1, 999, &err), CA_SYSTEM);
  CHECK_HOLDS(err.text, "the disk is full");
  CHECK_HOLDS(err.text, "ledger.db");
  CHECK_INT(ask(INTENTS), 1);
  /* with room again all goes on, and no outcome was lost */
  free_pages();
  CHECK_INT(ca_outcome_intend(ledger, numbers + 1, 999, &err), CA_OK);
  CHECK_INT(ask(INTENTS), 1000);
  CHECK_INT(ask(OUTCOMES), 1);
  stop();
}

static void full_disk_while_planning(void)
{
  enum ca_code code = CA_OK;
  char key[300];
  struct ca_item item = { .bulk = 1, .key = key };
  int64_t number = 0;
  int i;

  start("apply");
  limit_pages(3);
  memset(key, 'k', sizeof(key));
  for(i = 0; i < 2000 && !code; i++) {
    snprintf(key + 280, 20, "%d", i);
    code = ca_plan_rows_add_item(ledger, &item, &number, &err);
  }
  CHECK_INT(code, CA_SYSTEM);
  CHECK_HOLDS(err.text, "the disk is full");
  free_pages();
  /* rows that were promised are gone: the run must not go on without them */
  ca_err_clear(&err);
  item.key = "later";
  CHECK_INT(ca_plan_rows_add_item(ledger, &item, &number, &err), CA_SYSTEM);
  CHECK_HOLDS(err.text, "the disk is full");
  CHECK_INT(intend(32769), CA_SYSTEM);
  CHECK_INT(ca_run_end(ledger, 1, &err), CA_OK);
  CHECK_INT(ask("SELECT exit_code FROM run"), 1);
  stop();
}

static void lock_held_by_another(void)
{
  sqlite3 *other;
  int64_t one;

  start("apply");
  one = add_both(1, "one", "disable");
  CHECK_INT(ca_ledger_sync(ledger, &err), CA_OK);
  CHECK(!sqlite3_open(scratch_path("ledger.db"), &other));
  CHECK(!sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL));
  sqlite3_busy_timeout(ledger->db, 20);
  CHECK_INT(intend(one), CA_SYSTEM);
  CHECK_HOLDS(err.text, "locked by another process");
  sqlite3_exec(other, "COMMIT", NULL, NULL, NULL);
  sqlite3_close(other);
  CHECK_INT(intend(one), CA_OK);
  CHECK_INT(ask(INTENTS), 1);
  stop();
}

/* Holds the turn for a while, as one does who waits for the write lock. */
static void hold_turn(int say)
{
  struct timespec while_ms = { 0, 150 * 1000000L };
  int fd = open(scratch_path("ledger.turn"), O_RDWR);

  if(fd < 0 || flock(fd, LOCK_EX) || write(say, "x", 1) != 1)
    _exit(1);
  nanosleep(&while_ms, NULL);
  _exit(0);
}

static void who_waits_comes_first(void)
{
  const struct ca_clock *clock = ca_clock_system();
  int64_t one, before_ms;
  int pipes[2];
  int status;
  char x;
  pid_t child;

  start("apply");
  one = add_both(1, "one", "disable");
  CHECK_INT(ca_ledger_sync(ledger, &err), CA_OK);
  CHECK(!pipe(pipes));
  child = fork();
  if(!child)
    hold_turn(pipes[1]);
  CHECK_INT(read(pipes[0], &x, 1), 1);
  before_ms = ca_clock_mono_ms(clock);
  CHECK_INT(intend(one), CA_OK);
  CHECK(ca_clock_mono_ms(clock) - before_ms >= 100);
  CHECK(waitpid(child, &status, 0) == child && !status);
  close(pipes[0]);
  close(pipes[1]);
  stop();
}

#define PROCESSES 6

static int run_beside_others(void)
{
  struct ca_run_info info = { .script = "a.lua", .mode = "apply" };
  int i;

  ledger = ca_ledger_open(scratch_dir, ca_clock_system(), &err);
  if(!ledger || ca_run_begin(ledger, &info, run_id, sizeof(run_id), &err)) {
    printf("  %s\n", err.text);
    return 1;
  }
  for(i = 0; i < 200; i++) {
    char key[16];
    int64_t number;
    snprintf(key, sizeof(key), "k%d", i);
    number = add_both(1, key, "disable");
    if(intend(number) || settle(number, CA_DONE)) {
      printf("  %s\n", err.text);
      return 2;
    }
  }
  if(ca_run_end(ledger, 0, &err))
    return 3;
  ca_ledger_close(ledger);
  return check_case_failed;
}

static void processes_share_a_new_ledger(void)
{
  pid_t children[PROCESSES];
  int i;

  scratch_make();
  for(i = 0; i < PROCESSES; i++) {
    children[i] = fork();
    if(!children[i]) {
      int code = run_beside_others();
      fflush(stdout);
      _exit(code);
    }
  }
  for(i = 0; i < PROCESSES; i++) {
    int status = -1;
    CHECK(waitpid(children[i], &status, 0) == children[i]);
    CHECK(WIFEXITED(status) && !WEXITSTATUS(status));
  }
  CHECK_INT(ask("SELECT count(*) FROM outcome WHERE outcome = 3"),
            200 * PROCESSES);
  CHECK_INT(ask("SELECT count(DISTINCT name) FROM run"), PROCESSES);
  CHECK_TEXT(scratch_ask("ledger.db", "PRAGMA integrity_check"), "ok");
  scratch_remove();
}

/* Fingerprints. */

static void fingerprints(void)
{
  char first[33], again[33], other[33];

  start("apply");
  CHECK_INT(ca_run_fingerprint(ledger, "secret", 6, first, 33, &err), CA_OK);
  CHECK_INT(strlen(first), 32);
  CHECK(strspn(first, "0123456789abcdef") == 32);
  CHECK_INT(ca_run_fingerprint(ledger, "secreT", 6, other, 33, &err), CA_OK);
  CHECK(strcmp(first, other) != 0);
  CHECK_INT(ca_run_fingerprint(ledger, "secret", 6, again, 32, &err),
            CA_USAGE);
  scratch_do("ledger.db", "BEGIN IMMEDIATE; COMMIT"); /* no lock is left */
  ca_ledger_close(ledger);
  open_ledger();
  CHECK_INT(ca_run_fingerprint(ledger, "secret", 6, again, 33, &err), CA_OK);
  CHECK_TEXT(again, first);
  CHECK_INT(ask("SELECT count(*) FROM salt"), 1);
  stop();
  start("apply"); /* another directory has another salt */
  CHECK_INT(ca_run_fingerprint(ledger, "secret", 6, other, 33, &err), CA_OK);
  CHECK(strcmp(first, other) != 0);
  stop();
}

static void outcome_names(void)
{
  CHECK_TEXT(ca_change_outcome_name(CA_PLANNED), "planned");
  CHECK_TEXT(ca_change_outcome_name(CA_INTENDED), "intended");
  CHECK_TEXT(ca_change_outcome_name(CA_NOT_TRIED), "not tried");
  CHECK_TEXT(ca_change_outcome_name(CA_DONE), "done");
  CHECK_TEXT(ca_change_outcome_name(CA_SAME), "same");
  CHECK_TEXT(ca_change_outcome_name(CA_FAILED), "failed");
  CHECK_TEXT(ca_change_outcome_name(CA_SKIPPED), "skipped");
  CHECK_TEXT(ca_change_outcome_name(CA_UNKNOWN), "unknown");
  CHECK_TEXT(ca_change_outcome_name(CA_STALE), "stale");
  CHECK_TEXT(ca_change_outcome_name(CA_PENDING), "pending");
}

int main(void)
{
  check_case("rights, whatever the umask", rights_whatever_the_umask);
  check_case("loose rights are tightened", loose_rights_are_tightened);
  check_case("a symbolic link is not followed", symbolic_link_is_not_followed);
  check_case("a link to the directory is followed",
             link_to_the_directory_is_followed);
  check_case("a directory open to all is refused",
             directory_open_to_all_is_refused);
  check_case("a directory that is a file is refused",
             directory_that_is_a_file_is_refused);
  check_case("a read-only directory is said", read_only_directory_is_said);
  check_case("a read-only file is said", read_only_file_is_said);
  check_case("the schema stays", schema_stays);
  check_case("a newer schema is refused", newer_schema_is_refused);
  check_case("a strange database is refused", strange_database_is_refused);
  check_case("garbage is refused", garbage_is_refused);
  check_case("run ids", run_ids);
  check_case("run ids differ within a minute", run_ids_differ_within_a_minute);
  check_case("a run is kept", run_is_kept);
  check_case("calls out of turn", calls_out_of_turn);
  check_case("an item comes back", item_comes_back);
  check_case("a bare item comes back", bare_item_comes_back);
  check_case("long texts", long_texts);
  check_case("rows of all lengths", rows_of_all_lengths);
  check_case("a key comes once", key_comes_once);
  check_case("many keys come once", many_keys_come_once);
  check_case("a change comes back", change_comes_back);
  check_case("a change is refused", change_is_refused);
  check_case("changes stand by item", changes_stand_by_item);
  check_case("a plan is committed by rows", plan_is_committed_by_rows);
  check_case("a plan is committed by time", plan_is_committed_by_time);
  check_case("an intent is for all to see", intent_is_for_all_to_see);
  check_case("an intent comes once", intent_comes_once);
  check_case("an outcome waits for the next sync",
             outcome_waits_for_the_next_sync);
  check_case("an outcome waits 100 ms at most", outcome_waits_100_ms_at_most);
  check_case("no lock while outcomes wait", no_lock_while_outcomes_wait);
  check_case("unlocking before a wait", unlocking_before_a_wait);
  check_case("many outcomes are written", many_outcomes_are_written);
  check_case("a cause is kept without secrets", cause_is_kept_without_secrets);
  check_case("counts of changes and items", counts_of_changes_and_items);
  check_case("names of two resources", names_of_two_resources);
  check_case("the end of an applied run", end_of_an_applied_run);
  check_case("the end of a preview", end_of_a_preview);
  check_case("runs do not mix", runs_do_not_mix);
  check_case("a crash leaves intents", crash_leaves_intents);
  check_case("a full disk means no intent", full_disk_means_no_intent);
  check_case("a full disk while planning", full_disk_while_planning);
  check_case("a lock held by another", lock_held_by_another);
  check_case("who waits comes first", who_waits_comes_first);
  check_case("processes share a new ledger", processes_share_a_new_ledger);
  check_case("fingerprints", fingerprints);
  check_case("outcome names", outcome_names);
  return check_end();
}
