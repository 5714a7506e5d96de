/* Spelling texts for the wire. Knows nothing of operations. */
#include <string.h>
#include "base/text.h"

/* Length of the UTF-8 sequence at p (up to end), 0 when it is none. */
static size_t sequence_length(const unsigned char *p, const unsigned char *end)
{
  size_t len;
  size_t i;
  unsigned low = 0x80;
  unsigned high = 0xBF;

  if(*p < 0x80)
    return 1;
  if(*p >= 0xC2 && *p <= 0xDF)
    len = 2;
  else if(*p >= 0xE0 && *p <= 0xEF)
    len = 3;
  else if(*p >= 0xF0 && *p <= 0xF4)
    len = 4;
  else
    return 0;
  /* the second byte excludes overlong forms, surrogates and > U+10FFFF */
  if(*p == 0xE0)
    low = 0xA0;
  else if(*p == 0xED)
    high = 0x9F;
  else if(*p == 0xF0)
    low = 0x90;
  else if(*p == 0xF4)
    high = 0x8F;
  if((size_t)(end - p) < len || p[1] < low || p[1] > high)
    return 0;
  for(i = 2; i < len; i++)
    if((p[i] & 0xC0) != 0x80)
      return 0;
  return len;
}

bool ca_is_utf8(struct ca_slice value, size_t *bad_offset)
{
  const unsigned char *start = (const unsigned char *)value.data;
  const unsigned char *p = start;
  const unsigned char *end = start + value.len;

  while(p < end) {
    size_t len = sequence_length(p, end);
    if(!len) {
      if(bad_offset)
        *bad_offset = (size_t)(p - start);
      return false;
    }
    p += len;
  }
  return true;
}

static enum ca_code escape(struct ca_buf *out, unsigned char c)
{
  switch(c) {
  case '"':
    return ca_buf_add(out, "\\\"", 2);
  case '\\':
    return ca_buf_add(out, "\\\\", 2);
  case '\n':
    return ca_buf_add(out, "\\n", 2);
  case '\r':
    return ca_buf_add(out, "\\r", 2);
  case '\t':
    return ca_buf_add(out, "\\t", 2);
  case '\b':
    return ca_buf_add(out, "\\b", 2);
  case '\f':
    return ca_buf_add(out, "\\f", 2);
  default:
    return ca_buf_printf(out, "\\u%04x", c);
  }
}

enum ca_code ca_json_string(struct ca_buf *out, struct ca_slice value)
{
  size_t from = 0;
  size_t i;
  enum ca_code code;

  if(!ca_is_utf8(value, NULL))
    return CA_USAGE;
  code = ca_buf_add(out, "\"", 1);
  for(i = 0; !code && i < value.len; i++) {
    unsigned char c = (unsigned char)value.data[i];
    if(c >= 0x20 && c != '"' && c != '\\')
      continue;
    code = ca_buf_add(out, value.data + from, i - from);
    if(!code)
      code = escape(out, c);
    from = i + 1;
  }
  if(!code && from < value.len)
    code = ca_buf_add(out, value.data + from, value.len - from);
  return code ? code : ca_buf_add(out, "\"", 1);
}

static bool is_bare(unsigned char c, const char *bare)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || (c && strchr(bare, c));
}

static enum ca_code percent(struct ca_buf *out, struct ca_slice value,
                            const char *bare)
{
  static const char hex[] = "0123456789ABCDEF";
  size_t from = 0;
  size_t i;
  enum ca_code code = CA_OK;

  for(i = 0; !code && i < value.len; i++) {
    unsigned char c = (unsigned char)value.data[i];
    char three[3] = { '%', hex[c >> 4], hex[c & 15] };
    if(is_bare(c, bare))
      continue;
    code = ca_buf_add(out, value.data + from, i - from);
    if(!code)
      code = ca_buf_add(out, three, 3);
    from = i + 1;
  }
  if(!code && from < value.len)
    code = ca_buf_add(out, value.data + from, value.len - from);
  return code;
}

enum ca_code ca_encode_query(struct ca_buf *out, struct ca_slice value)
{
  return percent(out, value, "-._~");
}

enum ca_code ca_encode_segment(struct ca_buf *out, struct ca_slice value)
{
  return percent(out, value, "-._~!$&'()*+,;=:@");
}
