/* Error records.
   Must not know: HTTP exchanges, Lua, the ledger. */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include "base/err.h"

void ca_err_clear(struct ca_err *err)
{
  if(!err)
    return;
  /* only the first byte of each text: this runs several times per op */
  memset(err, 0, offsetof(struct ca_err, slug));
  err->slug[0] = '\0';
  err->request_id[0] = '\0';
  err->fix[0] = '\0';
  err->text[0] = '\0';
}

enum ca_code ca_err_set(struct ca_err *err, enum ca_code code, const char *fmt,
                        ...)
{
  if(err) {
    va_list args;
    ca_err_clear(err);
    err->code = code;
    va_start(args, fmt);
    vsnprintf(err->text, sizeof(err->text), fmt, args);
    va_end(args);
  }
  return code;
}

void ca_err_copy_text(char *to, size_t size, const char *from, size_t length)
{
  if(!size)
    return;
  if(length >= size) {
    length = size - 1;
    /* step back to the start of a sequence that would be cut */
    while(length && ((unsigned char)from[length] & 0xC0) == 0x80)
      length--;
  }
  if(length)
    memcpy(to, from, length);
  to[length] = '\0';
}
