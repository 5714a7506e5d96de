/* Reading the service's replies by SQLite's JSON functions. Knows nothing of
   Lua. The envelope is {"error":{message,code,slug,status,request_id,
   suggested_fix,errors[]}}; a 429 is flat, proxies answer text or HTML, and
   some bodies are empty: all of them have to end in one good line. */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "wire/reply.h"
#include "base/json.h"
#include "base/secret.h"

struct ca_json {
  sqlite3 *db;
  sqlite3_stmt *valid;
  sqlite3_stmt *extract;
  sqlite3_stmt *count;
  sqlite3_stmt *same;
};

/* Neither side has a text that the other lacks. */
static const char same_set[] =
    "WITH a(v) AS (SELECT value FROM json_each(?1, ?2) WHERE type = 'text'),"
    " b(v) AS (SELECT value FROM json_each(?3, ?4) WHERE type = 'text')"
    " SELECT NOT EXISTS (SELECT v FROM a EXCEPT SELECT v FROM b)"
    " AND NOT EXISTS (SELECT v FROM b EXCEPT SELECT v FROM a)";

struct ca_json *ca_json_new(struct ca_err *err)
{
  struct ca_json *json = calloc(1, sizeof(*json));
  if(json &&
     !sqlite3_open_v2(":memory:", &json->db,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) &&
     !sqlite3_prepare_v3(json->db, "SELECT json_valid(?1)", -1,
                         SQLITE_PREPARE_PERSISTENT, &json->valid, NULL) &&
     !sqlite3_prepare_v3(json->db, "SELECT json_extract(?1, ?2)", -1,
                         SQLITE_PREPARE_PERSISTENT, &json->extract, NULL) &&
     !sqlite3_prepare_v3(json->db, "SELECT json_array_length(?1, ?2)", -1,
                         SQLITE_PREPARE_PERSISTENT, &json->count, NULL) &&
     !sqlite3_prepare_v3(json->db, same_set, -1, SQLITE_PREPARE_PERSISTENT,
                         &json->same, NULL))
    return json;
  ca_err_set(err, json ? CA_SYSTEM : CA_NOMEM, "JSON reader: %s",
             json && json->db ? sqlite3_errmsg(json->db) : "out of memory");
  ca_json_free(json);
  return NULL;
}

void ca_json_free(struct ca_json *json)
{
  if(!json)
    return;
  sqlite3_finalize(json->valid);
  sqlite3_finalize(json->extract);
  sqlite3_finalize(json->count);
  sqlite3_finalize(json->same);
  sqlite3_close(json->db);
  free(json);
}

/* Binds and steps: true when the row holds a value that is not NULL. The
   caller resets. */
static bool ask(sqlite3_stmt *statement, const char *text, size_t len,
                const char *path)
{
  if(len > CA_JSON_MAX ||
     sqlite3_bind_text(statement, 1, text ? text : "", (int)len,
                       SQLITE_STATIC) ||
     (path && sqlite3_bind_text(statement, 2, path, -1, SQLITE_STATIC)))
    return false;
  return sqlite3_step(statement) == SQLITE_ROW &&
         sqlite3_column_type(statement, 0) != SQLITE_NULL;
}

/* Also lets go of the text: it belongs to the caller. */
static void rest(sqlite3_stmt *statement)
{
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
}

bool ca_json_valid(struct ca_json *json, const char *text, size_t len)
{
  bool valid = ask(json->valid, text, len, NULL) &&
               sqlite3_column_int(json->valid, 0) == 1;
  rest(json->valid);
  return valid;
}

/* The text at path, or NULL. The caller rests the statement when it is done
   with it. */
static const char *ask_text(struct ca_json *json, const char *text, size_t len,
                            const char *path, size_t *value_len)
{
  const char *value;
  if(!ask(json->extract, text, len, path))
    return NULL;
  value = (const char *)sqlite3_column_text(json->extract, 0);
  *value_len = (size_t)sqlite3_column_bytes(json->extract, 0);
  /* objects and arrays come back as their JSON text */
  if(value && *value_len && (*value == '{' || *value == '[') &&
     ca_json_valid(json, value, *value_len))
    return NULL;
  return value;
}

/* The value of a member of the object that the text is, read by the scanner.
   False when it is not so plain: the member is absent or its text has escapes,
   the path leads further, the text is not JSON. */
static bool plain_member(const char *text, size_t len, const char *path,
                         struct ca_slice *value)
{
  struct ca_scan scan = { text, text + len };
  struct ca_slice key;
  struct ca_slice each;
  bool first = true;
  int more;

  value->data = NULL;
  value->len = 0;
  if(!text || strncmp(path, "$.", 2) != 0 || strpbrk(path + 2, ".[\"") ||
     !ca_scan_enter(&scan, '{'))
    return false;
  path += 2;
  while((more = ca_scan_member(&scan, &first, &key)) > 0) {
    if(ca_scan_value(&scan, &each) == CA_SCAN_BAD)
      return false;
    if(!value->data && key.len == strlen(path) &&
       !memcmp(key.data, path, key.len))
      *value = each;
  }
  /* a text that looks like JSON itself is looked at more closely */
  return !more && ca_scan_at_end(&scan) && value->data &&
         value->data[0] == '"' && !strchr("{[", value->data[1]) &&
         !memchr(value->data, '\\', value->len);
}

bool ca_json_text(struct ca_json *json, const char *text, size_t len,
                  const char *path, char *out, size_t size)
{
  struct ca_slice plain = { NULL, 0 };
  size_t value_len;
  const char *value;
  if(plain_member(text, len, path, &plain)) { /* nearly always */
    ca_copy_text(out, size, plain.data + 1, plain.len - 2);
    return true;
  }
  value = ask_text(json, text, len, path, &value_len);
  if(value)
    ca_copy_text(out, size, value, value_len);
  rest(json->extract);
  return value != NULL;
}

bool ca_json_integer(struct ca_json *json, const char *text, size_t len,
                     const char *path, int64_t *out)
{
  bool found = ask(json->extract, text, len, path) &&
               sqlite3_column_type(json->extract, 0) == SQLITE_INTEGER;
  if(found)
    *out = sqlite3_column_int64(json->extract, 0);
  rest(json->extract);
  return found;
}

int ca_json_count(struct ca_json *json, const char *text, size_t len,
                  const char *path)
{
  int count = ask(json->count, text, len, path)
                  ? sqlite3_column_int(json->count, 0)
                  : -1;
  rest(json->count);
  return count;
}

bool ca_json_same_set(struct ca_json *json, struct ca_slice one,
                      const char *path_one, struct ca_slice other,
                      const char *path_other)
{
  bool same =
      one.len <= CA_JSON_MAX && other.len <= CA_JSON_MAX &&
      !sqlite3_bind_text(json->same, 1, one.data, (int)one.len,
                         SQLITE_STATIC) &&
      !sqlite3_bind_text(json->same, 2, path_one, -1, SQLITE_STATIC) &&
      !sqlite3_bind_text(json->same, 3, other.data, (int)other.len,
                         SQLITE_STATIC) &&
      !sqlite3_bind_text(json->same, 4, path_other, -1, SQLITE_STATIC) &&
      sqlite3_step(json->same) == SQLITE_ROW &&
      sqlite3_column_int(json->same, 0) == 1;
  rest(json->same);
  return same;
}

/* Masked before it is cut: of a secret that a cut has halved, the mask would
   know nothing. */
static void mask_and_clean(char *to, size_t size, const char *from, size_t len)
{
  char *copy = malloc(len + 1);
  if(size)
    *to = '\0';
  if(!copy)
    return;
  if(len)
    memcpy(copy, from, len);
  copy[len] = '\0';
  ca_log_clean(to, size, copy, ca_secret_mask(copy, len));
  ca_wipe(copy, len);
  free(copy);
}

/* The first of the NULL-ended paths at which a text stands, fit to be shown.
 */
static bool first_text(struct ca_json *json, const struct ca_buf *body,
                       const char *const *paths, char *out, size_t size)
{
  *out = '\0';
  for(; *paths && !*out; paths++) {
    size_t len;
    const char *text = ask_text(json, body->data, body->len, *paths, &len);
    if(text)
      mask_and_clean(out, size, text, len);
    rest(json->extract);
  }
  return *out != '\0';
}

/* What the envelope says, into the record. False when it says nothing. */
static bool read_envelope(struct ca_json *json, const struct ca_buf *body,
                          struct ca_err *err, char *message, size_t size)
{
  static const char *const messages[] = { "$.error.message", "$.message",
                                          "$.error", "$.detail", NULL };
  static const char *const slugs[] = { "$.error.slug", "$.slug", NULL };
  static const char *const words[] = { "$.error.code", "$.error.error_code",
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
  bool numbered;

  numbered =
      ca_json_integer(json, body->data, body->len, "$.error.code", &code) ||
      ca_json_integer(json, body->data, body->len, "$.error.error_code",
                      &code) ||
      ca_json_integer(json, body->data, body->len, "$.code", &code);
  if(numbered)
    err->api_code = code >= 0 && code <= 0x7FFFFFFF ? (int)code : 0;
  /* what the headers said of the request's id stays, unless the body does */
  if(first_text(json, body, ids, detail, sizeof(err->request_id)))
    ca_copy_text(err->request_id, sizeof(err->request_id), detail,
                 strlen(detail));
  /* a code that is a word is what others call the slug */
  if(!first_text(json, body, slugs, err->slug, sizeof(err->slug)) && !numbered)
    first_text(json, body, words, err->slug, sizeof(err->slug));
  first_text(json, body, fixes, err->fix, sizeof(err->fix));
  if(!first_text(json, body, messages, message, size))
    return false;
  if(first_text(json, body, details, detail, sizeof(detail))) {
    char both[768];
    snprintf(both, sizeof(both), "%s (%s)", message, detail);
    ca_copy_text(message, size, both, strlen(both));
  }
  return true;
}

static const char *advice(int status)
{
  switch(status) {
  case 401:
    return "check the API key; one without the permission for this operation "
           "looks the same";
  case 403:
    return "the API key may not do this";
  case 429:
    return "wait, or lower --concurrency or --rate";
  default:
    return "";
  }
}

static void explain_status(struct ca_json *json, struct ca_result *result)
{
  struct ca_err *err = &result->err;
  char message[480] = "";
  bool told = false;

  if(err->status >= 300 && err->status < 400)
    return; /* the engine has said where it wanted to send us */
  if(result->body.len &&
     ca_json_valid(json, result->body.data, result->body.len))
    told = read_envelope(json, &result->body, err, message, sizeof(message));
  if(told)
    snprintf(err->text, sizeof(err->text), "%s (HTTP %d%s%s)", message,
             err->status, err->slug[0] ? " " : "", err->slug);
  else if(result->body.len) {
    mask_and_clean(message, 201, result->body.data, result->body.len);
    snprintf(err->text, sizeof(err->text),
             "HTTP %d, and the reply is no error of the service: %s",
             err->status, message);
  } else
    snprintf(err->text, sizeof(err->text), "HTTP %d with an empty reply",
             err->status);
  if(!err->fix[0])
    ca_copy_text(err->fix, sizeof(err->fix), advice(err->status),
                 strlen(advice(err->status)));
}

/* A 2xx that is not JSON proves nothing: a captive portal or a proxy's page
   has been seen to say 200. */
static void doubt(const struct ca_api *api, struct ca_result *result)
{
  char start[121];
  mask_and_clean(start, sizeof(start), result->body.data, result->body.len);
  ca_err_set(&result->err, CA_REPLY,
             "HTTP %d, but the reply is not JSON: %s; does the base URL lead "
             "to the service?",
             result->status, start);
  result->err.status = result->status;
  result->err.attempts = result->attempts;
  result->err.unknown = ca_api_mutates(api);
  ca_copy_text(result->err.request_id, sizeof(result->err.request_id),
               result->request_id, strlen(result->request_id));
}

static bool is_json(const struct ca_buf *body)
{
  struct ca_scan scan = { body->data, body->data + body->len };
  struct ca_slice value;
  return ca_scan_value(&scan, &value) != CA_SCAN_BAD && ca_scan_at_end(&scan);
}

void ca_reply_explain(struct ca_json *json, const struct ca_api *api,
                      struct ca_result *result)
{
  if(result->err.code == CA_HTTP)
    explain_status(json, result);
  else if(!result->err.code && ca_api_mutates(api) && result->body.len &&
          !is_json(&result->body))
    doubt(api, result);
}

bool ca_reply_says_gone(struct ca_json *json, const struct ca_result *result)
{
  return result->status == 404 &&
         (!result->body.len ||
          ca_json_valid(json, result->body.data, result->body.len));
}

static const char *status_name(const struct ca_api *api,
                               const struct ca_err *err)
{
  switch(err->status) {
  case 400:
    return "BadRequestError";
  case 401:
    return "AuthenticationError";
  case 403:
    return "PermissionDeniedError";
  case 404:
    if(!strncmp(err->slug, "AuthConfig", 10))
      return "ComposioAuthConfigNotFoundError";
    if(api && !strcmp(api->resource, "connected_accounts"))
      return "ComposioConnectedAccountNotFoundError";
    return "NotFoundError";
  case 409:
    return "ConflictError";
  case 422:
    return "UnprocessableEntityError";
  case 429:
    return "RateLimitError";
  default:
    return err->status >= 500 ? "InternalServerError" : "APIError";
  }
}

const char *ca_reply_error_name(const struct ca_api *api,
                                const struct ca_err *err)
{
  switch(err->code) {
  case CA_HTTP:
    return status_name(api, err);
  case CA_NETWORK:
    return "APIConnectionError";
  case CA_TIMEOUT:
    return "APIConnectionTimeoutError";
  case CA_CANCELLED:
  case CA_CLOSED:
    return "ComposioRequestCancelledError";
  case CA_USAGE:
    return "ValidationError";
  case CA_GATE:
    return "ComposioWriteRefusedError";
  default:
    return "APIError";
  }
}
