/* Fuzzes what reads replies: ca_reply_explain, and the scanner held against
   SQLite's json_valid and json_extract. Must not know: how replies arrive.
   Where the two readers differ on purpose:
   - a NUL byte ends a text for SQLite; for the scanner it is no JSON;
   - SQLite goes 1000 or 2000 levels deep, the scanner CA_SCAN_DEPTH;
   - of \u0000 and of lone surrogates SQLite makes something, the scanner an
     honest NUL byte, and nothing. */
#include <sqlite3.h>
#include "fuzz.h"
#include "base/log.h"
#include "wire/reply.h"
#include "wire/request.h"
#include "base/json.h"
#include "base/secret.h"

/* Longer than what any message is cut to, as private keys are. */
#define SECRET_LEN 600
static char secret[SECRET_LEN];

static struct ca_json *reader(void)
{
  static struct ca_json *json;
  struct ca_err err;
  if(!json) {
    size_t i;
    json = ca_json_new(&err);
    CHECK("a JSON reader", json);
    for(i = 0; i < SECRET_LEN; i++)
      secret[i] = (char)('A' + (i * 7 + i / 26) % 26);
    ca_secret_add(secret, SECRET_LEN);
  }
  return json;
}

/* Deeper than the scanner goes? Brackets within strings do not count. */
static int is_deep(const char *text, size_t size)
{
  int depth = 0, inside = 0;
  size_t i;
  for(i = 0; i < size; i++) {
    if(inside) {
      if(text[i] == '\\')
        i++;
      else if(text[i] == '"')
        inside = 0;
    } else if(text[i] == '"')
      inside = 1;
    else if(text[i] == '[' || text[i] == '{') {
      if(++depth > CA_SCAN_DEPTH)
        return 1;
    } else if(text[i] == ']' || text[i] == '}')
      depth--;
  }
  return 0;
}

/* A string the scanner took: unescaped as SQLite does it, within its room. */
static void compare_strings(struct ca_json *json, struct ca_slice value)
{
  char *room = malloc(value.len);
  char *theirs = malloc(value.len + 1);
  int64_t len;

  CHECK("memory", room && theirs);
  len = ca_scan_unescape(value, room);
  CHECK("no longer than its text", len <= (int64_t)value.len);
  if(len >= 0 && !memchr(room, '\0', (size_t)len)) {
    bool found =
        ca_json_text(json, value.data, value.len, "$", theirs, value.len + 1);
    /* a text that is itself an object or a list is taken for one */
    if(found) {
      size_t same = strlen(theirs);
      CHECK("as SQLite reads it",
            same <= (size_t)len && !memcmp(theirs, room, same));
    }
  }
  free(room);
  free(theirs);
}

static void compare_readers(struct ca_json *json, const char *text,
                            size_t size)
{
  struct ca_scan scan = { text, text + size };
  struct ca_slice value;
  enum ca_scan_kind kind = ca_scan_value(&scan, &value);
  bool ours, theirs;

  CHECK("stays inside", scan.at >= text && scan.at <= text + size);
  ours = kind != CA_SCAN_BAD && ca_scan_at_end(&scan);
  theirs = ca_json_valid(json, text, size);
  if(!memchr(text, '\0', size) && !is_deep(text, size))
    CHECK("the two readers agree", ours == theirs);
  else
    CHECK("the scanner is the stricter one", !ours || theirs);
  if(kind == CA_SCAN_STRING)
    compare_strings(json, value);
}

/* Members and elements one by one must end where the whole value ends. */
static void walk(const char *text, size_t size)
{
  struct ca_scan whole = { text, text + size };
  struct ca_scan parts = whole;
  struct ca_slice value, key;
  enum ca_scan_kind kind = ca_scan_value(&whole, &value);
  bool first = true;
  int more;

  if(kind != CA_SCAN_OBJECT && kind != CA_SCAN_ARRAY)
    return;
  CHECK("enters", ca_scan_enter(&parts, kind == CA_SCAN_OBJECT ? '{' : '['));
  while((more = kind == CA_SCAN_OBJECT ? ca_scan_member(&parts, &first, &key)
                                       : ca_scan_element(&parts, &first)) > 0)
    CHECK("a part is a value", ca_scan_value(&parts, &value) != CA_SCAN_BAD);
  CHECK("ends", more == 0 && parts.at == whole.at);
}

/* Is any piece of the secret in text? */
static bool has_piece(const char *text, size_t size, size_t piece)
{
  size_t i;
  for(i = 0; i + piece <= SECRET_LEN; i++)
    if(memmem(text, size, secret + i, piece))
      return true;
  return false;
}

/* Half a secret is one too, unless the body itself held but a half. */
static void check_pieces(const char *text, const struct ca_buf *body)
{
  char *whole;
  size_t len;

  if(!has_piece(text, strlen(text), 24))
    return;
  whole = exact_copy(body->data, body->len);
  len = ca_secret_mask(whole, body->len);
  CHECK("no part of a secret", has_piece(whole, len, 6));
  free(whole);
}

static void check_text(const char *text, size_t size,
                       const struct ca_buf *body)
{
  struct ca_slice slice = { text, strnlen(text, size) };
  size_t bad;
  CHECK("ends within its room", slice.len < size);
  CHECK("one line", is_one_line(text));
  CHECK("UTF-8", ca_is_utf8(slice, &bad));
  check_pieces(text, body);
}

/* The first bytes choose operation and status; the rest is the body. */
static void explain(struct ca_json *json, const uint8_t *data, size_t size)
{
  static const int statuses[] = { 400, 401, 403, 404, 409, 410,
                                  422, 429, 500, 503, 302, 200 };
  struct ca_result result = { 0 };
  const struct ca_api *api, *rows;
  size_t count;

  if(size < 2)
    return;
  rows = ca_api_rows(&count);
  api = &rows[data[0] % count];
  result.status = statuses[data[1] % (sizeof(statuses) / sizeof(statuses[0]))];
  ca_err_clear(&result.err);
  if(result.status != 200) {
    CHECK("set", ca_err_set(&result.err, CA_HTTP, "HTTP %d", result.status));
    result.err.status = result.status;
  }
  ca_buf_init(&result.body, 1 << 24);
  CHECK("memory", !ca_buf_add(&result.body, (const char *)data + 2, size - 2));
  ca_reply_explain(json, api, &result);
  check_text(result.err.text, sizeof(result.err.text), &result.body);
  check_text(result.err.slug, sizeof(result.err.slug), &result.body);
  check_text(result.err.fix, sizeof(result.err.fix), &result.body);
  check_text(result.err.request_id, sizeof(result.err.request_id),
             &result.body);
  if(result.err.code) {
    CHECK("says something", result.err.text[0]);
    CHECK("has a name", ca_reply_error_name(api, &result.err)[0]);
  } else
    CHECK("only a 2xx is good", result.status == 200);
  ca_buf_clear(&result.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct ca_json *json = reader();
  char *text = exact_copy(data, size);
  compare_readers(json, text, size);
  walk(text, size);
  free(text);
  explain(json, data, size);
  return 0;
}
