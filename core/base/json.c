/* Reading JSON (RFC 8259): a strict scanner, and single values by their path.
   Must not know: what the values mean. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include "base/json.h"

static bool is_blank(char c)
{
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static const char *after_blanks(const char *at, const char *end)
{
  while(at < end && is_blank(*at))
    at++;
  return at;
}

static int hex_digit(char c)
{
  if(c >= '0' && c <= '9')
    return c - '0';
  c = (char)(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Each function called after_… takes the position where something begins
   and returns the position after it, or NULL when the text is not JSON.
   Positions are passed by value: these functions do most of the work on a
   page. */

/* at: after the backslash. */
static const char *after_escape(const char *at, const char *end)
{
  int i;
  if(at >= end)
    return NULL;
  if(*at != 'u')
    return *at && strchr("\"\\/bfnrt", *at) ? at + 1 : NULL;
  at++;
  for(i = 0; i < 4; i++, at++)
    if(at >= end || hex_digit(*at) < 0)
      return NULL;
  return at;
}

/* 1 for bytes that end a run of plain characters in a string: quote,
   backslash, control bytes. */
static const unsigned char stops[256] = {
  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,         1,
  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, ['"'] = 1, ['\\'] = 1
};

#ifdef __SSE2__
/* Returns a bit for each of the sixteen bytes that ends a run of plain
   characters. */
static inline unsigned stops_in_block(const char *at)
{
  __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
  __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
  __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
  __m128i control =
      _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
  return (unsigned)_mm_movemask_epi8(
      _mm_or_si128(_mm_or_si128(quote, backslash), control));
}
#endif

/* Returns the first byte that ends a run of plain characters, or end.
   Nearly all bytes of a reply are in strings, so sixteen are tested at a
   time where SSE2 is available. */
static const char *after_plain(const char *at, const char *end)
{
#ifdef __SSE2__
  for(; end - at >= 16; at += 16) {
    unsigned found = stops_in_block(at);
    if(found)
      return at + __builtin_ctz(found);
  }
#endif
  while(at < end && !stops[(unsigned char)*at])
    at++;
  return at;
}

/* at: after the opening quote. */
static const char *after_any_string(const char *at, const char *end)
{
  for(;;) {
    at = after_plain(at, end);
    if(at >= end)
      return NULL;
    if(*at == '"')
      return at + 1;
    if(*at != '\\')
      return NULL;
    at = after_escape(at + 1, end);
    if(!at)
      return NULL;
  }
}

/* The same, without a call for the usual string, which has no escapes. */
static inline const char *after_string(const char *at, const char *end)
{
#ifdef __SSE2__
  for(; end - at >= 16; at += 16) {
    unsigned found = stops_in_block(at);
    if(!found)
      continue;
    at += __builtin_ctz(found);
    if(*at == '"')
      return at + 1;
    break;
  }
#endif
  return after_any_string(at, end);
}

/* Requires at least one digit. */
static const char *after_digits(const char *at, const char *end)
{
  const char *from = at;
  while(at < end && *at >= '0' && *at <= '9')
    at++;
  return at > from ? at : NULL;
}

static const char *after_number(const char *at, const char *end)
{
  if(*at == '-')
    at++;
  if(at < end && *at == '0')
    at++; /* no digit may follow a leading zero */
  else
    at = after_digits(at, end);
  if(at && at < end && *at == '.')
    at = after_digits(at + 1, end);
  if(at && at < end && (*at | 0x20) == 'e') {
    at++;
    if(at < end && (*at == '+' || *at == '-'))
      at++;
    at = after_digits(at, end);
  }
  return at;
}

static const char *after_word(const char *at, const char *end,
                              const char *word, size_t len)
{
  return (size_t)(end - at) < len || memcmp(at, word, len) != 0 ? NULL
                                                                : at + len;
}

static const char *after_value(const char *at, const char *end, int depth);

/* at: a member's opening quote; returns where its value begins. */
static inline const char *after_name(const char *at, const char *end)
{
  if(at >= end || *at != '"')
    return NULL;
  at = after_string(at + 1, end);
  if(!at)
    return NULL;
  at = after_blanks(at, end);
  return at < end && *at == ':' ? after_blanks(at + 1, end) : NULL;
}

/* at: after the opening bracket; close is '}' or ']'. */
static const char *after_members(const char *at, const char *end, char close,
                                 int depth)
{
  at = after_blanks(at, end);
  if(at < end && *at == close)
    return at + 1;
  for(;;) {
    if(close == '}')
      at = after_name(at, end);
    if(at)
      at = after_value(at, end, depth);
    if(!at)
      return NULL;
    at = after_blanks(at, end);
    if(at >= end)
      return NULL;
    if(*at == close)
      return at + 1;
    if(*at != ',')
      return NULL;
    at = after_blanks(at + 1, end);
  }
}

/* depth: how many levels of nesting are still allowed. */
static const char *after_value(const char *at, const char *end, int depth)
{
  if(at >= end)
    return NULL;
  switch(*at) {
  case '{':
    return depth > 0 ? after_members(at + 1, end, '}', depth - 1) : NULL;
  case '[':
    return depth > 0 ? after_members(at + 1, end, ']', depth - 1) : NULL;
  case '"':
    return after_string(at + 1, end);
  case 't':
    return after_word(at, end, "true", 4);
  case 'f':
    return after_word(at, end, "false", 5);
  case 'n':
    return after_word(at, end, "null", 4);
  default:
    return after_number(at, end);
  }
}

static enum ca_json_kind kind_of(char first)
{
  switch(first) {
  case '{':
    return CA_JSON_OBJECT;
  case '[':
    return CA_JSON_ARRAY;
  case '"':
    return CA_JSON_STRING;
  case 't':
    return CA_JSON_TRUE;
  case 'f':
    return CA_JSON_FALSE;
  case 'n':
    return CA_JSON_NULL;
  default:
    return CA_JSON_NUMBER;
  }
}

enum ca_json_kind ca_json_value_within(struct ca_json_scan *scan, int depth,
                                       struct ca_slice *value)
{
  const char *from = after_blanks(scan->at, scan->end);
  const char *at = after_value(from, scan->end, depth);
  scan->at = at ? at : from;
  value->data = from;
  value->len = (size_t)(scan->at - from);
  return at ? kind_of(*from) : CA_JSON_BAD;
}

enum ca_json_kind ca_json_value(struct ca_json_scan *scan,
                                struct ca_slice *value)
{
  return ca_json_value_within(scan, CA_JSON_DEPTH, value);
}

bool ca_json_enter(struct ca_json_scan *scan, char bracket)
{
  scan->at = after_blanks(scan->at, scan->end);
  if(scan->at >= scan->end || *scan->at != bracket)
    return false;
  scan->at++;
  return true;
}

/* Before a member or element: returns 1 to go on, 0 after the closing
   bracket, -1 when the text is not JSON. */
static inline int step(struct ca_json_scan *scan, bool *first, char close)
{
  scan->at = after_blanks(scan->at, scan->end);
  if(scan->at >= scan->end)
    return -1;
  if(*scan->at == close) {
    scan->at++;
    return 0;
  }
  if(!*first) {
    if(*scan->at != ',')
      return -1;
    scan->at = after_blanks(scan->at + 1, scan->end);
  }
  *first = false;
  return 1;
}

int ca_json_member(struct ca_json_scan *scan, bool *first,
                   struct ca_slice *key)
{
  int more = step(scan, first, '}');
  const char *at;
  if(more <= 0)
    return more;
  if(scan->at >= scan->end || *scan->at != '"')
    return -1;
  key->data = scan->at + 1;
  at = after_string(key->data, scan->end);
  if(!at)
    return -1;
  key->len = (size_t)(at - key->data) - 1;
  scan->at = after_blanks(at, scan->end);
  if(scan->at >= scan->end || *scan->at != ':')
    return -1;
  scan->at++;
  return 1;
}

int ca_json_element(struct ca_json_scan *scan, bool *first)
{
  return step(scan, first, ']');
}

/* Takes fewer steps than ca_json_member and ca_json_value: a plan asks for ten
   members of each account. */
bool ca_json_member_of(struct ca_slice object, struct ca_slice name,
                       struct ca_slice *value)
{
  const char *end = object.data + object.len;
  const char *at = object.data;

  if(!object.len || *at != '{')
    return false;
  while((at = after_blanks(at + 1, end)) < end && *at == '"') {
    const char *key = at + 1;
    bool found = (size_t)(end - key) > name.len && key[name.len] == '"' &&
                 !memcmp(key, name.data, name.len);
    const char *from = after_name(at, end);

    at = from ? after_value(from, end, CA_JSON_DEPTH) : NULL;
    if(!at)
      return false;
    if(found) {
      value->data = from;
      value->len = (size_t)(at - from);
      return true;
    }
    at = after_blanks(at, end);
    if(at >= end || *at != ',')
      return false;
  }
  return false;
}

bool ca_json_at_end(struct ca_json_scan *scan)
{
  scan->at = after_blanks(scan->at, scan->end);
  return scan->at == scan->end;
}

static unsigned four_digits(const char *at)
{
  unsigned value = 0;
  int i;
  for(i = 0; i < 4; i++)
    value = value << 4 | ((unsigned)hex_digit(at[i]) & 15U);
  return value;
}

static size_t put_utf8(char *out, unsigned code)
{
  static const unsigned lead[] = { 0, 0, 0xC0, 0xE0, 0xF0 };
  size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  size_t i;
  for(i = len - 1; i > 0; i--, code >>= 6)
    out[i] = (char)(0x80 | (code & 0x3F));
  out[0] = (char)(lead[len] | code);
  return len;
}

/* at: after "\u". Reads the code point, with its second half when it is a
   surrogate pair; *used is the number of bytes read. Returns false for a
   lone surrogate. */
static bool read_unicode(const char *at, const char *end, unsigned *code,
                         size_t *used)
{
  unsigned low;
  *code = four_digits(at);
  *used = 4;
  if(*code < 0xD800 || *code > 0xDFFF)
    return true;
  if(*code > 0xDBFF || end - at < 10 || at[4] != '\\' || at[5] != 'u')
    return false;
  low = four_digits(at + 6);
  if(low < 0xDC00 || low > 0xDFFF)
    return false;
  *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
  *used = 10;
  return true;
}

/* Replaces each lone surrogate by U+FFFD; *whole is false when there was
   one. */
static size_t unescape(struct ca_slice value, char *out, bool *whole)
{
  static const char from[] = "\"\\/bfnrt";
  static const char to[] = "\"\\/\b\f\n\r\t";
  const char *at = value.data + 1;
  const char *end = value.data + value.len - 1;
  size_t len = 0;

  *whole = true;
  while(at < end) {
    const char *slash = memchr(at, '\\', (size_t)(end - at));
    size_t plain = (size_t)((slash ? slash : end) - at);
    unsigned code;
    size_t used;
    memcpy(out + len, at, plain);
    len += plain;
    at += plain;
    if(!slash)
      break;
    at++;
    if(*at != 'u') {
      out[len++] = to[strchr(from, *at) - from];
      at++;
      continue;
    }
    at++;
    if(!read_unicode(at, end, &code, &used)) {
      code = 0xFFFD;
      *whole = false;
    }
    len += put_utf8(out + len, code);
    at += used;
  }
  return len;
}

int64_t ca_json_unescape(struct ca_slice value, char *out)
{
  bool whole;
  size_t len = unescape(value, out, &whole);
  return whole ? (int64_t)len : -1;
}

/* ---- texts ---- */

static bool has_escapes(struct ca_slice value)
{
  return memchr(value.data, '\\', value.len) != NULL;
}

char *ca_json_dup(struct ca_slice value, size_t *len)
{
  char *text = malloc(value.len + 1);
  bool whole;

  if(!text)
    return NULL;
  if(value.data[0] == '"')
    *len = unescape(value, text, &whole);
  else {
    memcpy(text, value.data, value.len);
    *len = value.len;
  }
  text[*len] = '\0';
  return text;
}

void ca_json_copy(struct ca_slice value, char *out, size_t size)
{
  size_t len;
  char *text;

  if(size)
    *out = '\0';
  if(!value.data)
    return;
  if(value.data[0] == '"' && !has_escapes(value)) { /* the usual case */
    ca_err_copy_text(out, size, value.data + 1, value.len - 2);
    return;
  }
  text = ca_json_dup(value, &len);
  if(text)
    ca_err_copy_text(out, size, text, len);
  free(text);
}

bool ca_json_is(struct ca_slice value, const char *text)
{
  size_t len = strlen(text);
  char *plain;
  bool same;

  if(!value.data)
    return !len;
  if(!has_escapes(value))
    return value.len == len + 2 && !memcmp(value.data + 1, text, len);
  plain = malloc(value.len);
  same = plain && ca_json_unescape(value, plain) == (int64_t)len &&
         !memcmp(plain, text, len);
  free(plain);
  return same;
}

/* ---- values by their path ---- */

struct found {
  struct ca_slice value;
  enum ca_json_kind kind; /* CA_JSON_BAD: not found yet */
};

static bool find(struct ca_json_scan *scan, const char *path, int depth,
                 struct found *found);

static bool skip(struct ca_json_scan *scan, int depth)
{
  struct ca_slice value;
  return ca_json_value_within(scan, depth, &value) != CA_JSON_BAD;
}

/* Inside an object; path begins with the dot. If a name occurs twice, the
   first member counts. */
static bool find_member(struct ca_json_scan *scan, const char *path, int depth,
                        struct found *found)
{
  const char *name = path + 1;
  size_t len = strcspn(name, ".[");
  struct ca_slice key;
  bool first = true;
  bool seen = false;
  int more;

  while((more = ca_json_member(scan, &first, &key)) > 0) {
    bool wanted = !seen && key.len == len && !memcmp(key.data, name, len);
    if(!(wanted ? find(scan, name + len, depth, found) : skip(scan, depth)))
      return false;
    seen = seen || wanted;
  }
  return !more;
}

/* Inside an array; path begins with the bracket. */
static bool find_element(struct ca_json_scan *scan, const char *path,
                         int depth, struct found *found)
{
  char *rest;
  long index = strtol(path + 1, &rest, 10);
  bool first = true;
  long i;
  int more;

  for(i = 0; (more = ca_json_element(scan, &first)) > 0; i++)
    if(!(i == index && *rest == ']' ? find(scan, rest + 1, depth, found)
                                    : skip(scan, depth)))
      return false;
  return !more;
}

/* Skips one value and stores what is at the path inside it. Returns false
   when the text is not JSON. */
static bool find(struct ca_json_scan *scan, const char *path, int depth,
                 struct found *found)
{
  struct ca_json_scan inside = *scan;
  bool member = *path == '.' && ca_json_enter(&inside, '{');

  if(*path && depth > 0 &&
     (member || (*path == '[' && ca_json_enter(&inside, '[')))) {
    *scan = inside;
    return member ? find_member(scan, path, depth - 1, found)
                  : find_element(scan, path, depth - 1, found);
  }
  if(*path)
    return skip(scan, depth); /* it contains no value at such a path */
  found->kind = ca_json_value_within(scan, depth, &found->value);
  return found->kind != CA_JSON_BAD;
}

enum ca_json_kind ca_json_find(const char *text, size_t len, const char *path,
                               struct ca_slice *value)
{
  struct ca_json_scan scan = { text, text };
  struct found found = { { NULL, 0 }, CA_JSON_BAD };

  value->data = NULL;
  value->len = 0;
  if(!len || *path != '$')
    return CA_JSON_BAD;
  scan.end += len;
  if(!find(&scan, path + 1, CA_JSON_DEPTH, &found) || !ca_json_at_end(&scan))
    return CA_JSON_BAD;
  *value = found.value;
  return found.kind;
}

bool ca_json_valid(const char *text, size_t len)
{
  struct ca_slice value;
  return ca_json_find(text, len, "$", &value) != CA_JSON_BAD;
}

bool ca_json_scalar(const char *text, size_t len, const char *path,
                    struct ca_slice *value)
{
  switch(ca_json_find(text, len, path, value)) {
  case CA_JSON_STRING:
  case CA_JSON_NUMBER:
  case CA_JSON_TRUE:
  case CA_JSON_FALSE:
    return true;
  default:
    return false;
  }
}

bool ca_json_text(const char *text, size_t len, const char *path, char *out,
                  size_t size)
{
  struct ca_slice value;
  if(!ca_json_scalar(text, len, path, &value))
    return false;
  ca_json_copy(value, out, size);
  return true;
}

bool ca_json_integer(const char *text, size_t len, const char *path,
                     int64_t *out)
{
  struct ca_slice value;
  char digits[24];
  char *end;
  long long number;

  if(ca_json_find(text, len, path, &value) != CA_JSON_NUMBER ||
     value.len >= sizeof(digits))
    return false;
  ca_err_copy_text(digits, sizeof(digits), value.data, value.len);
  errno = 0;
  number = strtoll(digits, &end, 10);
  if(*end || errno)
    return false;
  *out = number;
  return true;
}

/* ---- sets of texts ---- */

bool ca_json_same(struct ca_slice one, struct ca_slice other)
{
  char *plain;
  size_t len;
  bool same;

  if(one.len == other.len && !memcmp(one.data, other.data, one.len))
    return true;
  if(*one.data != '"' || *other.data != '"' ||
     (!has_escapes(one) && !has_escapes(other)))
    return false;
  plain = ca_json_dup(one, &len);
  same = plain && strlen(plain) == len && ca_json_is(other, plain);
  free(plain);
  return same;
}

static bool holds(struct ca_slice array, struct ca_slice text)
{
  struct ca_json_scan scan = { array.data, array.data + array.len };
  struct ca_slice each;
  bool first = true;

  if(!ca_json_enter(&scan, '['))
    return false;
  while(ca_json_element(&scan, &first) > 0)
    if(ca_json_value(&scan, &each) == CA_JSON_STRING &&
       ca_json_same(each, text))
      return true;
  return false;
}

static bool holds_all(struct ca_slice array, struct ca_slice texts)
{
  struct ca_json_scan scan = { texts.data, texts.data + texts.len };
  struct ca_slice each;
  bool first = true;

  if(!ca_json_enter(&scan, '['))
    return true;
  while(ca_json_element(&scan, &first) > 0)
    if(ca_json_value(&scan, &each) == CA_JSON_STRING && !holds(array, each))
      return false;
  return true;
}

bool ca_json_same_set(struct ca_slice one, struct ca_slice other)
{
  return holds_all(one, other) && holds_all(other, one);
}
