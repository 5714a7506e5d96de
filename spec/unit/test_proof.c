/* What replies and probes prove of changes: a table of cases for each kind of
   row. Must not know: the ledger, sockets. */
#include "wire/proof.h"
#include "check.h"

static const char *const names[] = { "unknown", "done", "failed", "not yet",
                                     "unsent",  "more", "unread" };

static const struct ca_api *account(const char *name)
{
  return ca_api_find("connected_accounts", name);
}

/* A result as the engine leaves it: status 0 for no reply. ca_reply_explain
   completes it, as whoever asks for a proof does. */
static void make_result(struct ca_result *result, const struct ca_api *api,
                        int status, const char *body, bool left)
{
  memset(result, 0, sizeof(*result));
  ca_buf_init(&result->body, 1 << 20);
  CHECK_INT(ca_buf_add_text(&result->body, body), CA_OK);
  result->status = status;
  if(status < 200 || status >= 300) {
    ca_err_set(&result->err, status ? CA_HTTP : CA_NETWORK, "no");
    result->err.status = status;
    result->err.unknown = left;
  }
  ca_reply_explain(api, "ca_1", result);
}

/* ---- the reply to the change itself ---- */

/* The service's own envelope. */
#define OWN(message) "{\"error\":{\"message\":\"" message "\",\"code\":1}}"
#define GONE         "{\"error\":{\"message\":\"not found\",\"code\":606}}"

static void by_reply(void)
{
  static const struct {
    const char *operation;
    int status;
    const char *body;
    bool left;    /* with no reply: the request may have been carried out */
    bool suspect; /* an earlier session may have sent it */
    const char *proof;
  } cases[] = {
    { "disable", 200, "{\"success\":true}", false, false, "done" },
    { "disable", 204, "", false, false, "done" },
    { "disable", 200, "<html>log in</html>", false, false, "unknown" },
    { "disable", 200, "<html>log in</html>", false, true, "unknown" },
    { "disable", 200, "{\"success\":false}", false, false, "unknown" },
    { "disable", 200, "{}", false, false, "unknown" },
    { "disable", 200, "", false, false, "unknown" },
    { "disable", 302, "", false, false, "unknown" },
    { "disable", 409, OWN("no"), false, false, "failed" },
    { "disable", 409, "{\"error\":{}}", false, false, "unknown" },
    { "disable", 403, "<html>no", false, false, "unknown" },
    { "disable", 403, "{\"error\":{\"message\":\"no\"}}", false, false,
      "unknown" },
    { "disable", 401, "", false, false, "failed" },
    { "disable", 429, "{\"message\":\"no\"}", false, false, "failed" },
    { "disable", 401, OWN("no"), false, true, "unknown" },
    { "disable", 404, OWN("no"), false, true, "unknown" },
    { "disable", 409, OWN("no"), false, true, "unknown" },
    { "disable", 429, OWN("no"), false, true, "unknown" },
    { "disable", 404, "", false, false, "unknown" },
    { "disable", 0, "", false, false, "failed" },
    { "disable", 0, "", false, true, "unknown" },
    { "disable", 0, "", true, false, "unknown" },
    { "disable", 502, "", true, false, "unknown" },
    { "link", 0, "", true, false, "unknown" },
    { "link", 201, "{\"connected_account_id\":\"\"}", false, false,
      "unknown" },
    { "link", 201, "{\"id\":\"ca_1\"}", false, false, "unknown" },
    { "link", 400, OWN("no"), false, false, "failed" },
    { "refresh", 200, "{\"id\":\"ca_1\"}", false, false, "done" },
    { "refresh", 200, "{\"id\":\"ca_2\"}", false, false, "unknown" },
    { "revoke", 200, "{\"revoked_tokens\":[]}", false, false, "done" },
    { "revoke", 200, "{\"success\":true}", false, false, "unknown" },
    { "delete", 404, OWN("no"), false, false, "failed" },
    { "delete", 404, GONE, false, false, "failed" },
    { "delete", 404, GONE, false, true, "done" },
    { "delete", 404, GONE, true, false, "done" },
    { "delete", 404, "{\"error\":{\"message\":\"no ca_1\"}}", false, true,
      "done" },
    { "delete", 404, "{\"error\":{\"message\":\"no ca_2\"}}", false, true,
      "unknown" },
    { "delete", 404, "{\"error\":{}}", false, true, "unknown" },
    { "delete", 404, OWN("no ca_1"), false, true, "unknown" },
    { "delete", 404, "", true, false, "unknown" },
    { "delete", 404, "<html>no such page", false, true, "unknown" },
    { "delete", 403, OWN("no"), false, true, "unknown" }
  };
  size_t i;

  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    const struct ca_api *api = account(cases[i].operation);
    struct ca_result result;
    make_result(&result, api, cases[i].status, cases[i].body, cases[i].left);
    if(!CHECK_TEXT(
           names[ca_proof_of_reply(api, "ca_1", &result, cases[i].suspect)],
           cases[i].proof))
      printf("    of %s, %d %s\n", cases[i].operation, cases[i].status,
             cases[i].body);
    ca_buf_clear(&result.body);
  }
}

static void never_left(void)
{
  static const enum ca_code codes[] = { CA_CANCELLED, CA_CLOSED, CA_GATE };
  size_t i;

  for(i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
    struct ca_result result;
    make_result(&result, account("disable"), 200, "{}", false);
    ca_err_set(&result.err, codes[i], "no");
    CHECK_TEXT(
        names[ca_proof_of_reply(account("disable"), "ca_1", &result, false)],
        "unsent");
    CHECK_TEXT(
        names[ca_proof_of_reply(account("disable"), "ca_1", &result, true)],
        "unknown");
    ca_buf_clear(&result.body);
  }
  CHECK_TEXT(names[ca_proof_of_unsent(CA_USAGE, false)], "failed");
  CHECK_TEXT(names[ca_proof_of_unsent(CA_SYSTEM, false)], "unsent");
  CHECK_TEXT(names[ca_proof_of_unsent(CA_USAGE, true)], "unknown");
}

/* What is recorded of a change that is done. */
static void what_replies_tell(void)
{
  static const struct {
    const char *operation;
    const char *body;
    const char *status;
    const char *made;
  } cases[] = {
    { "disable", "{\"success\":true}", "INACTIVE", "" },
    { "revoke", "{\"connected_account\":{\"status\":\"x\"}}", "REVOKED", "" },
    { "refresh", "{\"id\":\"ca_1\",\"status\":\"INITIATED\"}", "INITIATED",
      "" },
    { "update", "{\"id\":\"ca_1\",\"status\":\"ACTIVE\"}", "ACTIVE", "" },
    { "delete", "{\"success\":true}", "", "" },
    { "link", "{\"connected_account_id\":\"ca_9\"}", "", "ca_9" },
    { "initiate", "{\"id\":\"ca_9\",\"status\":\"ACTIVE\"}", "ACTIVE",
      "ca_9" },
    { "initiate", "no json", "", "" }
  };
  struct ca_finding finding;
  size_t i;

  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct ca_result result;
    make_result(&result, account(cases[i].operation), 200, cases[i].body,
                false);
    ca_proof_take(account(cases[i].operation), &result, &finding);
    CHECK_TEXT(finding.status, cases[i].status);
    CHECK_TEXT(finding.made, cases[i].made);
    ca_buf_clear(&result.body);
  }
  ca_proof_take(account("disable"), NULL, &finding);
  CHECK_TEXT(finding.status, "INACTIVE");
}

/* ---- a get ---- */

#define IS(status)  "{\"id\":\"ca_1\",\"status\":\"" status "\"}"
#define HAS(member) "{\"id\":\"ca_1\",\"status\":\"ACTIVE\"," member "}"
#define AT(time)                                            \
  "{\"id\":\"ca_1\",\"status\":\"EXPIRED\",\"updated_at\":" \
  "\"2026-11-22T06:00:" time "Z\"}"
#define SIX_OCLOCK INT64_C(1795327200000) /* 2026-11-22T06:00:00Z */

static void by_get(void)
{
  static const struct {
    const char *operation;
    const char *body; /* that was sent */
    int status;
    const char *reply;
    const char *proof;
    const char *text;
  } cases[] = {
    { "enable", NULL, 200, IS("ACTIVE"), "done", "" },
    { "enable", NULL, 200, IS("EXPIRED"), "not yet",
      "the account is EXPIRED" },
    { "enable", NULL, 404, "{}", "failed", "the account is gone" },
    { "enable", NULL, 200, "{\"id\":\"ca_2\",\"status\":\"ACTIVE\"}", "unread",
      "" },
    { "enable", NULL, 200, "{\"id\":\"ca_1\"}", "unread", "" },
    { "enable", NULL, 200, "<html>", "unread", "" },
    { "delete", NULL, 404, "{}", "done", "" },
    { "delete", NULL, 200, IS("ACTIVE"), "not yet",
      "the account is still there" },
    { "refresh", NULL, 200, IS("INITIATED"), "done", "" },
    { "refresh", NULL, 200, AT("01"), "not yet",
      "the account is EXPIRED and was not updated since" },
    { "refresh", NULL, 200, AT("09"), "not yet",
      "the account is EXPIRED and was not updated since" },
    { "refresh", NULL, 200, AT("08"), "unknown",
      "the account is EXPIRED as before, but was updated since, by this "
      "change "
      "or another" },
    { "refresh", NULL, 200, IS("EXPIRED"), "unknown",
      "the account is EXPIRED as before, but was updated since, by this "
      "change "
      "or another" },
    { "update", "{\"alias\":\"a\"}", 200, HAS("\"alias\":\"a\""), "done", "" },
    { "update", "{\"alias\":\"a\"}", 200, HAS("\"alias\":\"b\""), "not yet",
      "the alias is not the planned one" },
    { "update", "{}", 200, HAS("\"alias\":\"b\""), "unknown",
      "the service does not show the changed fields" }
  };
  size_t i;

  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct ca_proof_change change = { .api = account(cases[i].operation),
                                      .account = "ca_1",
                                      .body = cases[i].body,
                                      .before = "EXPIRED",
                                      .before_ms = SIX_OCLOCK + 9000,
                                      .since_ms = SIX_OCLOCK + 5000 };
    struct ca_result result;
    struct ca_finding finding;
    make_result(&result, change.api, cases[i].status, cases[i].reply, false);
    ca_proof_of_get(&change, &result, &finding);
    if(!CHECK_TEXT(names[finding.proof], cases[i].proof) ||
       !CHECK_TEXT(finding.text, cases[i].text))
      printf("    of %s, %s\n", cases[i].operation, cases[i].reply);
    ca_buf_clear(&result.body);
  }
}

/* A login that was under way ends without any request. */
static void by_get_of_a_login(void)
{
  static const struct {
    const char *status;
    const char *proof;
  } cases[] = {
    { "EXPIRED", "unknown" },
    { "ACTIVE", "unknown" },
    { "INITIATED", "done" } /* another one */
  };
  size_t i;

  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct ca_proof_change change = { .api = account("refresh"),
                                      .account = "ca_1",
                                      .before = "INITIATED",
                                      .before_ms = SIX_OCLOCK,
                                      .prechecked = true };
    char body[160];
    struct ca_result result;
    struct ca_finding finding;
    snprintf(body, sizeof(body),
             "{\"id\":\"ca_1\",\"status\":\"%s\",\"updated_at\":"
             "\"2026-11-22T06:10:00Z\"}",
             cases[i].status);
    make_result(&result, change.api, 200, body, false);
    ca_proof_of_get(&change, &result, &finding);
    CHECK_TEXT(names[finding.proof], cases[i].proof);
    ca_buf_clear(&result.body);
  }
}

static void what_no_probe_proves(void)
{
  struct ca_proof_change change = { .api = account("update") };

  CHECK_HOLDS(ca_proof_missing(&change), "shows credentials masked");
  change.body = "{}";
  CHECK(!ca_proof_missing(&change));
  change.api = account("link");
  CHECK_HOLDS(ca_proof_missing(&change), "neither the service's time");
  change.since_ms = 1;
  CHECK(!ca_proof_missing(&change));
  change.api = ca_api_find("auth_configs", "update");
  CHECK_HOLDS(ca_proof_missing(&change), "shows nothing that");
  change.api = account("delete");
  CHECK(!ca_proof_missing(&change));
}

/* ---- a list ---- */

#define MADE(id, user, second)                                     \
  "{\"id\":\"" id "\",\"user_id\":\"" user                         \
  "\",\"auth_config\":{\"id\":\"ac_1\"},\"status\":\"INITIATED\"," \
  "\"created_at\":\"2026-11-22T06:00:" second "Z\"}"

/* `created` is no time */
#define TIMELESS(id, user, created)        \
  "{\"id\":\"" id "\",\"user_id\":\"" user \
  "\",\"status\":\"INITIATED\",\"created_at\":" created "}"

/* Does some other change of the ledger know the account? */
static enum ca_code knows(void *ctx, const char *id, bool *known,
                          struct ca_err *err)
{
  (void)err;
  *known = !strcmp(id, ctx);
  return CA_OK;
}

static void by_list(void)
{
  static const struct {
    const char *user;
    const char *items;
    const char *next; /* cursor, as JSON */
    const char *proof;
    const char *made;
  } cases[] = {
    { "u", "", "null", "not yet", "" },
    { "u", MADE("ca_a", "u", "06"), "null", "done", "ca_a" },
    { "u", MADE("ca_a", "u", "04"), "null", "not yet", "" },
    { "u", MADE("ca_a", "other", "06"), "null", "not yet", "" },
    { "u", MADE("ca_known", "u", "06"), "null", "not yet", "" },
    { "u", MADE("ca_b", "u", "08") "," MADE("ca_a", "u", "06"), "null", "done",
      "ca_a" },
    { "u", MADE("ca_a", "other", "06"), "\"more\"", "more", "" },
    { "u", MADE("ca_a", "u", "06") "," MADE("ca_o", "u", "01"), "\"more\"",
      "done", "ca_a" },
    { "u,2", "{\"id\":\"ca_a\",\"created_at\":\"2026-11-22T06:00:06Z\"}",
      "null", "unknown", "" },
    { "u", TIMELESS("ca_a", "u", "null"), "null", "unknown", "" },
    { "u", TIMELESS("ca_a", "u", "\"soon\""), "null", "unknown", "" },
    { "u", TIMELESS("ca_a", "u", "null"), "\"more\"", "more", "" },
    { "u", TIMELESS("ca_known", "u", "null"), "null", "not yet", "" },
    { "u", TIMELESS("ca_a", "other", "null"), "null", "not yet", "" },
    { "u", TIMELESS("ca_b", "u", "null") "," MADE("ca_a", "u", "06"), "null",
      "done", "ca_a" },
    { "u", TIMELESS("ca_b", "u", "null") "," MADE("ca_a", "u", "04"),
      "\"more\"", "unknown", "" },
    { "u", "{\"id\":1}", "null", "unread", "" }
  };
  struct ca_err err;
  size_t i;

  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct ca_proof_change change = { .api = account("link"),
                                      .account = "",
                                      .user = cases[i].user,
                                      .config = "ac_1",
                                      .since_ms = SIX_OCLOCK + 5000 };
    struct ca_proof_list list;
    struct ca_result result;
    struct ca_finding finding;
    char page[600];
    char known[] = "ca_known";
    memset(&list, 0, sizeof(list));
    ca_err_clear(&err);
    snprintf(page, sizeof(page), "{\"items\":[%s],\"next_cursor\":%s}",
             cases[i].items, cases[i].next);
    make_result(&result, ca_api_list(change.api), 200, page, false);
    CHECK_INT(ca_proof_of_page(&change, &list, &result, knows, known, &finding,
                               &err),
              CA_OK);
    if(!CHECK_TEXT(names[finding.proof], cases[i].proof) ||
       !CHECK_TEXT(finding.made, cases[i].made))
      printf("    of %s\n", page);
    ca_buf_clear(&result.body);
  }
}

/* ---- fields ---- */

static struct ca_slice slice_of(const char *text)
{
  struct ca_slice slice = { text, text ? strlen(text) : 0 };

  return slice;
}

static void same_fields(void)
{
  static const struct {
    const char *field;
    const char *wanted;
    const char *shown;
    bool same;
  } cases[] = { { "alias", "\"a\"", "\"a\"", true },
                { "alias", "\"a\"", "\"\\u0061\"", true },
                { "alias", "\"a\"", "\"b\"", false },
                { "alias", "\"\"", NULL, true },
                { "alias", "\"\"", "null", true },
                { "alias", "\"ul\"", "null", false },
                { "alias", "\"null\"", "null", false },
                { "alias", "\"a\"", NULL, false },
                { "alias", "\"\"", "\"a\"", false },
                { "acl", "{}", "{\"allow_all_users\":true}", true },
                { "acl", "{\"allow_all_users\":false}", "{}", true },
                { "acl", "{\"allow_all_users\":true}", "{}", false },
                { "acl", "{\"allowed_user_ids\":[\"a\",\"b\"]}",
                  "{\"allowed_user_ids\":[\"b\",\"\\u0061\"]}", true },
                { "acl", "{\"allowed_user_ids\":[\"a\"]}",
                  "{\"allowed_user_ids\":[\"a\",\"b\"]}", false },
                { "acl", "{\"allowed_user_ids\":{}}",
                  "{\"allowed_user_ids\":[\"a\"]}", false },
                { "acl", "{\"not_allowed_user_ids\":[]}", NULL, true } };
  size_t i;

  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    if(!CHECK_INT(
           ca_proof_same(ca_api_field(account("update"), cases[i].field),
                         slice_of(cases[i].wanted), slice_of(cases[i].shown)),
           cases[i].same))
      printf("    of %s, %s\n", cases[i].wanted,
             cases[i].shown ? cases[i].shown : "nothing");
}

int main(void)
{
  check_case("by reply", by_reply);
  check_case("what never left", never_left);
  check_case("what replies tell", what_replies_tell);
  check_case("by get", by_get);
  check_case("by get of a login", by_get_of_a_login);
  check_case("what no probe proves", what_no_probe_proves);
  check_case("by list", by_list);
  check_case("same fields", same_fields);
  return check_end();
}
