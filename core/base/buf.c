/* Bounded byte buffers, and arrays that double.
   Must not know: what the bytes mean. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"

void ca_buf_wipe_memory(void *memory, size_t len)
{
  /* The compiler cannot see which function this calls, so it cannot remove the
     call as a dead store. macOS has no explicit_bzero. */
  static void *(*const volatile set)(void *, int, size_t) = memset;

  if(len)
    set(memory, 0, len);
}

void ca_buf_init(struct ca_buf *buf, size_t max)
{
  memset(buf, 0, sizeof(*buf));
  buf->max = max;
}

void ca_buf_clear(struct ca_buf *buf)
{
  free(buf->data);
  ca_buf_init(buf, buf->max);
}

void ca_buf_wipe(struct ca_buf *buf)
{
  if(buf->data)
    ca_buf_wipe_memory(buf->data, buf->size);
  ca_buf_clear(buf);
}

void ca_buf_reset(struct ca_buf *buf)
{
  buf->len = 0;
  if(buf->data)
    buf->data[0] = '\0';
}

static enum ca_code resize(struct ca_buf *buf, size_t size)
{
  char *data = realloc(buf->data, size);

  if(!data)
    return CA_NOMEM;
  buf->data = data;
  buf->size = size;
  return CA_OK;
}

enum ca_code ca_buf_reserve(struct ca_buf *buf, size_t more)
{
  size_t left = buf->max - buf->len;
  size_t need = buf->len + (more < left ? more : left) + 1;

  if(need <= buf->size)
    return CA_OK;
  if(resize(buf, need))
    return CA_NOMEM;
  buf->data[buf->len] = '\0'; /* the reserved bytes may never be added */
  return CA_OK;
}

/* Makes room for `more` bytes and a NUL. The size doubles, so that adding n
   bytes one by one costs O(n). */
static enum ca_code make_room(struct ca_buf *buf, size_t more)
{
  size_t need;
  size_t size;

  if(more > buf->max - buf->len)
    return CA_USAGE;
  need = buf->len + more + 1;
  if(need <= buf->size)
    return CA_OK;
  size = buf->size ? buf->size : 64;
  while(size < need)
    size *= 2;
  return resize(buf, size);
}

enum ca_code ca_buf_add(struct ca_buf *buf, const void *bytes, size_t len)
{
  enum ca_code code = make_room(buf, len);
  if(code)
    return code;
  if(len)
    memcpy(buf->data + buf->len, bytes, len);
  buf->len += len;
  buf->data[buf->len] = '\0';
  return CA_OK;
}

enum ca_code ca_buf_add_text(struct ca_buf *buf, const char *text)
{
  return ca_buf_add(buf, text, strlen(text));
}

enum ca_code ca_buf_printf(struct ca_buf *buf, const char *fmt, ...)
{
  va_list args;
  va_list copy;
  int len;
  enum ca_code code;

  va_start(args, fmt);
  va_copy(copy, args);
  len = vsnprintf(NULL, 0, fmt, args);
  va_end(args);
  if(len < 0) {
    va_end(copy);
    return CA_USAGE;
  }
  code = make_room(buf, (size_t)len);
  if(!code) {
    vsnprintf(buf->data + buf->len, (size_t)len + 1, fmt, copy);
    buf->len += (size_t)len;
  }
  va_end(copy);
  return code;
}

const char *ca_buf_text(const struct ca_buf *buf)
{
  return buf->data ? buf->data : "";
}

void *ca_buf_grow(void *array, size_t count, size_t *size, size_t element)
{
  size_t more = *size ? *size * 2 : 16;
  void *grown;

  if(count < *size)
    return array;
  grown = realloc(array, more * element);
  if(grown)
    *size = more;
  return grown;
}
