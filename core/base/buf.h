/* Bounded byte buffers: they grow up to a ceiling given at birth and then
   refuse. Knows nothing of what the bytes mean. */
#ifndef CA_BUF_H
#define CA_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"

struct ca_buf {
  char *data;  /* NUL-terminated, or NULL */
  size_t len;  /* bytes in use, without that NUL */
  size_t size; /* bytes allocated */
  size_t max;  /* len never passes it */
};

void ca_buf_init(struct ca_buf *buf, size_t max);
/* Frees the bytes; the buffer can be used again. */
void ca_buf_clear(struct ca_buf *buf);
/* Wipes the bytes before it frees them. */
void ca_buf_wipe(struct ca_buf *buf);
/* Forgets the bytes but keeps the memory. */
void ca_buf_reset(struct ca_buf *buf);

/* Makes room for that many more bytes, or as many as the ceiling leaves, and
   no more than that: for who knows about how many will come. CA_NOMEM. */
CA_MUST_USE enum ca_code ca_buf_reserve(struct ca_buf *buf, size_t more);
/* CA_NOMEM without memory, CA_USAGE past the ceiling; the bytes already in
   it stay. */
CA_MUST_USE enum ca_code ca_buf_add(struct ca_buf *buf, const void *bytes,
                                    size_t len);
CA_MUST_USE enum ca_code ca_buf_add_text(struct ca_buf *buf, const char *text);
CA_MUST_USE enum ca_code ca_buf_printf(struct ca_buf *buf, const char *fmt,
                                       ...) CA_PRINTF(2, 3);

/* Never NULL. Borrows until the next change of the buffer. */
const char *ca_buf_text(const struct ca_buf *buf);

/* memset that the compiler keeps. */
void ca_wipe(void *memory, size_t len);

#endif
