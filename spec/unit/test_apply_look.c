/* Looking at accounts before they are changed: what is asked for, what the
   answers mean, and what is sent then. Must not know: sockets, curl. */
#include "apply_rig.h"

#define ACCOUNTS "/api/v3.1/connected_accounts"
#define NOT_FOUND                          \
  "{\"error\":{\"message\":\"not found\"," \
  "\"slug\":\"ConnectedAccount_ResourceNotFound\"}}"

#define NO_CONFIG                          \
  "{\"error\":{\"message\":\"not found\"," \
  "\"slug\":\"AuthConfig_ResourceNotFound\"}}"

static void begin_looking(int concurrency)
{
  struct ca_apply_options options = { .bulk = 1, .concurrency = concurrency };
  CHECK_INT(start_with(&options), CA_OK);
}

/* The text of the only outcome of that number. */
static const char *reason_of(enum ca_outcome outcome)
{
  char sql[128];

  CHECK_INT(ca_ledger_sync(ledger, &err), CA_OK);
  snprintf(sql, sizeof(sql),
           "SELECT error FROM outcome WHERE outcome = %d LIMIT 1",
           (int)outcome);
  return scratch_ask("ledger.db", sql);
}

/* One item, planned on an account that was so; op 0 is its look. */
static void plan_one(const char *operation, const char *status,
                     const char *alias)
{
  start();
  plan_change(plan_seen(1, "ca_1", status, alias), operation, "ca_1",
              CA_PLANNED);
  begin_looking(4);
  fill();
}

static void what_can_be_undone_is_not_looked_at(void)
{
  start();
  plan_items(1, 3, "de");
  begin(1, 8);
  fill();
  CHECK_INT(sent_count, 3);
  CHECK(!sent[0].reads);
  CHECK_INT(ca_apply_abandon(apply, &err), CA_OK);
  stop();
}

static void what_cannot_be_undone_is_looked_at(void)
{
  start();
  plan_change(plan_item(1, "ca_1"), "disable", "ca_1", CA_PLANNED);
  plan_change(plan_item(1, "ca_2"), "delete", "ca_2", CA_PLANNED);
  plan_change(plan_item(1, "ca_3"), "enable", "ca_3", CA_PLANNED);
  plan_items(2, 1, "d");
  begin(1, 8);
  fill();
  /* the others do not wait for it */
  CHECK_INT(sent_count, 3);
  CHECK_TEXT(sent[0].request.api->name, "list");
  CHECK_TEXT(target_of(0), ACCOUNTS "?connected_account_ids=ca_2&"
                                    "account_type=ALL&limit=100");
  CHECK_TEXT(sent[1].request.id, "ca_1");
  CHECK_TEXT(sent[2].request.id, "ca_3");
  well(1);
  seen_as(0, "ACTIVE");
  fill();
  CHECK_TEXT(sent[3].request.api->name, "delete");
  well(2);
  well(3);
  CHECK(ca_apply_finished(apply));
  CHECK_TEXT(ledger_says(), "3 3 3 0");
  check_sent = NULL; /* ca_1 is disabled twice by now */
  begin(2, 8);
  fill();
  CHECK(!sent[4].reads); /* the next bulk begins without */
  well(4);
  stop();
}

/* A change that comes later counts, too: before the first. */
static void looked_at_before_the_first_change(void)
{
  start();
  plan_items(1, 1, "dx");
  begin(1, 8);
  fill();
  CHECK_INT(sent_count, 1);
  CHECK(sent[0].reads);
  seen_as(0, "ACTIVE");
  fill();
  CHECK_TEXT(sent[1].request.api->name, "disable");
  well(1);
  fill();
  CHECK_TEXT(sent[2].request.api->name, "delete"); /* and only then */
  well(2);
  CHECK_TEXT(ended_well, "ca_1 ");
  stop();
}

static void credentials_are_looked_at_by_their_cost(void)
{
  struct ca_change update = { .api =
                                  ca_api_find("connected_accounts", "update"),
                              .account = "ca_1",
                              .fingerprint = "00ff",
                              .cost = CA_IRREVERSIBLE };
  start();
  plan_any(plan_item(1, "ca_1"), &update);
  begin(1, 8);
  fill();
  CHECK(sent_count == 1 && sent[0].reads);
  CHECK_INT(ca_apply_abandon(apply, &err), CA_OK);
  stop();
}

static void a_hundred_in_one_list(void)
{
  char ids[101][32];
  size_t i;

  start();
  check_sent = NULL;
  plan_items(1, 250, "x");
  begin(1, 8);
  fill();
  CHECK_INT(sent_count, 1);
  CHECK_INT(listed_ids(0, ids, 101), 100);
  CHECK_TEXT(ids[0], "ca_1");
  CHECK_TEXT(ids[99], "ca_100");
  fill(); /* those are enough for now */
  CHECK_INT(sent_count, 1);
  seen_as(0, "ACTIVE");
  CHECK_INT(intents(), 0);
  fill();
  CHECK_INT(intents(), 64);
  /* once they run short the next are looked at, beside the changes */
  fill();
  CHECK_INT(sent_count, 1 + 8 + 1);
  for(i = 1; i < 10 && !sent[i].reads; i++)
    ;
  CHECK_INT(listed_ids(i, ids, 101), 100);
  CHECK_TEXT(ids[0], "ca_101");
  seen_as(i, "ACTIVE");
  for(i = 0; !ca_apply_finished(apply) && i < sent_count; i++) {
    if(sent[i].live && sent[i].reads)
      seen_as(i, "ACTIVE");
    else if(sent[i].live)
      well(i);
    fill();
  }
  CHECK(ca_apply_finished(apply));
  CHECK_INT(sent_count, 250 + 3);
  CHECK_INT(scratch_count("ledger.db",
                          "SELECT count(*) FROM outcome WHERE outcome = 3"),
            250);
  stop();
}

/* Not all of a plan at once, however long it is. */
static void looks_are_few(void)
{
  size_t looks = 0;
  size_t i;

  start();
  check_sent = NULL;
  plan_items(1, 3000, "x");
  begin(1, 512);
  fill();
  for(i = 0; i < sent_count; i++)
    looks += sent[i].reads;
  CHECK_INT(looks, 8);
  CHECK_INT(sent_count, 8);
  CHECK_INT(ca_apply_abandon(apply, &err), CA_OK);
  CHECK_TEXT(told, "");
  stop();
}

static void as_it_was_is_sent(void)
{
  plan_one("delete", "ACTIVE", NULL);
  reply(0, 200, page_of("ca_1", "ACTIVE", NULL), true);
  fill();
  CHECK_INT(sent_count, 2);
  well(1);
  CHECK_TEXT(told, "ca_1 delete done last; ");
  stop();
}

static void another_status_is_stale(void)
{
  start();
  plan_items(1, 1, "");
  plan_change(plan_seen(1, "ca_2", "ACTIVE", NULL), "disable", "ca_2",
              CA_PLANNED);
  plan_change(2, "enable", "ca_2", CA_PLANNED);
  begin_looking(4);
  fill();
  reply(0, 200, page_of("ca_2", "EXPIRED", NULL), true);
  fill();
  CHECK_INT(sent_count, 1);
  CHECK(ca_apply_finished(apply));
  CHECK_TEXT(told,
             "ca_2 disable stale unsent; ca_2 enable stale unsent last; ");
  CHECK_TEXT(ended_well, "");
  CHECK_TEXT(ledger_says(), "8 8");
  CHECK_TEXT(reason_of(CA_STALE),
             "the account is EXPIRED now, but the plan saw ACTIVE");
  CHECK_INT(intents(), 0);
  stop();
}

static void disabled_meanwhile_is_stale(void)
{
  plan_one("delete", "EXPIRED", NULL);
  reply(0, 200,
        "{\"items\":[{\"id\":\"ca_1\",\"status\":\"EXPIRED\","
        "\"is_disabled\":true}]}",
        true);
  CHECK_TEXT(told, "ca_1 delete stale unsent last; ");
  CHECK_TEXT(reason_of(CA_STALE),
             "the account is disabled now, but the plan saw it enabled");
  stop();
  plan_one("delete", "INACTIVE", NULL);
  reply(0, 200,
        "{\"items\":[{\"id\":\"ca_1\",\"status\":\"INACTIVE\","
        "\"is_disabled\":false}]}",
        true);
  CHECK_TEXT(reason_of(CA_STALE),
             "the account is enabled now, but the plan saw it disabled");
  stop();
  plan_one("delete", "INACTIVE", NULL); /* who does not say, says nothing */
  reply(0, 200, "{\"items\":[{\"id\":\"ca_1\",\"status\":\"INACTIVE\"}]}",
        true);
  CHECK_TEXT(told, "");
  CHECK_INT(ca_apply_abandon(apply, &err), CA_OK);
  stop();
}

static void plan_alias(const char *alias)
{
  struct ca_change update = { .api =
                                  ca_api_find("connected_accounts", "update"),
                              .account = "ca_1",
                              .body = "{\"alias\":\"new\"}" };
  start();
  plan_any(plan_seen(1, "ca_1", "ACTIVE", alias), &update);
  begin_looking(4);
  fill();
}

static void the_alias_counts_where_it_is_changed(void)
{
  plan_alias("old");
  reply(0, 200, page_of("ca_1", "ACTIVE", "other\\u0020\\u001b"), true);
  CHECK_TEXT(told, "ca_1 update stale unsent last; ");
  CHECK_TEXT(reason_of(CA_STALE), "the account has the alias \"other "
                                  "\\x1b\" now, but the plan saw \"old\"");
  stop();
  plan_alias("old");
  reply(0, 200, page_of("ca_1", "ACTIVE", "\\u006fld"), true);
  fill();
  CHECK_INT(sent_count, 2);
  CHECK_INT(ca_apply_abandon(apply, &err), CA_OK);
  stop();
  plan_alias(NULL); /* none is the same as empty */
  reply(0, 200, page_of("ca_1", "ACTIVE", ""), true);
  fill();
  CHECK_INT(sent_count, 2);
  CHECK_INT(ca_apply_abandon(apply, &err), CA_OK);
  stop();
  plan_alias(NULL);
  reply(0, 200, page_of("ca_1", "ACTIVE", "x"), true);
  CHECK_TEXT(told, "ca_1 update stale unsent last; ");
  stop();
  plan_one("delete", "ACTIVE", "old");
  reply(0, 200, page_of("ca_1", "ACTIVE", "other"), true);
  fill();
  CHECK_INT(sent_count, 2);
  CHECK_INT(ca_apply_abandon(apply, &err), CA_OK);
  stop();
}

/* Nothing recorded: all that can be seen is whether it is there. */
static void without_image_only_gone_counts(void)
{
  start();
  plan_items(1, 2, "x");
  begin(1, 4);
  fill();
  reply(0, 200, page_of("ca_2", "WHATEVER", NULL), true);
  CHECK_TEXT(target_of(1), ACCOUNTS "/ca_1");
  reply(1, 404, NOT_FOUND, true);
  fill();
  CHECK_TEXT(sent[2].request.id, "ca_2");
  well(2);
  CHECK_TEXT(told, "ca_1 delete stale unsent last; ca_2 delete done last; ");
  CHECK_TEXT(reason_of(CA_STALE), "the account is gone");
  stop();
}

/* Absent from a list is not gone: it may have been cut. */
static void a_list_that_was_cut(void)
{
  start();
  plan_items(1, 3, "x");
  begin(1, 4);
  fill();
  reply(0, 200,
        "{\"items\":[{\"id\":\"ca_1\",\"status\":\"ACTIVE\"}],"
        "\"next_cursor\":\"Mi0x\"}",
        true);
  CHECK_HOLDS(target_of(1), "ca_1%2Cca_2%2Cca_3&account_type=ALL&limit=100&"
                            "cursor=Mi0x");
  reply(1, 200,
        "{\"items\":[{\"id\":\"ca_3\",\"status\":\"ACTIVE\"}],"
        "\"next_cursor\":\"Mi0x\"}",
        true);
  CHECK_TEXT(target_of(2), ACCOUNTS "/ca_2"); /* no third time that page */
  seen_as(2, "ACTIVE");
  CHECK_TEXT(told, "");
  fill();
  CHECK_INT(sent_count, 6);
  CHECK_INT(ca_apply_abandon(apply, &err), CA_OK);
  stop();
}

static void the_page_of_a_proxy_is_not_gone(void)
{
  plan_one("delete", "ACTIVE", NULL);
  reply(0, 200, "{\"items\":[]}", true);
  reply(1, 404, "<html>no such page</html>", false);
  CHECK_TEXT(told, "ca_1 delete not tried unsent last; ");
  CHECK_TEXT(ledger_says(), "2");
  CHECK_HOLDS(reason_of(CA_NOT_TRIED), "the precheck failed");
  stop();
}

static void a_look_that_fails_sends_nothing(void)
{
  static const struct {
    int status; /* 0: no reply */
    const char *body;
    const char *why;
  } cases[] = {
    { 0, NULL, "the precheck failed: cut" },
    { 500, "{\"error\":{\"message\":\"broken\"}}",
      "failed: broken (HTTP 500" },
    { 404, NOT_FOUND, "failed: not found" },
    { 200, "<html>", "failed: the reply cannot be parsed" },
    { 200, "{\"items\":7}", "failed: the reply cannot be parsed" },
    { 200, "{\"items\":[{}]}", "failed: the reply cannot be parsed" },
    { 200, "{\"items\":[]", "failed: the reply cannot be parsed" }
  };
  size_t i;

  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    start();
    plan_items(1, 2, "dx");
    plan_items(2, 1, "d");
    begin(1, 4);
    fill();
    if(cases[i].status)
      reply(0, cases[i].status, cases[i].body, true);
    else
      broken(0, CA_NETWORK, false);
    CHECK_TEXT(told, "ca_1 disable not tried unsent; "
                     "ca_1 delete not tried unsent last; "
                     "ca_2 disable not tried unsent; "
                     "ca_2 delete not tried unsent last; ");
    CHECK_TEXT(ledger_says(), "2 2 2 2 0");
    CHECK_HOLDS(reason_of(CA_NOT_TRIED), cases[i].why);
    fill();
    CHECK_INT(sent_count, 1);
    CHECK_INT(intents(), 0);
    CHECK(ca_apply_finished(apply) && !ca_apply_key_rejected(apply));
    begin(2, 4); /* and no more than that is lost */
    fill();
    CHECK_INT(sent_count, 2);
    well(1);
    stop();
  }
}

static void a_rejected_key_stops(void)
{
  plan_one("delete", "ACTIVE", NULL);
  reply(0, 401, "{\"error\":{\"message\":\"Invalid API key\"}}", true);
  CHECK(ca_apply_key_rejected(apply));
  ca_apply_turn(apply); /* the driver drops the rest */
  CHECK(ca_apply_finished(apply));
  fill();
  CHECK_INT(sent_count, 1);
  CHECK_TEXT(told, ""); /* only read, and so it stays */
  CHECK_TEXT(ledger_says(), "0");
  stop();
}

static void an_engine_that_reads_nothing_stops(void)
{
  start();
  plan_items(1, 3000, "x");
  begin(1, 4);
  refuse_reads_with = CA_CANCELLED;
  CHECK_INT(ca_apply_fill(apply, &err), CA_CANCELLED);
  CHECK_TEXT(err.text, "the engine reads nothing");
  CHECK_INT(sent_count, 0);
  CHECK(ca_apply_finished(apply));
  stop();
}

/* What this run has made of it is no surprise. */
static void own_changes_are_expected(void)
{
  struct ca_apply_options options = { .bulk = 1,
                                      .concurrency = 4,
                                      .which = CA_APPLY_OPEN };
  int64_t item;

  start();
  item = plan_seen(1, "ca_1", "ACTIVE", NULL);
  was(plan_change(item, "disable", "ca_1", CA_PLANNED), CA_DONE);
  plan_change(item, "delete", "ca_1", CA_PLANNED);
  item = plan_seen(1, "ca_2", "ACTIVE", NULL);
  was(plan_change(item, "disable", "ca_2", CA_PLANNED), CA_DONE);
  plan_change(item, "delete", "ca_2", CA_PLANNED);
  CHECK_INT(start_with(&options), CA_OK);
  fill();
  {
    char body[2048] = "{\"items\":[";
    size_t used;
    put_account(body, sizeof(body), "ca_1", "INACTIVE", NULL);
    put_account(body, sizeof(body), "ca_2", "ACTIVE", NULL);
    used = strlen(body);
    snprintf(body + used, sizeof(body) - used, "]}");
    reply(0, 200, body, true);
  }
  fill();
  CHECK_INT(sent_count, 2);
  CHECK_TEXT(sent[1].request.id, "ca_1");
  well(1);
  CHECK_TEXT(reason_of(CA_STALE),
             "the account is ACTIVE now, but the plan saw INACTIVE");
  CHECK_TEXT(ledger_says(), "3 3 3 8");
  stop();
}

/* What may have happened explains what is seen; it is sent again. */
static void perhaps_own_changes_are_expected(void)
{
  struct ca_apply_options options = { .bulk = 1,
                                      .concurrency = 4,
                                      .which = CA_APPLY_OPEN };
  static const char *const names[] = { "disable", "delete" };
  size_t i;

  for(i = 0; i < 2; i++) {
    start();
    was(plan_change(plan_seen(1, "ca_1", "ACTIVE", NULL), names[i], "ca_1",
                    CA_PLANNED),
        CA_UNKNOWN);
    CHECK_INT(start_with(&options), CA_OK);
    fill();
    if(i) {
      reply(0, 200, "{\"items\":[]}", true);
      reply(1, 404, NOT_FOUND, true);
      fill();
      reply(2, 404, NOT_FOUND, true);
    } else {
      reply(0, 200, page_of("ca_1", "INACTIVE", NULL), true);
      fill();
      well(1);
    }
    CHECK_TEXT(ledger_says(), "3");
    CHECK_TEXT(ended_well, "ca_1 ");
    stop();
  }
}

static void what_does_not_explain_it_is_no_excuse(void)
{
  struct ca_apply_options options = { .bulk = 1,
                                      .concurrency = 4,
                                      .which = CA_APPLY_OPEN };
  int64_t item;

  start();
  item = plan_seen(1, "ca_1", "ACTIVE", NULL);
  was(plan_change(item, "disable", "ca_1", CA_PLANNED), CA_UNKNOWN);
  plan_change(item, "delete", "ca_1", CA_PLANNED);
  CHECK_INT(start_with(&options), CA_OK);
  fill();
  reply(0, 200, page_of("ca_1", "REVOKED", NULL), true);
  /* the first may still have happened */
  CHECK_TEXT(told, "ca_1 disable unknown unsent; "
                   "ca_1 delete stale unsent last; ");
  CHECK_TEXT(ledger_says(), "7 8");
  stop();
}

static void what_cannot_be_listed_is_read_alone(void)
{
  start();
  plan_change(plan_item(1, "ca_1"), "delete", "ca_1", CA_PLANNED);
  plan_change(plan_item(1, "ca,2"), "delete", "ca,2", CA_PLANNED);
  begin(1, 4);
  fill();
  CHECK_INT(sent_count, 2);
  CHECK_TEXT(target_of(0),
             ACCOUNTS "?connected_account_ids=ca_1&account_type=ALL&"
                      "limit=100");
  CHECK_TEXT(target_of(1), ACCOUNTS "/ca,2");
  seen_as(1, "ACTIVE");
  seen_as(0, "ACTIVE");
  fill();
  CHECK_INT(sent_count, 4);
  well(2);
  well(3);
  CHECK_TEXT(ended_well, "ca,2 ca_1 ");
  stop();
}

/* Of another account than that it was asked for. */
static void the_wrong_account_is_no_answer(void)
{
  start();
  plan_change(plan_item(1, "ca,2"), "delete", "ca,2", CA_PLANNED);
  begin(1, 4);
  fill();
  reply(0, 200, "{\"id\":\"ca,3\",\"status\":\"ACTIVE\"}", true);
  CHECK_TEXT(told, "ca,2 delete not tried unsent last; ");
  stop();
}

/* An item about several accounts: one that differs is enough. */
static void all_accounts_of_an_item(void)
{
  struct ca_item row = { .bulk = 1, .key = "row 1" };
  int64_t item = 0;

  start();
  CHECK_INT(ca_plan_rows_add_item(ledger, &row, &item, &err), CA_OK);
  {
    struct ca_change one = { .api =
                                 ca_api_find("connected_accounts", "disable"),
                             .account = "ca_1",
                             .before = "ACTIVE" };
    struct ca_change two = { .api =
                                 ca_api_find("connected_accounts", "delete"),
                             .account = "ca_2",
                             .before = "EXPIRED",
                             .cost = CA_IRREVERSIBLE };
    plan_any(item, &one);
    plan_any(item, &one); /* asked for once */
    plan_any(item, &two);
  }
  begin(1, 4);
  fill();
  CHECK_HOLDS(target_of(0), "connected_account_ids=ca_1%2Cca_2&");
  seen_as(0, "ACTIVE");
  CHECK_TEXT(told, "row 1 disable stale unsent; row 1 disable stale unsent; "
                   "row 1 delete stale unsent last; ");
  CHECK_TEXT(reason_of(CA_STALE),
             "the account ca_2 is ACTIVE now, but the plan saw EXPIRED");
  stop();
}

static void auth_configs(void)
{
  static const struct {
    int status;
    const char *body;
    const char *told;
    const char *why;
  } cases[] = {
    { 200, "{\"id\":\"ac_1\",\"status\":\"ENABLED\"}", "", "" },
    { 200, "{\"id\":\"ac_1\",\"status\":\"DISABLED\"}",
      "ac_1 disable stale unsent last; ",
      "the auth config is DISABLED now, but the plan saw ENABLED" },
    { 404, NO_CONFIG, "ac_1 disable stale unsent last; ",
      "the auth config is gone" },
    { 200, "{}", "ac_1 disable not tried unsent last; ", "" }
  };
  size_t i;

  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct ca_change change = { .api = ca_api_find("auth_configs", "disable"),
                                .account = "ac_1",
                                .before = "ENABLED" };
    struct ca_item row = { .bulk = 1, .key = "ac_1" };
    int64_t item = 0;
    start();
    check_sent = NULL;
    CHECK_INT(ca_plan_rows_add_item(ledger, &row, &item, &err), CA_OK);
    plan_any(item, &change);
    begin_looking(4);
    fill();
    CHECK_TEXT(target_of(0), "/api/v3.1/auth_configs/ac_1");
    reply(0, cases[i].status, cases[i].body, true);
    CHECK_TEXT(told, cases[i].told);
    if(*cases[i].why)
      CHECK_TEXT(reason_of(CA_STALE), cases[i].why);
    fill();
    CHECK_INT(sent_count, *cases[i].told ? 1 : 2);
    CHECK_INT(ca_apply_abandon(apply, &err), CA_OK);
    stop();
  }
}

/* Creates. */

static void creates_look_for_a_connection(void)
{
  start();
  check_sent = NULL;
  plan_link("one", "u1", "{\"active\":0}");
  plan_link("two", "u2", "{\"active\":0}");
  plan_link("three", "u3", NULL);
  plan_link("four", "u4", "{\"active\":1}");
  begin_looking(8);
  fill();
  CHECK_INT(sent_count, 4); /* the ids of all four have to be known */
  CHECK_TEXT(target_of(0),
             ACCOUNTS "?user_ids=u1&auth_config_ids=ac_1&account_type=ALL&"
                      "order_by=created_at&order_direction=desc&limit=100");
  CHECK_HOLDS(target_of(1), "user_ids=u2");
  reply(1, 200,
        "{\"items\":[{\"id\":\"ca_6\",\"user_id\":\"u2\","
        "\"status\":\"INITIATED\"}]}",
        true);
  reply(0, 200,
        "{\"items\":[{\"id\":\"ca_7\",\"user_id\":\"u1\","
        "\"status\":\"ACTIVE\"}]}",
        true);
  reply(2, 200, "{\"items\":[]}", true);
  reply(3, 200,
        "{\"items\":[{\"id\":\"ca_8\",\"user_id\":\"u4\","
        "\"status\":\"ACTIVE\"}]}",
        true); /* the plan wants another one */
  fill();
  CHECK_INT(sent_count, 7);
  CHECK_TEXT(told, "one link stale unsent last; ");
  CHECK_TEXT(reason_of(CA_STALE),
             "the user has connected after the plan was made (ca_7)");
  CHECK_TEXT(scratch_ask("ledger.db",
                         "SELECT group_concat('(' || ids || ')') FROM sent"),
             "( ca_6 ),( ),( ca_8 )");
  reply(4, 200, "{\"connected_account_id\":\"ca_new\"}", true);
  CHECK_INT(ca_ledger_sync(ledger, &err), CA_OK);
  CHECK_TEXT(scratch_ask("ledger.db", "SELECT made FROM outcome WHERE"
                                      " outcome = 3"),
             "ca_new");
  CHECK_INT(ca_apply_abandon(apply, &err), CA_OK);
  stop();
}

/* One after the other: a new account could not be told from the other one. */
static void creates_of_one_user(void)
{
  start();
  check_sent = NULL;
  plan_link("one", "u1", NULL);
  plan_link("again", "u1", NULL);
  plan_link("two", "u2", NULL);
  plan_link("once more", "u1", NULL);
  begin_looking(8);
  fill();
  CHECK_INT(sent_count, 2);
  CHECK_HOLDS(target_of(0), "user_ids=u1");
  CHECK_HOLDS(target_of(1), "user_ids=u2");
  reply(0, 200, "{\"items\":[]}", true);
  reply(1, 200, "{\"items\":[]}", true);
  fill();
  CHECK_INT(sent_count, 4);
  CHECK(!sent[2].reads && !sent[3].reads);
  fill(); /* while it is under way */
  CHECK_INT(sent_count, 4);
  well(2);
  fill();
  CHECK_INT(sent_count, 5); /* the look of the next one, after its end */
  CHECK_HOLDS(target_of(4), "user_ids=u1");
  reply(4, 200, "{\"items\":[{\"id\":\"ca_new\",\"user_id\":\"u1\"}]}", true);
  fill();
  CHECK_INT(sent_count, 6);
  broken(5, CA_NETWORK, true);
  fill();
  CHECK(sent_count == 7 && sent[6].reads);
  CHECK_INT(ca_apply_abandon(apply, &err), CA_OK);
  CHECK_TEXT(told, "one link done last; again link unknown last; "
                   "two link unknown last; ");
  stop();
}

/* A filter that the service ignores finds others. */
static void only_the_user_counts(void)
{
  start();
  check_sent = NULL;
  plan_link("one", "u1", "{\"active\":0}");
  begin_looking(8);
  fill();
  reply(0, 200,
        "{\"items\":[{\"id\":\"ca_8\",\"user_id\":\"u2\"},"
        "{\"id\":\"ca_9\",\"user_id\":\"u1\",\"auth_config\":"
        "{\"is_disabled\":false,\"id\":\"ac_2\"}}],\"next_cursor\":null}",
        true);
  fill();
  CHECK_INT(sent_count, 2);
  CHECK(!sent[1].reads);
  CHECK_INT(ca_apply_abandon(apply, &err), CA_OK);
  stop();
}

static void users_with_a_comma_are_compared_here(void)
{
  start();
  check_sent = NULL;
  plan_link("one", "u,1", "{\"active\":0}");
  begin_looking(8);
  fill();
  CHECK_TEXT(target_of(0),
             ACCOUNTS "?auth_config_ids=ac_1&account_type=ALL&"
                      "order_by=created_at&order_direction=desc&limit=100");
  reply(0, 200,
        "{\"items\":[{\"id\":\"ca_8\",\"user_id\":\"u,2\"},"
        "{\"id\":\"ca_7\"}],\"next_cursor\":\"p2\"}",
        true);
  CHECK_HOLDS(target_of(1), "&limit=100&cursor=p2");
  reply(1, 200,
        "{\"items\":[{\"id\":\"ca_9\",\"user_id\":\"u\\u002c1\"}],"
        "\"next_cursor\":\"p3\"}",
        true);
  CHECK_TEXT(told, "one link stale unsent last; ");
  CHECK_TEXT(reason_of(CA_STALE),
             "the user has connected after the plan was made (ca_9)");
  CHECK_INT(sent_count, 2);
  stop();
}

/* Stops. */

static void stopped_while_looking(void)
{
  plan_one("delete", "ACTIVE", NULL);
  ca_apply_stop(apply);
  CHECK_INT(live_count(), 0);
  CHECK(ca_apply_finished(apply));
  CHECK_TEXT(told, "");
  CHECK_TEXT(ledger_says(), "0");
  fill();
  CHECK_INT(sent_count, 1);
  stop();
}

static void abandoned_and_freed_while_looking(void)
{
  start();
  plan_items(1, 200, "x");
  begin(1, 4);
  fill();
  CHECK_INT(live_count(), 1);
  CHECK_INT(ca_apply_abandon(apply, &err), CA_OK);
  CHECK_INT(live_count(), 0);
  CHECK(ca_apply_finished(apply));
  stop();
  start();
  plan_items(1, 200, "x");
  begin(1, 4);
  fill();
  ca_apply_free(apply);
  CHECK_INT(live_count(), 0);
  CHECK_TEXT(told, "");
  apply = NULL;
  stop();
}

static void stopped_between_look_and_intent(void)
{
  plan_one("delete", "ACTIVE", NULL);
  seen_as(0, "ACTIVE");
  CHECK(!ca_apply_finished(apply));
  ca_apply_stop(apply);
  CHECK(ca_apply_finished(apply));
  CHECK_TEXT(told, "");
  CHECK_INT(intents(), 0);
  stop();
}

static void stop_from_within_a_stale_visit(void)
{
  start();
  plan_items(1, 3, "x");
  stop_in_visit = true;
  begin(1, 4);
  fill();
  reply(0, 200, page_of("ca_3", "ACTIVE", NULL), true);
  reply(1, 404, NOT_FOUND, true); /* the first; the second is asked for */
  CHECK_INT(sent_count, 3);
  reply(2, 404, NOT_FOUND, true);
  CHECK_TEXT(told, "ca_1 delete stale unsent last; "
                   "ca_2 delete stale unsent last; ");
  ca_apply_turn(apply); /* the driver drops the rest */
  CHECK(ca_apply_finished(apply));
  fill();
  CHECK_INT(sent_count, 3);
  CHECK_TEXT(ledger_says(), "8 8 0");
  stop();
}

/* What waited for long is looked at again. */
static void an_old_look_does_not_count(void)
{
  start();
  check_sent = NULL;
  plan_items(1, 80, "x");
  begin(1, 1);
  fill();
  seen_as(0, "ACTIVE");
  fill();
  CHECK_INT(sent_count, 2);
  CHECK_INT(intents(), 64);
  fake_clock_pass(&fake, 31000);
  while(sent_count < 65) { /* those with an intent go */
    well(sent_count - 1);
    fill();
  }
  well(64);
  fill();
  CHECK(sent[65].reads);
  CHECK_INT(sent_count, 66);
  seen_as(65, "ACTIVE");
  fill();
  CHECK_INT(sent_count, 67);
  CHECK(!sent[66].reads);
  CHECK_INT(ca_apply_abandon(apply, &err), CA_OK);
  stop();
}

/* Nor that of the one which was too many for a group of changes that must not
   be doubled, though it is the first of the next. */
static void an_old_look_of_the_next_group(void)
{
  size_t i;

  start();
  check_sent = NULL;
  plan_items(1, 80, "r");
  begin_looking(32);
  fill();
  seen_as(0, "ACTIVE");
  fill();
  CHECK_INT(intents(), 64);
  CHECK_INT(sent_count, 33);
  fake_clock_pass(&fake, 31000);
  for(i = 1; i <= 33; i++) { /* those with an intent have been sent */
    well(i);
    fill();
  }
  CHECK_INT(intents(), 64);
  CHECK_INT(sent_count, 65); /* and are many, for so slow a service */
  for(; i <= 52; i++) {
    well(i);
    fill();
  }
  CHECK_INT(intents(), 64);
  CHECK_INT(sent_count, 66);
  CHECK(sent[65].reads);
  CHECK_INT(ca_apply_abandon(apply, &err), CA_OK);
  stop();
}

/* Answers the looks among the ops from `from` on; returns how many. */
static size_t answer_looks(size_t from)
{
  size_t looks = 0;

  for(; from < sent_count; from++)
    if(sent[from].live && sent[from].reads) {
      looks++;
      seen_as(from, "ACTIVE");
    }
  return looks;
}

/* A plan that took long to make or to confirm: one list for a hundred. */
static void a_plan_that_is_old_is_looked_at(void)
{
  size_t looks;
  size_t i;

  start();
  check_sent = NULL;
  plan_items(1, 250, "d");
  begin(1, 8);
  fake_clock_pass(&fake, 5000);
  fill();
  CHECK_INT(sent_count, 8); /* not yet */
  CHECK(!sent[0].reads);
  fake_clock_pass(&fake, 1);
  for(i = 0; i < 8; i++)
    well(i);
  looks = 0;
  for(i = 8; !ca_apply_finished(apply) && i < 400; i++) {
    fill();
    looks += answer_looks(8);
    if(i < sent_count && sent[i].live)
      well(i);
  }
  CHECK(ca_apply_finished(apply));
  CHECK_INT(looks, 2); /* 64 were ready */
  CHECK_INT(sent_count, 250 + 2);
  stop();
}

/* Counts the before-images that are read outside a transaction. */
static int note_read(unsigned event, void *count, void *statement, void *text)
{
  (void)event;
  (void)text;
  if(statement == ledger->statements[CA_SQL_BEFORE])
    *(int *)count += sqlite3_get_autocommit(ledger->db);
  return 0;
}

/* Otherwise each read locks and unlocks the file; and what follows the list
   can be written. */
static void a_list_is_compared_in_one_transaction(void)
{
  int alone = 0;

  start();
  check_sent = NULL;
  plan_items(1, 100, "x");
  begin(1, 8);
  fill();
  CHECK_INT(sent_count, 1);
  sqlite3_trace_v2(ledger->db, SQLITE_TRACE_STMT, note_read, &alone);
  seen_as(0, "ACTIVE");
  CHECK_INT(alone, 0);
  CHECK(sqlite3_get_autocommit(ledger->db));
  CHECK_INT(sqlite3_stmt_status(ledger->statements[CA_SQL_BEFORE],
                                SQLITE_STMTSTATUS_RUN, 0),
            100);
  fill();
  CHECK_INT(sent_count, 1 + 8);
  stop();
}

/* The engine could not start it in time: it is looked at again, and sent if
   all is as before; once. */
static void what_waited_too_long_is_looked_at(void)
{
  start();
  check_sent = NULL;
  plan_change(plan_seen(1, "ca_1", "ACTIVE", NULL), "disable", "ca_1",
              CA_PLANNED);
  plan_change(plan_seen(1, "ca_2", "ACTIVE", NULL), "disable", "ca_2",
              CA_PLANNED);
  begin(1, 8);
  fill();
  CHECK_INT(sent_count, 2);
  CHECK_INT(sent[0].start_by_ms, fake.mono_ms + 5000);
  fake_clock_pass(&fake, 5001);
  late(0);
  late(1);
  CHECK_TEXT(told, "");
  fill();
  CHECK_INT(sent_count, 3);
  reply(2, 200,
        "{\"items\":[{\"id\":\"ca_1\",\"status\":\"ACTIVE\"},"
        "{\"id\":\"ca_2\",\"status\":\"EXPIRED\"}]}",
        true);
  CHECK_TEXT(told, "ca_2 disable stale unsent last; ");
  fill();
  CHECK_INT(sent_count, 4);
  CHECK_INT(intents(), 2);
  well(3);
  CHECK(ca_apply_finished(apply));
  CHECK_TEXT(ledger_says(), "3 8");
  stop();
}

/* A stop while it waits to be looked at again: it had an intent. */
static void late_and_stopped(void)
{
  start();
  plan_items(1, 1, "d");
  begin(1, 8);
  fill();
  fake_clock_pass(&fake, 5001);
  late(0);
  ca_apply_stop(apply);
  CHECK_TEXT(told, "ca_1 disable not tried unsent last; ");
  CHECK_TEXT(ledger_says(), "2");
  stop();
}

/* What cannot be undone: within 2 s of the look's first reply. */
static void irreversible_within_two_seconds(void)
{
  start();
  check_sent = NULL;
  plan_items(1, 1, "x");
  begin(1, 8);
  fill();
  seen_as(0, "ACTIVE");
  fake_clock_pass(&fake, 2000);
  fill();
  CHECK_INT(sent_count, 2);
  CHECK_INT(sent[1].start_by_ms, fake.mono_ms);
  fake_clock_pass(&fake, 1);
  late(1);
  fill();
  CHECK(sent[2].reads);
  seen_as(2, "ACTIVE");
  fake_clock_pass(&fake, 2001);
  fill(); /* not even submitted */
  CHECK(sent[3].reads);
  seen_as(3, "ACTIVE");
  fill();
  well(4);
  CHECK_TEXT(told, "ca_1 delete done last; ");
  stop();
}

/* One change a second: as few are looked at as can be sent in time, in few
   lists. */
static void few_are_looked_at_for_a_slow_pace(void)
{
  size_t listed = 0;
  size_t looks = 0;
  size_t asked = 0;
  int seconds;

  start();
  check_sent = NULL;
  plan_items(1, 200, "d");
  begin(1, 4);
  fake_clock_pass(&fake, 6000);
  for(seconds = 0; seconds < 400 && !ca_apply_finished(apply); seconds++) {
    char ids[100][32];
    size_t i;
    fill();
    for(; asked < sent_count; asked++)
      if(sent[asked].reads) {
        looks++;
        listed += listed_ids(asked, ids, 100);
        seen_as(asked, "ACTIVE");
      }
    fill();
    for(i = 0; i < sent_count && !(sent[i].live && !sent[i].reads); i++)
      ;
    fake_clock_pass(&fake, 1000);
    while(i < sent_count && fake.mono_ms > sent[i].start_by_ms) {
      late(i++);
      while(i < sent_count && !sent[i].live)
        i++;
    }
    if(i < sent_count)
      well(i);
  }
  CHECK(ca_apply_finished(apply));
  printf("# 200 changes, one a second: %zu lists of %zu accounts\n", looks,
         listed);
  CHECK(looks < 100);
  CHECK(listed < 800);
  stop();
}

/* The ledger cannot be read while it is compared. */
static void a_lost_ledger_sends_nothing(void)
{
  plan_one("delete", "ACTIVE", NULL);
  CHECK_INT(ca_ledger_sync(ledger, &err), CA_OK);
  CHECK_INT(sqlite3_exec(ledger->db,
                         "DROP TABLE change; CREATE TABLE change(id, bulk)",
                         NULL, NULL, NULL),
            SQLITE_OK);
  seen_as(0, "ACTIVE");
  CHECK_INT(ca_apply_fill(apply, &err), CA_SYSTEM);
  CHECK_INT(sent_count, 1);
  CHECK(ca_apply_finished(apply));
  stop();
}

int main(void)
{
  check_case("what can be undone is not looked at",
             what_can_be_undone_is_not_looked_at);
  check_case("what cannot be undone is looked at",
             what_cannot_be_undone_is_looked_at);
  check_case("looked at before the first change",
             looked_at_before_the_first_change);
  check_case("credentials are looked at by their cost",
             credentials_are_looked_at_by_their_cost);
  check_case("a hundred in one list", a_hundred_in_one_list);
  check_case("looks are few", looks_are_few);
  check_case("as it was is sent", as_it_was_is_sent);
  check_case("another status is stale", another_status_is_stale);
  check_case("disabled meanwhile is stale", disabled_meanwhile_is_stale);
  check_case("the alias counts where it is changed",
             the_alias_counts_where_it_is_changed);
  check_case("without image only gone counts", without_image_only_gone_counts);
  check_case("a list that was cut", a_list_that_was_cut);
  check_case("the page of a proxy is not gone",
             the_page_of_a_proxy_is_not_gone);
  check_case("a look that fails sends nothing",
             a_look_that_fails_sends_nothing);
  check_case("a rejected key stops", a_rejected_key_stops);
  check_case("an engine that reads nothing stops",
             an_engine_that_reads_nothing_stops);
  check_case("own changes are expected", own_changes_are_expected);
  check_case("perhaps own changes are expected",
             perhaps_own_changes_are_expected);
  check_case("what does not explain it is no excuse",
             what_does_not_explain_it_is_no_excuse);
  check_case("what cannot be listed is read alone",
             what_cannot_be_listed_is_read_alone);
  check_case("the wrong account is no answer", the_wrong_account_is_no_answer);
  check_case("all accounts of an item", all_accounts_of_an_item);
  check_case("auth configs", auth_configs);
  check_case("creates look for a connection", creates_look_for_a_connection);
  check_case("creates of one user", creates_of_one_user);
  check_case("only the user counts", only_the_user_counts);
  check_case("users with a comma are compared here",
             users_with_a_comma_are_compared_here);
  check_case("stopped while looking", stopped_while_looking);
  check_case("abandoned and freed while looking",
             abandoned_and_freed_while_looking);
  check_case("stopped between look and intent",
             stopped_between_look_and_intent);
  check_case("stop from within a stale visit", stop_from_within_a_stale_visit);
  check_case("an old look does not count", an_old_look_does_not_count);
  check_case("an old look of the next group", an_old_look_of_the_next_group);
  check_case("a plan that is old is looked at",
             a_plan_that_is_old_is_looked_at);
  check_case("a list is compared in one transaction",
             a_list_is_compared_in_one_transaction);
  check_case("what waited too long is looked at",
             what_waited_too_long_is_looked_at);
  check_case("late and stopped", late_and_stopped);
  check_case("irreversible within two seconds",
             irreversible_within_two_seconds);
  check_case("few are looked at for a slow pace",
             few_are_looked_at_for_a_slow_pace);
  check_case("a lost ledger sends nothing", a_lost_ledger_sends_nothing);
  return check_end();
}
