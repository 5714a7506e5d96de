/* Reading and writing JSON: what is JSON and what is not, where members are,
   and what is found at a path; objects, written and read again. Must not know:
   what members mean. */
#include "check.h"
#include "base/json.h"
#include "base/json_write.h"

static struct ca_slice slice(const char *text)
{
  struct ca_slice value = { text, strlen(text) };
  return value;
}

/* The kind of the text when it is one value and nothing else; the bytes stand
   at the end of their own allocation, so that reading past them is seen. */
static enum ca_json_kind kind_of(struct ca_slice text)
{
  char *copy = malloc(text.len ? text.len : 1);
  struct ca_json_scan scan;
  struct ca_slice value;
  enum ca_json_kind kind;

  memcpy(copy, text.data, text.len);
  scan.at = copy;
  scan.end = copy + text.len;
  kind = ca_json_value(&scan, &value);
  if(kind && !ca_json_at_end(&scan))
    kind = CA_JSON_BAD;
  CHECK(scan.at <= scan.end);
  free(copy);
  return kind;
}

static void what_is_json(void)
{
  static const struct {
    const char *text;
    enum ca_json_kind kind;
  } cases[] = {
    { "{}", CA_JSON_OBJECT },
    { " \t\r\n{ } \n", CA_JSON_OBJECT },
    { "{\"a\":1,\"b\":{\"c\":[]}}", CA_JSON_OBJECT },
    { "{\"\":\"\"}", CA_JSON_OBJECT },
    { "{ \"a\" : 1 , \"a\" : 2 }", CA_JSON_OBJECT },
    { "[]", CA_JSON_ARRAY },
    { "[1,\"x\",null,true,false,[],{}]", CA_JSON_ARRAY },
    { "\"\"", CA_JSON_STRING },
    { "\"plain and long enough for sixteen at a time\"", CA_JSON_STRING },
    { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\"", CA_JSON_STRING },
    { "\"j\xC3\xB6s\xC3\xA9 \x7F\"", CA_JSON_STRING },
    { "0", CA_JSON_NUMBER },
    { "-0", CA_JSON_NUMBER },
    { "12345678901234567890", CA_JSON_NUMBER },
    { "-1.5e+10", CA_JSON_NUMBER },
    { "1E9", CA_JSON_NUMBER },
    { "0.0", CA_JSON_NUMBER },
    { "1e999", CA_JSON_NUMBER },
    { "true", CA_JSON_TRUE },
    { "false", CA_JSON_FALSE },
    { "null", CA_JSON_NULL },
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
    if(!CHECK_INT(kind_of(slice(cases[i])), CA_JSON_BAD))
      printf("    of %s\n", cases[i]);
}

static void zero_bytes_are_bytes(void)
{
  struct ca_slice in_string = { "\"a\0b\"", 5 };
  struct ca_slice escaped = { "\"\\\0\"", 4 };
  struct ca_slice after = { "1\0", 2 };

  CHECK_INT(kind_of(in_string), CA_JSON_BAD);
  CHECK_INT(kind_of(escaped), CA_JSON_BAD);
  CHECK_INT(kind_of(after), CA_JSON_BAD);
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
    if(!CHECK_INT(kind_of(part), CA_JSON_BAD))
      printf("    of %zu bytes\n", part.len);
  CHECK_INT(kind_of(part), CA_JSON_OBJECT);
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
    CHECK_INT(kind_of(value), CA_JSON_STRING);
    text[i] = '"';
    CHECK_INT(kind_of(value), CA_JSON_BAD); /* ends too early */
    text[i] = '\x1F';
    CHECK_INT(kind_of(value), CA_JSON_BAD);
    text[i] = ' ';
    CHECK_INT(kind_of(value), CA_JSON_STRING);
    text[i] = '\xFF';
    CHECK_INT(kind_of(value), CA_JSON_STRING);
    text[i] = '\\';
    text[i + 1] = 'n';
    CHECK_INT(kind_of(value), CA_JSON_STRING);
  }
}

static void depth(void)
{
  char text[2 * (CA_JSON_DEPTH + 2)];
  int levels;

  for(levels = 1; levels <= CA_JSON_DEPTH + 1; levels++) {
    struct ca_slice value = { text, (size_t)levels * 2 };
    memset(text, '[', (size_t)levels);
    memset(text + levels, ']', (size_t)levels);
    CHECK_INT(kind_of(value),
              levels <= CA_JSON_DEPTH ? CA_JSON_ARRAY : CA_JSON_BAD);
  }
}

static void walking_members(void)
{
  static const char text[] = " { \"a\" : [1, {\"x\":2}] , \"b\\n\":\"v\" } ";
  struct ca_json_scan scan = { text, text + sizeof(text) - 1 };
  struct ca_slice key;
  struct ca_slice value;
  bool first = true;

  CHECK(!ca_json_enter(&scan, '['));
  CHECK(ca_json_enter(&scan, '{'));
  CHECK_INT(ca_json_member(&scan, &first, &key), 1);
  CHECK(key.len == 1 && *key.data == 'a');
  CHECK_INT(ca_json_value(&scan, &value), CA_JSON_ARRAY);
  CHECK(value.len == 12 && !memcmp(value.data, "[1, {\"x\":2}]", 12));
  CHECK_INT(ca_json_member(&scan, &first, &key), 1);
  CHECK(key.len == 3 && !memcmp(key.data, "b\\n", 3));
  CHECK_INT(ca_json_value(&scan, &value), CA_JSON_STRING);
  CHECK(value.len == 3 && !memcmp(value.data, "\"v\"", 3));
  CHECK_INT(ca_json_member(&scan, &first, &key), 0);
  CHECK(ca_json_at_end(&scan));
}

static void walking_elements(void)
{
  static const char text[] = "[ 1 , \"two\",[3] ]x";
  struct ca_json_scan scan = { text, text + sizeof(text) - 1 };
  struct ca_slice value;
  bool first = true;
  int n = 0;

  CHECK(ca_json_enter(&scan, '['));
  while(ca_json_element(&scan, &first) == 1) {
    CHECK(ca_json_value(&scan, &value) != CA_JSON_BAD);
    n++;
  }
  CHECK_INT(n, 3);
  CHECK(!ca_json_at_end(&scan));
  CHECK_INT(*scan.at, 'x');
}

static void walks_that_break_off(void)
{
  static const char *const objects[] = { "{", "{\"a\"", "{\"a\" 1", "{a",
                                         NULL };
  const char *const *text;
  struct ca_slice key;

  for(text = objects; *text; text++) {
    struct ca_json_scan scan = { *text, *text + strlen(*text) };
    bool first = true;
    CHECK(ca_json_enter(&scan, '{'));
    CHECK_INT(ca_json_member(&scan, &first, &key), -1);
  }
}

static void unescaped(const char *from, const char *want)
{
  char *out = malloc(strlen(from) + 1);
  int64_t len = ca_json_unescape(slice(from), out);

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
  CHECK_INT(ca_json_unescape(slice("\"a\\u0000b\""), zero), 3);
  CHECK(!memcmp(zero, "a\0b", 3));
}

/* ---- by path ---- */

static enum ca_json_kind find(struct ca_slice text, const char *path,
                              struct ca_slice *value)
{
  return ca_json_find(text.data, text.len, path, value);
}

static void finding(void)
{
  static const struct {
    const char *text;
    const char *path;
    const char *value; /* NULL: none */
  } cases[] = {
    { "{\"a\":1}", "$.a", "1" },
    { " { \"a\" : \"x\" } ", "$.a", "\"x\"" },
    { " [1] ", "$", "[1]" },
    { "7", "$", "7" },
    { "{\"a\":{\"b\":[1,{\"c\":true}]}}", "$.a.b[1].c", "true" },
    { "{\"a\":{\"b\":[1,{\"c\":true}]}}", "$.a", "{\"b\":[1,{\"c\":true}]}" },
    { "[[1,2],[3]]", "$[0][1]", "2" },
    { "[1]", "$[1]", NULL },
    { "[]", "$[0]", NULL },
    { "{}", "$.a", NULL },
    { "{\"a\":null}", "$.a", "null" },
    { "{\"\":1}", "$.a", NULL },
    { "{\"ab\":1,\"a\":2}", "$.a", "2" },
    /* of two members the first counts, even where its value leads nowhere */
    { "{\"a\":1,\"a\":2}", "$.a", "1" },
    { "{\"a\":1,\"a\":{\"b\":2}}", "$.a.b", NULL },
    { "{\"a\":{\"b\":1},\"a\":{\"b\":2}}", "$.a.b", "1" },
    /* names are compared as they are written */
    { "{\"\\u0061\":1,\"a\":2}", "$.a", "2" },
    { "{\"\\u0061\":1}", "$.a", NULL },
    /* values of another kind */
    { "{\"a\":\"b\"}", "$.a.b", NULL },
    { "{\"a\":[{\"b\":1}]}", "$.a.b", NULL },
    { "{\"a\":{\"0\":1}}", "$.a[0]", NULL },
    { "[1]", "$.a", NULL },
    { "1", "$.a", NULL },
    /* nothing is found in what is not JSON, wherever it stops being so */
    { "{\"a\":1", "$.a", NULL },
    { "{\"a\":1}}", "$.a", NULL },
    { "{\"a\":1} {}", "$.a", NULL },
    { "{\"a\":1,\"b\":tru}", "$.a", NULL },
    { "{\"a\":{\"b\":1,}}", "$.a.b", NULL },
    { "[1,nan]", "$[0]", NULL },
    { "", "$", NULL },
    { " ", "$", NULL },
  };
  size_t i;

  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct ca_slice value;
    enum ca_json_kind kind = find(slice(cases[i].text), cases[i].path, &value);
    bool good = cases[i].value
                    ? kind != CA_JSON_BAD && ca_slice_is(value, cases[i].value)
                    : kind == CA_JSON_BAD && !value.data;
    if(!CHECK(good))
      printf("    %s of %s\n", cases[i].path, cases[i].text);
  }
}

static void finding_no_deeper_than_the_scanner(void)
{
  char text[2 * (CA_JSON_DEPTH + 2) + 1];
  char path[3 * (CA_JSON_DEPTH + 2) + 2] = "$";
  size_t levels;

  for(levels = 1; levels <= CA_JSON_DEPTH + 1; levels++) {
    struct ca_slice value;
    struct ca_slice nested = { text, 2 * levels + 1 };
    memset(text, '[', levels);
    text[levels] = '7';
    memset(text + levels + 1, ']', levels);
    memcpy(path + 3 * levels - 2, "[0]", 4);
    CHECK_INT(find(nested, path, &value),
              levels <= CA_JSON_DEPTH ? CA_JSON_NUMBER : CA_JSON_BAD);
  }
}

static void texts(void)
{
  static const struct {
    const char *value;
    const char *text; /* NULL: none */
  } cases[] = {
    { "\"x\"", "x" },
    { "\"\"", "" },
    { "\"j\\u00f6s\\n\"", "j\xC3\xB6s\n" },
    { "\"{}\"", "{}" }, /* a text, whatever it looks like */
    { "\"[1]\"", "[1]" },
    { "12", "12" },
    { "-1.50e2", "-1.50e2" },
    { "true", "true" },
    { "false", "false" },
    { "null", NULL },
    { "{}", NULL },
    { "[]", NULL },
    { "\"a\\ud83db\"", "a\xEF\xBF\xBD"
                       "b" },
    { "\"\\ude00\\ud83d\"", "\xEF\xBF\xBD\xEF\xBF\xBD" },
    { "\"a\\u0000b\"", "a" },
    { "\"a\xFF"
      "b\"",
      "a\xFF"
      "b" },
  };
  size_t i;

  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    char text[64];
    char out[32] = "untouched";
    bool found;
    snprintf(text, sizeof(text), "{\"a\":%s}", cases[i].value);
    found = ca_json_text(text, strlen(text), "$.a", out, sizeof(out));
    CHECK_INT(found, cases[i].text != NULL);
    CHECK_TEXT(out, found ? cases[i].text : "untouched");
  }
}

static void texts_are_cut_between_characters(void)
{
  char out[4];

  CHECK(ca_json_text("\"j\\u00f6\\u00e9\"", 15, "$", out, sizeof(out)));
  CHECK_TEXT(out, "j\xC3\xB6");
  CHECK(ca_json_text("\"jo\xC3\xB6\"", 6, "$", out, sizeof(out)));
  CHECK_TEXT(out, "jo");
}

static void numbers_and_booleans(void)
{
  static const struct {
    const char *value;
    bool whole;
    int64_t number;
  } cases[] = {
    { "12", true, 12 },
    { "-0", true, 0 },
    { "9223372036854775807", true, INT64_MAX },
    { "-9223372036854775808", true, INT64_MIN },
    { "9223372036854775808", false, 0 },
    { "123456789012345678901234567890", false, 0 },
    { "1.5", false, 0 },
    { "1.0", false, 0 },
    { "1e3", false, 0 },
    { "\"12\"", false, 0 },
    { "true", false, 0 },
    { "null", false, 0 },
  };
  size_t i;

  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct ca_slice text = slice(cases[i].value);
    int64_t number = -7;
    CHECK_INT(ca_json_integer(text.data, text.len, "$", &number),
              cases[i].whole);
    CHECK_INT(number, cases[i].whole ? cases[i].number : -7);
  }
}

static void comparing_texts(void)
{
  struct ca_slice absent = { NULL, 0 };
  size_t len;
  char out[8] = "before";
  char *copy = ca_json_dup(slice("\"a\\nb\""), &len);

  CHECK_INT(len, 3);
  CHECK_TEXT(copy, "a\nb");
  free(copy);
  CHECK(ca_json_is(slice("\"ab\""), "ab"));
  CHECK(ca_json_is(slice("\"\\u0061b\""), "ab"));
  CHECK(!ca_json_is(slice("\"ab\""), "a"));
  CHECK(!ca_json_is(slice("\"a\""), "ab"));
  CHECK(!ca_json_is(slice("\"\\ud83d\""), "\xEF\xBF\xBD"));
  CHECK(!ca_json_is(slice("\"a\\u0000\""), "a"));
  CHECK(ca_json_is(absent, "") && !ca_json_is(absent, "a"));
  ca_json_copy(absent, out, sizeof(out));
  CHECK_TEXT(out, "");
}

static void comparing_sets(void)
{
  static const struct {
    const char *one;
    const char *other;
    bool same;
  } cases[] = {
    { "[]", "[]", true },
    { "[\"a\",\"b\"]", "[\"b\",\"a\"]", true },
    { "[\"a\",\"a\"]", "[ \"a\" ]", true },
    { "[\"a\"]", "[\"\\u0061\"]", true },
    { "[\"\\u0061\"]", "[\"a\"]", true },
    { "[\"a\"]", "[\"a\",\"b\"]", false },
    { "[\"a\",\"b\"]", "[\"a\"]", false },
    { "[\"a\"]", "[]", false },
    { "[\"1\"]", "[1]", false },
    { "[1,null]", "[]", true }, /* texts alone count */
    { "null", "[]", true },
    { "null", "[\"a\"]", false },
  };
  struct ca_slice absent = { NULL, 0 };
  size_t i;

  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    if(!CHECK_INT(ca_json_same_set(slice(cases[i].one), slice(cases[i].other)),
                  cases[i].same))
      printf("    %s and %s\n", cases[i].one, cases[i].other);
  CHECK(ca_json_same_set(absent, absent));
  CHECK(ca_json_same_set(absent, slice("[]")));
  CHECK(!ca_json_same_set(slice("[\"a\"]"), absent));
}

static void validity(void)
{
  CHECK(ca_json_valid("[1]", 3));
  CHECK(!ca_json_valid("[1", 2));
  CHECK(!ca_json_valid("{} {}", 5));
  CHECK(!ca_json_valid("", 0));
  CHECK(!ca_json_valid(NULL, 0));
  CHECK(!ca_json_valid("{}\0", 3));
}

/* ---- writing ---- */

static void writing_strings(void)
{
  static const struct {
    const char *from;
    size_t len;
    const char *want;
  } cases[] = {
    { "", 0, "\"\"" },
    { "plain", 5, "\"plain\"" },
    { "a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\"" },
    { "\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"" },
    { "\x01\x1f\x7f", 3, "\"\\u0001\\u001f\x7f\"" },
    { "a\0b", 3, "\"a\\u0000b\"" },
    { "\xC3\xA9\xF0\x9F\x98\x80", 6, "\"\xC3\xA9\xF0\x9F\x98\x80\"" },
  };
  struct ca_buf out;
  size_t i;

  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct ca_slice from = { cases[i].from, cases[i].len };
    ca_buf_init(&out, 1000);
    CHECK_INT(ca_json_write_string(&out, from), CA_OK);
    CHECK_TEXT(ca_buf_text(&out), cases[i].want);
    ca_buf_clear(&out);
  }
  ca_buf_init(&out, 1000);
  CHECK_INT(ca_json_write_string(&out, slice("a\xFF")), CA_USAGE);
  ca_buf_clear(&out);
  ca_buf_init(&out, 4);
  CHECK_INT(ca_json_write_string(&out, slice("abcdef")), CA_USAGE);
  ca_buf_clear(&out);
}

static void writing_members(void)
{
  static const struct ca_slice name = { "acl.x", 3 };
  static const struct ca_slice part = { "tru", 3 };
  static const struct ca_slice rest = { "e", 1 };
  struct ca_json_write json;
  struct ca_buf out;

  ca_buf_init(&out, 1000);
  ca_json_write_begin(&json, &out);
  ca_json_write_text(&json, "text", "a\"b");
  ca_json_write_text(&json, "absent", NULL);
  ca_json_write_text(&json, "bytes", "a\xFF\x1b");
  ca_json_write_number(&json, "least", INT64_MIN);
  ca_json_write_bool(&json, "no", false);
  ca_json_write_raw(&json, "raw", "[1]");
  ca_json_write_open(&json, "list", '[');
  ca_json_write_text(&json, NULL, "one");
  ca_json_write_null(&json, NULL);
  ca_json_write_open(&json, NULL, '{');
  ca_json_write_close(&json, '}');
  ca_json_write_close(&json, ']');
  ca_json_write_name(&json, name);
  ca_json_write_open(&json, NULL, '{');
  ca_json_write_name(&json, name);
  ca_json_write_add(&json, part);
  ca_json_write_add(&json, rest);
  ca_json_write_number(&json, "n", 1);
  ca_json_write_close(&json, '}');
  ca_json_write_number(&json, "last", 2);
  CHECK_INT(ca_json_write_end(&json), CA_OK);
  CHECK_TEXT(ca_buf_text(&out),
             "{\"text\":\"a\\\"b\",\"absent\":null,\"bytes\":"
             "\"a\\\\xff\\\\x1b\",\"least\":-9223372036854775808,\"no\":false,"
             "\"raw\":[1],"
             "\"list\":[\"one\",null,{}],\"acl\":{\"acl\":true,\"n\":1},"
             "\"last\":2}");
  CHECK(ca_json_valid(out.data, out.len));
  ca_buf_clear(&out);
}

static void writing_past_the_limit(void)
{
  struct ca_json_write json;
  struct ca_buf out;

  ca_buf_init(&out, 10);
  ca_json_write_begin(&json, &out);
  ca_json_write_text(&json, "long", "abcdefgh");
  ca_json_write_bool(&json, "b", true); /* too late to help */
  CHECK_INT(ca_json_write_end(&json), CA_USAGE);
  CHECK(out.len <= 10);
  ca_buf_clear(&out);
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
  check_case("finding", finding);
  check_case("finding no deeper than the scanner",
             finding_no_deeper_than_the_scanner);
  check_case("texts", texts);
  check_case("texts are cut between characters",
             texts_are_cut_between_characters);
  check_case("numbers and booleans", numbers_and_booleans);
  check_case("comparing texts", comparing_texts);
  check_case("comparing sets", comparing_sets);
  check_case("validity", validity);
  check_case("writing strings", writing_strings);
  check_case("writing members", writing_members);
  check_case("writing past the limit", writing_past_the_limit);
  return check_end();
}
