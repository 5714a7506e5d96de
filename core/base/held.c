/* The beginning and the end of a text of any length.
   Must not know: where the text comes from, where it goes. */
#include <string.h>
#include "base/text.h"
#include "base/held.h"

void ca_held_add(struct ca_held *held, const char *bytes, size_t len)
{
  size_t room = sizeof(held->first) - held->first_len;
  size_t now = len < room ? len : room;
  memcpy(held->first + held->first_len, bytes, now);
  held->first_len += now;
  bytes += now;
  len -= now;
  while(len) {
    size_t at = held->later % sizeof(held->last);
    now = sizeof(held->last) - at;
    now = len < now ? len : now;
    memcpy(held->last + at, bytes, now);
    held->later += now;
    bytes += now;
    len -= now;
  }
}

enum ca_code ca_held_text(const struct ca_held *held, struct ca_buf *out)
{
  const size_t size = sizeof(held->last);
  size_t at = held->later % size;
  char count[32];
  enum ca_code code = ca_buf_add(out, held->first, held->first_len);
  if(code || held->later <= size)
    return code ? code : ca_buf_add(out, held->last, (size_t)held->later);
  code = ca_buf_printf(out, "\n… %s bytes left out …\n",
                       ca_text_number((int64_t)(held->later - size), count));
  if(!code)
    code = ca_buf_add(out, held->last + at, size - at);
  return code ? code : ca_buf_add(out, held->last, at);
}

void ca_held_reset(struct ca_held *held)
{
  held->first_len = 0;
  held->later = 0;
}
