/* Memory that grows: bounded byte buffers, which grow up to the maximum that
   they were initialised with, and arrays, which double (ca_buf_grow).
   Must not know: what the bytes mean. */
#ifndef CA_BUF_H
#define CA_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"

struct ca_buf {
  char *data;  /* NUL-terminated, or NULL */
  size_t len;  /* bytes in use, without that NUL */
  size_t size; /* bytes allocated */
  size_t max;  /* len never exceeds it */
};

void ca_buf_init(struct ca_buf *buf, size_t max);
/* Frees the bytes; the buffer can be used again. */
void ca_buf_clear(struct ca_buf *buf);
/* The same, but overwrites the bytes first. */
void ca_buf_wipe(struct ca_buf *buf);
/* Empties the buffer and keeps its memory. */
void ca_buf_reset(struct ca_buf *buf);

/* Allocates memory for `more` further bytes, or for as many as max allows, and
   no more than that. For callers that know the size beforehand. CA_NOMEM. */
CA_MUST_USE enum ca_code ca_buf_reserve(struct ca_buf *buf, size_t more);
/* Appends. CA_NOMEM when out of memory, CA_USAGE beyond max; the buffer then
   keeps its bytes. */
CA_MUST_USE enum ca_code ca_buf_add(struct ca_buf *buf, const void *bytes,
                                    size_t len);
CA_MUST_USE enum ca_code ca_buf_add_text(struct ca_buf *buf, const char *text);
CA_MUST_USE enum ca_code ca_buf_printf(struct ca_buf *buf, const char *fmt,
                                       ...) CA_PRINTF(2, 3);

/* Returns the text, never NULL; valid until the buffer changes. */
const char *ca_buf_text(const struct ca_buf *buf);

/* Makes room in an array of `count` elements for one more: the same array, or
   one of twice the size, to which *size, the elements allocated, is set. NULL
   when out of memory; the array then stays as it was. */
void *ca_buf_grow(void *array, size_t count, size_t *size, size_t element);

/* Overwrites memory with zeros; the compiler cannot remove the call. */
void ca_buf_wipe_memory(void *memory, size_t len);

#endif
