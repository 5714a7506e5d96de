/* The strict JSON scanner. Knows nothing of what members mean. */
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

/* The functions called after_… take the place where something begins and give
   the one behind it, or NULL when it is not JSON. They carry the place as a
   value: most of the work on a page is done in them. */

/* Behind the backslash. */
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

/* 1 where a string's plain run ends: quote, backslash, control bytes. */
static const unsigned char stops[256] = {
  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,         1,
  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, ['"'] = 1, ['\\'] = 1
};

/* The first byte that ends a plain run, or end. Nearly all bytes of a reply
   stand in strings, so sixteen are looked at a time where the machine can. */
static const char *after_plain(const char *at, const char *end)
{
#ifdef __SSE2__
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  const __m128i last_control = _mm_set1_epi8(0x1F);
  while(end - at >= 16) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i hits =
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote),
                                  _mm_cmpeq_epi8(bytes, backslash)),
                     _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes));
    int mask = _mm_movemask_epi8(hits);
    if(mask)
      return at + __builtin_ctz((unsigned)mask);
    at += 16;
  }
#endif
  while(at < end && !stops[(unsigned char)*at])
    at++;
  return at;
}

/* Behind the opening quote. */
static const char *after_string(const char *at, const char *end)
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

/* One digit at least. */
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
    at++; /* and no digit after it */
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

/* From a member's opening quote to where its value begins. */
static const char *after_name(const char *at, const char *end)
{
  if(at >= end || *at != '"')
    return NULL;
  at = after_string(at + 1, end);
  if(!at)
    return NULL;
  at = after_blanks(at, end);
  return at < end && *at == ':' ? after_blanks(at + 1, end) : NULL;
}

/* Behind the opening bracket of an object ('}') or array (']'). */
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

/* depth: how much deeper the value may be. */
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

static enum ca_scan_kind kind_of(char first)
{
  switch(first) {
  case '{':
    return CA_SCAN_OBJECT;
  case '[':
    return CA_SCAN_ARRAY;
  case '"':
    return CA_SCAN_STRING;
  case 't':
    return CA_SCAN_TRUE;
  case 'f':
    return CA_SCAN_FALSE;
  case 'n':
    return CA_SCAN_NULL;
  default:
    return CA_SCAN_NUMBER;
  }
}

enum ca_scan_kind ca_scan_within(struct ca_scan *scan, int depth,
                                 struct ca_slice *value)
{
  const char *from = after_blanks(scan->at, scan->end);
  const char *at = after_value(from, scan->end, depth);
  scan->at = at ? at : from;
  value->data = from;
  value->len = (size_t)(scan->at - from);
  return at ? kind_of(*from) : CA_SCAN_BAD;
}

enum ca_scan_kind ca_scan_value(struct ca_scan *scan, struct ca_slice *value)
{
  return ca_scan_within(scan, CA_SCAN_DEPTH, value);
}

bool ca_scan_enter(struct ca_scan *scan, char bracket)
{
  scan->at = after_blanks(scan->at, scan->end);
  if(scan->at >= scan->end || *scan->at != bracket)
    return false;
  scan->at++;
  return true;
}

/* Before a member or element: 1 go on, 0 the closing bracket was here, -1. */
static int step(struct ca_scan *scan, bool *first, char close)
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

int ca_scan_member(struct ca_scan *scan, bool *first, struct ca_slice *key)
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

int ca_scan_element(struct ca_scan *scan, bool *first)
{
  return step(scan, first, ']');
}

bool ca_scan_at_end(struct ca_scan *scan)
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
  if(code < 0x80) {
    out[0] = (char)code;
    return 1;
  }
  if(code < 0x800) {
    out[0] = (char)(0xC0 | code >> 6);
    out[1] = (char)(0x80 | (code & 0x3F));
    return 2;
  }
  if(code < 0x10000) {
    out[0] = (char)(0xE0 | code >> 12);
    out[1] = (char)(0x80 | (code >> 6 & 0x3F));
    out[2] = (char)(0x80 | (code & 0x3F));
    return 3;
  }
  out[0] = (char)(0xF0 | code >> 18);
  out[1] = (char)(0x80 | (code >> 12 & 0x3F));
  out[2] = (char)(0x80 | (code >> 6 & 0x3F));
  out[3] = (char)(0x80 | (code & 0x3F));
  return 4;
}

/* Behind "\u": the code point, with its second half when it is a surrogate.
 *used digits and letters were read. False at a lone one. */
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

int64_t ca_scan_unescape(struct ca_slice value, char *out)
{
  static const char from[] = "\"\\/bfnrt";
  static const char to[] = "\"\\/\b\f\n\r\t";
  const char *at = value.data + 1;
  const char *end = value.data + value.len - 1;
  size_t len = 0;

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
    if(!read_unicode(at, end, &code, &used))
      return -1;
    len += put_utf8(out + len, code);
    at += used;
  }
  return (int64_t)len;
}
