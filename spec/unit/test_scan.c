/* The JSON scanner: what is JSON, what is not, and where members stand.
   Must not know: what members mean. */
#include "check.h"
#include "base/json.h"

static struct ca_slice slice(const char *text)
{
  struct ca_slice value = { text, strlen(text) };
  return value;
}

/* The kind of the text when it is one value and nothing else; the bytes stand
   at the end of their own allocation, so that reading past them is seen. */
static enum ca_scan_kind kind_of(struct ca_slice text)
{
  char *copy = malloc(text.len ? text.len : 1);
  struct ca_scan scan;
  struct ca_slice value;
  enum ca_scan_kind kind;

  memcpy(copy, text.data, text.len);
  scan.at = copy;
  scan.end = copy + text.len;
  kind = ca_scan_value(&scan, &value);
  if(kind && !ca_scan_at_end(&scan))
    kind = CA_SCAN_BAD;
  CHECK(scan.at <= scan.end);
  free(copy);
  return kind;
}

static void what_is_json(void)
{
  static const struct {
    const char *text;
    enum ca_scan_kind kind;
  } cases[] = {
    { "{}", CA_SCAN_OBJECT },
    { " \t\r\n{ } \n", CA_SCAN_OBJECT },
    { "{\"a\":1,\"b\":{\"c\":[]}}", CA_SCAN_OBJECT },
    { "{\"\":\"\"}", CA_SCAN_OBJECT },
    { "{ \"a\" : 1 , \"a\" : 2 }", CA_SCAN_OBJECT },
    { "[]", CA_SCAN_ARRAY },
    { "[1,\"x\",null,true,false,[],{}]", CA_SCAN_ARRAY },
    { "\"\"", CA_SCAN_STRING },
    { "\"plain and long enough for sixteen at a time\"", CA_SCAN_STRING },
    { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\"", CA_SCAN_STRING },
    { "\"j\xC3\xB6s\xC3\xA9 \x7F\"", CA_SCAN_STRING },
    { "0", CA_SCAN_NUMBER },
    { "-0", CA_SCAN_NUMBER },
    { "12345678901234567890", CA_SCAN_NUMBER },
    { "-1.5e+10", CA_SCAN_NUMBER },
    { "1E9", CA_SCAN_NUMBER },
    { "0.0", CA_SCAN_NUMBER },
    { "1e999", CA_SCAN_NUMBER },
    { "true", CA_SCAN_TRUE },
    { "false", CA_SCAN_FALSE },
    { "null", CA_SCAN_NULL },
  };
  size_t i;

  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    if(!CHECK_INT(kind_of(slice(cases[i].text)), cases[i].kind))
      printf("    of %s\n", cases[i].text);
}

static void what_is_not(void)
{
  static const char *const cases[] = {
    "",
    " ",
    "{",
    "}",
    "[",
    "]",
    "{]",
    "[}",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1,,2]",
    "{,}",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{\"a\" 1}",
    "{a:1}",
    "{1:1}",
    "{'a':1}",
    "{\"a\":1 \"b\":2}",
    "{\"a\":1}}",
    "[1]]",
    "[] []",
    "1 2",
    "\"",
    "\"a",
    "\"\\\"",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\u123g\"",
    "\"\\",
    "\"\\u",
    "\"a\nb\"",
    "\"\x01\"",
    "\"sixteen bytes and then\x1f one\"",
    "01",
    "-",
    "+1",
    "1.",
    ".5",
    "1e",
    "1e+",
    "--1",
    "0x10",
    "1a",
    "nan",
    "NaN",
    "Infinity",
    "-inf",
    "tru",
    "truE",
    "nul",
    "nulll",
    "undefined",
    "'a'",
    "/* */1",
    "<html>",
    "\xEF\xBB\xBF{}",
    "[1",
    "{\"a\":[1}",
  };
  size_t i;

  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    if(!CHECK_INT(kind_of(slice(cases[i])), CA_SCAN_BAD))
      printf("    of %s\n", cases[i]);
}

static void zero_bytes_are_bytes(void)
{
  struct ca_slice in_string = { "\"a\0b\"", 5 };
  struct ca_slice escaped = { "\"\\\0\"", 4 };
  struct ca_slice after = { "1\0", 2 };

  CHECK_INT(kind_of(in_string), CA_SCAN_BAD);
  CHECK_INT(kind_of(escaped), CA_SCAN_BAD);
  CHECK_INT(kind_of(after), CA_SCAN_BAD);
}

/* Every beginning of a good text is bad, and is not read past its end. */
static void every_beginning(void)
{
  static const char text[] =
      "{\"items\":[{\"id\":\"ca_1\",\"n\":-1.5e3,\"t\":true,\"f\":false,"
      "\"z\":null,\"s\":\"\\u00e9\\n long enough to be looked at at once\"}],"
      "\"next_cursor\":\"Mi0yMA==\"}";
  struct ca_slice part = { text, 0 };

  for(; part.len < sizeof(text) - 1; part.len++)
    if(!CHECK_INT(kind_of(part), CA_SCAN_BAD))
      printf("    of %zu bytes\n", part.len);
  CHECK_INT(kind_of(part), CA_SCAN_OBJECT);
}

/* A stop byte at each place of a long string. */
static void stops_at_every_place(void)
{
  char text[70];
  size_t i;

  for(i = 1; i < 60; i++) {
    struct ca_slice value = { text, 62 };
    memset(text, 'a', sizeof(text));
    text[0] = '"';
    text[61] = '"';
    CHECK_INT(kind_of(value), CA_SCAN_STRING);
    text[i] = '"';
    CHECK_INT(kind_of(value), CA_SCAN_BAD); /* ends too early */
    text[i] = '\x1F';
    CHECK_INT(kind_of(value), CA_SCAN_BAD);
    text[i] = ' ';
    CHECK_INT(kind_of(value), CA_SCAN_STRING);
    text[i] = '\xFF';
    CHECK_INT(kind_of(value), CA_SCAN_STRING);
    text[i] = '\\';
    text[i + 1] = 'n';
    CHECK_INT(kind_of(value), CA_SCAN_STRING);
  }
}

static void depth(void)
{
  char text[2 * (CA_SCAN_DEPTH + 2)];
  int levels;

  for(levels = 1; levels <= CA_SCAN_DEPTH + 1; levels++) {
    struct ca_slice value = { text, (size_t)levels * 2 };
    memset(text, '[', (size_t)levels);
    memset(text + levels, ']', (size_t)levels);
    CHECK_INT(kind_of(value),
              levels <= CA_SCAN_DEPTH ? CA_SCAN_ARRAY : CA_SCAN_BAD);
  }
}

static void walking_members(void)
{
  static const char text[] = " { \"a\" : [1, {\"x\":2}] , \"b\\n\":\"v\" } ";
  struct ca_scan scan = { text, text + sizeof(text) - 1 };
  struct ca_slice key;
  struct ca_slice value;
  bool first = true;

  CHECK(!ca_scan_enter(&scan, '['));
  CHECK(ca_scan_enter(&scan, '{'));
  CHECK_INT(ca_scan_member(&scan, &first, &key), 1);
  CHECK(key.len == 1 && *key.data == 'a');
  CHECK_INT(ca_scan_value(&scan, &value), CA_SCAN_ARRAY);
  CHECK(value.len == 12 && !memcmp(value.data, "[1, {\"x\":2}]", 12));
  CHECK_INT(ca_scan_member(&scan, &first, &key), 1);
  CHECK(key.len == 3 && !memcmp(key.data, "b\\n", 3));
  CHECK_INT(ca_scan_value(&scan, &value), CA_SCAN_STRING);
  CHECK(value.len == 3 && !memcmp(value.data, "\"v\"", 3));
  CHECK_INT(ca_scan_member(&scan, &first, &key), 0);
  CHECK(ca_scan_at_end(&scan));
}

static void walking_elements(void)
{
  static const char text[] = "[ 1 , \"two\",[3] ]x";
  struct ca_scan scan = { text, text + sizeof(text) - 1 };
  struct ca_slice value;
  bool first = true;
  int n = 0;

  CHECK(ca_scan_enter(&scan, '['));
  while(ca_scan_element(&scan, &first) == 1) {
    CHECK(ca_scan_value(&scan, &value) != CA_SCAN_BAD);
    n++;
  }
  CHECK_INT(n, 3);
  CHECK(!ca_scan_at_end(&scan));
  CHECK_INT(*scan.at, 'x');
}

static void walks_that_break_off(void)
{
  static const char *const objects[] = { "{", "{\"a\"", "{\"a\" 1", "{a",
                                         NULL };
  const char *const *text;
  struct ca_slice key;

  for(text = objects; *text; text++) {
    struct ca_scan scan = { *text, *text + strlen(*text) };
    bool first = true;
    CHECK(ca_scan_enter(&scan, '{'));
    CHECK_INT(ca_scan_member(&scan, &first, &key), -1);
  }
}

static void unescaped(const char *from, const char *want)
{
  char *out = malloc(strlen(from) + 1);
  int64_t len = ca_scan_unescape(slice(from), out);

  if(!want)
    CHECK_INT(len, -1);
  else if(CHECK_INT(len, strlen(want)))
    CHECK(!memcmp(out, want, strlen(want)));
  free(out);
}

static void unescaping(void)
{
  char zero[8];

  unescaped("\"\"", "");
  unescaped("\"plain j\xC3\xB6s\"", "plain j\xC3\xB6s");
  unescaped("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t");
  unescaped("\"\\u0041\\u00e9\\u20AC\\ud83d\\uDE00.\"",
            "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80.");
  unescaped("\"\\ud83d\"", NULL);
  unescaped("\"\\ud83dx\"", NULL);
  unescaped("\"\\ud83d\\n\"", NULL);
  unescaped("\"\\ud83d\\u0041\"", NULL);
  unescaped("\"\\ude00\"", NULL);
  CHECK_INT(ca_scan_unescape(slice("\"a\\u0000b\""), zero), 3);
  CHECK(!memcmp(zero, "a\0b", 3));
}

int main(void)
{
  check_case("what is JSON", what_is_json);
  check_case("what is not", what_is_not);
  check_case("zero bytes are bytes", zero_bytes_are_bytes);
  check_case("every beginning", every_beginning);
  check_case("stops at every place", stops_at_every_place);
  check_case("depth", depth);
  check_case("walking members", walking_members);
  check_case("walking elements", walking_elements);
  check_case("walks that break off", walks_that_break_off);
  check_case("unescaping", unescaping);
  return check_end();
}
