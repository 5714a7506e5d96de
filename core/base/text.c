/* Checks UTF-8, makes text safe for terminals, formats numbers for people, and
   percent-encodes.
   Must not know: operations. */
#include <stdio.h>
#include <string.h>
#include "base/text.h"

/* Decodes the UTF-8 sequence at p (up to end). Returns its length, 0 when it
   is invalid: cut, overlong, a surrogate or beyond U+10FFFF. */
static size_t decode(const unsigned char *p, const unsigned char *end,
                     unsigned *code_point)
{
  static const unsigned least[] = { 0, 0, 0x80, 0x800, 0x10000 };
  size_t len = *p < 0x80 ? 1 : *p < 0xE0 ? 2 : *p < 0xF0 ? 3 : 4;
  unsigned code = len == 1 ? *p : *p & (0xFFU >> (len + 1));
  size_t i;

  if((*p >= 0x80 && *p < 0xC0) || *p >= 0xF8 || (size_t)(end - p) < len)
    return 0;
  for(i = 1; i < len; i++) {
    if((p[i] & 0xC0) != 0x80)
      return 0;
    code = code << 6 | (p[i] & 0x3FU);
  }
  *code_point = code;
  return code < least[len] || code > 0x10FFFF ||
                 (code >= 0xD800 && code <= 0xDFFF)
             ? 0
             : len;
}

bool ca_text_is_utf8(struct ca_slice value, size_t *bad_offset)
{
  const unsigned char *start = (const unsigned char *)value.data;
  const unsigned char *p = start;
  const unsigned char *end = start + value.len;

  while(p < end) {
    unsigned code_point;
    size_t len = *p < 0x80 ? 1 : decode(p, end, &code_point);
    if(!len) {
      if(bad_offset)
        *bad_offset = (size_t)(p - start);
      return false;
    }
    p += len;
  }
  return true;
}

/* Code points that a terminal acts on or that reorder text: C0, DEL, C1,
   the bidirectional controls, line and paragraph separators. */
static bool is_harmful(unsigned code_point)
{
  return code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0) ||
         code_point == 0x061C || code_point == 0x200E ||
         code_point == 0x200F ||
         (code_point >= 0x2028 && code_point <= 0x202E) ||
         (code_point >= 0x2066 && code_point <= 0x2069) ||
         code_point == 0xFEFF;
}

/* Code points that show nothing, or no more than a blank: two ids that differ
   by one look alike. */
static bool is_invisible(unsigned code_point)
{
  static const unsigned ranges[][2] = {
    { 0xA0, 0xA0 },     { 0xAD, 0xAD },      { 0x34F, 0x34F },
    { 0x115F, 0x1160 }, { 0x17B4, 0x17B5 },  { 0x180B, 0x180F },
    { 0x2000, 0x200D }, { 0x202F, 0x202F },  { 0x205F, 0x2064 },
    { 0x206A, 0x206F }, { 0x3164, 0x3164 },  { 0xFE00, 0xFE0F },
    { 0xFFA0, 0xFFA0 }, { 0xE0000, 0xE0FFF }
  };
  size_t i;

  for(i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
    if(code_point >= ranges[i][0] && code_point <= ranges[i][1])
      return true;
  return false;
}

bool ca_text_has_invisible(struct ca_slice value)
{
  const unsigned char *p = (const unsigned char *)value.data;
  const unsigned char *end = p + value.len;

  while(p < end) {
    unsigned code_point = 0;
    size_t len = *p < 0x80 ? 1 : decode(p, end, &code_point);
    if(code_point && (is_harmful(code_point) || is_invisible(code_point)))
      return true;
    p += len ? len : 1;
  }
  return false;
}

/* Returns the length of the run of printable ASCII at from; nearly all text
   is. */
static size_t plain_run(const char *from, size_t len)
{
  size_t n = 0;
  while(n < len && from[n] >= 0x20 && from[n] < 0x7F)
    n++;
  return n;
}

/* Writes what is shown for the character at from, or for a byte that is not
   UTF-8, and returns its length. *n is the number of bytes read. An invisible
   character is escaped if show_invisible. */
static size_t escape(const char *from, size_t len, bool show_invisible,
                     size_t *n, char out[12])
{
  unsigned code_point = 0;
  int written;

  *n = decode((const unsigned char *)from, (const unsigned char *)from + len,
              &code_point);
  if(*n && !is_harmful(code_point) &&
     !(show_invisible && is_invisible(code_point))) {
    memcpy(out, from, *n);
    return *n;
  }
  if(!*n) {
    *n = 1;
    written = snprintf(out, 12, "\\x%02x", (unsigned char)*from);
  } else if(code_point < 0x100)
    written = snprintf(out, 12, "\\x%02x", code_point);
  else
    written = snprintf(out, 12, "\\u{%x}", code_point);
  return (size_t)written;
}

static void escape_all(char *to, size_t size, const char *from, size_t len,
                       bool show_invisible)
{
  size_t used = 0;

  if(!size)
    return;
  while(len) {
    char escaped[12];
    size_t n = plain_run(from, len);
    const char *piece = from;
    size_t piece_len = n;

    if(!n) {
      piece_len = escape(from, len, show_invisible, &n, escaped);
      piece = escaped;
    } else if(n > size - 1 - used)
      n = piece_len = size - 1 - used; /* cut here: no further piece fits */
    if(!n || used + piece_len >= size)
      break;
    memcpy(to + used, piece, piece_len);
    used += piece_len;
    from += n;
    len -= n;
  }
  to[used] = '\0';
}

void ca_text_printable(char *to, size_t size, const char *from, size_t len)
{
  escape_all(to, size, from, len, true);
}

void ca_text_harmless(char *to, size_t size, const char *from, size_t len)
{
  escape_all(to, size, from, len, false);
}

const char *ca_text_number(int64_t number, char out[32])
{
  char digits[24];
  size_t len =
      (size_t)snprintf(digits, sizeof(digits), "%lld", (long long)number);
  size_t used = 0;
  size_t i;

  for(i = 0; i < len; i++) {
    if(i && digits[i - 1] != '-' && (len - i) % 3 == 0)
      out[used++] = ',';
    out[used++] = digits[i];
  }
  out[used] = '\0';
  return out;
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

enum ca_code ca_text_encode_query(struct ca_buf *out, struct ca_slice value)
{
  return percent(out, value, "-._~");
}

enum ca_code ca_text_encode_segment(struct ca_buf *out, struct ca_slice value)
{
  return percent(out, value, "-._~!$&'()*+,;=:@");
}

bool ca_text_is_utf16(struct ca_slice text)
{
  const char *data = text.data;
  return text.len >= 2 &&
         (!memcmp(data, "\xFF\xFE", 2) || !memcmp(data, "\xFE\xFF", 2) ||
          !data[0] != !data[1]);
}
