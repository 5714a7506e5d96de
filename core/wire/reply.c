/* Reads the service's replies. An error's envelope is
   {"error":{message,code,slug,status,request_id,suggested_fix,errors[]}}; a
   429 is flat, proxies send text or HTML, and some bodies are empty: each
   becomes one readable line. From a page of accounts, half a megabyte, only a
   few members are read. Must not know: what accounts are compared with. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "wire/reply.h"

/* ---- errors ---- */

/* Masks secrets in the text, then copies as much as fits: a secret that was
   cut first would not be recognised. Takes text and frees it; NULL is "". */
static void mask_and_clean(char *to, size_t size, char *text, size_t len)
{
  *to = '\0';
  if(!text)
    return;
  ca_text_printable(to, size, text, ca_secret_mask(text, len));
  ca_buf_wipe_memory(text, len);
  free(text);
}

/* Copies the beginning of an unexpected body, for a message. */
static void show_body(const struct ca_buf *body, char *to, size_t size)
{
  char *copy = malloc(body->len + 1);
  if(copy)
    memcpy(copy, ca_buf_text(body), body->len + 1);
  mask_and_clean(to, size, copy, body->len);
}

/* Copies the scalar at the first of the NULL-ended paths that has one, masked
   and safe for terminals. */
static bool first_text(const struct ca_buf *body, const char *const *paths,
                       char *out, size_t size)
{
  *out = '\0';
  for(; *paths && !*out; paths++) {
    struct ca_slice value;
    size_t len = 0;
    if(ca_json_scalar(body->data, body->len, *paths, &value)) {
      char *text = ca_json_dup(value, &len);
      mask_and_clean(out, size, text, len);
    }
  }
  return *out != '\0';
}

/* Reads the integer at the first of the NULL-ended paths that has one. */
static bool first_integer(const struct ca_buf *body, const char *const *paths,
                          int64_t *out)
{
  for(; *paths; paths++)
    if(ca_json_integer(body->data, body->len, *paths, out))
      return true;
  return false;
}

/* Copies the envelope into err and message. False when it has no message. */
static bool read_envelope(const struct ca_buf *body, struct ca_err *err,
                          char *message, size_t size)
{
  static const char *const messages[] = { "$.error.message", "$.message",
                                          "$.error", "$.detail", NULL };
  static const char *const slugs[] = { "$.error.slug", "$.slug", NULL };
  static const char *const codes[] = { "$.error.code", "$.error.error_code",
                                       "$.code", NULL };
  static const char *const ids[] = { "$.error.request_id", "$.request_id",
                                     NULL };
  static const char *const fixes[] = { "$.error.suggested_fix",
                                       "$.error.suggestedFix",
                                       "$.suggested_fix", NULL };
  static const char *const details[] = { "$.error.errors[0]",
                                         "$.error.errors[0].message", NULL };
  char detail[256];
  int64_t code;
  bool numbered = first_integer(body, codes, &code);

  if(numbered)
    err->api_code = code >= 0 && code <= 0x7FFFFFFF ? (int)code : 0;
  /* the request id in the body overrides the one in the headers */
  if(first_text(body, ids, detail, sizeof(err->request_id)))
    ca_text_copy(err->request_id, sizeof(err->request_id), detail);
  /* a code that is not a number is what other replies call the slug */
  if(!first_text(body, slugs, err->slug, sizeof(err->slug)) && !numbered)
    first_text(body, codes, err->slug, sizeof(err->slug));
  first_text(body, fixes, err->fix, sizeof(err->fix));
  if(!first_text(body, messages, message, size))
    return false;
  if(first_text(body, details, detail, sizeof(detail))) {
    char both[768];
    snprintf(both, sizeof(both), "%s (%s)", message, detail);
    ca_text_copy(message, size, both);
  }
  return true;
}

/* What the statuses mean: the SDK's class, and what to do if the service does
   not say. */
static const struct status {
  int status;
  const char *name;
  const char *advice;
} statuses[] = {
  { 400, "BadRequestError", NULL },
  { 401, "AuthenticationError",
    "check the API key and its permission for this operation" },
  { 403, "PermissionDeniedError", "the API key has no permission for this" },
  { 404, "NotFoundError", NULL },
  { 409, "ConflictError", NULL },
  { 422, "UnprocessableEntityError", NULL },
  { 429, "RateLimitError", "wait, or lower --concurrency or --rate" },
};

/* Any other status has a row without advice. */
static const struct status *find_status(int status)
{
  static const struct status server = { 0, "InternalServerError", NULL };
  static const struct status other = { 0, "APIError", NULL };
  size_t i;

  for(i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
    if(statuses[i].status == status)
      return &statuses[i];
  return status >= 500 ? &server : &other;
}

static void explain_status(struct ca_result *result)
{
  struct ca_err *err = &result->err;
  char message[480] = "";
  bool reported = false;

  if(err->status >= 300 && err->status < 400)
    return; /* the engine's message names the redirect's host */
  if(ca_json_valid(result->body.data, result->body.len))
    reported = read_envelope(&result->body, err, message, sizeof(message));
  if(reported)
    snprintf(err->text, sizeof(err->text), "%s (HTTP %d%s%s)", message,
             err->status, err->slug[0] ? " " : "", err->slug);
  else if(result->body.len) {
    show_body(&result->body, message, 201);
    snprintf(err->text, sizeof(err->text),
             "HTTP %d, and the reply is not one of the service's errors: %s",
             err->status, message);
  } else
    snprintf(err->text, sizeof(err->text), "HTTP %d with an empty reply",
             err->status);
}

/* What to do, if the reply does not say: a proxy's page says nothing about the
   API key. */
static void add_advice(struct ca_err *err)
{
  if(err->no_route)
    ca_text_copy(err->fix, sizeof(err->fix),
                 "check the base URL; or the service no longer has this "
                 "route");
  else if(!err->fix[0] && !err->foreign)
    ca_text_copy(err->fix, sizeof(err->fix), find_status(err->status)->advice);
  else if(!err->fix[0] && err->status >= 400 && err->status < 500)
    ca_text_copy(err->fix, sizeof(err->fix),
                 "is the base URL the service's, or does a proxy answer in "
                 "its place?");
}

/* ---- what a reply proves ---- */

/* Is the member of the error object there, and not null? */
static bool has(const struct ca_buf *body, const char *path)
{
  struct ca_slice value;
  return ca_json_scalar(body->data, body->len, path, &value);
}

/* Is a refusal the service's own word? */
static bool is_own(const struct ca_result *result)
{
  const struct ca_buf *body = &result->body;
  struct ca_slice message;

  if(result->status == 401 || result->status == 429)
    return true;
  return result->status >= 400 &&
         ca_json_find(body->data, body->len, "$.error.message", &message) ==
             CA_JSON_STRING &&
         (has(body, "$.error.code") || has(body, "$.error.slug"));
}

/* Does the error's message hold the text? In any case where `word`. */
static bool message_holds(const struct ca_result *result, const char *text,
                          bool word)
{
  const struct ca_buf *body = &result->body;
  struct ca_slice value;
  char *message;
  size_t len;
  bool holds;

  if(!*text || ca_json_find(body->data, body->len, "$.error.message",
                            &value) != CA_JSON_STRING)
    return false;
  message = ca_json_dup(value, &len);
  holds = message && (word ? strcasestr(message, text) != NULL
                           : strstr(message, text) != NULL);
  free(message);
  return holds;
}

bool ca_reply_says_gone(const struct ca_api *api, const char *id,
                        const struct ca_result *result)
{
  bool account = ca_api_of_accounts(api);
  const struct ca_buf *body = &result->body;
  int64_t code = 0;
  char slug[80] = "";
  bool coded = has(body, "$.error.code");

  if(result->status != 404 || !ca_json_valid(body->data, body->len))
    return false;
  ca_json_text(body->data, body->len, "$.error.slug", slug, sizeof(slug));
  if(!coded && !slug[0])
    return message_holds(result, id ? id : "", false);
  if(!is_own(result))
    return false;
  if(account &&
     ca_json_integer(body->data, body->len, "$.error.code", &code) &&
     code == 606)
    return true;
  return !strcmp(slug, account ? "ConnectedAccount_ResourceNotFound"
                               : "AuthConfig_ResourceNotFound");
}

bool ca_reply_is_foreign(const struct ca_api *api, const char *id,
                         const struct ca_result *result)
{
  return !is_own(result) && !ca_reply_says_gone(api, id, result);
}

static bool is_no_route(const struct ca_api *api, const char *id,
                        const struct ca_result *result)
{
  char path[256];
  const char *hole = strstr(api->path, "{id}");

  if(result->worked || (result->status != 404 && result->status != 410) ||
     ca_reply_says_gone(api, id, result))
    return false;
  if(result->status == 404 && !is_own(result))
    return true;
  snprintf(path, sizeof(path), "%.*s%s%s",
           (int)(hole ? hole - api->path : (ptrdiff_t)strlen(api->path)),
           api->path, hole && id ? id : "", hole ? hole + 4 : "");
  return message_holds(result, path, false) ||
         message_holds(result, "route", true);
}

static bool shows_change(const struct ca_api *api, const char *id,
                         const struct ca_result *result)
{
  const char *text = result->body.data;
  size_t len = result->body.len;
  struct ca_slice value;
  char found[160] = "";

  switch(api->shows) {
  case CA_SHOWS_SUCCESS:
    return (result->status == 204 && !len) ||
           ca_json_find(text, len, "$.success", &value) == CA_JSON_TRUE;
  case CA_SHOWS_ID:
    snprintf(found, sizeof(found), "$.%s", api->makes ? api->makes : "id");
    if(ca_json_find(text, len, found, &value) != CA_JSON_STRING)
      return false;
    return api->makes || !id ? !ca_json_is(value, "") : ca_json_is(value, id);
  case CA_SHOWS_REVOKED:
    return ca_json_find(text, len, "$.revoked_tokens", &value) ==
               CA_JSON_ARRAY ||
           (ca_json_text(text, len, "$.connected_account.status", found,
                         sizeof(found)) &&
            !strcmp(found, api->becomes));
  }
  return false;
}

/* Turns a 2xx without its proof into an error: captive portals and proxies
   send their pages with status 200, and maintenance notices are JSON. JSON is
   not quoted: the reply to a link or a credential may hold it. */
static void suspect(const struct ca_api *api, struct ca_result *result)
{
  static const char *const lacks[] = {
    [CA_SHOWS_SUCCESS] = "does not say \"success\": true",
    [CA_SHOWS_ID] = "has no account id",
    [CA_SHOWS_REVOKED] = "does not say what was revoked",
  };
  char start[121];

  if(ca_json_valid(result->body.data, result->body.len))
    ca_err_set(&result->err, CA_REPLY, "HTTP %d, but the reply %s",
               result->status, lacks[api->shows]);
  else {
    show_body(&result->body, start, sizeof(start));
    ca_err_set(&result->err, CA_REPLY,
               result->body.len
                   ? "HTTP %d, but the reply is not JSON: '%s'; is the base "
                     "URL the service's?"
                   : "HTTP %d with an empty reply%s",
               result->status, start);
  }
  result->err.status = result->status;
  result->err.attempts = result->attempts;
  result->err.unknown = true;
  ca_text_copy(result->err.request_id, sizeof(result->err.request_id),
               result->request_id);
}

/* An earlier attempt deleted it: sets the reply that it would have got. */
static void report_gone(struct ca_result *result)
{
  ca_err_clear(&result->err);
  ca_buf_reset(&result->body);
  result->is_json = !ca_buf_add_text(&result->body, "{\"success\":true}");
}

static void read_refusal(const struct ca_api *api, const char *id,
                         struct ca_result *result)
{
  struct ca_err *err = &result->err;
  bool gone = ca_reply_says_gone(api, id, result);

  if(gone && err->unknown && api->repeat == CA_REPEAT_GONE_OK) {
    report_gone(result);
    return;
  }
  err->foreign = ca_reply_is_foreign(api, id, result);
  err->no_route = is_no_route(api, id, result);
  if((err->foreign || err->no_route) && ca_api_mutates(api))
    err->unknown = true;
  if(err->no_route)
    err->retryable = false;
  add_advice(err);
}

void ca_reply_explain(const struct ca_api *api, const char *id,
                      struct ca_result *result)
{
  if(result->err.code == CA_HTTP) {
    explain_status(result);
    read_refusal(api, id, result);
  } else if(!result->err.code && ca_api_mutates(api) &&
            !shows_change(api, id, result))
    suspect(api, result);
}

enum ca_reply_service ca_reply_service(const struct ca_err *err)
{
  if(err->throttled || (err->code == CA_HTTP && err->status == 429))
    return CA_SERVICE_THROTTLES;
  if(err->code == CA_HTTP)
    return err->foreign || err->status >= 500 || err->status == 408
               ? CA_SERVICE_DOWN
               : CA_SERVICE_ANSWERS;
  return err->code == CA_NETWORK || err->code == CA_TIMEOUT ||
                 err->code == CA_REPLY
             ? CA_SERVICE_DOWN
             : CA_SERVICE_ANSWERS;
}

static const char *status_name(const struct ca_api *api,
                               const struct ca_err *err)
{
  if(err->no_route)
    return CA_REPLY_NO_ROUTE;
  if(err->status == 404 && !strncmp(err->slug, "AuthConfig", 10))
    return "ComposioAuthConfigNotFoundError";
  if(err->status == 404 && !err->foreign && api && ca_api_of_accounts(api))
    return "ComposioConnectedAccountNotFoundError";
  return find_status(err->status)->name;
}

const char *ca_reply_error_name(const struct ca_api *api,
                                const struct ca_err *err)
{
  static const char *const names[] = {
    [CA_NETWORK] = "APIConnectionError",
    [CA_TIMEOUT] = "APIConnectionTimeoutError",
    [CA_CANCELLED] = "ComposioRequestCancelledError",
    [CA_CLOSED] = "ComposioRequestCancelledError",
    [CA_USAGE] = "ValidationError",
    [CA_GATE] = "ComposioWriteRefusedError",
    [CA_SYSTEM] = "APIError",
  };

  if(err->code == CA_HTTP)
    return status_name(api, err);
  return names[err->code] ? names[err->code] : "APIError";
}

/* ---- accounts ---- */

/* Reads a value and sets *out if it is a string. */
static bool take_string(struct ca_json_scan *scan, struct ca_slice *out)
{
  struct ca_slice value;
  enum ca_json_kind kind = ca_json_value(scan, &value);

  if(kind == CA_JSON_STRING)
    *out = value;
  return kind != CA_JSON_BAD;
}

static bool take_flag(struct ca_json_scan *scan,
                      struct ca_reply_account *account)
{
  struct ca_slice value;
  enum ca_json_kind kind = ca_json_value(scan, &value);

  account->disabled = kind == CA_JSON_TRUE;
  account->says_disabled = account->disabled || kind == CA_JSON_FALSE;
  return kind != CA_JSON_BAD;
}

static bool take_member(struct ca_json_scan *scan, struct ca_slice key,
                        struct ca_reply_account *account)
{
  struct ca_slice other;

  if(ca_slice_is(key, "id"))
    return take_string(scan, &account->id);
  if(ca_slice_is(key, "status"))
    return take_string(scan, &account->status);
  if(ca_slice_is(key, "alias"))
    return take_string(scan, &account->alias);
  if(ca_slice_is(key, "user_id"))
    return take_string(scan, &account->user);
  if(ca_slice_is(key, "created_at"))
    return take_string(scan, &account->created);
  if(ca_slice_is(key, "updated_at"))
    return take_string(scan, &account->updated);
  if(ca_slice_is(key, "is_disabled"))
    return take_flag(scan, account);
  if(ca_json_value(scan, &other) == CA_JSON_BAD)
    return false;
  if(ca_slice_is(key, "auth_config") &&
     ca_json_find(other.data, other.len, "$.id", &other) == CA_JSON_STRING)
    account->config = other;
  return true;
}

/* Reads one account. */
static bool take_account(struct ca_json_scan *scan,
                         struct ca_reply_account *account)
{
  struct ca_slice key;
  bool first = true;
  int more;

  memset(account, 0, sizeof(*account));
  if(!ca_json_enter(scan, '{'))
    return false;
  account->text.data = scan->at - 1;
  while((more = ca_json_member(scan, &first, &key)) > 0)
    if(!take_member(scan, key, account))
      return false;
  account->text.len = (size_t)(scan->at - account->text.data);
  return !more && account->id.data;
}

bool ca_reply_account(const char *text, size_t len,
                      struct ca_reply_account *account)
{
  struct ca_json_scan scan = { text, text + len };
  return len && take_account(&scan, account) && ca_json_at_end(&scan);
}

/* Visits the accounts of the array; the whole page was checked to be JSON. */
static bool visit_items(struct ca_slice items,
                        bool (*visit)(void *ctx,
                                      const struct ca_reply_account *account),
                        void *ctx)
{
  struct ca_json_scan scan = { items.data, items.data + items.len };
  struct ca_reply_account account;
  bool first = true;
  int more;

  if(!ca_json_enter(&scan, '['))
    return false;
  while((more = ca_json_element(&scan, &first)) > 0) {
    if(!take_account(&scan, &account))
      return false;
    if(!visit(ctx, &account))
      return true;
  }
  return !more;
}

bool ca_reply_accounts(const char *text, size_t len,
                       bool (*visit)(void *ctx,
                                     const struct ca_reply_account *account),
                       void *ctx, char *cursor, size_t cursor_size)
{
  struct ca_json_scan scan = { text, text + len };
  struct ca_slice items = { NULL, 0 };
  struct ca_slice next = { NULL, 0 };
  struct ca_slice key;
  bool first = true;
  int more;

  *cursor = '\0';
  if(!len || !ca_json_enter(&scan, '{'))
    return false;
  while((more = ca_json_member(&scan, &first, &key)) > 0) {
    struct ca_slice other;
    if(ca_slice_is(key, "next_cursor")) {
      if(!take_string(&scan, &next))
        return false;
    } else if(ca_json_value(&scan, &other) == CA_JSON_BAD)
      return false;
    else if(ca_slice_is(key, "items"))
      items = other;
  }
  if(more || !items.data || next.len >= cursor_size ||
     !ca_json_at_end(&scan) || !visit_items(items, visit, ctx))
    return false;
  ca_json_copy(next, cursor, cursor_size);
  return true;
}

int64_t ca_reply_time(struct ca_slice value)
{
  char text[64];
  int64_t ms;

  ca_json_copy(value, text, sizeof(text));
  return ca_clock_parse(text, &ms) ? ms : 0;
}
