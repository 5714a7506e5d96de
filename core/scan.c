/* The strict JSON scanner. Knows nothing of what members mean. */
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include "scan.h"

static void skip_blanks(struct ca_scan *scan)
{
  while(scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\n' ||
                                 *scan->at == '\r' || *scan->at == '\t'))
    scan->at++;
}

static int hex_digit(char c)
{
  if(c >= '0' && c <= '9')
    return c - '0';
  c = (char)(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Behind the backslash: steps over the escape. */
static bool skip_escape(struct ca_scan *scan)
{
  int i;
  if(scan->at >= scan->end)
    return false;
  if(*scan->at != 'u')
    return *scan->at && strchr("\"\\/bfnrt", *scan->at++) != NULL;
  scan->at++;
  for(i = 0; i < 4; i++, scan->at++)
    if(scan->at >= scan->end || hex_digit(*scan->at) < 0)
      return false;
  return true;
}

/* 1 where a string's plain run ends: quote, backslash, control bytes. */
static const unsigned char stops[256] = {
  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,         1,
  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, ['"'] = 1, ['\\'] = 1
};

/* The first byte that ends a plain run, or end. Nearly all bytes of a reply
   stand in strings, so sixteen are looked at a time where the machine can. */
static const char *skip_plain(const char *at, const char *end)
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

/* On the opening quote. */
static bool skip_string(struct ca_scan *scan)
{
  const char *at = scan->at + 1;
  const char *end = scan->end;
  for(;;) {
    at = skip_plain(at, end);
    if(at >= end)
      return false;
    scan->at = at + 1;
    if(*at == '"')
      return true;
    if(*at != '\\' || !skip_escape(scan))
      return false;
    at = scan->at;
  }
}

static bool skip_digits(struct ca_scan *scan)
{
  const char *from = scan->at;
  while(scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
    scan->at++;
  return scan->at > from;
}

static bool skip_number(struct ca_scan *scan)
{
  if(*scan->at == '-')
    scan->at++;
  if(scan->at < scan->end && *scan->at == '0')
    scan->at++; /* and no digit after it */
  else if(!skip_digits(scan))
    return false;
  if(scan->at < scan->end && *scan->at == '.') {
    scan->at++;
    if(!skip_digits(scan))
      return false;
  }
  if(scan->at < scan->end && (*scan->at | 0x20) == 'e') {
    scan->at++;
    if(scan->at < scan->end && (*scan->at == '+' || *scan->at == '-'))
      scan->at++;
    return skip_digits(scan);
  }
  return true;
}

static bool skip_word(struct ca_scan *scan, const char *word, size_t len)
{
  if((size_t)(scan->end - scan->at) < len || memcmp(scan->at, word, len) != 0)
    return false;
  scan->at += len;
  return true;
}

static enum ca_scan_kind skip_value(struct ca_scan *scan, int depth);

static bool skip_object(struct ca_scan *scan, int depth)
{
  struct ca_slice key;
  bool first = true;
  int more;
  scan->at++;
  while((more = ca_scan_member(scan, &first, &key)) > 0)
    if(skip_value(scan, depth) == CA_SCAN_BAD)
      return false;
  return more == 0;
}

static bool skip_array(struct ca_scan *scan, int depth)
{
  bool first = true;
  int more;
  scan->at++;
  while((more = ca_scan_element(scan, &first)) > 0)
    if(skip_value(scan, depth) == CA_SCAN_BAD)
      return false;
  return more == 0;
}

/* depth: how much deeper the value may be. */
static enum ca_scan_kind skip_value(struct ca_scan *scan, int depth)
{
  skip_blanks(scan);
  if(scan->at >= scan->end)
    return CA_SCAN_BAD;
  switch(*scan->at) {
  case '{':
    return depth > 0 && skip_object(scan, depth - 1) ? CA_SCAN_OBJECT
                                                     : CA_SCAN_BAD;
  case '[':
    return depth > 0 && skip_array(scan, depth - 1) ? CA_SCAN_ARRAY
                                                    : CA_SCAN_BAD;
  case '"':
    return skip_string(scan) ? CA_SCAN_STRING : CA_SCAN_BAD;
  case 't':
    return skip_word(scan, "true", 4) ? CA_SCAN_TRUE : CA_SCAN_BAD;
  case 'f':
    return skip_word(scan, "false", 5) ? CA_SCAN_FALSE : CA_SCAN_BAD;
  case 'n':
    return skip_word(scan, "null", 4) ? CA_SCAN_NULL : CA_SCAN_BAD;
  default:
    return skip_number(scan) ? CA_SCAN_NUMBER : CA_SCAN_BAD;
  }
}

enum ca_scan_kind ca_scan_within(struct ca_scan *scan, int depth,
                                 struct ca_slice *value)
{
  enum ca_scan_kind kind;
  skip_blanks(scan);
  value->data = scan->at;
  kind = skip_value(scan, depth);
  value->len = (size_t)(scan->at - value->data);
  return kind;
}

enum ca_scan_kind ca_scan_value(struct ca_scan *scan, struct ca_slice *value)
{
  return ca_scan_within(scan, CA_SCAN_DEPTH, value);
}

bool ca_scan_enter(struct ca_scan *scan, char bracket)
{
  skip_blanks(scan);
  if(scan->at >= scan->end || *scan->at != bracket)
    return false;
  scan->at++;
  return true;
}

/* Before a member or element: 1 go on, 0 the closing bracket was here, -1. */
static int step(struct ca_scan *scan, bool *first, char close)
{
  skip_blanks(scan);
  if(scan->at >= scan->end)
    return -1;
  if(*scan->at == close) {
    scan->at++;
    return 0;
  }
  if(!*first) {
    if(*scan->at != ',')
      return -1;
    scan->at++;
    skip_blanks(scan);
  }
  *first = false;
  return 1;
}

int ca_scan_member(struct ca_scan *scan, bool *first, struct ca_slice *key)
{
  int more = step(scan, first, '}');
  if(more <= 0)
    return more;
  if(scan->at >= scan->end || *scan->at != '"')
    return -1;
  key->data = scan->at + 1;
  if(!skip_string(scan))
    return -1;
  key->len = (size_t)(scan->at - key->data) - 1;
  skip_blanks(scan);
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
  skip_blanks(scan);
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
    unsigned code;
    size_t used;
    if(*at != '\\') {
      out[len++] = *at++;
      continue;
    }
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
