/* What texts are made of, and how they are spelled in URLs and on terminals.
   Must not know: operations. */
#ifndef CA_TEXT_H
#define CA_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include "base/buf.h"

/* Bytes that somebody else owns. */
struct ca_slice {
  const char *data;
  size_t len;
};

static inline bool ca_slice_is(struct ca_slice slice, const char *text)
{
  return slice.len == strlen(text) && !memcmp(slice.data, text, slice.len);
}

/* The text, or NULL when it is empty or NULL itself. */
static inline const char *ca_text_or_null(const char *text)
{
  return text && *text ? text : NULL;
}

/* Valid UTF-8 (RFC 3629: no surrogates, no overlong forms)? *bad_offset, when
   not NULL, is where it stops being so. */
bool ca_text_is_utf8(struct ca_slice value, size_t *bad_offset);

/* Makes bytes from outside harmless for a terminal: control, escape and
   bidirectional characters, and bytes that are not UTF-8, become visible
   escapes. Writes at most size-1 bytes and a NUL; `to` is not `from`. */
void ca_text_printable(char *to, size_t size, const char *from, size_t len);

/* Percent-encoding of a query value: only A-Za-z0-9-._~ stay bare. */
CA_MUST_USE enum ca_code ca_text_encode_query(struct ca_buf *out,
                                              struct ca_slice value);
/* Percent-encoding of a path segment: A-Za-z0-9-._~!$&'()*+,;=:@ stay. */
CA_MUST_USE enum ca_code ca_text_encode_segment(struct ca_buf *out,
                                                struct ca_slice value);

#endif
