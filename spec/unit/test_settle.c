/* Settling changes of unknown outcome against an engine of this test's own:
   what is asked, and what every answer makes of the change. Must not know:
   sockets, curl. */
#include "apply_rig.h"
#include "settle.h"

#define ACCOUNTS  "/api/v3.1/connected_accounts"
#define NOT_FOUND "{\"error\":{\"message\":\"not found\"}}"
#define QUIET_MS  5000
/* The moment of the intents, as the service writes it. */
#define SENT_AT "2026-11-22T06:00:12.000Z"

static struct ca_settle *settle;
static char settled[8192];
static bool stop_settle_in_visit;

static void visit_settled(void *owner, const struct ca_settled *one)
{
  size_t used = strlen(settled);

  CHECK(owner == &settled);
  snprintf(settled + used, sizeof(settled) - used, "%s %s %s%s%s%s; ",
           one->row->key, one->row->change.api->name,
           ca_outcome_name(one->outcome), one->doubled ? " doubled" : "",
           *one->text ? ": " : "", one->text);
  if(stop_settle_in_visit)
    ca_settle_stop(settle);
}

static void begin_settle(int concurrency, enum ca_outcome not_done)
{
  struct ca_settle_options options = { .concurrency = concurrency,
                                       .not_done = not_done };
  settled[0] = '\0';
  stop_settle_in_visit = false;
  reply_date[0] = '\0';
  settle = ca_settle_new(FAKE_ENGINE, FAKE_ENDPOINT, ledger, &options,
                         visit_settled, &settled, &err);
  CHECK(settle != NULL);
}

static void fill_settle(void)
{
  CHECK_INT(ca_settle_fill(settle, &err), CA_OK);
}

static void stop_settle(void)
{
  ca_settle_free(settle);
  settle = NULL;
  stop();
}

/* An item with one change whose outcome is unknown. */
static int64_t plan_unknown(const char *key, const struct ca_change *change,
                            const char *status)
{
  int64_t number =
      plan_any(plan_seen(1, key, status ? status : "", NULL), change);
  was(number, CA_UNKNOWN);
  return number;
}

static void plan_plain(const char *resource, const char *operation,
                       const char *id, const char *status)
{
  struct ca_change change = { .api = ca_api_find(resource, operation),
                              .account = id,
                              .before = status };
  plan_unknown(id, &change, status);
}

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
      "failed: the account is EXPIRED", "5 - req-0" },
    { "connected_accounts", "disable", 200, IS("INACTIVE"), "done",
      "3 INACTIVE req-0" },
    { "connected_accounts", "disable", 200, IS("ACTIVE"),
      "failed: the account is ACTIVE", "5 - req-0" },
    { "connected_accounts", "disable", 404, NOT_FOUND,
      "failed: the account is gone", "5 - req-0" },
    { "connected_accounts", "revoke", 200, IS("REVOKED"), "done",
      "3 REVOKED req-0" },
    { "connected_accounts", "revoke", 200, IS("ACTIVE"),
      "failed: the account is ACTIVE", "5 - req-0" }
  };
  PROBE(probes);
}

static void by_absence(void)
{
  static const struct probe probes[] = {
    { "connected_accounts", "delete", 404, NOT_FOUND, "done", "3 - req-0" },
    { "connected_accounts", "delete", 404, "", "done", "3 - req-0" },
    { "connected_accounts", "delete", 200, IS("ACTIVE"),
      "failed: the account is still there", "5 - req-0" }
  };
  PROBE(probes);
}

static void by_auth_config(void)
{
  static const struct probe probes[] = {
    { "auth_configs", "disable", 200, IS("DISABLED"), "done",
      "3 DISABLED req-0" },
    { "auth_configs", "disable", 200, IS("ENABLED"),
      "failed: the auth config is ENABLED", "5 - req-0" },
    { "auth_configs", "enable", 200, IS("ENABLED"), "done",
      "3 ENABLED req-0" },
    { "auth_configs", "enable", 404, NOT_FOUND,
      "failed: the auth config is gone", "5 - req-0" }
  };
  PROBE(probes);
}

/* A probe that fails leaves the ledger as it is. */
static void probes_that_fail(void)
{
  static const struct probe probes[] = {
    { "connected_accounts", "disable", 500, NOT_FOUND,
      "unknown: not found out: not found (HTTP 500)", "7 - req-0" },
    { "connected_accounts", "disable", 403, NOT_FOUND,
      "unknown: not found out: not found (HTTP 403)", "7 - req-0" },
    { "connected_accounts", "disable", 401, NOT_FOUND,
      "unknown: not found out: not found (HTTP 401)", "7 - req-0" },
    { "connected_accounts", "disable", 200, "<html>",
      "unknown: not found out: the reply is none that can be read",
      "7 - req-0" },
    { "connected_accounts", "disable", 200,
      "{\"id\":\"x_2\",\"status\":\"INACTIVE\"}",
      "unknown: not found out: the reply is none that can be read",
      "7 - req-0" },
    { "connected_accounts", "disable", 200, "{\"id\":\"x_1\"}",
      "unknown: not found out: the reply is none that can be read",
      "7 - req-0" },
    { "auth_configs", "disable", 200, "{}",
      "unknown: not found out: the reply is none that can be read",
      "7 - req-0" },
    { "connected_accounts", "delete", 404, "<html>no such page",
      "unknown: not found out: HTTP 404, and the reply is no error of the "
      "service: <html>no such page",
      "7 - req-0" }
  };
  PROBE(probes);
}

static void not_done_is_as_asked_for(void)
{
  start();
  plan_plain("connected_accounts", "disable", "ca_1", "ACTIVE");
  begin_settle(4, CA_NOT_TRIED);
  fill_settle();
  reply(0, 200, "{\"id\":\"ca_1\",\"status\":\"ACTIVE\"}", true);
  CHECK_TEXT(settled, "ca_1 disable not tried: the account is ACTIVE; ");
  fill_settle();
  CHECK(ca_settle_finished(settle));
  CHECK_TEXT(ledger_says(), "2");
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
      "failed: the alias is not what it was to become" },
    { "{\"alias\":\"new\"}", HAS("\"alias\":null"),
      "failed: the alias is not what it was to become" },
    { "{\"alias\":\"\"}", HAS("\"alias\":null"), "done" },
    { "{\"alias\":\"\"}", HAS("\"x\":1"), "done" },
    { "{\"alias\":\"\"}", HAS("\"alias\":\"old\""),
      "failed: the alias is not what it was to become" },
    { "{" ACL("\"allowed_user_ids\":[\"a\",\"b\"]") "}",
      HAS(ACL("\"allow_all_users\":true,\"allowed_user_ids\":[\"b\",\"a\"]")),
      "done" },
    { "{" ACL("\"allowed_user_ids\":[\"a\",\"b\"]") "}",
      HAS(ACL("\"allowed_user_ids\":[\"a\"]")),
      "failed: who may use the account is not what it was to become" },
    { "{" ACL("\"allowed_user_ids\":[\"a\"]") "}",
      HAS(ACL("\"allowed_user_ids\":[\"a\",\"b\"]")),
      "failed: who may use the account is not what it was to become" },
    { "{" ACL("\"not_allowed_user_ids\":[]") "}",
      HAS(ACL("\"allow_all_users\":false")), "done" },
    { "{" ACL("\"not_allowed_user_ids\":[]") "}",
      HAS(ACL("\"not_allowed_user_ids\":[\"c\"]")),
      "failed: who may use the account is not what it was to become" },
    { "{" ACL("\"allow_all_users\":true") "}",
      HAS(ACL("\"allow_all_users\":true")), "done" },
    { "{" ACL("\"allow_all_users\":true") "}",
      HAS(ACL("\"allow_all_users\":false")),
      "failed: who may use the account is not what it was to become" },
    { "{" ACL("\"allow_all_users\":false") "}", HAS(ACL("")), "done" },
    { "{\"alias\":\"new\"," ACL("\"allow_all_users\":true") "}",
      HAS("\"alias\":\"new\"," ACL("\"allow_all_users\":false")),
      "failed: who may use the account is not what it was to become" },
    { "{\"alias\":\"new\"," ACL("\"allow_all_users\":true") "}",
      HAS("\"alias\":\"new\"," ACL("\"allow_all_users\":true")), "done" },
    { "{" ACL("\"allow_all_users\":true") "}", HAS("\"alias\":\"a\""),
      "unknown: the service does not show who may use the account" },
    { "{\"other\":1}", HAS("\"alias\":\"a\""),
      "unknown: the service does not show what was to be changed" }
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
             "nothing by which it could be told; ");
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

static void plan_refresh(void)
{
  start();
  plan_plain("connected_accounts", "refresh", "ca_1", "EXPIRED");
  begin_settle(4, CA_FAILED);
}

static void refreshed(size_t n, const char *status, const char *updated)
{
  char body[256];
  snprintf(body, sizeof(body),
           "{\"id\":\"ca_1\",\"status\":\"%s\",\"updated_at\":\"%s\"}", status,
           updated);
  reply(n, 200, body, true);
}

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
                      "not touched since; ");
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

/* Refreshed and expired again, or somebody else was there. */
static void refresh_that_cannot_be_told(void)
{
  plan_refresh();
  fill_settle();
  refreshed(0, "EXPIRED", "2026-11-22T06:00:13.000Z");
  CHECK_TEXT(settled, "ca_1 refresh unknown: the account is EXPIRED as "
                      "before, but was touched since: by this or by others; ");
  CHECK_TEXT(ledger_says(), "7");
  stop_settle();
}

/* Touched by others before: that is the plan's image, or older than sent. */
static void refresh_and_the_plans_image(void)
{
  plan_refresh();
  fake_clock_pass(&fake, 6000);
  fill_settle();
  refreshed(0, "EXPIRED", "2026-11-22T05:58:00.000Z");
  CHECK_HOLDS(settled, "refresh failed");
  stop_settle();
  plan_refresh();
  fake_clock_pass(&fake, 6000);
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

static int64_t plan_create(const char *key, const char *user)
{
  struct ca_change change = { .api = ca_api_find("connected_accounts", "link"),
                              .account = "",
                              .user = user,
                              .config = "ac_1",
                              .body = "{}" };
  struct ca_item row = { .bulk = 1, .key = key };
  int64_t item = 0;
  int64_t number;

  CHECK_INT(ca_ledger_add_item(ledger, &row, &item, &err), CA_OK);
  number = plan_any(item, &change);
  was(number, CA_UNKNOWN);
  return number;
}

static void begin_create(const char *user)
{
  start();
  plan_create("row", user);
  begin_settle(4, CA_FAILED);
  fake_clock_pass(&fake, QUIET_MS);
  fill_settle();
  CHECK_INT(sent_count, 1);
}

#define ACCOUNT(id, user, created)                       \
  "{\"id\":\"" id "\",\"user_id\":\"" user               \
  "\",\"status\":\"INITIATED\",\"auth_config\":{\"id\":" \
  "\"ac_1\"},\"created_at\":\"2026-11-22T06:00:" created "Z\"}"
#define PAGE(items, cursor) \
  "{\"items\":[" items "],\"next_cursor\":" cursor "}"

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
  CHECK_TEXT(settled, "row link done doubled: 2 accounts were made for this "
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
  CHECK_INT(ca_ledger_settle(ledger, other, CA_DONE, 1, "req", NULL,
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

static void users_that_are_not_shown(void)
{
  begin_create("u,1");
  reply(0, 200,
        PAGE("{\"id\":\"ca_7\",\"created_at\":\"2026-11-22T06:00:13Z\"}",
             "null"),
        true);
  CHECK_TEXT(settled, "row link unknown: the service does not show whose the "
                      "new accounts are; ");
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
  CHECK_TEXT(settled, "row link unknown: the list of accounts could not be "
                      "read to its end; ");
  CHECK_INT(sent_count, 2);
  stop_settle();
}

static void a_list_that_cannot_be_read(void)
{
  begin_create("u1");
  reply(0, 200, "{\"items\":{}}", true);
  CHECK_HOLDS(settled, "row link unknown: not found out: the reply is none");
  stop_settle();
  begin_create("u1");
  reply(0, 404, NOT_FOUND, true); /* of a list, that says nothing */
  CHECK_HOLDS(settled, "row link unknown: not found out: the reply is none");
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

/* Ours is ten seconds ahead of the service's, or behind it. */
static void the_services_clock_counts(void)
{
  begin_create("u1");
  snprintf(reply_date, sizeof(reply_date), "Sun, 22 Nov 2026 06:00:07 GMT");
  reply(0, 200, PAGE(ACCOUNT("ca_1", "u1", "00.000"), "null"), true);
  CHECK_TEXT(settled, "row link done; ");
  stop_settle();
  begin_create("u1");
  snprintf(reply_date, sizeof(reply_date), "Sun, 22 Nov 2026 06:00:27 GMT");
  reply(0, 200, PAGE(ACCOUNT("ca_1", "u1", "19.999"), "null"), true);
  CHECK_HOLDS(settled, "row link failed");
  stop_settle();
}

/* Many, and ends. */

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
  CHECK_HOLDS(settled, "ca_1 disable unknown: not found out: cut; ");
  CHECK_HOLDS(settled, "ca_5 disable unknown: not found out: the service "
                       "does not answer; ");
  CHECK_TEXT(ledger_says(), "7 7 7 7 7");
  stop_settle();
}

/* One answer, and it is not dead; a refusal is an answer. */
static void failures_in_a_row(void)
{
  plan_many(6);
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
  CHECK_HOLDS(settled, "ca_3 disable unknown: not found out: the API key was "
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
  CHECK_HOLDS(settled, "ca_1 disable unknown: not found out: the engine reads "
                       "nothing; ");
  CHECK_HOLDS(settled, "ca_3 disable unknown: ");
  stop_settle();
  plan_refresh();
  fill_settle();
  refuse_reads_with = CA_CANCELLED;
  refreshed(0, "EXPIRED", "2026-11-22T05:56:40.000Z");
  CHECK_TEXT(settled, "ca_1 refresh unknown: not found out: the engine does "
                      "not sleep; ");
  stop_settle();
}

static void a_sleep_that_is_cut(void)
{
  plan_refresh();
  fill_settle();
  refreshed(0, "EXPIRED", "2026-11-22T05:56:40.000Z");
  broken(1, CA_CANCELLED, false);
  CHECK_TEXT(settled, "ca_1 refresh unknown: not found out: cut; ");
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
  CHECK_TEXT(sent[2].request.api->name, "link");
  reply(2, 200, "{\"connected_account_id\":\"ca_2\"}", true);
  fill();
  CHECK(ca_apply_finished(apply));
  CHECK_TEXT(told, "ca_1 refresh unknown unsent; ca_1 enable not tried unsent "
                   "last; row link done last; ");
  stop_settle();
}

int main(void)
{
  check_case("by status", by_status);
  check_case("by absence", by_absence);
  check_case("by auth config", by_auth_config);
  check_case("probes that fail", probes_that_fail);
  check_case("not done is as asked for", not_done_is_as_asked_for);
  check_case("by fields", by_fields);
  check_case("what cannot be told is not asked",
             what_cannot_be_told_is_not_asked);
  check_case("refresh that happened", refresh_that_happened);
  check_case("refresh that did not happen", refresh_that_did_not_happen);
  check_case("refresh that happened late", refresh_that_happened_late);
  check_case("refresh that cannot be told", refresh_that_cannot_be_told);
  check_case("refresh and the plan's image", refresh_and_the_plans_image);
  check_case("refresh of what is gone", refresh_of_what_is_gone);
  check_case("create that is found", create_that_is_found);
  check_case("create that is not found", create_that_is_not_found);
  check_case("create that comes late", create_that_comes_late);
  check_case("several are told", several_are_told);
  check_case("known ones do not count", known_ones_do_not_count);
  check_case("one account is not found twice", one_account_is_not_found_twice);
  check_case("users with a comma", users_with_a_comma);
  check_case("users that are not shown", users_that_are_not_shown);
  check_case("an order that is not kept", an_order_that_is_not_kept);
  check_case("a list without an end", a_list_without_an_end);
  check_case("a list that cannot be read", a_list_that_cannot_be_read);
  check_case("a little before counts", a_little_before_counts);
  check_case("the service's clock counts", the_services_clock_counts);
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
