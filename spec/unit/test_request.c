/* Requests to the byte, as the service's own client sends them, and every
   value that is refused instead. Must not know: curl, Lua. */
#include "check.h"
#include "base/text.h"
#include "wire/request.h"

static struct ca_request request;
static struct ca_err err;

static struct ca_slice slice(const char *text)
{
  struct ca_slice value = { text, strlen(text) };
  return value;
}

static void make(const char *resource, const char *name)
{
  ca_request_init(&request, ca_api_find(resource, name));
  ca_err_clear(&err);
}

static void account(const char *name)
{
  make("connected_accounts", name);
}

static const struct ca_field *field(const char *name)
{
  const struct ca_field *found = ca_api_field(request.api, name);
  if(!found) {
    printf("no field %s\n", name);
    exit(2);
  }
  return found;
}

/* One field by text: lists are split at '|', words true, false, null and
   numbers say their type, '{' begins JSON. */
static enum ca_code set(const char *name, const char *value)
{
  const struct ca_field *to = field(name);
  struct ca_slice values[16];
  size_t count = 0;
  const char *from = value;

  if(!strcmp(value, "null"))
    return ca_request_null(&request, to, &err);
  switch(to->type) {
  case CA_INTEGER:
    return ca_request_integer(&request, to, strtoll(value, NULL, 10), &err);
  case CA_BOOLEAN:
    return ca_request_boolean(&request, to, !strcmp(value, "true"), &err);
  case CA_ACL:
  case CA_SCHEME:
  case CA_OPEN:
    return ca_request_json(&request, to, slice(value), &err);
  case CA_TEXTS:
  case CA_WORDS:
    while(count < 16) {
      size_t len = strcspn(from, "|");
      values[count].data = from;
      values[count++].len = len;
      if(!from[len])
        break;
      from += len + 1;
    }
    return ca_request_texts(&request, to, values, count, &err);
  default:
    return ca_request_text(&request, to, slice(value), &err);
  }
}

static void well(const char *name, const char *value)
{
  if(!CHECK_INT(set(name, value), CA_OK))
    printf("    %s: %s\n", name, err.text);
}

/* Finishes and compares; body NULL: no body at all. */
static void becomes(const char *target, const char *body)
{
  struct ca_buf out;
  struct ca_slice bytes;

  if(!CHECK_INT(ca_request_finish(&request, &err), CA_OK))
    printf("    %s\n", err.text);
  ca_buf_init(&out, 100000);
  CHECK_INT(ca_request_target(&request, &out), CA_OK);
  CHECK_TEXT(ca_buf_text(&out), target);
  ca_buf_clear(&out);
  bytes = ca_request_body(&request);
  CHECK_INT(bytes.data != NULL, body != NULL);
  if(body && bytes.data) {
    char *copy = strndup(bytes.data, bytes.len);
    CHECK_TEXT(copy, body);
    free(copy);
  }
  ca_request_clear(&request);
}

#define ACCOUNTS "/api/v3.1/connected_accounts"

/* Lists. */

static void lists(void)
{
  account("list");
  becomes(ACCOUNTS, NULL);
  account("list");
  well("user_ids", "user_123");
  becomes(ACCOUNTS "?user_ids=user_123", NULL);
  account("list");
  well("user_ids", "a|b|c");
  becomes(ACCOUNTS "?user_ids=a%2Cb%2Cc", NULL);
  account("list");
  well("user_ids", "j\xC3\xB6s\xC3\xA9 \xE6\x97\xA5\xE6\x9C\xAC"
                   "+&=#?/%@example.com~!*()'-._");
  becomes(ACCOUNTS "?user_ids=j%C3%B6s%C3%A9%20%E6%97%A5%E6%9C%AC%2B%26%3D"
                   "%23%3F%2F%25%40example.com~%21%2A%28%29%27-._",
          NULL);
  account("list");
  well("user_ids", "\xF0\x9F\x98\x80|\xC3\xBCn\xC3\xAF");
  becomes(ACCOUNTS "?user_ids=%F0%9F%98%80%2C%C3%BCn%C3%AF", NULL);
}

static void list_with_everything(void)
{
  account("list");
  well("toolkit_slugs", "github|slack");
  well("statuses", "ACTIVE|EXPIRED");
  well("user_ids", "u1|u2");
  well("auth_config_ids", "ac_1");
  well("connected_account_ids", "ca_1|ca_-2");
  well("account_type", "ALL");
  well("order_by", "created_at");
  well("order_direction", "asc");
  well("limit", "50");
  well("cursor", "Mi0yMA==");
  becomes(ACCOUNTS "?toolkit_slugs=github%2Cslack&statuses=ACTIVE%2CEXPIRED"
                   "&user_ids=u1%2Cu2&auth_config_ids=ac_1"
                   "&connected_account_ids=ca_1%2Cca_-2&account_type=ALL"
                   "&order_by=created_at&order_direction=asc&limit=50"
                   "&cursor=Mi0yMA%3D%3D",
          NULL);
}

static void list_of_configs(void)
{
  make("auth_configs", "list");
  becomes("/api/v3.1/auth_configs", NULL);
  make("auth_configs", "list");
  well("cursor", "c 1");
  well("is_composio_managed", "true");
  well("limit", "200");
  well("search", "my app");
  well("show_disabled", "false");
  well("toolkit_slugs", "gmail|github");
  becomes("/api/v3.1/auth_configs?cursor=c%201&is_composio_managed=true"
          "&limit=200&search=my%20app&show_disabled=false"
          "&toolkit_slug=gmail%2Cgithub",
          NULL);
}

static void unknown_statuses_pass(void)
{
  account("list");
  well("statuses", "ACTIVE|HIBERNATING");
  becomes(ACCOUNTS "?statuses=ACTIVE%2CHIBERNATING", NULL);
}

/* Single accounts. */

static void one_account(void)
{
  static const struct {
    const char *name, *target, *body;
  } cases[] = {
    { "get", ACCOUNTS "/ca_1", NULL },
    { "enable", ACCOUNTS "/ca_1/status", "{\"enabled\":true}" },
    { "disable", ACCOUNTS "/ca_1/status", "{\"enabled\":false}" },
    { "refresh", ACCOUNTS "/ca_1/refresh", "{}" },
    { "delete", ACCOUNTS "/ca_1", NULL },
    { "revoke", ACCOUNTS "/ca_1/revoke", "" },
  };
  size_t i;

  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    account(cases[i].name);
    well("id", "ca_1");
    becomes(cases[i].target, cases[i].body);
  }
  make("auth_configs", "get");
  well("id", "ac_1");
  becomes("/api/v3.1/auth_configs/ac_1", NULL);
  make("auth_configs", "enable");
  well("id", "ac_1");
  becomes("/api/v3.1/auth_configs/ac_1/ENABLED", "");
  make("auth_configs", "disable");
  well("id", "ac_1");
  becomes("/api/v3.1/auth_configs/ac_1/DISABLED", "");
}

static void ids_in_paths(void)
{
  account("get");
  well("id", ":@!$&'()*+,;=~");
  becomes(ACCOUNTS "/:@!$&'()*+,;=~", NULL);
  account("get");
  well("id", "a/b?c#d%2e\"<>\\^`{|}[]");
  becomes(ACCOUNTS "/a%2Fb%3Fc%23d%252e%22%3C%3E%5C%5E%60%7B%7C%7D%5B%5D",
          NULL);
  account("disable");
  well("id", "ca_-l3FzWqTw58L");
  becomes(ACCOUNTS "/ca_-l3FzWqTw58L/status", "{\"enabled\":false}");
  account("get");
  well("id", "...");
  becomes(ACCOUNTS "/...", NULL);
}

static void options_of_single_accounts(void)
{
  account("delete");
  well("id", "ca_1");
  well("revoke", "true");
  becomes(ACCOUNTS "/ca_1?revoke_on_delete=true", NULL);
  account("delete");
  well("id", "ca_1");
  well("revoke", "false");
  becomes(ACCOUNTS "/ca_1?revoke_on_delete=false", NULL);
  account("refresh");
  well("id", "ca_1");
  well("redirect_url", "https://your-app.com/cb?a=1");
  becomes(ACCOUNTS "/ca_1/refresh?redirect_url="
                   "https%3A%2F%2Fyour-app.com%2Fcb%3Fa%3D1",
          "{}");
}

static void updates(void)
{
  account("update");
  well("id", "ca_1");
  well("alias", "work");
  CHECK_INT(request.cost, CA_REVERSIBLE);
  CHECK(!request.secret);
  becomes(ACCOUNTS "/ca_1", "{\"alias\":\"work\"}");
  account("update");
  well("id", "ca_1");
  well("alias", ""); /* which clears it */
  becomes(ACCOUNTS "/ca_1", "{\"alias\":\"\"}");
  account("update");
  well("id", "ca_1");
  well("acl", "{\"allowed_user_ids\":[],\"not_allowed_user_ids\":[\"x\"]}");
  becomes(ACCOUNTS "/ca_1",
          "{\"experimental\":{\"acl_config_for_shared\":"
          "{\"allowed_user_ids\":[],\"not_allowed_user_ids\":[\"x\"]}}}");
  account("update");
  well("id", "ca_1");
  well("alias", "a");
  well("credentials", "{\"authScheme\":\"API_KEY\",\"val\":{\"api_key\":"
                      "\"k\"}}");
  well("acl", "{}");
  CHECK_INT(request.cost, CA_IRREVERSIBLE);
  CHECK(request.secret);
  becomes(ACCOUNTS "/ca_1",
          "{\"alias\":\"a\",\"connection\":{\"state\":{\"authScheme\":"
          "\"API_KEY\",\"val\":{\"api_key\":\"k\"}}},"
          "\"experimental\":{\"acl_config_for_shared\":{}}}");
  make("auth_configs", "update");
  well("id", "ac_1");
  well("type", "custom");
  well("credentials", "{\"client_id\":\"i\"}");
  CHECK_INT(request.cost, CA_IRREVERSIBLE);
  CHECK(request.secret);
  becomes("/api/v3.1/auth_configs/ac_1",
          "{\"type\":\"custom\",\"credentials\":{\"client_id\":\"i\"}}");
}

/* Creates. */

static void links(void)
{
  account("link");
  well("user_id", "user_123");
  well("auth_config_id", "ac_1");
  becomes(ACCOUNTS "/link",
          "{\"user_id\":\"user_123\",\"auth_config_id\":\"ac_1\"}");
  account("link");
  well("user_id", "a,b \xC3\xA9/\"\\\xF0\x9F\x98\x80");
  well("auth_config_id", "ac_1");
  well("callback_url", "https://your-app.com/callback?x=1&y=\xC3\xA9");
  well("alias", "work");
  well("connection_data", "{\"subdomain\":\"example\"}");
  well("account_type", "SHARED");
  well("acl", "{\"allow_all_users\":true}");
  CHECK(request.secret);
  becomes(ACCOUNTS "/link",
          "{\"user_id\":\"a,b \xC3\xA9/\\\"\\\\\xF0\x9F\x98\x80\","
          "\"auth_config_id\":\"ac_1\","
          "\"callback_url\":\"https://your-app.com/callback?x=1&y=\xC3\xA9\","
          "\"alias\":\"work\",\"connection_data\":{\"subdomain\":\"example\"},"
          "\"experimental\":{\"account_type\":\"SHARED\","
          "\"acl_config_for_shared\":{\"allow_all_users\":true}}}");
}

static void initiates(void)
{
  account("initiate");
  well("user_id", "u");
  well("auth_config_id", "ac_1");
  CHECK(!request.secret);
  CHECK_INT(request.cost, CA_REVERSIBLE);
  becomes(ACCOUNTS,
          "{\"connection\":{\"user_id\":\"u\"},\"auth_config\":{\"id\":"
          "\"ac_1\"}}");
  account("initiate");
  well("user_id", "u");
  well("auth_config_id", "ac_1");
  well("callback_url", "https://h/cb");
  well("config", "{\"authScheme\":\"API_KEY\",\"val\":{\"status\":\"ACTIVE\","
                 "\"api_key\":\"key123\"}}");
  well("alias", "work");
  CHECK(request.secret);
  becomes(ACCOUNTS,
          "{\"connection\":{\"user_id\":\"u\",\"callback_url\":"
          "\"https://h/cb\",\"state\":{\"authScheme\":\"API_KEY\",\"val\":"
          "{\"status\":\"ACTIVE\",\"api_key\":\"key123\"}},\"alias\":"
          "\"work\"},\"auth_config\":{\"id\":\"ac_1\"}}");
}

/* Refusals. */

static void refused(const char *name, struct ca_slice value, const char *words)
{
  enum ca_code code =
      field(name)->type == CA_TEXTS || field(name)->type == CA_WORDS
          ? ca_request_texts(&request, field(name), &value, 1, &err)
          : ca_request_text(&request, field(name), value, &err);
  CHECK_INT(code, CA_USAGE);
  CHECK_HOLDS(err.text, name);
  CHECK_HOLDS(err.text, words);
}

static void bad_ids(void)
{
  char text[300];
  int c;

  account("delete");
  refused("id", slice(""), "empty");
  refused("id", slice("."), "is not an id");
  refused("id", slice(".."), "is not an id");
  refused("id", slice("ca 1"), "byte 3");
  refused("id", slice("ca_\xC3\xA9"), "byte 4");
  for(c = 0; c < 256; c++) {
    char bytes[4] = { 'c', 'a', '_', (char)c };
    struct ca_slice value = { bytes, 4 };
    enum ca_code want = c > 0x20 && c < 0x7F ? CA_OK : CA_USAGE;
    CHECK_INT(ca_request_check_id(value, "id", &err), want);
  }
  memset(text, 'a', sizeof(text));
  text[sizeof(text) - 1] = '\0';
  refused("id", slice(text), "longer");
  ca_request_clear(&request);
}

static void bad_texts(void)
{
  struct ca_slice zero = { "a\0b", 3 };

  account("list");
  refused("user_ids", slice(""), "empty");
  refused("user_ids", slice("a,b"), "comma");
  refused("toolkit_slugs", slice("a,b"), "comma");
  refused("statuses", slice("ACTIVE,EXPIRED"), "comma");
  refused("statuses", slice("active"), "write 'ACTIVE', not 'active'");
  refused("user_ids", slice("a\r\nx: y"), "control byte 13 at byte 2");
  refused("user_ids", slice("a\x7F"), "control byte 127");
  refused("user_ids", zero, "control byte 0");
  refused("user_ids", slice("a\xFF"), "UTF-8 at byte 2");
  refused("user_ids", slice("\xED\xA0\x80"), "UTF-8");
  refused("cursor", slice(""), "empty");
  refused("account_type", slice("all"), "not one of PRIVATE, SHARED, ALL");
  refused("order_by", slice("name"), "not one of created_at, updated_at");
  refused("order_direction", slice(""), "not one of asc, desc");
  ca_request_clear(&request);
  account("link");
  refused("user_id", slice(""), "empty");
  refused("user_id", slice("a\nb"), "control byte 10");
  refused("auth_config_id", slice("ac 1"), "byte 3");
  refused("alias", slice(""), "empty");
  ca_request_clear(&request);
}

static void empty_lists(void)
{
  static const char *const names[] = {
    "user_ids",        "toolkit_slugs",         "statuses",
    "auth_config_ids", "connected_account_ids", NULL
  };
  const char *const *name;

  account("list");
  for(name = names; *name; name++) {
    CHECK_INT(ca_request_texts(&request, field(*name), NULL, 0, &err),
              CA_USAGE);
    CHECK_HOLDS(err.text, *name);
    CHECK_HOLDS(err.text, "no filter");
  }
  ca_request_clear(&request);
}

static void bad_numbers(void)
{
  account("list");
  CHECK_INT(set("limit", "0"), CA_USAGE);
  CHECK_HOLDS(err.text, "limit: 0 is less than 1");
  CHECK_INT(set("limit", "-5"), CA_USAGE);
  CHECK_INT(set("limit", "1"), CA_OK);
  becomes(ACCOUNTS "?limit=1", NULL);
}

static void what_is_missing(void)
{
  account("get");
  CHECK_INT(ca_request_finish(&request, &err), CA_USAGE);
  CHECK_TEXT(err.text, "id: missing");
  ca_request_clear(&request);
  account("link");
  well("user_id", "u");
  CHECK_INT(ca_request_finish(&request, &err), CA_USAGE);
  CHECK_TEXT(err.text, "auth_config_id: missing");
  ca_request_clear(&request);
  account("update");
  well("id", "ca_1");
  CHECK_INT(ca_request_finish(&request, &err), CA_USAGE);
  CHECK_HOLDS(err.text, "no field to change");
  ca_request_clear(&request);
}

static void nulls_only_where_they_are_meant(void)
{
  account("update");
  CHECK_INT(set("alias", "null"), CA_USAGE);
  CHECK_HOLDS(err.text, "alias: cannot be null");
  ca_request_clear(&request);
}

static void too_long_is_said(void)
{
  char *text = calloc(1, 40001);

  memset(text, 'a', 40000);
  account("list");
  CHECK_INT(set("user_ids", text), CA_USAGE);
  CHECK_HOLDS(err.text, "user_ids: too long");
  ca_request_clear(&request);
  free(text);
}

static void masked_secrets(void)
{
  CHECK(ca_request_is_masked(slice("REDACTED")));
  CHECK(ca_request_is_masked(slice("a...")));
  CHECK(ca_request_is_masked(slice("abcd...")));
  CHECK(ca_request_is_masked(slice("\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9...")));
  CHECK(!ca_request_is_masked(slice("abcde...")));
  CHECK(!ca_request_is_masked(slice("...")));
  CHECK(!ca_request_is_masked(slice("")));
  CHECK(!ca_request_is_masked(slice("redacted")));
  CHECK(!ca_request_is_masked(slice("REDACTED!")));
  CHECK(!ca_request_is_masked(slice("abcd....")));
}

/* Back from the ledger. */

static void restored(const char *name, const char *id, const char *query,
                     const char *body, const char *target,
                     const char *want_body)
{
  struct ca_buf out;
  struct ca_slice bytes;

  CHECK_INT(ca_request_restore(&request,
                               ca_api_find("connected_accounts", name), id,
                               query, body, &err),
            CA_OK);
  CHECK(request.finished);
  ca_buf_init(&out, 10000);
  CHECK_INT(ca_request_target(&request, &out), CA_OK);
  CHECK_TEXT(ca_buf_text(&out), target);
  bytes = ca_request_body(&request);
  CHECK_INT(bytes.data != NULL, want_body != NULL);
  if(bytes.data && want_body)
    CHECK(bytes.len == strlen(want_body) &&
          !memcmp(bytes.data, want_body, bytes.len));
  ca_buf_clear(&out);
  ca_request_clear(&request);
}

static void back_from_the_ledger(void)
{
  restored("disable", "ca_1", NULL, NULL, ACCOUNTS "/ca_1/status",
           "{\"enabled\":false}");
  restored("delete", "ca_1", "revoke_on_delete=true", NULL,
           ACCOUNTS "/ca_1?revoke_on_delete=true", NULL);
  restored("link", "", NULL, "{\"user_id\":\"u\"}", ACCOUNTS "/link",
           "{\"user_id\":\"u\"}");
  restored("revoke", "ca_1", NULL, NULL, ACCOUNTS "/ca_1/revoke", "");
  CHECK_INT(ca_request_restore(&request,
                               ca_api_find("connected_accounts", "delete"), "",
                               NULL, NULL, &err),
            CA_USAGE);
  ca_request_clear(&request);
  CHECK_INT(ca_request_restore(&request,
                               ca_api_find("connected_accounts", "delete"),
                               NULL, NULL, NULL, &err),
            CA_USAGE);
  ca_request_clear(&request);
}

/* Spelling. */

static void valid_utf8(void)
{
  static const struct {
    const char *text;
    int bad; /* -1: valid */
  } cases[] = {
    { "", -1 },
    { "ascii \x7F", -1 },
    { "\xC2\x80\xDF\xBF", -1 },
    { "\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF", -1 },
    { "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", -1 },
    { "ab\x80", 2 },               /* a lone rest */
    { "a\xC3", 1 },                /* cut */
    { "\xE2\x82", 0 },             /* cut */
    { "\xF0\x9F\x98", 0 },         /* cut */
    { "\xC0\x80", 0 },             /* overlong */
    { "\xC1\xBF", 0 },             /* overlong */
    { "\xE0\x9F\xBF", 0 },         /* overlong */
    { "\xF0\x8F\xBF\xBF", 0 },     /* overlong */
    { "x\xED\xA0\x80", 1 },        /* surrogate */
    { "\xF4\x90\x80\x80", 0 },     /* past the last */
    { "\xF5\x80\x80\x80", 0 },     /* past the last */
    { "\xC3\xA9\xE2\x28\xA1", 2 }, /* a rest that is none */
    { "\xF0\x9F\x98\x80\xFE", 4 },
  };
  size_t i;

  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    size_t bad = 99;
    bool valid = ca_text_is_utf8(slice(cases[i].text), &bad);
    CHECK_INT(valid, cases[i].bad < 0);
    if(!valid)
      CHECK_INT(bad, cases[i].bad);
    CHECK_INT(ca_text_is_utf8(slice(cases[i].text), NULL), valid);
  }
}

/* All 256 bytes, so that no class of them is forgotten. */
static void percent_encoding(void)
{
  static const char both[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "abcdefghijklmnopqrstuvwxyz0123456789-._~";
  static const char in_paths[] = "!$&'()*+,;=:@";
  int c;

  for(c = 0; c < 256; c++) {
    char byte = (char)c;
    struct ca_slice one = { &byte, 1 };
    char bare[2] = { byte, '\0' };
    char spelled[8];
    struct ca_buf out;
    snprintf(spelled, sizeof(spelled), "%%%02X", (unsigned)c);
    ca_buf_init(&out, 10);
    CHECK_INT(ca_text_encode_query(&out, one), CA_OK);
    CHECK_TEXT(ca_buf_text(&out), c && strchr(both, c) ? bare : spelled);
    ca_buf_reset(&out);
    CHECK_INT(ca_text_encode_segment(&out, one), CA_OK);
    CHECK_TEXT(ca_buf_text(&out),
               c && (strchr(both, c) || strchr(in_paths, c)) ? bare : spelled);
    ca_buf_clear(&out);
  }
}

int main(void)
{
  check_case("lists", lists);
  check_case("a list with everything", list_with_everything);
  check_case("a list of configs", list_of_configs);
  check_case("unknown statuses pass", unknown_statuses_pass);
  check_case("one account", one_account);
  check_case("ids in paths", ids_in_paths);
  check_case("options of single accounts", options_of_single_accounts);
  check_case("updates", updates);
  check_case("links", links);
  check_case("initiates", initiates);
  check_case("bad ids", bad_ids);
  check_case("bad texts", bad_texts);
  check_case("empty lists", empty_lists);
  check_case("bad numbers", bad_numbers);
  check_case("what is missing", what_is_missing);
  check_case("nulls only where they are meant",
             nulls_only_where_they_are_meant);
  check_case("too long is said", too_long_is_said);
  check_case("masked secrets", masked_secrets);
  check_case("back from the ledger", back_from_the_ledger);
  check_case("valid UTF-8", valid_utf8);
  check_case("percent encoding", percent_encoding);
  return check_end();
}
