/* What replies say, in every shape they have been seen in.
   Must not know: Lua, sockets. */
#include "check.h"
#include "wire/reply.h"
#include "base/secret.h"

static struct ca_result result;
static const struct ca_api *api;

static void explain(const char *operation, int status, const char *body,
                    bool is_json)
{
  api = ca_api_find("connected_accounts", operation);
  ca_buf_clear(&result.body);
  memset(&result, 0, sizeof(result));
  ca_buf_init(&result.body, 1 << 20);
  CHECK_INT(ca_buf_add_text(&result.body, body), CA_OK);
  result.status = status;
  result.attempts = 2;
  result.is_json = is_json;
  snprintf(result.request_id, sizeof(result.request_id), "ours");
  if(status < 200 || status > 299) {
    result.err.code = CA_HTTP;
    result.err.status = status;
    result.err.attempts = 2;
  }
  ca_reply_explain(api, "ca_x", &result);
}

static void nested_error(void)
{
  explain("get", 404,
          "{\"error\":{\"message\":\"Connected account \\\"ca_x\\\" not "
          "found\",\"code\":606,\"slug\":\"ConnectedAccount_ResourceNotFound\""
          ",\"status\":404,\"request_id\":\"r-1\",\"suggested_fix\":"
          "\"Check the id.\"}}",
          true);
  CHECK_TEXT(result.err.text, "Connected account \"ca_x\" not found (HTTP 404 "
                              "ConnectedAccount_ResourceNotFound)");
  CHECK_INT(result.err.api_code, 606);
  CHECK_TEXT(result.err.slug, "ConnectedAccount_ResourceNotFound");
  CHECK_TEXT(result.err.request_id, "r-1");
  CHECK_TEXT(result.err.fix, "Check the id.");
  CHECK_INT(result.err.status, 404);
  CHECK_INT(result.err.attempts, 2);
  CHECK_TEXT(ca_reply_error_name(api, &result.err),
             "ComposioConnectedAccountNotFoundError");
}

static void other_shapes(void)
{
  explain("get", 429, "{\"message\":\"Rate limit exceeded.\"}", true);
  CHECK_TEXT(result.err.text, "Rate limit exceeded. (HTTP 429)");
  CHECK_TEXT(ca_reply_error_name(api, &result.err), "RateLimitError");
  CHECK(result.err.fix[0]);
  explain("get", 400, "{\"error\":\"text\"}", true);
  CHECK_TEXT(result.err.text, "text (HTTP 400)");
  explain("get", 400,
          "{\"error\":{\"message\":\"Validation error while processing "
          "request\",\"error_code\":10400,\"suggestedFix\":\"Please check the "
          "payload.\",\"errors\":[\"limit: too small\",\"x\"]}}",
          true);
  CHECK_HOLDS(result.err.text, "Validation error while processing request");
  CHECK_HOLDS(result.err.text, "limit: too small");
  CHECK_INT(result.err.api_code, 10400);
  CHECK_TEXT(result.err.fix, "Please check the payload.");
  explain("get", 400, "{\"error\":{\"message\":\"m\",\"code\":\"Bad\"}}",
          true);
  CHECK_INT(result.err.api_code, 0);
  explain("get", 500, "", false);
  CHECK_HOLDS(result.err.text, "HTTP 500 with an empty reply");
  explain("get", 502, "<html><title>502 Bad Gateway</title></html>", false);
  CHECK_HOLDS(result.err.text, "HTTP 502");
  CHECK_HOLDS(result.err.text, "502 Bad Gateway");
  explain("get", 500, "{\"error\":", true);
  CHECK_HOLDS(result.err.text, "HTTP 500");
  explain("get", 500, "[]", true);
  CHECK_HOLDS(result.err.text, "HTTP 500");
  explain("get", 500, "{\"error\":{\"message\":{\"deep\":1}}}", true);
  CHECK_HOLDS(result.err.text, "HTTP 500");
}

static void text_of_strangers(void)
{
  ca_secret_add("hunter2hunter2", 14);
  explain("get", 400,
          "{\"error\":{\"message\":\"bad key hunter2hunter2\\n\\u001b[31m\","
          "\"slug\":\"hunter2hunter2\",\"suggested_fix\":\"use "
          "hunter2hunter2\",\"request_id\":\"hunter2hunter2\"}}",
          true);
  CHECK_HOLDS(result.err.text, "bad key ***\\x0a\\x1b[31m");
  CHECK(!strstr(result.err.text, "hunter2"));
  CHECK(!strstr(result.err.slug, "hunter2"));
  CHECK(!strstr(result.err.fix, "hunter2"));
  CHECK(!strstr(result.err.request_id, "hunter2"));
  explain("get", 500, "plain hunter2hunter2 \x1b]0;title\x07", false);
  CHECK(!strstr(result.err.text, "hunter2"));
  CHECK(!strchr(result.err.text, '\x1b') && !strchr(result.err.text, '\x07'));
  explain("disable", 200, "<p>hunter2hunter2\x1b</p>", false);
  CHECK(!strstr(result.err.text, "hunter2"));
  CHECK(!strchr(result.err.text, '\x1b'));
  ca_secret_remove("hunter2hunter2", 14);
}

static void long_texts_are_cut(void)
{
  char *body = malloc(300001);
  int i;

  memcpy(body, "{\"error\":{\"message\":\"", 22);
  for(i = (int)strlen(body); i < 299990; i++)
    body[i] = 'm';
  memcpy(body + 299990, "\"}}", 4);
  explain("get", 400, body, true);
  CHECK(strlen(result.err.text) < sizeof(result.err.text));
  CHECK_HOLDS(result.err.text, "HTTP 400");
  free(body);
}

static void success(void)
{
  explain("disable", 200, "{\"success\":true}", true);
  CHECK_INT(result.err.code, CA_OK);
  explain("delete", 204, "", false);
  CHECK_INT(result.err.code, CA_OK);
}

static void success_that_is_none(void)
{
  explain("disable", 200, "<html>Log in</html>", false);
  CHECK_INT(result.err.code, CA_REPLY);
  CHECK(result.err.unknown);
  CHECK_INT(result.err.status, 200);
  CHECK_INT(result.err.attempts, 2);
  CHECK_TEXT(result.err.request_id, "ours");
  CHECK_HOLDS(result.err.text, "not JSON");
  CHECK_HOLDS(result.err.text, "Log in");
  explain("disable", 200, "{\"success\":tr", true);
  CHECK_INT(result.err.code, CA_REPLY);
}

static void other_codes_are_left_alone(void)
{
  ca_buf_clear(&result.body);
  memset(&result, 0, sizeof(result));
  ca_buf_init(&result.body, 10);
  ca_err_set(&result.err, CA_NETWORK, "connection refused");
  ca_reply_explain(ca_api_find("connected_accounts", "get"), NULL, &result);
  CHECK_INT(result.err.code, CA_NETWORK);
  CHECK_TEXT(result.err.text, "connection refused");
}

static const char *name_of(const char *resource, const char *operation,
                           enum ca_code code, int status)
{
  struct ca_err err;
  ca_err_set(&err, code, "x");
  err.status = status;
  return ca_reply_error_name(ca_api_find(resource, operation), &err);
}

static void a_missing_route(void)
{
  static const char page[] = "<html>no such page</html>";
  static const char route[] =
      "{\"error\":{\"message\":\"Route POST x not found\",\"code\":1}}";
  static const char path[] =
      "{\"error\":{\"message\":\"no /connected_accounts/"
      "ca_x/refresh\",\"slug\":\"x\"}}";

  explain("refresh", 404, page, false);
  CHECK_TEXT(ca_reply_error_name(api, &result.err), "RouteNotFoundError");
  CHECK(result.err.unknown && !result.err.retryable);
  CHECK_HOLDS(result.err.fix, "base URL");
  explain("refresh", 410, route, true);
  CHECK_TEXT(ca_reply_error_name(api, &result.err), "RouteNotFoundError");
  explain("refresh", 404, path, true);
  CHECK_TEXT(ca_reply_error_name(api, &result.err), "RouteNotFoundError");
  explain("list", 404, "", false);
  CHECK_TEXT(ca_reply_error_name(api, &result.err), "RouteNotFoundError");
  CHECK(!result.err.unknown);
  explain("refresh", 410, page, false);
  CHECK_TEXT(ca_reply_error_name(api, &result.err), "APIError");
  /* once the operation has worked, it only is not the service's word */
  explain("refresh", 404, page, false);
  result.worked = true;
  ca_reply_explain(api, "ca_x", &result);
  CHECK_TEXT(ca_reply_error_name(api, &result.err), "NotFoundError");
  CHECK(result.err.unknown);
}

static void error_names(void)
{
  static const struct {
    int status;
    const char *name;
  } cases[] = {
    { 400, "BadRequestError" },
    { 401, "AuthenticationError" },
    { 403, "PermissionDeniedError" },
    { 404, "ComposioConnectedAccountNotFoundError" },
    { 409, "ConflictError" },
    { 422, "UnprocessableEntityError" },
    { 429, "RateLimitError" },
    { 500, "InternalServerError" },
    { 503, "InternalServerError" },
    { 418, "APIError" },
  };
  size_t i;

  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    CHECK_TEXT(name_of("connected_accounts", "get", CA_HTTP, cases[i].status),
               cases[i].name);
  CHECK_TEXT(name_of("connected_accounts", "get", CA_NETWORK, 0),
             "APIConnectionError");
  CHECK(strcmp(name_of("auth_configs", "get", CA_HTTP, 404),
               "ComposioConnectedAccountNotFoundError") != 0);
  CHECK(name_of("connected_accounts", "get", CA_TIMEOUT, 0)[0]);
  CHECK(name_of("connected_accounts", "get", CA_USAGE, 0)[0]);
}

int main(void)
{
  ca_buf_init(&result.body, 1);
  check_case("a nested error", nested_error);
  check_case("other shapes", other_shapes);
  check_case("text of strangers", text_of_strangers);
  check_case("long texts are cut", long_texts_are_cut);
  check_case("success", success);
  check_case("success that is none", success_that_is_none);
  check_case("other codes are left alone", other_codes_are_left_alone);
  check_case("a missing route", a_missing_route);
  check_case("error names", error_names);
  ca_buf_clear(&result.body);
  return check_end();
}
