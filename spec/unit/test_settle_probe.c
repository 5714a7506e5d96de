/* Probes of changes of unknown outcome: what is asked, and what every answer
   makes of the change. Must not know: sockets, curl. */
#include "settle_rig.h"

/* One probe, one answer. */
struct probe {
  const char *resource;
  const char *operation;
  int status;
  const char *body;
  const char *settled; /* after "id operation " */
  const char *ledger;
};

static void probe_all(const struct probe *probes, size_t count)
{
  size_t i;

  for(i = 0; i < count; i++) {
    const struct probe *probe = &probes[i];
    bool config = !strcmp(probe->resource, "auth_configs");
    char text[700];
    bool failed = check_case_failed;
    check_case_failed = false;
    start();
    plan_plain(probe->resource, probe->operation, "x_1",
               config ? "ENABLED" : "EXPIRED");
    begin_settle(4, CA_FAILED);
    fill_settle();
    CHECK_INT(sent_count, 1);
    CHECK_TEXT(target_of(0),
               config ? "/api/v3.1/auth_configs/x_1" : ACCOUNTS "/x_1");
    reply(0, probe->status, probe->body, true);
    snprintf(text, sizeof(text), "x_1 %s %s; ", probe->operation,
             probe->settled);
    CHECK_TEXT(settled, text);
    fill_settle();
    CHECK(ca_settle_finished(settle));
    CHECK_INT(sent_count, 1);
    CHECK_TEXT(scratch_ask("ledger.db",
                           "SELECT outcome || ' ' || coalesce(status_after,"
                           " '-') || ' ' || request_id FROM outcome"),
               probe->ledger);
    if(check_case_failed)
      printf("    of %s, %d\n", probe->operation, probe->status);
    check_case_failed = check_case_failed || failed;
    stop_settle();
  }
}

#define PROBE(probes) probe_all(probes, sizeof(probes) / sizeof(probes[0]))
#define IS(status)    "{\"id\":\"x_1\",\"status\":\"" status "\"}"

static void by_status(void)
{
  static const struct probe probes[] = {
    { "connected_accounts", "enable", 200, IS("ACTIVE"), "done",
      "3 ACTIVE req-0" },
    { "connected_accounts", "enable", 200, IS("EXPIRED"),
      "unknown: the account is EXPIRED", "7 - req-0" },
    { "connected_accounts", "disable", 200, IS("INACTIVE"), "done",
      "3 INACTIVE req-0" },
    { "connected_accounts", "disable", 200, IS("ACTIVE"),
      "unknown: the account is ACTIVE", "7 - req-0" },
    { "connected_accounts", "disable", 404, NOT_FOUND,
      "failed: the account is gone", "5 - req-0" },
    { "connected_accounts", "revoke", 200, IS("REVOKED"), "done",
      "3 REVOKED req-0" },
    { "connected_accounts", "revoke", 200, IS("ACTIVE"),
      "unknown: the account is ACTIVE", "7 - req-0" }
  };
  PROBE(probes);
}

static void by_absence(void)
{
  static const struct probe probes[] = {
    { "connected_accounts", "delete", 404, NOT_FOUND, "done", "3 - req-0" },
    { "connected_accounts", "delete", 200, IS("ACTIVE"),
      "unknown: the account is still there", "7 - req-0" }
  };
  PROBE(probes);
}

static void by_auth_config(void)
{
  static const struct probe probes[] = {
    { "auth_configs", "disable", 200, IS("DISABLED"), "done",
      "3 DISABLED req-0" },
    { "auth_configs", "disable", 200, IS("ENABLED"),
      "unknown: the auth config is ENABLED", "7 - req-0" },
    { "auth_configs", "enable", 200, IS("ENABLED"), "done",
      "3 ENABLED req-0" },
    { "auth_configs", "enable", 404, NO_CONFIG,
      "failed: the auth config is gone", "5 - req-0" }
  };
  PROBE(probes);
}

/* A probe that fails leaves the ledger as it is. */
static void probes_that_fail(void)
{
  static const struct probe probes[] = {
    { "connected_accounts", "disable", 500, NOT_FOUND,
      "unknown: not settled: not found (HTTP 500)", "7 - req-0" },
    { "connected_accounts", "disable", 403, NOT_FOUND,
      "unknown: not settled: not found (HTTP 403)", "7 - req-0" },
    { "connected_accounts", "disable", 401, NOT_FOUND,
      "unknown: not settled: not found (HTTP 401)", "7 - req-0" },
    { "connected_accounts", "disable", 200, "<html>",
      "unknown: not settled: the reply cannot be parsed", "7 - req-0" },
    { "connected_accounts", "disable", 200,
      "{\"id\":\"x_2\",\"status\":\"INACTIVE\"}",
      "unknown: not settled: the reply cannot be parsed", "7 - req-0" },
    { "connected_accounts", "disable", 200, "{\"id\":\"x_1\"}",
      "unknown: not settled: the reply cannot be parsed", "7 - req-0" },
    { "auth_configs", "disable", 200, "{}",
      "unknown: not settled: the reply cannot be parsed", "7 - req-0" },
    { "connected_accounts", "delete", 404, "<html>no such page",
      "unknown: not settled: HTTP 404, and the reply is not one of the "
      "service's errors: <html>no such page",
      "7 - req-0" }
  };
  PROBE(probes);
}

static void what_may_be_repeated_stays_unknown(void)
{
  start();
  plan_plain("connected_accounts", "disable", "ca_1", "ACTIVE");
  begin_settle(4, CA_NOT_TRIED);
  fill_settle();
  reply(0, 200, "{\"id\":\"ca_1\",\"status\":\"ACTIVE\"}", true);
  CHECK_TEXT(settled, "ca_1 disable unknown: the account is ACTIVE; ");
  fill_settle();
  CHECK(ca_settle_finished(settle));
  CHECK_TEXT(ledger_says(), "7");
  stop_settle();
}

static bool all_are_final(void *owner, const struct ca_change_row *row)
{
  CHECK(owner == &settled);
  CHECK_TEXT(row->change.account, "ca_1");
  return true;
}

/* It has a quiet time like what must not be repeated. */
static void what_is_not_repeated_is_final(void)
{
  start();
  plan_plain("connected_accounts", "disable", "ca_1", "ACTIVE");
  settle_is_final = all_are_final;
  begin_settle(4, CA_FAILED);
  settle_is_final = NULL;
  fill_settle();
  reply(0, 200, "{\"id\":\"ca_1\",\"status\":\"ACTIVE\"}", true);
  CHECK_TEXT(settled, "");
  CHECK_INT(sent_count, 2);
  CHECK_INT(sent[1].sleep_ms, QUIET_MS);
  awake(1);
  reply(2, 200, "{\"id\":\"ca_1\",\"status\":\"ACTIVE\"}", true);
  CHECK_TEXT(settled, "ca_1 disable failed: the account is ACTIVE; ");
  CHECK_TEXT(ledger_says(), "5");
  stop_settle();
}

/* Fields. */

static void by_fields(void)
{
#define HAS(rest) "{\"id\":\"ca_1\",\"status\":\"ACTIVE\"," rest "}"
#define ACL(rest) "\"experimental\":{\"acl_config_for_shared\":{" rest "}}"
  static const struct {
    const char *body;
    const char *account;
    const char *settled;
  } cases[] = {
    { "{\"alias\":\"new\"}", HAS("\"alias\":\"new\""), "done" },
    { "{\"alias\":\"n\\u0065w\"}", HAS("\"alias\":\"\\u006eew\""), "done" },
    { "{\"alias\":\"new\"}", HAS("\"alias\":\"old\""),
      "unknown: the alias is not the planned one" },
    { "{\"alias\":\"new\"}", HAS("\"alias\":null"),
      "unknown: the alias is not the planned one" },
    { "{\"alias\":\"\"}", HAS("\"alias\":null"), "done" },
    { "{\"alias\":\"\"}", HAS("\"x\":1"), "done" },
    { "{\"alias\":\"\"}", HAS("\"alias\":\"old\""),
      "unknown: the alias is not the planned one" },
    { "{" ACL("\"allowed_user_ids\":[\"a\",\"b\"]") "}",
      HAS(ACL("\"allow_all_users\":true,\"allowed_user_ids\":[\"b\",\"a\"]")),
      "done" },
    { "{" ACL("\"allowed_user_ids\":[\"a\",\"b\"]") "}",
      HAS(ACL("\"allowed_user_ids\":[\"a\"]")),
      "unknown: the ACL is not the planned one" },
    { "{" ACL("\"allowed_user_ids\":[\"a\"]") "}",
      HAS(ACL("\"allowed_user_ids\":[\"a\",\"b\"]")),
      "unknown: the ACL is not the planned one" },
    { "{" ACL("\"not_allowed_user_ids\":[]") "}",
      HAS(ACL("\"allow_all_users\":false")), "done" },
    { "{" ACL("\"not_allowed_user_ids\":[]") "}",
      HAS(ACL("\"not_allowed_user_ids\":[\"c\"]")),
      "unknown: the ACL is not the planned one" },
    { "{" ACL("\"allow_all_users\":true") "}",
      HAS(ACL("\"allow_all_users\":true")), "done" },
    { "{" ACL("\"allow_all_users\":true") "}",
      HAS(ACL("\"allow_all_users\":false")),
      "unknown: the ACL is not the planned one" },
    { "{" ACL("\"allow_all_users\":false") "}", HAS(ACL("")), "done" },
    { "{\"alias\":\"new\"," ACL("\"allow_all_users\":true") "}",
      HAS("\"alias\":\"new\"," ACL("\"allow_all_users\":false")),
      "unknown: the ACL is not the planned one" },
    { "{\"alias\":\"new\"," ACL("\"allow_all_users\":true") "}",
      HAS("\"alias\":\"new\"," ACL("\"allow_all_users\":true")), "done" },
    { "{" ACL("\"allow_all_users\":true") "}", HAS("\"alias\":\"a\""),
      "unknown: the service does not show the ACL" },
    { "{\"other\":1}", HAS("\"alias\":\"a\""),
      "unknown: the service does not show the changed fields" }
  };
  size_t i;

  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct ca_change change = { .api = ca_api_find("connected_accounts",
                                                   "update"),
                                .account = "ca_1",
                                .body = cases[i].body };
    char text[300];
    start();
    plan_unknown("ca_1", &change, "ACTIVE");
    begin_settle(4, CA_FAILED);
    fill_settle();
    reply(0, 200, cases[i].account, true);
    snprintf(text, sizeof(text), "ca_1 update %s; ", cases[i].settled);
    if(!CHECK_TEXT(settled, text))
      printf("    of %s\n", cases[i].body);
    stop_settle();
  }
}

static void what_cannot_be_told_is_not_asked(void)
{
  struct ca_change secret = { .api =
                                  ca_api_find("connected_accounts", "update"),
                              .account = "ca_1",
                              .fingerprint = "00ff" };
  struct ca_change config = { .api = ca_api_find("auth_configs", "update"),
                              .account = "ac_1",
                              .body = "{}" };
  start();
  plan_unknown("ca_1", &secret, NULL);
  plan_unknown("ac_1", &config, NULL);
  begin_settle(4, CA_FAILED);
  fill_settle();
  CHECK_INT(sent_count, 0);
  CHECK(ca_settle_finished(settle));
  CHECK_TEXT(settled,
             "ca_1 update unknown: the service shows credentials masked, so "
             "they cannot be compared; ac_1 update unknown: the service shows "
             "nothing that would prove it; ");
  CHECK_TEXT(ledger_says(), "7 7");
  /* beside the cause, and only once */
  CHECK_TEXT(scratch_ask("ledger.db", "SELECT error FROM outcome LIMIT 1"),
             "earlier; the service shows credentials masked, so they cannot "
             "be compared");
  ca_settle_free(settle);
  begin_settle(4, CA_FAILED);
  fill_settle();
  CHECK_TEXT(scratch_ask("ledger.db", "SELECT error FROM outcome LIMIT 1"),
             "earlier; the service shows credentials masked, so they cannot "
             "be compared");
  stop_settle();
}

/* Refresh: a change without a status to become. */

static void refresh_that_happened(void)
{
  plan_refresh();
  fill_settle();
  refreshed(0, "INITIATED", SENT_AT);
  CHECK_TEXT(settled, "ca_1 refresh done; ");
  CHECK_TEXT(ledger_says(), "3");
  CHECK_TEXT(scratch_ask("ledger.db", "SELECT status_after FROM outcome"),
             "INITIATED");
  stop_settle();
}

/* It must not be sent twice: so not before all is quiet. */
static void refresh_that_did_not_happen(void)
{
  plan_refresh();
  fake_clock_pass(&fake, 1000);
  fill_settle();
  refreshed(0, "EXPIRED", "2026-11-22T05:56:40.000Z");
  CHECK_TEXT(settled, "");
  CHECK_INT(sent_count, 2);
  CHECK_INT(sent[1].sleep_ms, QUIET_MS - 1000);
  fill_settle();
  CHECK(!ca_settle_finished(settle));
  awake(1);
  CHECK_INT(sent_count, 3);
  CHECK_TEXT(target_of(2), ACCOUNTS "/ca_1");
  refreshed(2, "EXPIRED", "2026-11-22T05:56:40.000Z");
  CHECK_TEXT(settled, "ca_1 refresh failed: the account is EXPIRED and was "
                      "not updated since; ");
  CHECK_INT(sent_count, 3);
  CHECK_TEXT(ledger_says(), "5");
  stop_settle();
}

static void refresh_that_happened_late(void)
{
  plan_refresh();
  fill_settle();
  refreshed(0, "EXPIRED", "2026-11-22T05:56:40.000Z");
  awake(1);
  refreshed(2, "INITIATED", "2026-11-22T06:00:14.000Z");
  CHECK_TEXT(settled, "ca_1 refresh done; ");
  stop_settle();
}

/* Refreshed and expired again: since its precheck it was updated. */
static void refresh_that_has_expired_again(void)
{
  plan_refresh();
  fill_settle();
  refreshed(0, "EXPIRED", "2026-11-22T06:00:13.000Z");
  CHECK_TEXT(settled, "ca_1 refresh done; ");
  CHECK_TEXT(ledger_says(), "3");
  stop_settle();
}

/* Sent by a version that kept nothing about it. */
static void refresh_that_cannot_be_told(void)
{
  sent_with.service_ms = 0;
  plan_refresh();
  fill_settle();
  refreshed(0, "EXPIRED", "2026-11-22T06:00:13.000Z");
  CHECK_TEXT(settled,
             "ca_1 refresh unknown: the account is EXPIRED as "
             "before, but was updated since, by this change or another; ");
  CHECK_TEXT(ledger_says(), "7");
  sent_with.service_ms = INT64_C(1795327215000);
  stop_settle();
}

/* Others had touched it before its precheck. */
static void refresh_and_the_precheck(void)
{
  sent_with.updated_ms = INT64_C(1795327080000);
  plan_refresh();
  fake_clock_pass(&fake, QUIET_MS);
  fill_settle();
  refreshed(0, "EXPIRED", "2026-11-22T05:58:00.000Z");
  CHECK_HOLDS(settled, "refresh failed");
  stop_settle();
  sent_with.updated_ms = 0;
  plan_refresh();
  fake_clock_pass(&fake, QUIET_MS);
  fill_settle();
  refreshed(0, "EXPIRED", ""); /* no time at all */
  CHECK_HOLDS(settled, "refresh unknown");
  stop_settle();
}

static void refresh_of_what_is_gone(void)
{
  plan_refresh();
  fake_clock_pass(&fake, 6000);
  fill_settle();
  reply(0, 404, NOT_FOUND, true);
  CHECK_TEXT(settled, "ca_1 refresh failed: the account is gone; ");
  stop_settle();
}

/* Creates. */

static void begin_create(const char *user)
{
  start();
  plan_create("row", user);
  begin_settle(4, CA_FAILED);
  fake_clock_pass(&fake, QUIET_MS);
  fill_settle();
  CHECK_INT(sent_count, 1);
}

static void create_that_is_found(void)
{
  begin_create("u1");
  CHECK_TEXT(target_of(0),
             ACCOUNTS "?user_ids=u1&auth_config_ids=ac_1&account_type=ALL&"
                      "order_by=created_at&order_direction=desc&limit=100");
  reply(0, 200,
        PAGE(ACCOUNT("ca_new", "u1", "13.500") "," ACCOUNT("ca_old", "u1",
                                                           "00.000"),
             "null"),
        true);
  CHECK_TEXT(settled, "row link done; ");
  CHECK_TEXT(ledger_says(), "3");
  CHECK_TEXT(scratch_ask("ledger.db",
                         "SELECT made || ' ' || status_after || ' ' ||"
                         " coalesce(error, '-') FROM outcome"),
             "ca_new INITIATED -");
  stop_settle();
}

static void create_that_is_not_found(void)
{
  start();
  plan_create("row", "u1");
  begin_settle(4, CA_NOT_TRIED);
  fill_settle();
  reply(0, 200, PAGE(ACCOUNT("ca_old", "u1", "00.000"), "null"), true);
  CHECK_TEXT(settled, "");
  CHECK_INT(sent[1].sleep_ms, QUIET_MS);
  awake(1);
  CHECK_INT(sent_count, 3);
  reply(2, 200, PAGE("", "null"), true);
  CHECK_TEXT(settled,
             "row link not tried: no account was made for this user since; ");
  CHECK_TEXT(ledger_says(), "2");
  stop_settle();
}

static void create_that_comes_late(void)
{
  start();
  plan_create("row", "u1");
  begin_settle(4, CA_NOT_TRIED);
  fill_settle();
  reply(0, 200, PAGE("", "null"), true);
  awake(1);
  reply(2, 200, PAGE(ACCOUNT("ca_new", "u1", "16.000"), "null"), true);
  CHECK_TEXT(settled, "row link done; ");
  stop_settle();
}

static void several_are_told(void)
{
  begin_create("u1");
  reply(0, 200,
        PAGE(ACCOUNT("ca_b", "u1", "14.000") "," ACCOUNT(
                 "ca_a", "u1", "13.000") "," ACCOUNT("ca_c", "u2", "13.000"),
             "null"),
        true);
  CHECK_TEXT(settled, "row link done: 2 accounts were made for this "
                      "user since: ca_b, ca_a; ");
  CHECK_TEXT(scratch_ask("ledger.db", "SELECT outcome || made || error FROM"
                                      " outcome"),
             "3ca_a2 accounts were made for this user since: ca_b, ca_a");
  stop_settle();
}

/* Accounts that other changes have made are theirs. */
static void known_ones_do_not_count(void)
{
  int64_t other;

  start();
  plan_create("row", "u1");
  other = plan_create("other", "u1");
  CHECK_INT(ca_outcome_record(ledger, other, CA_DONE, 1, "req", NULL,
                              "ca_theirs", NULL, &err),
            CA_OK);
  CHECK_INT(ca_ledger_sync(ledger, &err), CA_OK);
  begin_settle(4, CA_FAILED);
  fake_clock_pass(&fake, QUIET_MS);
  fill_settle();
  CHECK_INT(sent_count, 1);
  reply(0, 200, PAGE(ACCOUNT("ca_theirs", "u1", "13.000"), "null"), true);
  CHECK_TEXT(settled,
             "row link failed: no account was made for this user since; ");
  stop_settle();
}

/* Two of one user: each gets an account of its own, before a sync. */
static void one_account_is_not_found_twice(void)
{
  start();
  plan_create("row 1", "u1");
  plan_create("row 2", "u1");
  begin_settle(4, CA_FAILED);
  fake_clock_pass(&fake, QUIET_MS);
  fill_settle();
  CHECK_INT(sent_count, 2);
  reply(0, 200, PAGE(ACCOUNT("ca_a", "u1", "13.000"), "null"), true);
  reply(1, 200, PAGE(ACCOUNT("ca_a", "u1", "13.000"), "null"), true);
  CHECK_TEXT(settled,
             "row 1 link done; "
             "row 2 link failed: no account was made for this user since; ");
  stop_settle();
}

static void users_with_a_comma(void)
{
  begin_create("u,1");
  CHECK_TEXT(target_of(0),
             ACCOUNTS "?auth_config_ids=ac_1&account_type=ALL&"
                      "order_by=created_at&order_direction=desc&limit=100");
  reply(
      0, 200,
      PAGE(ACCOUNT("ca_9", "u2", "15.000") "," ACCOUNT("ca_8", "u3", "14.000"),
           "\"p2\""),
      true);
  CHECK_HOLDS(target_of(1), "&limit=100&cursor=p2");
  reply(1, 200,
        PAGE(ACCOUNT("ca_7", "u,1", "13.000") "," ACCOUNT("ca_6", "u,1",
                                                          "00.000"),
             "\"p3\""),
        true);
  CHECK_INT(sent_count, 2); /* what is older need not be read */
  CHECK_TEXT(settled, "row link done; ");
  CHECK_TEXT(scratch_ask("ledger.db", "SELECT made FROM outcome"), "ca_7");
  stop_settle();
}

/* Each time the list is read as if for the first time. */
static void users_with_a_comma_come_late(void)
{
  size_t n;

  start();
  plan_create("row", "u,1");
  begin_settle(4, CA_FAILED);
  fill_settle();
  for(n = 0; n < 4; n += 3) {
    reply(n, 200, PAGE(ACCOUNT("ca_9", "u2", "15.000"), "\"p2\""), true);
    if(n)
      reply(n + 1, 200, PAGE(ACCOUNT("ca_7", "u,1", "13.000"), "null"), true);
    else {
      reply(n + 1, 200, PAGE(ACCOUNT("ca_6", "u,1", "00.000"), "\"p3\""),
            true);
      awake(2);
      CHECK_HOLDS(target_of(3), "order_direction=desc&limit=100");
      CHECK(!strstr(target_of(3), "cursor"));
    }
  }
  CHECK_TEXT(settled, "row link done; ");
  stop_settle();
}

static void users_that_are_not_shown(void)
{
  begin_create("u,1");
  reply(0, 200,
        PAGE("{\"id\":\"ca_7\",\"created_at\":\"2026-11-22T06:00:13Z\"}",
             "null"),
        true);
  CHECK_TEXT(settled, "row link unknown: the service does not show the users "
                      "of the new accounts; ");
  stop_settle();
  begin_create("u1"); /* this one could be asked for */
  reply(0, 200,
        PAGE("{\"id\":\"ca_7\",\"created_at\":\"2026-11-22T06:00:13Z\"}",
             "null"),
        true);
  CHECK_TEXT(settled, "row link done; ");
  stop_settle();
}

/* Oldest first, in spite of what was asked for. */
static void an_order_that_is_not_kept(void)
{
  begin_create("u1");
  reply(
      0, 200,
      PAGE(ACCOUNT("ca_1", "u1", "01.000") "," ACCOUNT("ca_2", "u1", "02.000"),
           "\"p2\""),
      true);
  CHECK_INT(sent_count, 2);
  reply(1, 200, PAGE(ACCOUNT("ca_3", "u1", "13.000"), "null"), true);
  CHECK_TEXT(settled, "row link done; ");
  stop_settle();
}

static void a_list_without_an_end(void)
{
  begin_create("u1");
  reply(0, 200, PAGE(ACCOUNT("ca_1", "u2", "13.000"), "\"p2\""), true);
  reply(1, 200, PAGE(ACCOUNT("ca_1", "u2", "13.000"), "\"p2\""), true);
  CHECK_TEXT(
      settled,
      "row link unknown: cannot read the list of accounts to its end; ");
  CHECK_INT(sent_count, 2);
  stop_settle();
}

static void a_list_that_cannot_be_read(void)
{
  begin_create("u1");
  reply(0, 200, "{\"items\":{}}", true);
  CHECK_HOLDS(settled, "row link unknown: not settled: the reply cannot");
  stop_settle();
  begin_create("u1");
  reply(0, 404, NOT_FOUND, true); /* of a list, that says nothing */
  CHECK_HOLDS(settled, "row link unknown: not settled: the reply cannot");
  stop_settle();
}

/* Clocks. */

static void a_little_before_counts(void)
{
  begin_create("u1");
  reply(0, 200, PAGE(ACCOUNT("ca_1", "u1", "10.000"), "null"), true);
  CHECK_TEXT(settled, "row link done; ");
  stop_settle();
  begin_create("u1");
  reply(0, 200, PAGE(ACCOUNT("ca_1", "u1", "09.999"), "null"), true);
  CHECK_HOLDS(settled, "row link failed");
  stop_settle();
}

/* No clock of ours counts, however wrong it is. */
static void the_services_clock_counts(void)
{
  static const int64_t steps[] = { INT64_C(-3600000), INT64_C(10000),
                                   INT64_C(63072000000) };
  size_t i;

  for(i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
    start();
    plan_create("row", "u1");
    fake.wall_ms += steps[i];
    begin_settle(4, CA_FAILED);
    fake_clock_pass(&fake, QUIET_MS);
    fill_settle();
    reply(0, 200, PAGE(ACCOUNT("ca_1", "u1", "10.000"), "null"), true);
    CHECK_TEXT(settled, "row link done; ");
    stop_settle();
    start();
    plan_create("row", "u1");
    fake.wall_ms += steps[i];
    begin_settle(4, CA_FAILED);
    fake_clock_pass(&fake, QUIET_MS);
    fill_settle();
    reply(0, 200, PAGE(ACCOUNT("ca_1", "u1", "09.000"), "null"), true);
    CHECK_HOLDS(settled, "row link failed");
    stop_settle();
  }
}

/* The service's clock shows that the quiet time has passed: no need to wait.
   An intent may be old when its request leaves. */
static void the_quiet_time_by_the_service(void)
{
  start();
  plan_create("row", "u1");
  begin_settle(4, CA_FAILED);
  service_ms = sent_with.service_ms + 600000 + QUIET_MS;
  fill_settle();
  reply(0, 200, PAGE("", "null"), true);
  CHECK_HOLDS(settled, "row link failed");
  stop_settle();
  start();
  plan_create("row", "u1");
  begin_settle(4, CA_FAILED);
  service_ms = sent_with.service_ms + 600000;
  fill_settle();
  reply(0, 200, PAGE("", "null"), true);
  CHECK_INT(sent[1].sleep_ms, QUIET_MS);
  stop_settle();
}

/* Both saw the account before it became the proof of the first. */
static void one_account_proves_one_create(void)
{
  start();
  plan_create("one", "u1");
  plan_create("two", "u1");
  begin_settle(4, CA_FAILED);
  fill_settle();
  reply(0, 200, PAGE(ACCOUNT("ca_9", "u1", "20.000"), "\"p2\""), true);
  reply(1, 200, PAGE(ACCOUNT("ca_9", "u1", "20.000"), "\"p2\""), true);
  reply(2, 200, PAGE("", "null"), true);
  CHECK_TEXT(settled, "one link done; ");
  reply(3, 200, PAGE("", "null"), true);
  CHECK_TEXT(settled, "one link done; ");
  CHECK(!strstr(target_of(4), "cursor")); /* from the beginning */
  reply(4, 200, PAGE(ACCOUNT("ca_9", "u1", "20.000"), "null"), true);
  awake(5);
  reply(6, 200, PAGE(ACCOUNT("ca_9", "u1", "20.000"), "null"), true);
  CHECK_TEXT(ledger_says(), "3 5");
  stop_settle();
}

/* The quiet time counts from the last request, not from the probe. */
static void quiet_since_the_request(void)
{
  settle_since_ms = QUIET_MS - 4000;
  start();
  plan_create("row", "u1");
  begin_settle(4, CA_FAILED);
  fill_settle();
  reply(0, 200, PAGE("", "null"), true);
  CHECK_INT(sent[1].sleep_ms, 4000);
  awake(1);
  reply(2, 200, PAGE("", "null"), true);
  CHECK_TEXT(ledger_says(), "5");
  stop_settle();
  settle_since_ms = QUIET_MS;
  settle_wait_ms = 0;
  start();
  plan_create("row", "u1");
  begin_settle(4, CA_FAILED);
  fill_settle();
  reply(0, 200, PAGE("", "null"), true);
  CHECK_TEXT(ledger_says(), "5");
  stop_settle();
  settle_since_ms = 0;
  settle_wait_ms = 300000;
}

static void no_time_to_wait(void)
{
  settle_wait_ms = 0;
  start();
  plan_create("row", "u1");
  begin_settle(4, CA_FAILED);
  fill_settle();
  reply(0, 200, PAGE("", "null"), true);
  CHECK_TEXT(settled, "row link unknown: not settled: its request may still "
                      "arrive; ");
  CHECK_TEXT(ledger_says(), "7");
  stop_settle();
  settle_wait_ms = 300000;
}

/* The accounts that the user had decide, with the time or without it. */
static void what_was_there_is_not_new(void)
{
  char ids[] = " ca_1 ca_2 ";

  sent_with.ids = ids;
  begin_create("u1");
  reply(0, 200, PAGE(ACCOUNT("ca_2", "u1", "14.000"), "null"), true);
  CHECK_HOLDS(settled, "row link failed");
  stop_settle();
  sent_with.service_ms = 0;
  begin_create("u1");
  reply(0, 200, PAGE(ACCOUNT("ca_1", "u1", "14.000"), "\"p2\""), true);
  reply(1, 200, PAGE(ACCOUNT("ca_3", "u1", "01.000"), "null"), true);
  CHECK_TEXT(settled, "row link done; ");
  stop_settle();
  sent_with.ids = NULL;
  start();
  plan_create("row", "u1");
  begin_settle(4, CA_FAILED);
  fill_settle();
  CHECK_INT(sent_count, 0);
  CHECK_HOLDS(settled, "row link unknown: neither the service's time when");
  stop_settle();
  sent_with.service_ms = INT64_C(1795327215000);
}

int main(void)
{
  check_case("by status", by_status);
  check_case("by absence", by_absence);
  check_case("by auth config", by_auth_config);
  check_case("probes that fail", probes_that_fail);
  check_case("what may be repeated stays unknown",
             what_may_be_repeated_stays_unknown);
  check_case("what is not repeated is final", what_is_not_repeated_is_final);
  check_case("by fields", by_fields);
  check_case("what cannot be told is not asked",
             what_cannot_be_told_is_not_asked);
  check_case("refresh that happened", refresh_that_happened);
  check_case("refresh that did not happen", refresh_that_did_not_happen);
  check_case("refresh that happened late", refresh_that_happened_late);
  check_case("refresh that cannot be told", refresh_that_cannot_be_told);
  check_case("refresh that has expired again", refresh_that_has_expired_again);
  check_case("refresh and the precheck", refresh_and_the_precheck);
  check_case("refresh of what is gone", refresh_of_what_is_gone);
  check_case("create that is found", create_that_is_found);
  check_case("create that is not found", create_that_is_not_found);
  check_case("create that comes late", create_that_comes_late);
  check_case("several are told", several_are_told);
  check_case("known ones do not count", known_ones_do_not_count);
  check_case("one account is not found twice", one_account_is_not_found_twice);
  check_case("users with a comma", users_with_a_comma);
  check_case("users with a comma come late", users_with_a_comma_come_late);
  check_case("users that are not shown", users_that_are_not_shown);
  check_case("an order that is not kept", an_order_that_is_not_kept);
  check_case("a list without an end", a_list_without_an_end);
  check_case("a list that cannot be read", a_list_that_cannot_be_read);
  check_case("a little before counts", a_little_before_counts);
  check_case("the service's clock counts", the_services_clock_counts);
  check_case("the quiet time by the service", the_quiet_time_by_the_service);
  check_case("quiet since the request", quiet_since_the_request);
  check_case("one account proves one create", one_account_proves_one_create);
  check_case("no time to wait", no_time_to_wait);
  check_case("what was there is not new", what_was_there_is_not_new);
  return check_end();
}
