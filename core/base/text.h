/* Slices and texts: copying and trimming, checking UTF-8, making text safe for
   terminals, numbers for people, percent-encoding for URLs.
   Must not know: operations. */
#ifndef CA_TEXT_H
#define CA_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "base/buf.h"

/* Bytes that the slice does not own. */
struct ca_slice {
  const char *data;
  size_t len;
};

static inline bool ca_slice_is(struct ca_slice slice, const char *text)
{
  return slice.len == strlen(text) && !memcmp(slice.data, text, slice.len);
}

static inline struct ca_slice ca_slice_of(const char *text)
{
  struct ca_slice slice = { text, text ? strlen(text) : 0 };
  return slice;
}

/* Copies a text, NULL as "", like ca_err_copy_text. */
static inline void ca_text_copy(char *to, size_t size, const char *text)
{
  ca_err_copy_text(to, size, text, text ? strlen(text) : 0);
}

/* Returns the slice without the blanks around it: the characters in
   `blanks`. */
static inline struct ca_slice ca_slice_trimmed(struct ca_slice slice,
                                               const char *blanks)
{
  size_t count = strlen(blanks);
  while(slice.len && memchr(blanks, slice.data[slice.len - 1], count))
    slice.len--;
  while(slice.len && memchr(blanks, *slice.data, count)) {
    slice.data++;
    slice.len--;
  }
  return slice;
}

/* Returns the text, or NULL when it is empty or NULL. */
static inline const char *ca_text_or_null(const char *text)
{
  return text && *text ? text : NULL;
}

/* Is it valid UTF-8 (RFC 3629: no surrogates, no overlong forms)? If not,
   sets *bad_offset, unless NULL, to the first invalid byte. */
bool ca_text_is_utf8(struct ca_slice value, size_t *bad_offset);

/* Does it have a character that shows nothing, or no more than a blank, such
   as a no-break space or a direction mark? */
bool ca_text_has_invisible(struct ca_slice value);

/* Makes untrusted bytes safe for a terminal, and exact for who reads them:
   control, escape, bidirectional and invisible characters, and bytes that are
   not UTF-8, become visible escapes. Writes at most size-1 bytes and a NUL;
   `to` and `from` must not overlap. */
void ca_text_printable(char *to, size_t size, const char *from, size_t len);
/* The same for a script's own output: invisible characters stay. */
void ca_text_harmless(char *to, size_t size, const char *from, size_t len);

/* Formats 2000 as "2,000", for people who compare numbers. Returns out. */
const char *ca_text_number(int64_t number, char out[32]);

/* Percent-encodes a query value: only A-Za-z0-9-._~ are left as they are. */
CA_MUST_USE enum ca_code ca_text_encode_query(struct ca_buf *out,
                                              struct ca_slice value);
/* Percent-encodes a path segment: only A-Za-z0-9-._~!$&'()*+,;=:@ are left
   as they are. */
CA_MUST_USE enum ca_code ca_text_encode_segment(struct ca_buf *out,
                                                struct ca_slice value);

/* Does the text begin as UTF-16 does, with a byte order mark or with a zero
   byte beside the first letter? */
bool ca_text_is_utf16(struct ca_slice text);

#endif
