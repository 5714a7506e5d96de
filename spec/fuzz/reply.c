/* Fuzzes what reads replies: ca_reply_explain, and our JSON reader held
   against SQLite's json_valid, json_type and json_extract.
   Must not know: how replies arrive.

   The two readers differ on purpose in these:
   - a NUL byte ends a text for SQLite; for ours it is not JSON;
   - SQLite goes 1000 or 2000 levels deep, ours CA_JSON_DEPTH;
   - SQLite makes something of \u0000 and of lone surrogates; ours gives an
     honest NUL byte, and U+FFFD. */
#include <sqlite3.h>
#include "fuzz.h"
#include "base/json.h"
#include "base/secret.h"
#include "wire/reply.h"
#include "wire/request.h"

/* Longer than what any message is cut to, as private keys are. */
#define SECRET_LEN 600
static char secret[SECRET_LEN];

struct oracle {
  sqlite3_stmt *valid;
  sqlite3_stmt *value; /* type and text at a path */
};

static struct oracle *oracle(void)
{
  static struct oracle oracle;
  sqlite3 *db;
  size_t i;
  if(oracle.valid)
    return &oracle;
  CHECK("SQLite", !sqlite3_open(":memory:", &db));
  CHECK("SQLite", !sqlite3_prepare_v2(db, "SELECT json_valid(?1)", -1,
                                      &oracle.valid, NULL));
  CHECK("SQLite", !sqlite3_prepare_v2(
                      db, "SELECT json_type(?1, ?2), json_extract(?1, ?2)", -1,
                      &oracle.value, NULL));
  for(i = 0; i < SECRET_LEN; i++)
    secret[i] = (char)('A' + (i * 7 + i / 26) % 26);
  ca_secret_add(secret, SECRET_LEN);
  return &oracle;
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
      if(++depth > CA_JSON_DEPTH)
        return 1;
    } else if(text[i] == ']' || text[i] == '}')
      depth--;
  }
  return 0;
}

static bool is_valid_for_sqlite(const char *text, size_t size)
{
  sqlite3_stmt *valid = oracle()->valid;
  bool answer;
  sqlite3_bind_text(valid, 1, text, (int)size, SQLITE_STATIC);
  answer = sqlite3_step(valid) == SQLITE_ROW && sqlite3_column_int(valid, 0);
  sqlite3_reset(valid);
  return answer;
}

static const char *kind_name(enum ca_json_kind kind, struct ca_slice value)
{
  static const char *const names[] = { "",       "object", "array", "text",
                                       "number", "true",   "false", "null" };
  size_t i;
  if(kind != CA_JSON_NUMBER)
    return names[kind];
  for(i = 0; i < value.len; i++)
    if(strchr(".eE", value.data[i]))
      return "real";
  return "integer";
}

/* The string without escapes, as SQLite has it, and within its room. */
static void compare_strings(struct ca_slice value, const char *theirs)
{
  char *exact = malloc(value.len);
  int64_t len;
  CHECK("memory", exact);
  len = ca_json_unescape(value, exact);
  CHECK("no longer than its text", len <= (int64_t)value.len);
  if(len >= 0 && !memchr(exact, '\0', (size_t)len)) {
    size_t copied;
    char *copy = ca_json_dup(value, &copied);
    CHECK("as SQLite reads it", strlen(theirs) == (size_t)len &&
                                    !memcmp(theirs, exact, (size_t)len));
    CHECK("the copy is the same",
          copied == (size_t)len && !strcmp(copy, theirs));
    CHECK("it is itself", ca_json_is(value, theirs));
    free(copy);
  }
  free(exact);
}

static void compare_values(const char *text, size_t size, const char *path)
{
  sqlite3_stmt *theirs = oracle()->value;
  struct ca_slice value;
  enum ca_json_kind kind = ca_json_find(text, size, path, &value);
  const char *type;
  sqlite3_bind_text(theirs, 1, text, (int)size, SQLITE_STATIC);
  sqlite3_bind_text(theirs, 2, path, -1, SQLITE_STATIC);
  CHECK("a row", sqlite3_step(theirs) == SQLITE_ROW);
  type = (const char *)sqlite3_column_text(theirs, 0);
  CHECK("both find a value of one kind",
        !strcmp(kind_name(kind, value), type ? type : ""));
  CHECK("inside", !value.data || (value.data >= text &&
                                  value.data + value.len <= text + size));
  if(kind == CA_JSON_STRING)
    compare_strings(value, (const char *)sqlite3_column_text(theirs, 1));
  sqlite3_reset(theirs);
}

static void compare_readers(const char *text, size_t size)
{
  static const char *const paths[] = {
    "$",      "$.a",  "$.error.message", "$.error.errors[0].message",
    "$.a[1]", "$[0]", "$[1].a",          NULL
  };
  bool ours = ca_json_valid(text, size);
  int i;

  if(memchr(text, '\0', size) || is_deep(text, size)) {
    CHECK("ours is the stricter one",
          !ours || is_valid_for_sqlite(text, size));
    return;
  }
  CHECK("the two readers agree", ours == is_valid_for_sqlite(text, size));
  for(i = 0; ours && paths[i]; i++)
    compare_values(text, size, paths[i]);
}

/* Members and elements one by one must end where the whole value ends. */
static void walk(const char *text, size_t size)
{
  struct ca_json_scan whole = { text, text + size };
  struct ca_json_scan parts = whole;
  struct ca_slice value, key;
  enum ca_json_kind kind = ca_json_value(&whole, &value);
  bool first = true;
  int more;

  if(kind != CA_JSON_OBJECT && kind != CA_JSON_ARRAY)
    return;
  CHECK("stays inside", whole.at >= text && whole.at <= text + size);
  CHECK("enters", ca_json_enter(&parts, kind == CA_JSON_OBJECT ? '{' : '['));
  while((more = kind == CA_JSON_OBJECT ? ca_json_member(&parts, &first, &key)
                                       : ca_json_element(&parts, &first)) > 0)
    CHECK("a part is a value", ca_json_value(&parts, &value) != CA_JSON_BAD);
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
  CHECK("UTF-8", ca_text_is_utf8(slice, &bad));
  check_pieces(text, body);
}

/* The first bytes choose operation and status; the rest is the body. */
static void explain(const uint8_t *data, size_t size)
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
  ca_reply_explain(api, "ca_x", &result);
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
  char *text = exact_copy(data, size);
  oracle();
  compare_readers(text, size);
  walk(text, size);
  free(text);
  explain(data, size);
  return 0;
}
